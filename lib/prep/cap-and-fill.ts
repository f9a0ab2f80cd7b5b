/**
 * Training cells out of several references: each type up to a cap or to its share, and of each type from every reference that has it
 * (SpatialCore's "Cap & Fill", subsample_balanced of 0.3). A group is what counts as one type, by label or by ontology id.
 *
 * `compat` gives its numbers of cells with its faults; which cells are drawn is decided by our own generator. Each group and source has
 * a generator of its own, by name: another group beside it changes nothing.
 */
import type { ErrorReport } from '../job/errors.ts'
import { BadInput } from '../job/errors.ts'
import type { Random } from '../job/random.ts'
import { random } from '../job/random.ts'
import { drawRows, joinRows } from './draw-rows.ts'
import type { Group, GroupedCells } from './grouped-cells.ts'
import { groupsOf } from './grouped-cells.ts'
import type { Proportions } from './proportion-check.ts'
import { shownName, shownNames } from './shown-names.ts'
import type { SplitOptions } from './source-split.ts'
import { minimumsOf, splitBySource } from './source-split.ts'
import { typeTargets } from './type-targets.ts'

export interface CapAndFillOptions {
  /** whole number in [0, 2^32) */
  seed: number
  place: string
  /** 5000 unless told */
  maxCellsPerType?: number
  /** groups with fewer cells are dropped; 50 unless told */
  minCellsPerType?: number
  /** 'proportional' unless told */
  balance?: 'proportional' | 'equal'
  /** 50 unless told */
  minCellsPerSource?: number
  /** by group name */
  targetProportions?: Proportions
  /** where these stand, for messages: `place` unless told */
  proportionsPlace?: string
  /** 'exact' unless told */
  rounding?: 'exact' | 'compat'
}

export interface Balanced {
  /** ascending */
  rows: Int32Array
  /** one line for each group and source with cells, dropped groups too; source null where sources are null */
  table: { group: string; source: string | null; before: number; after: number }[]
  /** groups with too few cells */
  dropped: { group: string; cells: number }[]
  notices: ErrorReport[]
}

/**
 * @throws BadInput TYPES_NONE_LEFT when no group has enough cells; SOURCE_BALANCE, SOURCE_MISSING; PROPORTIONS_UNKNOWN,
 *   PROPORTIONS_RANGE, PROPORTIONS_SUM, PROPORTIONS_INCOMPLETE, and of compat PROPORTIONS_NO_ROOM, PROPORTIONS_UNSETTLED
 * @throws RangeError when codes and names do not fit together, or a number of cells is none
 */
export function capAndFill(cells: GroupedCells, options: CapAndFillOptions): Balanced {
  const { place, seed, maxCellsPerType = 5000, minCellsPerType = 50, minCellsPerSource = 50 } = options
  const { rounding = 'exact', balance = 'proportional', targetProportions = new Map() } = options
  checkOptions({ maxCellsPerType, minCellsPerType, minCellsPerSource })
  if (balance !== 'proportional' && balance !== 'equal') throw badBalance(balance, place)
  const groups = groupsOf(cells, place)
  const kept = groups.filter((group) => group.cells >= minCellsPerType)
  const low = groups.filter((group) => group.cells < minCellsPerType)
  if (kept.length === 0) throw noneLeft(groups, { minCellsPerType, place })
  const proportions = new Map(targetProportions)
  const without = low.map(({ name }) => name).filter((name) => proportions.delete(name))
  const { targets, notices } = typeTargets(kept, {
    max: maxCellsPerType,
    min: minCellsPerType,
    proportions,
    rounding,
    place: options.proportionsPlace ?? place,
  })
  const split = cells.sources === null ? null : { balance, minCellsPerSource, rounding }
  const seeded = random(seed)
  const drawn = new Map(
    kept.map((group, i) => [group, drawGroup(group, { target: targets[i]!, seeded, split })]),
  )
  return {
    rows: joinRows([...drawn.values()].flat()),
    table: groups.flatMap((group) => linesOf(group, { drawn: drawn.get(group), isSplit: split !== null })),
    dropped: low.map(({ name, cells: count }) => ({ group: name, cells: count })),
    notices: [
      ...droppedNotices(low, { without, minCellsPerType, place }),
      ...notices,
      ...sourceNotices(kept, { targets, minCellsPerSource, rounding, place }),
    ],
  }
}

