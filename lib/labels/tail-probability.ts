/**
 * The share of known values that are at least as high as a new one: a tail probability without any assumption on their shape. The high end
 * is kept value by value, the rest thinned, so that millions of values fit into a model. Never 0: with n values the least is 1 / (n + 1).
 */

/** Plain arrays, made to be stored with a model. */
export interface TailOfValues {
  /** ascending */
  values: Float64Array
  /** how many of all known values are at least as high as each of them */
  atLeast: Float64Array
  /** known values in all */
  count: number
}

const highEnd = 1000

/** NaNs are left out. */
export function tailOfValues(known: Float64Array): TailOfValues {
  const sorted = known.filter((value) => !Number.isNaN(value)).sort()
  const low = Math.max(0, sorted.length - highEnd)
  const step = Math.max(1, Math.ceil(low / highEnd))
  const ranks: number[] = []
  for (let rank = 0; rank < low; rank += step) ranks.push(rank)
  for (let rank = low; rank < sorted.length; rank++) ranks.push(rank)
  return {
    values: Float64Array.from(ranks, (rank) => sorted[rank]!),
    atLeast: Float64Array.from(ranks, (rank) => sorted.length - rank),
    count: sorted.length,
  }
}

/** In (0, 1]; NaN of NaN. Where values were thinned it is the tail of the next higher one: too small by half a thousandth at most. */
export function tailProbability(value: number, { values, atLeast, count }: TailOfValues): number {
  if (Number.isNaN(value)) return Number.NaN
  let [from, to] = [0, values.length]
  while (from < to) {
    const middle = (from + to) >> 1
    if (values[middle]! < value) from = middle + 1
    else to = middle
  }
  return ((from < values.length ? atLeast[from]! : 0) + 1) / (count + 1)
}
