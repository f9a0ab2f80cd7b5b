/**
 * Where a UMAP layout starts: the spectral vectors of every connected part of the graph. umap-learn places the parts by the
 * distances of their centres in the data; here the graph alone is known, so the parts are set side by side on shelves, the largest
 * first, with room in proportion to their points.
 */
import type { Random } from '../job/random.ts'
import { spectralVectors } from './spectral-vectors.ts'
import { type ConnectedParts, connectedParts, type WeightedGraph } from './weighted-graph.ts'

/** share of a part's place that it fills */
const filled = 0.8

/** @returns nodes x 2; finite for every graph, points without edges included */
export async function spectralLayout(
  graph: WeightedGraph,
  options: { random: Random; signal?: AbortSignal | undefined },
): Promise<Float64Array> {
  const parts = connectedParts(graph)
  const members = membersOf(parts)
  const places = shelves(members.map((nodes) => nodes.length))
  const layout = new Float64Array(graph.nodes * 2)
  for (const [part, nodes] of members.entries()) {
    const place = places[part]!
    const own =
      nodes.length === 1
        ? new Float64Array(2)
        : centred(await spectralVectors(members.length === 1 ? graph : subgraph(graph, nodes), options))
    for (const [i, node] of nodes.entries()) {
      layout[node * 2] = place.x + own[i * 2]! * place.radius * filled
      layout[node * 2 + 1] = place.y + own[i * 2 + 1]! * place.radius * filled
    }
  }
  return layout
}

function membersOf({ partOf, count }: ConnectedParts): Int32Array[] {
  const sizes = new Int32Array(count)
  for (const part of partOf) sizes[part]! += 1
  const members = Array.from(sizes, (size) => new Int32Array(size))
  sizes.fill(0)
  for (let node = 0; node < partOf.length; node++) {
    const part = partOf[node]!
    members[part]![sizes[part]!++] = node
  }
  return members
}

/** The graph of some nodes alone, numbered in the order given (rising); no edge leads out of them. */
function subgraph({ indptr, indices, weights }: WeightedGraph, nodes: Int32Array): WeightedGraph {
  const numbers = new Map<number, number>()
  for (const [number, node] of nodes.entries()) numbers.set(node, number)
  const starts = new Int32Array(nodes.length + 1)
  for (const [i, node] of nodes.entries()) starts[i + 1] = starts[i]! + indptr[node + 1]! - indptr[node]!
  const ends = new Int32Array(starts[nodes.length]!)
  const own = new Float32Array(ends.length)
  for (const [i, node] of nodes.entries()) {
    own.set(weights.subarray(indptr[node]!, indptr[node + 1]!), starts[i]!)
    for (let at = indptr[node]!; at < indptr[node + 1]!; at++)
      ends[starts[i]! + at - indptr[node]!] = numbers.get(indices[at]!)!
  }
  return { nodes: nodes.length, indptr: starts, indices: ends, weights: own }
}

/** Each column within [-1, 1], its middle at 0. */
function centred(vectors: Float64Array): Float64Array {
  for (const column of [0, 1]) {
    let low = Number.POSITIVE_INFINITY
    let high = Number.NEGATIVE_INFINITY
    for (let i = column; i < vectors.length; i += 2) {
      low = Math.min(low, vectors[i]!)
      high = Math.max(high, vectors[i]!)
    }
    const half = (high - low) / 2
    for (let i = column; i < vectors.length; i += 2)
      vectors[i] = half > 0 ? (vectors[i]! - low) / half - 1 : 0
  }
  return vectors
}

interface Place {
  x: number
  y: number
  radius: number
}

/** Squares of area in proportion to the sizes, largest first, left to right on shelves about as long as the whole is high. */
function shelves(sizes: number[]): Place[] {
  const order = sizes.map((_, part) => part).sort((a, b) => sizes[b]! - sizes[a]! || a - b)
  const length = Math.max(Math.sqrt(sizes.reduce((sum, size) => sum + size, 0)), 1) * 2.2
  const places: Place[] = []
  let x = 0
  let y = 0
  let height = 0
  for (const part of order) {
    const radius = Math.sqrt(sizes[part]!)
    if (x > 0 && x + 2 * radius > length) {
      x = 0
      y += height
      height = 0
    }
    places[part] = { x: x + radius, y: y + radius, radius }
    x += 2 * radius
    height = Math.max(height, 2 * radius)
  }
  return places
}
