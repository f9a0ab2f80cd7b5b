/**
 * The two slowest vibrations of a connected graph: eigenvectors of the normalised Laplacian I - D^-1/2 W D^-1/2 with the smallest
 * eigenvalues above 0, by subspace iteration with Chebyshev filters (Zhou, Saad and others 2006).
 *
 * The eigenvalues wanted lie close together at the edge of the spectrum, where plain power iteration needs thousands of steps; a
 * filter polynomial of degree m grows there as exp(m sqrt(2 gap)). A layout starts from them, so a few digits are enough.
 */
import type { Random } from '../job/random.ts'
import { pause } from './pause.ts'
import { symmetricEigen } from './symmetric-eigen.ts'
import type { WeightedGraph } from './weighted-graph.ts'

/** vectors carried along: beyond the two wanted, the others sharpen the filter */
const width = 6
const degree = 50
const mostRounds = 30
const tolerance = 1e-4
/** up to here all eigenvectors are computed at once */
const fewNodes = 48

/** nodes x width, row by row, so that one pass over the edges serves all vectors */
type Block = Float64Array<ArrayBuffer>

interface Normalised {
  graph: WeightedGraph
  /** D^-1/2 W D^-1/2, stored entries as in the graph */
  values: Float64Array
  /** the eigenvector of eigenvalue 0, sqrt(degree) at length 1: it tells nothing and is taken out */
  trivial: Float64Array
}

/**
 * @param graph connected, of at least 2 nodes
 * @returns nodes x 2, columns of length 1; the second is 0 where there are only 2 nodes
 */
export async function spectralVectors(
  graph: WeightedGraph,
  { random, signal }: { random: Random; signal?: AbortSignal | undefined },
): Promise<Float64Array> {
  const matrix = normalise(graph)
  if (graph.nodes <= fewNodes) return denseVectors(matrix)
  let vectors: Block = new Float64Array(graph.nodes * width)
  for (let i = 0; i < vectors.length; i++) vectors[i] = random.normal()
  orthonormalise(vectors, matrix.trivial)
  let cut = 0
  for (let round = 0; round < mostRounds; round++) {
    vectors = await filtered(matrix, vectors, { cut, signal })
    orthonormalise(vectors, matrix.trivial)
    const found = rayleighRitz(matrix, vectors)
    vectors = found.vectors
    if (found.residual < tolerance) break
    // what lies at or below the last vector is damped next
    cut = Math.max(0, found.values[width - 1]!)
  }
  return Float64Array.from({ length: graph.nodes * 2 }, (_, i) => vectors[(i >> 1) * width + (i & 1)]!)
}

function normalise(graph: WeightedGraph): Normalised {
  const { nodes, indptr, indices, weights } = graph
  const roots = new Float64Array(nodes)
  let total = 0
  for (let node = 0; node < nodes; node++) {
    let sum = 0
    for (let at = indptr[node]!; at < indptr[node + 1]!; at++) sum += weights[at]!
    roots[node] = Math.sqrt(sum)
    total += sum
  }
  const values = new Float64Array(indices.length)
  for (let node = 0; node < nodes; node++)
    for (let at = indptr[node]!; at < indptr[node + 1]!; at++)
      values[at] = weights[at]! / (roots[node]! * roots[indices[at]!]!)
  const length = Math.sqrt(total)
  return { graph, values, trivial: roots.map((root) => root / length) }
}

/** All eigenvectors of a small matrix, the trivial one moved to the far end of the spectrum. */
function denseVectors({ graph, values, trivial }: Normalised): Float64Array {
  const { nodes, indptr, indices } = graph
  const dense = new Float64Array(nodes * nodes)
  for (let row = 0; row < nodes; row++) {
    for (let at = indptr[row]!; at < indptr[row + 1]!; at++) dense[row * nodes + indices[at]!] = values[at]!
    for (let column = 0; column < nodes; column++)
      dense[row * nodes + column]! -= 3 * trivial[row]! * trivial[column]!
  }
  const { vectors } = symmetricEigen(dense, nodes)
  const wanted = new Float64Array(nodes * 2)
  for (let i = 0; i < nodes; i++)
    for (let j = 0; j < Math.min(2, nodes - 1); j++) wanted[i * 2 + j] = vectors[j * nodes + i]!
  return wanted
}

