/**
 * Leiden clusters of a weighted graph (Traag, Waltman and van Eck 2019) by modularity with a resolution: leidenalg's
 * RBConfigurationVertexPartition and igraph's objective "modularity". The resolution means the same as in scanpy; scran's is twice that.
 *
 * Clusters differ a little from seed to seed, as those of the other programs do; every one of them is connected.
 */
import { type Random, random } from '../job/random.ts'
import { moveNodes } from './leiden-moves.ts'
import { condense, type Network, networkOf, numberedByFirst } from './leiden-network.ts'
import { refine } from './leiden-refinement.ts'
import { connectedParts, type WeightedGraph } from './weighted-graph.ts'

/** chance in merging, in units of the mean weight of an edge (the paper takes 0.01, where edges weigh 1) */
const theta = 0.01
/** an iteration that gains less than this share of the best possible quality is the last */
const leastGain = 1e-10

export interface LeidenOptions {
  /** higher gives more clusters; 0 gives the connected parts of the graph */
  resolution: number
  /** whole number in [0, 2^32) */
  seed: number
  /** each starts from the clusters of the one before; 2 as scanpy has with igraph, -1 until nothing is gained */
  iterations?: number
  signal?: AbortSignal
}

export interface Clustering {
  /** cluster of each node; 0 is the largest, equally large ones by their first node */
  membership: Int32Array
  clusters: number
  /** weighted modularity of the clusters, at resolution 1; 0 for a graph without edges */
  modularity: number
  /** what was made as large as possible: sum over ordered pairs within clusters of w - resolution s s' / total (leidenalg's quality) */
  quality: number
}

/** @throws RangeError for an option or a weight out of range; the signal's reason when it is aborted */
export async function leiden(graph: WeightedGraph, options: LeidenOptions): Promise<Clustering> {
  const { resolution, seed, iterations = 2, signal } = options
  if (!(resolution >= 0 && resolution < Number.POSITIVE_INFINITY))
    throw new RangeError(`resolution ${resolution} is not a finite number from 0`)
  if (iterations !== -1 && !(Number.isInteger(iterations) && iterations > 0))
    throw new RangeError(`iterations ${iterations} is neither -1 nor a whole number from 1`)
  const network = networkOf(graph)
  const chance = random(seed)
  let membership: Int32Array = Int32Array.from({ length: graph.nodes }, (_, node) => node)
  let quality = Number.NEGATIVE_INFINITY
  for (let i = 0; iterations === -1 || i < iterations; i++) {
    membership = await iterate(network, membership, { resolution, random: chance, signal })
    const reached = qualityOf(network, membership, resolution)
    if (!(reached > quality + leastGain * network.total)) break
    quality = reached
  }
  const parts = connectedParts(graph, membership).partOf
  const clusters = numberBySize(parts)
  return {
    membership: parts,
    clusters,
    modularity: network.total === 0 ? 0 : qualityOf(network, parts, 1) / network.total,
    quality: qualityOf(network, parts, resolution),
  }
}

/** Move, refine, condense, and again on the condensed graph, until every cluster is one node of it. */
async function iterate(
  network: Network,
  start: Int32Array,
  options: { resolution: number; random: Random; signal: AbortSignal | undefined },
): Promise<Int32Array> {
  const freedom = (theta * network.total) / Math.max(network.indices.length, 1)
  let level = network
  let membership: Int32Array = start.slice()
  /** the node of the condensed graph that holds each node */
  const holder = Int32Array.from({ length: network.nodes }, (_, node) => node)
  for (;;) {
    await moveNodes(level, membership, options)
    if (numberedByFirst(membership) === level.nodes) break
    const { refined, count } = await refine(level, membership, { ...options, theta: freedom })
    if (count === level.nodes) break
    const clusterOf = new Int32Array(count)
    for (let node = 0; node < level.nodes; node++) clusterOf[refined[node]!] = membership[node]!
    for (let node = 0; node < holder.length; node++) holder[node] = refined[holder[node]!]!
    level = condense(level, refined, count)
    membership = clusterOf
  }
  return holder.map((node) => membership[node]!)
}

function qualityOf(network: Network, membership: Int32Array, resolution: number): number {
  const { nodes, indptr, indices, weights, loops, strengths, total } = network
  if (total === 0) return 0
  const sums = new Float64Array(nodes)
  let within = 0
  for (let node = 0; node < nodes; node++) {
    const cluster = membership[node]!
    sums[cluster]! += strengths[node]!
    within += loops[node]!
    for (let at = indptr[node]!; at < indptr[node + 1]!; at++)
      if (membership[indices[at]!] === cluster) within += weights[at]!
  }
  let expected = 0
  for (const sum of sums) expected += (sum * sum) / total
  return within - resolution * expected
}

/** Numbers clusters by falling size, equally large ones by first node, in place; returns how many there are. */
function numberBySize(membership: Int32Array): number {
  const count = numberedByFirst(membership)
  const sizes = new Int32Array(count)
  for (const cluster of membership) sizes[cluster]! += 1
  const order = Array.from(sizes.keys()).sort((a, b) => sizes[b]! - sizes[a]! || a - b)
  const places = new Int32Array(count)
  for (const [place, cluster] of order.entries()) places[cluster] = place
  for (let node = 0; node < membership.length; node++) membership[node] = places[membership[node]!]!
  return count
}

/** rising: below so many cells, the resolution */
const overClusteringResolutions: readonly [number, number][] = [
  [5_000, 5],
  [20_000, 10],
  [40_000, 15],
  [100_000, 20],
  [200_000, 25],
]

/**
 * The resolution by which CellTypist over-clusters before neighbourhoods of cells vote on their label: fine enough that a cluster holds
 * one type. It does so on the graph of 10 neighbours, with 2 iterations.
 */
export function overClusteringResolution(cells: number): number {
  return overClusteringResolutions.find(([below]) => cells < below)?.[1] ?? 30
}
