/**
 * The fuzzy graph of UMAP from nearest neighbours: what scanpy's `pp.neighbors` stores as connectivities, and what UMAP lays out.
 * Memberships of a point in its neighbours' surroundings (one way), then the union of both ways, a + b - ab.
 *
 * k counts the point itself, as scanpy's n_neighbors does.
 */
import type { Neighbours } from './points.ts'
import { type SmoothDistances, smoothDistances } from './smooth-distances.ts'
import type { WeightedGraph } from './weighted-graph.ts'

/** Rows of one-way memberships: `indices` rise within a row, `weights` are in (0, 1]. */
interface Memberships {
  indptr: Int32Array
  indices: Int32Array
  weights: Float32Array
}

/**
 * @param neighbours of every point among all points, itself in column 0; an index below 0 is no neighbour
 * @throws RangeError for a distance that is not finite and not below 0
 */
export function fuzzyGraph(neighbours: Neighbours): WeightedGraph {
  const smooth = smoothDistances(neighbours, { localConnectivity: 1 })
  const there = sortedRows(neighbours, membershipStrengths(neighbours, smooth))
  return union(there, transpose(there, neighbours.rows), neighbours.rows)
}

/**
 * How much each point belongs to the surroundings of each neighbour, rows x k; 0 for itself.
 * @param options.amongOthers the neighbours are of another set of points, so that the same number is not the same point
 */
export function membershipStrengths(
  { rows, k, indices, distances }: Neighbours,
  { sigma, rho, amongOthers = false }: SmoothDistances & { amongOthers?: boolean },
): Float32Array {
  const strengths = new Float32Array(rows * k)
  for (let row = 0; row < rows; row++) {
    for (let at = row * k; at < (row + 1) * k; at++) {
      const distance = distances[at]!
      if (!(distance >= 0 && distance < Number.POSITIVE_INFINITY))
        throw new RangeError(`distance ${distance} of point ${row} is not a finite number from 0`)
      const neighbour = indices[at]!
      if (neighbour < 0 || (!amongOthers && neighbour === row)) continue
      const beyond = distance - rho[row]!
      strengths[at] = beyond <= 0 || sigma[row] === 0 ? 1 : Math.exp(-beyond / sigma[row]!)
    }
  }
  return strengths
}

/** The rows by rising neighbour, without the zeros. Rows are short, so each is sorted by insertion. */
function sortedRows({ rows, k, indices }: Neighbours, strengths: Float32Array): Memberships {
  const indptr = new Int32Array(rows + 1)
  const sorted = new Int32Array(rows * k)
  const weights = new Float32Array(rows * k)
  let end = 0
  for (let row = 0; row < rows; row++) {
    const start = end
    for (let at = row * k; at < (row + 1) * k; at++) {
      if (strengths[at] === 0) continue
      let place = end++
      for (; place > start && sorted[place - 1]! > indices[at]!; place--) {
        sorted[place] = sorted[place - 1]!
        weights[place] = weights[place - 1]!
      }
      sorted[place] = indices[at]!
      weights[place] = strengths[at]!
    }
    indptr[row + 1] = end
  }
  return { indptr, indices: sorted.subarray(0, end), weights: weights.subarray(0, end) }
}

function transpose({ indptr, indices, weights }: Memberships, rows: number): Memberships {
  const starts = new Int32Array(rows + 1)
  for (const index of indices) starts[index + 1]! += 1
  for (let row = 0; row < rows; row++) starts[row + 1]! += starts[row]!
  const next = starts.slice()
  const back = new Int32Array(indices.length)
  const backWeights = new Float32Array(indices.length)
  for (let row = 0; row < rows; row++) {
    for (let at = indptr[row]!; at < indptr[row + 1]!; at++) {
      const place = next[indices[at]!]!++
      back[place] = row
      backWeights[place] = weights[at]!
    }
  }
  return { indptr: starts, indices: back, weights: backWeights }
}

/** Both ways of every pair as one edge, stored at both ends: rows of the two are merged in step. */
function union(there: Memberships, back: Memberships, nodes: number): WeightedGraph {
  const indptr = new Int32Array(nodes + 1)
  const indices = new Int32Array(there.indices.length * 2)
  const weights = new Float32Array(there.indices.length * 2)
  let end = 0
  for (let node = 0; node < nodes; node++) {
    let a = there.indptr[node]!
    let b = back.indptr[node]!
    const [lastA, lastB] = [there.indptr[node + 1]!, back.indptr[node + 1]!]
    while (a < lastA || b < lastB) {
      const toA = a < lastA ? there.indices[a]! : nodes
      const toB = b < lastB ? back.indices[b]! : nodes
      const one = toA <= toB ? there.weights[a++]! : 0
      const other = toB <= toA ? back.weights[b++]! : 0
      indices[end] = Math.min(toA, toB)
      weights[end++] = one + other - one * other
    }
    indptr[node + 1] = end
  }
  return { nodes, indptr, indices: indices.slice(0, end), weights: weights.slice(0, end) }
}
