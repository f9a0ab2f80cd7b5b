/**
 * Labels from the nearest reference cells, as scArches and the Human Lung Cell Atlas transfer them: a neighbour at distance d counts
 * exp(-d / (2 / s)^2), s being the standard deviation of the cell's own distances, and the counts of one cell add up to 1. Uncertainty is
 * 1 - the sum of the label that wins.
 *
 * Trap: it is d and not d^2, and the wider the distances spread the sharper the weights: not a Gaussian, whatever it is called.
 */

/** float64, cells x k as the distances: one row adds up to 1. Neighbours at equal distances count the same. */
export function neighbourWeights(distances: Float32Array | Float64Array, k: number): Float64Array {
  if (!(k > 0) || distances.length % k !== 0)
    throw new RangeError(`${distances.length} distances are no whole rows of ${k} neighbours`)
  const weights = new Float64Array(distances.length)
  for (let start = 0; start < distances.length; start += k) {
    const own = Float64Array.from(distances.subarray(start, start + k))
    const mean = own.reduce((sum, distance) => sum + distance, 0) / k
    const spread = Math.sqrt(own.reduce((sum, distance) => sum + (distance - mean) ** 2, 0) / k)
    // the nearest counts 1: far cells would all round to nothing
    const nearest = own.reduce((least, distance) => Math.min(least, distance), Number.POSITIVE_INFINITY)
    const counts = own.map((distance) => Math.exp((-(distance - nearest) * spread ** 2) / 4))
    const total = counts.reduce((sum, count) => sum + count, 0)
    weights.set(
      counts.map((count) => count / total),
      start,
    )
  }
  return weights
}

/**
 * What the labels of the nearest cells speak for: the sum of the weights of those that have a label, which adds up to 1 but for
 * neighbours without one.
 * @param neighbours cells x k, the label of each neighbour; -1 counts for none
 * @returns float32, cells x labels; NaN for a cell none of whose neighbours has a label
 */
export function labelShares(
  neighbours: Int32Array,
  { weights, k, labels }: { weights: Float64Array; k: number; labels: number },
): Float32Array {
  if (neighbours.length !== weights.length)
    throw new RangeError(`${neighbours.length} labels for ${weights.length} weights`)
  const cells = neighbours.length / k
  const shares = new Float32Array(cells * labels)
  const sums = new Float64Array(labels)
  for (let cell = 0; cell < cells; cell++) {
    sums.fill(0)
    let known = 0
    for (let i = cell * k; i < (cell + 1) * k; i++) {
      if (neighbours[i]! < 0) continue
      sums[neighbours[i]!]! += weights[i]!
      known++
    }
    shares.set(known === 0 ? sums.fill(Number.NaN) : sums, cell * labels)
  }
  return shares
}
