/**
 * MatchOntology of `type-cells`: labels of the references onto Cell Ontology terms. What a person decided comes first (the edited review,
 * the job file), then the ids that the references bring along, then the matcher.
 */
import type { ErrorReport } from '../../job/errors.ts'
import type { TypeCellsSettings } from '../../job/settings/type-cells.ts'
import { existingTerms, hierarchicalLabels, idCoverage } from '../../knowledge/existing-terms.ts'
import { matchLabels } from '../../knowledge/ontology-match.ts'
import { applyReview, readReview } from '../../knowledge/ontology-review.ts'
import { trainingClasses } from '../../knowledge/training-classes.ts'
import { excludedLabels } from '../../prep/excluded-labels.ts'
import type { TermRequest } from '../lambda-parts.ts'
import { checkGivenTerms, termsByLabel } from '../parts/label-terms.ts'
import { leftOutLabels } from './left-out-labels.ts'

const place = 'labels of the references'

/** @throws BadInput ONTOLOGY_LABEL, ONTOLOGY_ID, ONTOLOGY_REVIEW, and what leftOutLabels throws */
export async function typeCellsTerms(request: TermRequest<TypeCellsSettings>) {
  const { settings, documents } = request
  if (!settings.add_ontology) return { labels: {}, notices: [] }
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
      : await readReview(new TextEncoder().encode(table.text), table.place, { labels })
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

/** Every label that cells may be learnt from, with its cells and the ids that stand beside it in all references together. */
function labelsOf({ settings, inputs }: TermRequest<TypeCellsSettings>) {
  const excluded = new Set(settings.exclude_labels ?? excludedLabels)
  const ids = new Map<string, Map<string, number>>()
  const cellsOf = new Map<string, number>()
  for (const { facts } of inputs)
    for (const { label, cells: own, ids: found } of facts.labels?.labels ?? []) {
      if (excluded.has(label)) continue
      cellsOf.set(label, (cellsOf.get(label) ?? 0) + own)
      const all = ids.get(label) ?? new Map<string, number>()
      ids.set(label, all)
      for (const [id, cells] of found) all.set(id, (all.get(id) ?? 0) + cells)
    }
  const labels = [...ids.keys()].sort()
  return { labels, cells: cellsOf, seen: labels.map((label) => ({ label, ids: ids.get(label)! })) }
}