/** The Chebyshev polynomial that stays within 1 on [-1, cut] and grows above, applied to every vector. */
async function filtered(
  matrix: Normalised,
  vectors: Block,
  { cut, signal }: { cut: number; signal: AbortSignal | undefined },
): Promise<Block> {
  const centre = (cut - 1) / 2
  const half = (cut + 1) / 2
  let before = vectors
  let now: Block = new Float64Array(vectors.length)
  let next: Block = new Float64Array(vectors.length)
  multiply(matrix, before, now)
  for (let i = 0; i < now.length; i++) now[i] = (now[i]! - centre * before[i]!) / half
  for (let step = 2; step <= degree; step++) {
    multiply(matrix, now, next)
    for (let i = 0; i < next.length; i++) next[i] = (2 * (next[i]! - centre * now[i]!)) / half - before[i]!
    ;[before, now, next] = [now, next, before]
    if (step % 5 === 0) await pause(signal)
  }
  return now
}

/** The six columns are written out: this loop is nearly all of the time. */
function multiply({ graph, values }: Normalised, vectors: Block, result: Block): void {
  const { nodes, indptr, indices } = graph
  for (let node = 0; node < nodes; node++) {
    let [a, b, c, d, e, f] = [0, 0, 0, 0, 0, 0]
    const end = indptr[node + 1]!
    for (let at = indptr[node]!; at < end; at++) {
      const value = values[at]!
      const from = indices[at]! * width
      a += value * vectors[from]!
      b += value * vectors[from + 1]!
      c += value * vectors[from + 2]!
      d += value * vectors[from + 3]!
      e += value * vectors[from + 4]!
      f += value * vectors[from + 5]!
    }
    const to = node * width
    result[to] = a
    result[to + 1] = b
    result[to + 2] = c
    result[to + 3] = d
    result[to + 4] = e
    result[to + 5] = f
  }
}

/** Gram-Schmidt, twice over for rounding, the trivial vector first. */
function orthonormalise(vectors: Block, trivial: Float64Array): void {
  for (let j = 0; j < width; j++) {
    for (let pass = 0; pass < 2; pass++) {
      let along = 0
      for (let i = 0; i < trivial.length; i++) along += trivial[i]! * vectors[i * width + j]!
      for (let i = 0; i < trivial.length; i++) vectors[i * width + j]! -= along * trivial[i]!
      for (let other = 0; other < j; other++) {
        let product = 0
        for (let i = 0; i < vectors.length; i += width) product += vectors[i + other]! * vectors[i + j]!
        for (let i = 0; i < vectors.length; i += width) vectors[i + j]! -= product * vectors[i + other]!
      }
    }
    let squares = 0
    for (let i = j; i < vectors.length; i += width) squares += vectors[i]! ** 2
    const length = Math.sqrt(squares)
    if (length > 0) for (let i = j; i < vectors.length; i += width) vectors[i]! /= length
  }
}

/** The best eigenpairs within the span of the vectors, and how far the two wanted are from being true ones. */
function rayleighRitz(
  matrix: Normalised,
  vectors: Block,
): { values: Float64Array; residual: number; vectors: Block } {
  const image: Block = new Float64Array(vectors.length)
  multiply(matrix, vectors, image)
  const projected = new Float64Array(width * width)
  for (let p = 0; p < width; p++)
    for (let q = 0; q <= p; q++) {
      let product = 0
      for (let i = 0; i < vectors.length; i += width) product += vectors[i + p]! * image[i + q]!
      projected[p * width + q] = projected[q * width + p] = product
    }
  const { values, vectors: turn } = symmetricEigen(projected, width)
  const turned = turnedBy(vectors, turn)
  const turnedImage = turnedBy(image, turn)
  let residual = 0
  for (let j = 0; j < 2; j++) {
    let squares = 0
    for (let i = j; i < turned.length; i += width) squares += (turnedImage[i]! - values[j]! * turned[i]!) ** 2
    residual = Math.max(residual, Math.sqrt(squares))
  }
  return { values, residual, vectors: turned }
}

function turnedBy(vectors: Block, turn: Float64Array): Block {
  const turned: Block = new Float64Array(vectors.length)
  for (let i = 0; i < vectors.length; i += width)
    for (let p = 0; p < width; p++)
      for (let j = 0; j < width; j++) turned[i + j]! += vectors[i + p]! * turn[j * width + p]!
  return turned
}
