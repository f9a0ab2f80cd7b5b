/**
 * The rank sum of each group for one gene, over cells of which most may be zero. Zeros lie between negative and positive values and share
 * one mid-rank, so a group's sum is that rank for all its cells, corrected for its cells that have a value.
 */
import type { GeneColumn } from './gene-columns.ts'
import { lowerBound } from './sorted-values.ts'

/** Written over for each gene. */
export interface RankSums {
  /** sum of mid-ranks (from 1) over all cells of each group */
  ranks: Float64Array
  /** sum of values over all cells of each group */
  values: Float64Array
  /** sum of t^3 - t over groups of t equal values */
  ties: number
  /** false where a value is not finite: then nothing else is told */
  isFinite: boolean
}

/**
 * @param sizes cells of each group
 * @param all cells of all groups
 */
export function rankSums(
  { values, groups }: GeneColumn,
  { sizes, all, into }: { sizes: Int32Array; all: number; into: RankSums },
): void {
  into.isFinite = values.every(Number.isFinite)
  if (!into.isFinite) return
  const sorted = values.slice().sort()
  const ranks = new Float64Array(sorted.length)
  const zeros = all - sorted.length
  const negatives = lowerBound(sorted, 0)
  // cells of 0 stand behind the negative ones
  const rankOfZero = negatives + (zeros + 1) / 2
  into.ties = zeros ** 3 - zeros
  for (let from = 0; from < sorted.length; ) {
    let to = from + 1
    while (to < sorted.length && sorted[to] === sorted[from]) to++
    const rank = (from + 1 + to) / 2 + (from >= negatives ? zeros : 0)
    ranks.fill(rank, from, to)
    into.ties += (to - from) ** 3 - (to - from)
    from = to
  }
  for (let group = 0; group < sizes.length; group++) into.ranks[group] = sizes[group]! * rankOfZero
  into.values.fill(0)
  for (let i = 0; i < values.length; i++) {
    const group = groups[i]!
    into.ranks[group]! += ranks[lowerBound(sorted, values[i]!)]! - rankOfZero
    into.values[group]! += values[i]!
  }
}
