/**
 * Labels that name no cell type: cells that bear one are no examples of anything. The list is SpatialCore's (0.3), compared letter by
 * letter: "unknown cells" stays, and so does "DOUBLET". Trap: text made of a missing value ("nan", "None") is among them.
 */
import type { ErrorReport } from '../job/errors.ts'
import { BadInput } from '../job/errors.ts'
import { shownName } from './shown-names.ts'

export const excludedLabels: readonly string[] = [
  ...['unknown', 'Unknown', 'UNKNOWN', 'unassigned', 'Unassigned'],
  ...['na', 'NA', 'N/A', 'n/a', 'nan', 'NaN', 'NAN', 'none', 'None', 'null'],
  ...['doublet', 'Doublet', 'multiplet', 'Multiplet', 'low quality', 'Low quality'],
  ...['low_count', 'Low_count', 'LOW_COUNT', 'low count', 'Low count'],
]

export interface Exclusion {
  /** the codes given, -1 where the label is excluded */
  codes: Int32Array
  /** labels that took cells with them, most cells first */
  removed: { label: string; cells: number }[]
  notices: ErrorReport[]
}

/**
 * @param codes each cell's label, as its number in `labels`; -1 is none
 * @param options.excluded instead of the list above; `[]` excludes nothing
 * @throws BadInput LABELS_ALL_EXCLUDED when cells had labels and none is left
 */
export function excludeLabels(
  codes: Int32Array,
  options: { labels: readonly string[]; excluded?: readonly string[]; place: string },
): Exclusion {
  const { labels, excluded = excludedLabels, place } = options
  const names = new Set(excluded)
  const isOut = labels.map((label) => names.has(label))
  const cells = new Map<string, number>()
  let kept = 0
  const left = codes.map((code) => {
    if (code < 0) return -1
    const label = labels[code]
    if (label === undefined) throw new RangeError(`label ${code} of ${labels.length}`)
    if (!isOut[code]) {
      kept++
      return code
    }
    cells.set(label, (cells.get(label) ?? 0) + 1)
    return -1
  })
  const removed = [...cells]
    .map(([label, count]) => ({ label, cells: count }))
    .sort((a, b) => b.cells - a.cells || (a.label < b.label ? -1 : 1))
  if (removed.length === 0) return { codes: left, removed, notices: [] }
  if (kept === 0) throw allExcluded(removed, place)
  return { codes: left, removed, notices: [told(removed, place)] }
}

function told(removed: Exclusion['removed'], place: string): ErrorReport {
  return {
    code: 'LABELS_EXCLUDED',
    place,
    problem: `${cellsOf(removed)} cells are left out, whose labels name no cell type: ${counted(removed)}`,
    remedy: 'Set "exclude_labels" to leave out others, or to [] to keep them',
  }
}

function allExcluded(removed: Exclusion['removed'], place: string): BadInput {
  return new BadInput(
    'LABELS_ALL_EXCLUDED',
    place,
    `all ${cellsOf(removed)} labelled cells have labels that name no cell type: ${counted(removed)}`,
    'Name another column of labels, or set "exclude_labels" to []',
  )
}

function cellsOf(removed: Exclusion['removed']): number {
  return removed.reduce((sum, { cells }) => sum + cells, 0)
}

function counted(removed: Exclusion['removed']): string {
  const shown = removed.slice(0, 10).map(({ label, cells }) => `${shownName(label)} (${cells})`)
  return `${shown.join(', ')}${removed.length > 10 ? ` and ${removed.length - 10} more` : ''}`
}
