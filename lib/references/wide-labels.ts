/**
 * Cells whose id is wider than another id of the same reference ("T cell" beside "CD4-positive T cell"), to be left out: what SpatialCore
 * calls resolve_hierarchy "remove_parents". Its rule compares words; here the is_a graph of the Cell Ontology is asked, unless its own
 * rule is wished.
 *
 * Trap: a narrower id counts only where it has cells enough to be learnt from. Three CD4 T cells must not cost a thousand T cells.
 */
import type { ErrorReport } from '../job/errors.ts'
import { cellOntologyId, loadOntology } from '../knowledge/ontology.ts'
import { type NamedId, parentLabels, parentTerms } from '../knowledge/parent-terms.ts'
import { shownName, shownNames } from '../prep/shown-names.ts'
import type { LabelPair } from './label-tally.ts'

export interface WideOptions {
  rule: 'ontology' | 'spatialcore'
  place: string
}

/** every id is compared with every other */
const mostIds = 3000
const leastCells = 10

/** @param cells of each pair. @returns 1 for each pair that goes */
export async function widePairs(
  pairs: readonly LabelPair[],
  cells: Float64Array,
  { rule, place }: WideOptions,
): Promise<{ wide: Uint8Array; notices: ErrorReport[] }> {
  const wide = new Uint8Array(pairs.length)
  const terms = commonestLabels(pairs, cells)
  if (terms.length < 2 || terms.length > mostIds) return { wide, notices: [notAssessed(terms.length, place)] }
  const parents =
    rule === 'spatialcore' ? parentLabels(terms) : parentTerms(ownIds(terms), await loadOntology())
  const removed: { label: string; cells: number }[] = []
  for (const { id, label, cells: own } of terms) {
    if (!parents.has(rule === 'spatialcore' ? id : ownId(id))) continue
    removed.push({ label, cells: own })
    for (const [number, pair] of pairs.entries()) if (pair.id === id) wide[number] = 1
  }
  return { wide, notices: removed.length === 0 ? [] : [told(removed, place)] }
}

type CountedId = NamedId & { cells: number }

/** Of every id with cells enough, the label that most of its cells have. */
function commonestLabels(pairs: readonly LabelPair[], cells: Float64Array): CountedId[] {
  const ids = new Map<string, { label: string; most: number; cells: number }>()
  for (const [number, { label, id }] of pairs.entries()) {
    const own = cells[number]!
    if (id === '' || id === 'unknown' || own === 0) continue
    const known = ids.get(id) ?? { label, most: 0, cells: 0 }
    const leads = own > known.most || (own === known.most && label < known.label)
    ids.set(id, {
      label: leads ? label : known.label,
      most: Math.max(own, known.most),
      cells: known.cells + own,
    })
  }
  return [...ids]
    .filter(([, { cells: own }]) => own >= leastCells)
    .map(([id, { label, cells: own }]) => ({ id, label, cells: own }))
}

const ownId = (id: string): string => cellOntologyId(id) ?? id
const ownIds = (terms: readonly CountedId[]): NamedId[] =>
  terms.map(({ id, label }) => ({ id: ownId(id), label }))

function told(removed: readonly { label: string; cells: number }[], place: string): ErrorReport {
  const all = removed.reduce((sum, { cells }) => sum + cells, 0)
  const shown = removed.slice(0, 20).map(({ label, cells }) => `${shownName(label)} (${cells})`)
  const more = removed.length > shown.length ? ` and ${removed.length - shown.length} more` : ''
  return {
    code: 'PARENTS_REMOVED',
    place,
    problem: `${all} cells of ${removed.length} labels were left out because other labels are narrower: ${shown.join(', ')}${more}`,
    remedy: 'Set "resolve_hierarchy" to "none" to keep them',
  }
}

function notAssessed(ids: number, place: string): ErrorReport {
  const problem =
    ids > mostIds
      ? `there are ${ids} ids, too many to be cell types: which are wider than others was not assessed`
      : `${shownNames(['cell_type_ontology_term_id'])} names fewer than two terms with ${leastCells} cells: which labels are wider than others was not assessed`
  return {
    code: 'PARENTS_NOT_ASSESSED',
    place,
    problem,
    remedy: 'Check the ids; "type-cells" compares labels too',
  }
}
