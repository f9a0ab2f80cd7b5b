/**
 * The graph as Leiden works on it: with the strength of every node, loops apart, and its condensed form, in which a cluster has become a
 * node. Ordered pairs are counted: an edge within a condensed node adds twice to its loop.
 */
import type { WeightedGraph } from './weighted-graph.ts'

export interface Network {
  nodes: number
  indptr: Int32Array
  /** without the node itself */
  indices: Int32Array
  weights: Float64Array
  /** weight from a node to itself */
  loops: Float64Array
  /** sum of a node's weights, loop included */
  strengths: Float64Array
  /** sum of all strengths: twice the weight of the edges */
  total: number
}

/** @throws RangeError for a weight that is not a finite number from 0 */
export function networkOf({ nodes, indptr, indices, weights }: WeightedGraph): Network {
  const starts = new Int32Array(nodes + 1)
  const ends = new Int32Array(indices.length)
  const kept = new Float64Array(indices.length)
  const loops = new Float64Array(nodes)
  let count = 0
  for (let node = 0; node < nodes; node++) {
    for (let at = indptr[node]!; at < indptr[node + 1]!; at++) {
      const weight = weights[at]!
      if (!(weight >= 0 && weight < Number.POSITIVE_INFINITY))
        throw new RangeError(`weight ${weight} of node ${node} is not a finite number from 0`)
      if (indices[at] === node) loops[node]! += weight
      else if (weight > 0) {
        ends[count] = indices[at]!
        kept[count++] = weight
      }
    }
    starts[node + 1] = count
  }
  return withStrengths({
    nodes,
    indptr: starts,
    indices: ends.subarray(0, count),
    weights: kept.subarray(0, count),
    loops,
  })
}

function withStrengths(network: Omit<Network, 'strengths' | 'total'>): Network {
  const strengths = network.loops.slice()
  let total = 0
  for (let node = 0; node < network.nodes; node++) {
    for (let at = network.indptr[node]!; at < network.indptr[node + 1]!; at++)
      strengths[node]! += network.weights[at]!
    total += strengths[node]!
  }
  return { ...network, strengths, total }
}

/** Numbers clusters anew, 0, 1, ... by their first nodes, in place; returns how many there are. Old numbers are below the length. */
export function numberedByFirst(membership: Int32Array): number {
  const numbers = new Int32Array(membership.length).fill(-1)
  let count = 0
  for (let node = 0; node < membership.length; node++) {
    const cluster = membership[node]!
    if (numbers[cluster] === -1) numbers[cluster] = count++
    membership[node] = numbers[cluster]!
  }
  return count
}

/** Nodes listed by cluster: those of cluster c are order[starts[c]] .. order[starts[c + 1] - 1], rising. */
function byCluster(membership: Int32Array, clusters: number): { starts: Int32Array; order: Int32Array } {
  const starts = new Int32Array(clusters + 1)
  for (const cluster of membership) starts[cluster + 1]! += 1
  for (let cluster = 0; cluster < clusters; cluster++) starts[cluster + 1]! += starts[cluster]!
  const next = starts.slice()
  const order = new Int32Array(membership.length)
  for (let node = 0; node < membership.length; node++) order[next[membership[node]!]!++] = node
  return { starts, order }
}

/** Every cluster as one node. Clusters are numbered 0 .. clusters - 1, none empty. */
export function condense(network: Network, membership: Int32Array, clusters: number): Network {
  const { starts, order } = byCluster(membership, clusters)
  const indptr = new Int32Array(clusters + 1)
  const indices = new Int32Array(network.indices.length)
  const weights = new Float64Array(network.indices.length)
  const loops = new Float64Array(clusters)
  /** where the edge to a cluster lies in the row at hand; before the row's start: not there yet */
  const placeOf = new Int32Array(clusters).fill(-1)
  let count = 0
  for (let cluster = 0; cluster < clusters; cluster++) {
    const rowStart = count
    for (let i = starts[cluster]!; i < starts[cluster + 1]!; i++) {
      const node = order[i]!
      loops[cluster]! += network.loops[node]!
      for (let at = network.indptr[node]!; at < network.indptr[node + 1]!; at++) {
        const other = membership[network.indices[at]!]!
        const weight = network.weights[at]!
        if (other === cluster) loops[cluster]! += weight
        else if (placeOf[other]! >= rowStart) weights[placeOf[other]!]! += weight
        else {
          placeOf[other] = count
          indices[count] = other
          weights[count++] = weight
        }
      }
    }
    indptr[cluster + 1] = count
  }
  return withStrengths({
    nodes: clusters,
    indptr,
    indices: indices.slice(0, count),
    weights: weights.slice(0, count),
    loops,
  })
}
