/** How good layouts and clusters are, straight from the definitions; and neighbours and graphs to try them on. */
import type { Neighbours, Points } from '../../lib/neighbours/points.ts'
import type { WeightedGraph } from '../../lib/neighbours/weighted-graph.ts'

/** The k nearest by comparing all with all, in float64; a query that is a point itself finds itself first. */
export function bruteNeighbours(points: Points, k: number, queries: Points = points): Neighbours {
  const { dims } = points
  const indices = new Int32Array(queries.rows * k)
  const distances = new Float32Array(queries.rows * k)
  for (let row = 0; row < queries.rows; row++) {
    const away = distancesFrom(queries.values.subarray(row * dims, (row + 1) * dims), points)
    if (queries === points) away[row] = -1
    const order = Array.from(away.keys()).sort((a, b) => away[a]! - away[b]! || a - b)
    for (let j = 0; j < k; j++) {
      indices[row * k + j] = order[j]!
      distances[row * k + j] = Math.max(0, away[order[j]!]!)
    }
  }
  return { rows: queries.rows, k, indices, distances }
}

function distancesFrom(place: Float32Array, { rows, dims, values }: Points): Float64Array {
  const away = new Float64Array(rows)
  for (let row = 0; row < rows; row++) {
    let squares = 0
    for (let j = 0; j < dims; j++) squares += (place[j]! - values[row * dims + j]!) ** 2
    away[row] = Math.sqrt(squares)
  }
  return away
}

/**
 * Venna and Kaski's trustworthiness (as scikit-learn's): 1 when the k neighbours in the layout are neighbours among the points, less by
 * how far down the list the others stand.
 */
export function trustworthiness(points: Points, layout: Float32Array, k: number): number {
  const { rows } = points
  const near = bruteNeighbours({ rows, dims: 2, values: layout }, k + 1).indices
  let penalty = 0
  for (let row = 0; row < rows; row++) {
    const away = distancesFrom(points.values.subarray(row * points.dims, (row + 1) * points.dims), points)
    away[row] = -1
    const rank = new Int32Array(rows)
    for (const [place, other] of Array.from(away.keys())
      .sort((a, b) => away[a]! - away[b]! || a - b)
      .entries())
      rank[other] = place
    for (let j = 1; j <= k; j++) penalty += Math.max(0, rank[near[row * (k + 1) + j]!]! - k)
  }
  return 1 - (penalty * 2) / (rows * k * (2 * rows - 3 * k - 1))
}

/** Hubert and Arabie's adjusted Rand index: 1 for the same clusters, about 0 for chance. */
export function adjustedRand(left: ArrayLike<number>, right: ArrayLike<number>): number {
  const pairs = (count: number): number => (count * (count - 1)) / 2
  const counts = [new Map<string, number>(), new Map<string, number>(), new Map<string, number>()]
  for (let i = 0; i < left.length; i++)
    for (const [at, key] of [`${left[i]}`, `${right[i]}`, `${left[i]}/${right[i]}`].entries())
      counts[at]!.set(key, (counts[at]!.get(key) ?? 0) + 1)
  const [a, b, both] = counts.map((map) => [...map.values()].reduce((sum, count) => sum + pairs(count), 0))
  const expected = (a! * b!) / pairs(left.length)
  return (both! - expected) / ((a! + b!) / 2 - expected)
}

/** A graph from edges [node, node, weight]; one given twice counts twice. */
export function graphOf(nodes: number, edges: readonly (readonly [number, number, number])[]): WeightedGraph {
  const rows = Array.from({ length: nodes }, () => new Map<number, number>())
  for (const [a, b, weight] of edges) {
    rows[a]!.set(b, (rows[a]!.get(b) ?? 0) + weight)
    if (a !== b) rows[b]!.set(a, (rows[b]!.get(a) ?? 0) + weight)
  }
  const sorted = rows.map((row) => [...row].sort((left, right) => left[0] - right[0]))
  const indptr = new Int32Array(nodes + 1)
  for (const [node, row] of sorted.entries()) indptr[node + 1] = indptr[node]! + row.length
  const entries = sorted.flat()
  return {
    nodes,
    indptr,
    indices: Int32Array.from(entries, ([other]) => other),
    weights: Float32Array.from(entries, ([, weight]) => weight),
  }
}
