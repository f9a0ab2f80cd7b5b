/**
 * One label for each cluster: the one that most of its cells have, as CellTypist's majority voting gives it. Of labels with equally
 * many cells the one that sorts first wins; one with too small a share makes the cluster "Heterogeneous".
 */

export const heterogeneous = 'Heterogeneous'

export interface Vote {
  /** for each cluster the winner's number, or -1 where its share is too small or the cluster has no cell with a label */
  winners: Int32Array
  /** for each cluster the share of its cells that have the most frequent label; 0 where it has no cell */
  shares: Float64Array
  /** for each cell the number of its cluster's winner; -1 as above; a cell without a cluster keeps its own */
  cells: Int32Array
  /** for each cell its cluster's share; NaN without a cluster */
  cellShares: Float64Array
}

/**
 * @param codes each cell's label, as its number in `labels`; -1 has none, and no vote
 * @param options.clusters each cell's cluster, from 0; -1 is none
 * @param options.minShare shares below make a cluster heterogeneous; 0 unless told
 */
export function majorityVote(
  codes: Int32Array,
  { clusters, labels, minShare = 0 }: { clusters: Int32Array; labels: readonly string[]; minShare?: number },
): Vote {
  if (codes.length !== clusters.length)
    throw new RangeError(`${codes.length} labels for ${clusters.length} cells with clusters`)
  const count = clusters.reduce((highest, cluster) => Math.max(highest, cluster), -1) + 1
  const votes = new Map<number, number>()
  const sizes = new Float64Array(count)
  clusters.forEach((cluster, cell) => {
    if (cluster < 0 || codes[cell]! < 0) return
    const key = cluster * labels.length + codes[cell]!
    votes.set(key, (votes.get(key) ?? 0) + 1)
    sizes[cluster]! += 1
  })
  const best = winnersOf(votes, { labels, count })
  const shares = best.votes.map((most, cluster) => (sizes[cluster] === 0 ? 0 : most / sizes[cluster]!))
  const winners = best.labels.map((label, cluster) => (shares[cluster]! < minShare ? -1 : label))
  return {
    winners,
    shares,
    cells: codes.map((own, cell) => (clusters[cell]! < 0 ? own : winners[clusters[cell]!]!)),
    cellShares: Float64Array.from(clusters, (cluster) => (cluster < 0 ? Number.NaN : shares[cluster]!)),
  }
}

function winnersOf(
  votes: ReadonlyMap<number, number>,
  { labels, count }: { labels: readonly string[]; count: number },
): { labels: Int32Array; votes: Float64Array } {
  const best = new Int32Array(count).fill(-1)
  const most = new Float64Array(count)
  for (const [key, cells] of votes) {
    const cluster = Math.floor(key / labels.length)
    const label = key % labels.length
    const isTied = cells === most[cluster]
    if (cells > most[cluster]! || (isTied && labels[label]! < labels[best[cluster]!]!)) {
      best[cluster] = label
      most[cluster] = cells
    }
  }
  return { labels: best, votes: most }
}
