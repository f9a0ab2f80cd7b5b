/**
 * Which known marker genes of each cell type a matrix has, and those genes alone: every check of labels against markers starts here.
 * A label is looked up as it is written, else without regard to case, as SpatialCore does; genes by their exact name.
 */
import type { ErrorReport } from '../job/errors.ts'
import {
  cellsOfLabels,
  checkLabelled,
  type Expression,
  isTypeLabel,
  type LabelledExpression,
  selectGenes,
} from './expression.ts'

/** Marker genes by label. */
export type MarkerTable = ReadonlyMap<string, readonly string[]>

export interface MarkedType {
  label: string
  /** its number among the labels */
  code: number
  /** numbers of its cells, ascending */
  cells: Int32Array
  /** how many markers the table has for it; 0 where it does not know the type */
  known: number
  /** those of them that the matrix has, in the table's order, each once */
  markers: string[]
  /** their columns in `expression` of `MarkedCells` */
  columns: Int32Array
}

export interface MarkedCells {
  /** types that have cells, most cells first, of equally many by name; what is no type ("Unassigned") is not among them */
  types: MarkedType[]
  /** cells x the markers of those types */
  expression: Expression
}

/** @throws RangeError where the parts of `cells` do not fit each other */
export function markCells(cells: LabelledExpression, table: MarkerTable): MarkedCells {
  checkLabelled(cells)
  const anyCase = new Map<string, readonly string[]>()
  for (const [label, markers] of table)
    if (!anyCase.has(label.toLowerCase())) anyCase.set(label.toLowerCase(), markers)
  const numbers = new Map<string, number>()
  for (const [gene, name] of cells.genes.entries()) if (!numbers.has(name)) numbers.set(name, gene)

  const members = cellsOfLabels(cells)
  const columns = new Map<string, number>()
  const types: MarkedType[] = []
  for (const [code, label] of cells.labels.entries()) {
    if (members[code]!.length === 0 || !isTypeLabel(label)) continue
    const known = [...new Set(table.get(label) ?? anyCase.get(label.toLowerCase()) ?? [])]
    const markers = known.filter((name) => numbers.has(name))
    for (const name of markers) if (!columns.has(name)) columns.set(name, columns.size)
    const own = Int32Array.from(markers, (name) => columns.get(name)!)
    types.push({ label, code, cells: members[code]!, known: known.length, markers, columns: own })
  }
  types.sort(
    (a, b) => b.cells.length - a.cells.length || Number(a.label > b.label) - Number(a.label < b.label),
  )
  const genes = Array.from(columns.keys(), (name) => numbers.get(name)!)
  return { types, expression: selectGenes(cells.expression, genes) }
}

/** Why a type with too few of its markers cannot be looked at; undefined where it has enough. */
export function markersMissing({ known, markers }: MarkedType, least: number): string | undefined {
  if (known === 0) return 'no markers are known'
  if (markers.length >= least) return undefined
  return `${markers.length} of ${known} markers are among the genes, ${least} are needed`
}

const mostNamed = 5

/** Names types that could not be looked at, the first few with their reasons. */
export function tellUnassessed(types: readonly { label: string; cells: number; reason: string }[]): string {
  const named = types
    .slice(0, mostNamed)
    .map(({ label, cells, reason }) => `${label} (${cells} cells: ${reason})`)
  const more = types.length > mostNamed ? [`${types.length - mostNamed} more`] : []
  return [...named, ...more].join(', ')
}

/** The notice of types whose markers say nothing; none where there are none. */
export function noticeOfUnassessed(
  types: readonly { label: string; cells: number; reason: string }[],
  place: string,
): ErrorReport[] {
  if (types.length === 0) return []
  return [
    {
      code: 'MARKERS_NOT_ASSESSED',
      place,
      problem: `${types.length} cell types could not be checked against markers: ${tellUnassessed(types)}`,
      remedy:
        'Give markers of these types that the data have; until then take them as not checked, neither passed nor failed',
    },
  ]
}
