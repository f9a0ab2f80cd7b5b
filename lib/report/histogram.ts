/** Counts in bins of equal width, over all cells and by group: what the page draws beside the means of its tables. */
import type { Histogram } from './content.ts'

/**
 * @param values one a cell; NaN is not counted, and what lies outside of the range is counted in the bin at that end
 * @param groups codes one a cell (-1: none); groups without a value are left out
 */
export function histogram(
  values: ArrayLike<number>,
  {
    title,
    caption,
    from = 0,
    to = 1,
    bins = 20,
    groups,
  }: {
    title: string
    caption?: string
    from?: number
    to?: number
    bins?: number
    groups?: { codes: ArrayLike<number>; categories: readonly string[] }
  },
): Histogram {
  const counts = new Array<number>(bins).fill(0)
  const byGroup = (groups?.categories ?? []).map((name) => ({
    name,
    counts: new Array<number>(bins).fill(0),
  }))
  for (let cell = 0; cell < values.length; cell++) {
    const value = values[cell]!
    if (Number.isNaN(value)) continue
    const place = Math.floor(((value - from) / (to - from)) * bins)
    const bin = Math.min(bins - 1, Math.max(0, place))
    counts[bin]!++
    const group = byGroup[groups?.codes[cell] ?? -1]
    if (group !== undefined) group.counts[bin]!++
  }
  return {
    title,
    ...(caption === undefined ? {} : { caption }),
    from,
    to,
    counts,
    ...(groups === undefined
      ? {}
      : { groups: byGroup.filter((group) => group.counts.some((count) => count > 0)) }),
  }
}
