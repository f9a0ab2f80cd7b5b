/**
 * MatchOntology of `type-cells`: labels of the references onto Cell Ontology terms. What a person decided comes first (the edited review,
 * the job file), then the ids that the references bring along, then the matcher.
 */
import type { ErrorReport } from '../../job/errors.ts'
import type { TypeCellsSettings } from '../../job/settings/type-cells.ts'
import { existingTerms, hierarchicalLabels, idCoverage } from '../../knowledge/existing-terms.ts'
import { type LabelMatch, matchLabels } from '../../knowledge/ontology-match.ts'
import { applyReview, readReview } from '../../knowledge/ontology-review.ts'
import { trainingClasses } from '../../knowledge/training-classes.ts'
import { excludedLabels } from '../../prep/excluded-labels.ts'
import { shownNames } from '../../prep/shown-names.ts'
import type { TermRequest } from '../lambda-parts.ts'
import { checkGivenTerms, termsByLabel } from '../parts/label-terms.ts'
import { givenMarkers, givenProportions } from './documents.ts'
import { leftOutLabels } from './left-out-labels.ts'

const place = 'labels of the references'

/** @throws BadInput ONTOLOGY_LABEL, ONTOLOGY_ID, ONTOLOGY_REVIEW, and what leftOutLabels throws */
export async function typeCellsTerms(request: TermRequest<TypeCellsSettings>) {
  const { settings, documents } = request
  givenProportions(request)
  givenMarkers(request)
  if (!settings.add_ontology) return { labels: {}, notices: notUsed(settings) }
  const { labels, seen, cells } = labelsOf(request)
  await checkGivenTerms(settings.ontology, { labels, whose: 'the references' })
  const brought = await existingTerms(seen, { place })
  const matches = await matchLabels(labels, {
    policy: settings.ontology_policy,
    existing: new Map([...brought.terms, ...Object.entries(settings.ontology)]),
    ...(settings.granularity === 'spatial' && { granularity: 'spatial' }),
    tissue: settings.tissue === 'unknown' ? undefined : settings.tissue,
  })
  const table = documents.ontology_review
  const review =
    table === undefined
      ? { decisions: new Map(), notices: [] }
      : await readReview(Buffer.from(table.base64, 'base64'), table.place, { labels })
  const reviewed = await applyReview(matches, review.decisions)
  const unmapped = settings.unmapped_labels === 'drop' ? 'drop' : 'own'
  const { notices: told } = trainingClasses(reviewed, { unmapped, place })
  const leftOut = await leftOutLabels(reviewed, { settings, cells, place })
  const terms = termsByLabel(reviewed)
  for (const [label, reason] of leftOut.reasons) terms[label]!.leftOut = reason
  const hierarchical = hierarchicalLabels(labels, place)
  const notices: ErrorReport[] = [
    ...coverageNotices(request),
    ...(hierarchical === undefined ? [] : [hierarchical]),
    ...brought.notices,
    ...review.notices,
    ...told,
    ...skippedNotice(reviewed),
    ...leftOut.notices,
  ]
  return { labels: terms, notices }
}

/** How many cells of each reference bring an id of their own; the labels of the others are matched by their words. */
function coverageNotices({ inputs }: TermRequest<TypeCellsSettings>): ErrorReport[] {
  const sources = inputs.flatMap(({ role, facts: { labels } }) => {
    if (labels === null) return []
    const ids = labels.labels.flatMap((label) => label.ids)
    const cells = labels.cells - labels.missing
    return [{ source: role, cells, ids: ids.length === 0 ? undefined : ids }]
  })
  return [...idCoverage(sources).bySource].map(([role, { nCells, nWithIds, coverage }]) => ({
    code: 'ONTOLOGY_COVERAGE',
    place: `labels of ${role}`,
    problem: `${nWithIds} of ${nCells} labelled cells (${(100 * coverage).toFixed(1)} %) bring a Cell Ontology id`,
    remedy:
      coverage === 1 ? 'Nothing to do' : 'Nothing, if the table of labels shows the terms that are meant',
  }))
}

/** "Other" and its like name no cell type, whether they are among exclude_labels or not. */
function skippedNotice(matches: readonly LabelMatch[]): ErrorReport[] {
  const skipped = matches.filter(({ tier }) => tier === 'skipped').map(({ label }) => label)
  if (skipped.length === 0) return []
  const problem = `${skipped.length} of ${matches.length} labels name no cell type or were dropped in the review, and their cells are left out: ${shownNames(skipped)}`
  const remedy =
    'To keep one, write "keep" into the column "decision" of ontology_review.csv and pass it back as ontology_review'
  return [{ code: 'LABELS_SKIPPED', place, problem, remedy }]
}

/** What of the job stays without effect when labels get no terms. */
function notUsed({ ontology, ontology_review: review }: TypeCellsSettings): ErrorReport[] {
  const given = [
    ...(Object.keys(ontology).length > 0 ? ['ontology'] : []),
    ...(review === undefined ? [] : ['ontology_review']),
  ]
  if (given.length === 0) return []
  const problem = `add_ontology is false, so these settings were not used: ${given.join(', ')}`
  const remedy = 'Leave out add_ontology to have labels given their Cell Ontology ids'
  return [{ code: 'ONTOLOGY_NOT_USED', place: 'add_ontology', problem, remedy }]
}

/** Every label that cells may be learnt from, with the ids that stand beside it in all references together, and how many of its cells are likely to be drawn. */
function labelsOf({ settings, inputs }: TermRequest<TypeCellsSettings>) {
  const excluded = new Set(settings.exclude_labels ?? excludedLabels)
  const ids = new Map<string, Map<string, number>>()
  const cellsOf = new Map<string, number>()
  for (const { facts } of inputs) {
    const wanted = facts.labels?.labels.filter(({ label }) => !excluded.has(label)) ?? []
    const all = wanted.reduce((sum, { cells }) => sum + cells, 0)
    const drawn = Math.min(1, settings.max_cells_per_ref / all)
    for (const { label, cells: own, ids: found } of wanted) {
      cellsOf.set(label, (cellsOf.get(label) ?? 0) + own * drawn)
      const seen = ids.get(label) ?? new Map<string, number>()
      ids.set(label, seen)
      for (const [id, cells] of found) seen.set(id, (seen.get(id) ?? 0) + cells)
    }
  }
  const labels = [...ids.keys()].sort()
  return { labels, cells: cellsOf, seen: labels.map((label) => ({ label, ids: ids.get(label)! })) }
}
