/**
 * The reference as one Gaussian cloud a label with a common shape, in the few directions in which its cells vary most (linear discriminant
 * analysis after principal components). Gives the squared Mahalanobis distance of a cell to each label; what the classifier ignores counts.
 *
 * A few rounds of subspace iteration from a seeded start do: the directions need not be settled to the last digit, but without the spare
 * ones the weakest would be a matter of chance, and with them which unseen types are found.
 */
import { random } from '../job/random.ts'
import { cholesky, dot, eigenvectors, orthonormalRows, solveLower } from './dense-algebra.ts'
import {
  type LiftedRows,
  liftRows,
  meanOf,
  project,
  projectBack,
  type SparseCells,
  type Standard,
} from './lifted-rows.ts'

export interface ReferenceSpace {
  labels: number
  directions: number
  /** directions x genes: whitened, so that distances are plain ones */
  axes: Float64Array
  /** where a cell of zeros lies */
  origin: Float64Array
  /** labels x directions: the middle of each label; NaN for a label without cells */
  centres: Float64Array
}

const rounds = 4
/** directions carried along while iterating and then dropped */
const spare = 16
/** weight of a round shape: with few cells the common shape is not known in every direction */
const roundness = 0.1

/** @param options.cells the rows to use; all with a label (code >= 0) unless told */
export function fitReferenceSpace(
  cells: SparseCells,
  {
    codes,
    labels,
    standard,
    seed,
    directions = 64,
    use,
  }: {
    codes: Int32Array
    labels: number
    standard: Standard
    seed: number
    directions?: number
    use?: Int32Array
  },
): ReferenceSpace {
  const used = use ?? Int32Array.from([...codes.keys()].filter((cell) => codes[cell]! >= 0))
  const lifted = liftRows(cells, { standard, rows: used })
  const centre = meanOf(lifted)
  const size = Math.max(1, Math.min(directions, used.length - 1, cells.columns))
  const basis = leadingSpan(lifted, { centre, size, seed })
  const scores = project(lifted, { axes: basis, size, origin: originOf(basis, { size, centre }) })
  const { centres, shape } = middles(scores, { codes: used.map((row) => codes[row]!), labels, size })
  const factor = cholesky(rounded(shape, size), size)
  const axes = new Float64Array(basis.length)
  const column = new Float64Array(size)
  for (let gene = 0; gene < cells.columns; gene++) {
    for (let k = 0; k < size; k++) column[k] = basis[k * cells.columns + gene]!
    solveLower(factor, column)
    for (let k = 0; k < size; k++) axes[k * cells.columns + gene] = column[k]!
  }
  for (let label = 0; label < labels; label++)
    solveLower(factor, centres.subarray(label * size, (label + 1) * size))
  return { labels, directions: size, axes, origin: originOf(axes, { size, centre }), centres }
}

/** float64, rows x labels: squared distances in units of the common shape; Infinity to a label without cells. */
export function referenceDistances(
  cells: SparseCells,
  { space, standard, rows }: { space: ReferenceSpace; standard: Standard; rows?: Int32Array },
): Float64Array {
  const { labels, directions: size, axes, origin, centres } = space
  const which = rows ?? Int32Array.from({ length: cells.rows }, (_, row) => row)
  const places = project(liftRows(cells, { standard, rows: which }), { axes, size, origin })
  const distances = new Float64Array(which.length * labels)
  for (let at = 0; at < which.length; at++)
    for (let label = 0; label < labels; label++) {
      let sum = 0
      for (let k = 0; k < size; k++) sum += (places[at * size + k]! - centres[label * size + k]!) ** 2
      distances[at * labels + label] = Number.isNaN(centres[label * size]!) ? Number.POSITIVE_INFINITY : sum
    }
  return distances
}

/** Orthonormal rows (size x genes), nearly the leading principal components: subspace iteration on a few more than are kept. */
function leadingSpan(
  rows: LiftedRows,
  { centre, size, seed }: { centre: Float64Array; size: number; seed: number },
): Float64Array {
  const genes = centre.length
  const block = Math.min(size + spare, rows.rows.length, genes)
  const chance = random(seed)
  const start = Float64Array.from({ length: block * genes }, () => chance.normal())
  let basis: Float64Array = orthonormalRows(start, genes)
  const places = (): Float64Array =>
    project(rows, { axes: basis, size: block, origin: originOf(basis, { size: block, centre }) })
  for (let round = 0; round < rounds; round++)
    basis = orthonormalRows(projectBack(rows, { scores: places(), size: block, centre }), genes)
  const turns = eigenvectors(products(places(), block), block)
  const leading = new Float64Array(size * genes)
  for (let k = 0; k < size; k++)
    for (let j = 0; j < block; j++) {
      const share = turns[k * block + j]!
      for (let gene = 0; gene < genes; gene++) leading[k * genes + gene]! += share * basis[j * genes + gene]!
    }
  return leading
}

/** scores' scores, size x size. */
function products(scores: Float64Array, size: number): Float64Array {
  const sums = new Float64Array(size * size)
  for (let start = 0; start < scores.length; start += size)
    for (let k = 0; k < size; k++) {
      const score = scores[start + k]!
      for (let j = 0; j < size; j++) sums[k * size + j]! += score * scores[start + j]!
    }
  return sums
}

/** Places are measured from the mean of the training cells. */
function originOf(
  axes: Float64Array,
  { size, centre }: { size: number; centre: Float64Array },
): Float64Array {
  return Float64Array.from({ length: size }, (_, k) => {
    return -dot(axes.subarray(k * centre.length, (k + 1) * centre.length), centre)
  })
}

function middles(
  scores: Float64Array,
  { codes, labels, size }: { codes: Int32Array; labels: number; size: number },
): { centres: Float64Array; shape: Float64Array } {
  const centres = new Float64Array(labels * size)
  const counts = new Int32Array(labels)
  codes.forEach((code, at) => {
    counts[code]! += 1
    for (let k = 0; k < size; k++) centres[code * size + k]! += scores[at * size + k]!
  })
  // 0 / 0 is the NaN of a label without cells
  for (let i = 0; i < centres.length; i++) centres[i]! /= counts[Math.floor(i / size)]!
  const shape = new Float64Array(size * size)
  const rest = new Float64Array(size)
  codes.forEach((code, at) => {
    for (let k = 0; k < size; k++) rest[k] = scores[at * size + k]! - centres[code * size + k]!
    for (let k = 0; k < size; k++) for (let j = 0; j <= k; j++) shape[k * size + j]! += rest[k]! * rest[j]!
  })
  return { centres, shape: shape.map((sum) => sum / codes.length) }
}

/** Lower triangle mixed with a multiple of the identity of the same trace. */
function rounded(shape: Float64Array, size: number): Float64Array {
  let trace = 0
  for (let k = 0; k < size; k++) trace += shape[k * size + k]!
  const even = trace > 0 ? trace / size : 1
  const mixed = shape.map((value) => (1 - roundness) * value)
  for (let k = 0; k < size; k++) mixed[k * size + k]! += roundness * even
  return mixed
}
