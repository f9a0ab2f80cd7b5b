/**
 * Labels that name a cell type and are not learnt from all the same: those that `keep_terms` does not take, and with `resolve_hierarchy`
 * those that are wider than another label ("T cell" beside "CD4 T cell"), whose cells are half-named (SpatialCore's remove_parents).
 *
 * Trap: a narrower label counts only where it has cells enough to be learnt. Three CD4 T cells must not cost a job its thousand T cells.
 */
import { BadInput, type ErrorReport } from '../../job/errors.ts'
import type { TypeCellsSettings } from '../../job/settings/type-cells.ts'
import { loadOntology, type Ontology } from '../../knowledge/ontology.ts'
import type { LabelMatch } from '../../knowledge/ontology-match.ts'
import { parentLabels, parentTerms } from '../../knowledge/parent-terms.ts'
import { parseTermFilter } from '../../knowledge/term-filter.ts'
import { shownName, shownNames } from '../../prep/shown-names.ts'

export interface LeftOutLabels {
  /** by label, why */
  reasons: Map<string, string>
  notices: ErrorReport[]
}

interface Labels {
  settings: TypeCellsSettings
  /** of each label, in all references together, as far as they are likely to be drawn */
  cells: ReadonlyMap<string, number>
  place: string
}

/** @throws BadInput TERM_FILTER, KEEP_TERMS_ID, KEEP_TERMS_NONE */
export async function leftOutLabels(matches: readonly LabelMatch[], labels: Labels): Promise<LeftOutLabels> {
  const ontology = await loadOntology()
  const named = matches.filter(({ tier }) => tier !== 'skipped')
  const filtered = notKept(named, { ...labels, ontology })
  const kept = named.filter(({ label }) => !filtered.reasons.has(label))
  const wide = parents(kept, { ...labels, ontology })
  return {
    reasons: new Map([...filtered.reasons, ...wide.reasons]),
    notices: [...filtered.notices, ...wide.notices],
  }
}

type Known = Labels & { ontology: Ontology }

const nothing: LeftOutLabels = { reasons: new Map(), notices: [] }

function notKept(matches: readonly LabelMatch[], { settings, ontology, place }: Known): LeftOutLabels {
  if (settings.keep_terms === undefined) return nothing
  const filter = parseTermFilter(settings.keep_terms, 'keep_terms')
  for (const id of filter.ids) if (!ontology.byId.has(id)) throw notInUse(id, ontology)
  const above = (id: string) => ontology.ancestors(id)
  const out = matches.filter(({ id }) => !filter.matches(id === null ? [] : [id], above))
  if (out.length === 0) return nothing
  const shown = shownNames(
    out.map(({ label }) => label),
    { most: 20 },
  )
  if (out.length === matches.length)
    throw new BadInput(
      'KEEP_TERMS_NONE',
      'keep_terms',
      `none of the ${out.length} labels has a term that it takes: ${shown}`,
      'An id takes itself only; write CL:0000084+ for what is below it too',
    )
  const problem = `${out.length} of ${matches.length} labels are not learnt from, as keep_terms does not take them: ${shown}`
  const remedy = 'Change keep_terms; an id with a plus takes what is below it too'
  return {
    reasons: new Map(out.map(({ label }) => [label, 'keep_terms does not take it'])),
    notices: [{ code: 'LABELS_NOT_KEPT', place, problem, remedy }],
  }
}

function notInUse(id: string, { replacedBy, byId }: Ontology): BadInput {
  const now = replacedBy.get(id)
  const remedy =
    now === undefined
      ? 'Look it up at https://www.ebi.ac.uk/ols4'
      : `It was replaced by ${now} (${byId.get(now)!.name})`
  return new BadInput('KEEP_TERMS_ID', 'keep_terms', `${id} is no current term of the Cell Ontology`, remedy)
}

function parents(matches: readonly LabelMatch[], known: Known): LeftOutLabels {
  const { settings, ontology, place } = known
  if (settings.resolve_hierarchy === 'none') return nothing
  const { byId, withoutId } = learntLabels(matches, known)
  const terms = [...byId].map(([id, [commonest]]) => ({ id, label: commonest! }))
  const children =
    settings.ontology_policy === 'spatialcore' ? parentLabels(terms) : parentTerms(terms, ontology)
  const notices: ErrorReport[] = []
  if (children.size > 0) {
    const told = [...children].slice(0, 20).map(([id, below]) => {
      const narrower = shownNames(
        below.map((one) => byId.get(one)![0]!),
        { most: 3 },
      )
      return `${byId.get(id)!.map(shownName).join(', ')} (${id}; wider than ${narrower})`
    })
    const problem = `${children.size} types are not learnt from, as others are kinds of them: ${told.join('; ')}`
    notices.push({
      code: 'LABELS_PARENTS',
      place,
      problem,
      remedy: 'Set resolve_hierarchy: none to keep them',
    })
  }
  if (withoutId.length > 0) {
    const problem = `not-assessed whether ${withoutId.length} labels without a Cell Ontology id are wider than others: ${shownNames(withoutId)}`
    const remedy = 'Decide in the review table what they are, and pass it back'
    notices.push({ code: 'LABELS_PARENTS_NOT_ASSESSED', place, problem, remedy })
  }
  const reasons = [...children.keys()].flatMap((id) => byId.get(id)!.map((label) => [label, wider] as const))
  return { reasons: new Map(reasons), notices }
}

const wider = 'other labels are kinds of it'

/** Labels by their term, those of most cells first, as far as they have the cells to become a class. */
function learntLabels(matches: readonly LabelMatch[], { settings, cells }: Known) {
  const cellsOf = (label: string) => cells.get(label) ?? 0
  const least = settings.filter_min_cells ? settings.min_cells_per_label : 1
  const common = matches.filter(({ label }) => cellsOf(label) >= least)
  const byId = new Map<string, string[]>()
  for (const { label, id } of common) if (id !== null) byId.set(id, [...(byId.get(id) ?? []), label])
  for (const [id, own] of byId) {
    own.sort((a, b) => cellsOf(b) - cellsOf(a) || (a < b ? -1 : 1))
    const sum = own.reduce((total, label) => total + cellsOf(label), 0)
    const largest = settings.group_by === 'ontology' ? sum : cellsOf(own[0]!)
    if (largest < settings.min_cells_per_type) byId.delete(id)
  }
  return { byId, withoutId: common.filter(({ id }) => id === null).map(({ label }) => label) }
}
