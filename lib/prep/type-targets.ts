/**
 * How many cells each type is to have: as many as there are up to a cap, or a given share of what comes out.
 *
 * A share p of a total N that the shares themselves decide: N = others + sum of p N within bounds. Below a sum of 1 that has one
 * solution, found exactly. At a sum of 1 any total solves it, and the largest is taken that every type has the cells for (SpatialCore
 * starts from 0 there and stays at its floor: type-targets-compat.ts).
 */
import type { ErrorReport } from '../job/errors.ts'
import { BadInput } from '../job/errors.ts'
import { apportion } from './apportion.ts'
import type { Proportions, TypeCells } from './proportion-check.ts'
import { checkProportions, proportionNotices, proportionSlack, sumOf } from './proportion-check.ts'
import { shownName } from './shown-names.ts'
import { compatTargets } from './type-targets-compat.ts'

export interface TargetOptions {
  /** cells of a type without a proportion at most */
  max: number
  /** a type with a proportion gets at least as many, where there are as many */
  min: number
  proportions?: Proportions
  rounding: 'exact' | 'compat'
  place: string
}

export interface Targets {
  /** for each type its cells, never more than there are */
  targets: Int32Array
  notices: ErrorReport[]
}

/**
 * @throws BadInput PROPORTIONS_RANGE, PROPORTIONS_UNKNOWN, PROPORTIONS_SUM, PROPORTIONS_INCOMPLETE; of compat also
 *   PROPORTIONS_NO_ROOM, PROPORTIONS_UNSETTLED
 */
export function typeTargets(types: readonly TypeCells[], options: TargetOptions): Targets {
  const { max, min, proportions = new Map(), rounding, place } = options
  if (proportions.size > 0) checkProportions(proportions, { types, place })
  const context = { types, proportions, min, place }
  if (rounding === 'compat') {
    const targets = compatTargets(types, { max, min, proportions, place })
    const total = sumOf(targets)
    return { targets, notices: proportionNotices(targets, { ...context, total, round: Math.floor }) }
  }
  if (proportions.size === 0) return { targets: capped(types, max), notices: [] }
  const { targets, total, notices } = shareOut(types, { max, min, proportions, place })
  const unmet = proportionNotices(targets, { ...context, total, round: Math.round })
  return { targets, notices: [...notices, ...unmet] }
}

function capped(types: readonly TypeCells[], max: number): Int32Array {
  return Int32Array.from(types, ({ cells }) => Math.min(cells, max))
}

interface Bounded {
  share: number
  lower: number
  upper: number
}

function shareOut(
  types: readonly TypeCells[],
  options: { max: number; min: number; proportions: Proportions; place: string },
): Targets & { total: number } {
  const { max, min, proportions, place } = options
  const targets = capped(types, max)
  const hasOthers = types.some(({ name }) => !proportions.has(name))
  const parts = types.flatMap(({ name, cells }, type) => {
    const share = proportions.get(name)
    if (share === undefined) return []
    // a proportion takes the place of the cap, unless there is nothing else that limits the total
    const upper = hasOthers ? cells : Math.min(cells, max)
    return [{ type, name, share, lower: Math.min(min, upper), upper }]
  })
  // by name: which of two like types gets the odd cell must not hang on their numbers
  parts.sort((a, b) => (a.name < b.name ? -1 : 1))
  const others = parts.reduce((sum, { type }) => sum - targets[type]!, sumOf(targets))
  const shared = hasOthers ? besideOthers(parts, others) : wholeTotal(parts, place)
  for (const [i, { type }] of parts.entries()) targets[type] = shared.cells[i]!
  return { targets, total: shared.total, notices: shared.notices }
}

interface Shared {
  cells: Int32Array
  /** what the proportions are shares of; floors may add to it */
  total: number
  notices: ErrorReport[]
}

function besideOthers(parts: readonly Bounded[], others: number): Shared {
  const total = settledTotal(parts, others)
  const cells = apportion(Math.round(total - others), {
    weights: parts.map(({ share }) => share),
    lower: parts.map(({ lower }) => lower),
    upper: parts.map(({ upper }) => upper),
  })
  return { cells, total, notices: [] }
}

/**
 * The N with N = others + sum over parts of share N, kept within the bounds. The right side is piecewise linear and rises by less than
 * N does: between the two ends of pieces that enclose the solution it is a division.
 */
function settledTotal(parts: readonly Bounded[], others: number): number {
  const open = parts.filter(({ share }) => share > 0)
  const shut = sumOf(parts.filter(({ share }) => share === 0).map(({ lower }) => lower))
  const ends = open.flatMap(({ share, lower, upper }) => [lower / share, upper / share]).sort((a, b) => a - b)
  const exceeds = (total: number) =>
    total >=
    others +
      shut +
      sumOf(open.map(({ share, lower, upper }) => Math.min(upper, Math.max(lower, share * total))))
  let [from, to] = [0, ends.length]
  while (from < to) {
    const middle = (from + to) >>> 1
    if (exceeds(ends[middle]!)) to = middle
    else from = middle + 1
  }
  const [left, right] = [ends[from - 1] ?? 0, ends[from] ?? Number.POSITIVE_INFINITY]
  let [fixed, slope] = [others + shut, 0]
  for (const { share, lower, upper } of open)
    if (lower / share >= right) fixed += lower
    else if (upper / share <= left) fixed += upper
    else slope += share
  return fixed / (1 - slope)
}

/** All types have a proportion: the most cells of which no type has too few. Sums below 1 are scaled up to it. */
function wholeTotal(parts: readonly (Bounded & { name: string })[], place: string): Shared {
  const sum = sumOf(parts.map(({ share }) => share))
  if (sum === 0)
    throw new BadInput(
      'PROPORTIONS_SUM',
      place,
      'all types have the target proportion 0',
      'Give some type a share',
    )
  const [scarce, most] = parts
    .filter(({ share }) => share > 0)
    .map((part) => [part, (part.upper * sum) / part.share] as const)
    .reduce((least, one) => (one[1] < least[1] ? one : least))
  // a quotient that should be a whole number may come out a little below it
  const total = Math.floor(most * (1 + 1e-12))
  const cells = apportion(total, {
    weights: parts.map(({ share }) => share),
    upper: parts.map(({ upper }) => upper),
  })
  const notices: ErrorReport[] = [
    {
      code: 'PROPORTIONS_LIMITED',
      place,
      problem: `all types have a target proportion: ${total} cells is the most that meets them, as ${shownName(scarce.name)} has no more than ${scarce.upper} to take`,
      remedy: 'For more training cells lower the proportion of this type',
    },
  ]
  if (sum < 1 - proportionSlack)
    notices.push({
      code: 'PROPORTIONS_RESCALED',
      place,
      problem: `all types have a target proportion, but they sum to ${sum.toFixed(4)}: they were scaled to sum to 1`,
      remedy: 'Nothing to do if that is meant',
    })
  return { cells: cells.map((count, i) => Math.max(count, parts[i]!.lower)), total, notices }
}
