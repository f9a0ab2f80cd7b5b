/**
 * Two figures of a latent space, from each cell's nearest neighbours: do cells of one label lie together, and do batches mix? Either alone is
 * easily had (a space without any structure mixes well), so both are told.
 */

export interface NeighbourMeasures {
  /** mean share of a labelled cell's neighbours that have its label, among those that have one; null without labelled cells */
  labelAgreement: number | null
  /** the same by label, in the order of the labels; null for those without cells */
  agreementByLabel: (number | null)[]
  /**
   * mean entropy of the batches among a cell's neighbours, over that of the batches of all cells: 0 each batch for itself, 1 as mixed as the
   * cells as a whole; few neighbours see less than all cells do, so that a perfect mixture is somewhat below 1. null for one batch
   */
  batchMixing: number | null
  /** neighbours that were looked at */
  neighbours: number
}

/**
 * @param indices cells x k, the cell itself not among them
 * @param of.labels label of each cell, -1 for none
 */
export function neighbourMeasures(
  indices: Int32Array,
  {
    k,
    labels,
    labelCount,
    batches,
    batchCount,
  }: { k: number; labels: Int32Array; labelCount: number; batches: Int32Array; batchCount: number },
): NeighbourMeasures {
  if (indices.length !== batches.length * k || labels.length !== batches.length)
    throw new RangeError(`${indices.length} neighbours, ${k} each, for ${batches.length} cells`)
  const shares = new Float64Array(labelCount)
  const counted = new Float64Array(labelCount)
  const counts = new Float64Array(batchCount)
  const all = new Float64Array(batchCount)
  let entropies = 0
  for (const [cell, batch] of batches.entries()) {
    all[batch]! += 1
    counts.fill(0)
    let [known, same] = [0, 0]
    for (let i = cell * k; i < (cell + 1) * k; i++) {
      const other = indices[i]!
      counts[batches[other]!]! += 1
      if (labels[other]! < 0) continue
      known++
      if (labels[other] === labels[cell]) same++
    }
    entropies += entropy(counts)
    const own = labels[cell]!
    if (own < 0 || known === 0) continue
    shares[own]! += same / known
    counted[own]! += 1
  }
  const labelled = counted.reduce((sum, count) => sum + count, 0)
  const whole = entropy(all)
  return {
    labelAgreement: labelled === 0 ? null : shares.reduce((sum, share) => sum + share, 0) / labelled,
    agreementByLabel: Array.from(shares, (sum, label) =>
      counted[label] === 0 ? null : sum / counted[label]!,
    ),
    batchMixing: whole === 0 || k === 0 ? null : entropies / batches.length / whole,
    neighbours: k,
  }
}

function entropy(counts: Float64Array): number {
  const total = counts.reduce((sum, count) => sum + count, 0)
  let sum = 0
  for (const count of counts) if (count > 0) sum -= (count / total) * Math.log(count / total)
  return sum
}