/** @param given.split null where sources are not to be balanced: then there is one */
function drawGroup(
  { name: group, cells, sources }: Group,
  { target, seeded, split }: { target: number; seeded: Random; split: SplitOptions | null },
): Int32Array[] {
  if (target >= cells) return sources.map(({ rows }) => rows)
  const counts = split === null ? [target] : splitBySource(target, { sources, ...split })
  return sources.map(({ name, rows }, i) =>
    drawRows(rows, { count: counts[i]!, random: seeded.fork(JSON.stringify([group, name])) }),
  )
}

function checkOptions(counts: Record<string, number>): void {
  for (const [name, count] of Object.entries(counts))
    if (!Number.isSafeInteger(count) || count < (name === 'maxCellsPerType' ? 1 : 0))
      throw new RangeError(`${name} is ${count}`)
}

function linesOf(
  { name, sources }: Group,
  { drawn, isSplit }: { drawn: Int32Array[] | undefined; isSplit: boolean },
): Balanced['table'] {
  return sources
    .map((source, i) => ({ ...source, after: drawn?.[i]?.length ?? 0 }))
    .sort((a, b) => a.number - b.number)
    .map((source) => ({
      group: name,
      source: isSplit ? source.name : null,
      before: source.cells,
      after: source.after,
    }))
}

function droppedNotices(
  low: readonly Group[],
  { without, minCellsPerType, place }: { without: readonly string[]; minCellsPerType: number; place: string },
): ErrorReport[] {
  if (low.length === 0) return []
  const cells = low.reduce((sum, group) => sum + group.cells, 0)
  const shown = low.slice(0, 10).map((group) => `${shownName(group.name)} (${group.cells})`)
  const more = low.length > 10 ? ` and ${low.length - 10} more` : ''
  const dropped: ErrorReport = {
    code: 'TYPES_DROPPED',
    place,
    problem: `${low.length} types have fewer than ${minCellsPerType} cells and are left out, with ${cells} cells: ${shown.join(', ')}${more}`,
    remedy: 'Lower "min_cells_per_type" to keep them; the model cannot find types that it was not shown',
  }
  if (without.length === 0) return [dropped]
  return [
    dropped,
    {
      code: 'PROPORTIONS_DROPPED',
      place,
      problem: `types that are left out had target proportions, which count no more: ${shownNames(without)}`,
      remedy: 'Lower "min_cells_per_type" to keep these types',
    },
  ]
}

function sourceNotices(
  kept: readonly Group[],
  {
    targets,
    minCellsPerSource,
    rounding,
    place,
  }: { targets: Int32Array; minCellsPerSource: number; rounding: 'exact' | 'compat'; place: string },
): ErrorReport[] {
  const notices: ErrorReport[] = []
  const hasSeveral = new Set(kept.flatMap(({ sources }) => sources.map(({ number }) => number))).size > 1
  const alone = kept.filter(({ sources }) => sources.length === 1).map(({ name }) => name)
  if (hasSeveral && alone.length > 0)
    notices.push({
      code: 'TYPES_ONE_SOURCE',
      place,
      problem: `${alone.length} of ${kept.length} types are in one reference only: ${shownNames(alone)}`,
      remedy:
        'What sets such a type apart may be its reference; add references that have it, if there are any',
    })
  // compat goes beyond the target instead
  if (rounding === 'compat') return notices
  const short = kept.filter(({ sources, cells }, i) => {
    const least = minimumsOf(
      sources.map((source) => source.cells),
      minCellsPerSource,
    )
    return targets[i]! < cells && sources.length > 1 && least.reduce((a, b) => a + b, 0) > targets[i]!
  })
  if (short.length > 0)
    notices.push({
      code: 'SOURCE_MINIMUM_UNMET',
      place,
      problem: `not every reference can give ${minCellsPerSource} cells of types that are to have fewer in all: ${shownNames(short.map(({ name }) => name))}`,
      remedy: 'Raise "max_cells_per_type" or lower "min_cells_per_source"',
    })
  return notices
}

function noneLeft(
  groups: readonly Group[],
  { minCellsPerType, place }: { minCellsPerType: number; place: string },
): BadInput {
  const largest = groups.reduce((most, { cells }) => Math.max(most, cells), 0)
  const problem =
    groups.length === 0
      ? 'no cell has a type'
      : `none of the ${groups.length} types has ${minCellsPerType} cells; the most frequent has ${largest}`
  const remedy = groups.length === 0 ? 'Check the columns of labels' : 'Lower "min_cells_per_type"'
  return new BadInput('TYPES_NONE_LEFT', place, problem, remedy)
}

function badBalance(balance: string, place: string): BadInput {
  const problem = `${shownName(String(balance))} is no way to balance sources`
  return new BadInput('SOURCE_BALANCE', place, problem, 'Choose "proportional" or "equal"')
}
