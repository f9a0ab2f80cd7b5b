/** Cells sorted by what they count as (their group) and by where they come from (their source). */
import { BadInput } from '../job/errors.ts'
import { bucketRows } from './draw-rows.ts'
import type { SourceCells } from './source-split.ts'

export interface GroupedCells {
  /** each cell's group, as its number in `groupNames`; -1 is none, and such cells are never taken */
  groups: Int32Array
  /** no name twice */
  groupNames: readonly string[]
  /** each cell's reference, as its number in `sourceNames`; null where references are not to be balanced */
  sources: Int32Array | null
  sourceNames: readonly string[]
}

/** One group with the rows it has of each source, sources in the order in which they appear. */
export interface Group {
  name: string
  cells: number
  sources: (SourceCells & { number: number; rows: Int32Array })[]
}

/**
 * Groups with cells, in the order of their numbers. Without sources all cells of a group are of one, which has no name.
 * @throws BadInput SOURCE_MISSING when a cell with a group has no source
 * @throws RangeError when codes and names do not fit together
 */
export function groupsOf({ groups, groupNames, sources, sourceNames }: GroupedCells, place: string): Group[] {
  if (new Set(groupNames).size < groupNames.length) throw new RangeError('two groups have the same name')
  const names = sources === null ? [''] : sourceNames
  if (sources !== null) checkSources({ groups, sources, count: names.length, place })
  const keys = groups.map((group, cell) => (group < 0 ? -1 : group * names.length + (sources?.[cell] ?? 0)))
  const buckets = bucketRows(keys, groupNames.length * names.length)
  return groupNames.flatMap((name, group) => {
    const found = names
      .map((source, number) => ({ name: source, number, rows: buckets[group * names.length + number]! }))
      .filter(({ rows }) => rows.length > 0)
      .map((source) => ({ ...source, cells: source.rows.length }))
      .sort((a, b) => a.rows[0]! - b.rows[0]!)
    const count = found.reduce((sum, source) => sum + source.cells, 0)
    return count === 0 ? [] : [{ name, cells: count, sources: found }]
  })
}

function checkSources(given: {
  groups: Int32Array
  sources: Int32Array
  count: number
  place: string
}): void {
  const { groups, sources, count, place } = given
  if (sources.length !== groups.length)
    throw new RangeError(`${sources.length} sources for ${groups.length} cells`)
  let missing = 0
  for (let cell = 0; cell < groups.length; cell++) {
    if (groups[cell]! < 0) continue
    if (sources[cell]! >= count) throw new RangeError(`source ${sources[cell]} of ${count}`)
    if (sources[cell]! < 0) missing++
  }
  if (missing > 0)
    throw new BadInput(
      'SOURCE_MISSING',
      place,
      `${missing} cells have no source`,
      'Give every cell the reference that it comes from, or balance without sources',
    )
}
