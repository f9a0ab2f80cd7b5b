/**
 * What PCA asks of the standardised cells x genes: Z^T Z about the mean, as an operator on vectors of genes. Three ways give the same
 * numbers to rounding, all in float64, and the cheapest is taken: the genes x genes matrix summed over the pairs of entries of a row
 * (sparse), the same by onnxruntime on blocks made dense (dense), or never formed, two passes over the entries for each product.
 */
import type { Matrix } from '../graph/matrix-products.ts'
import { type FormingOptions, formByDenseBlocks, formByPairs } from './formed-covariance.ts'
import { blockWidth, firstColumns, type Operator } from './krylov-basis.ts'
import type { Points } from './points.ts'
import {
  columnsOf,
  type SparseRows,
  type Standardisation,
  standardisedBlocks,
  storedEntries,
} from './standardised-rows.ts'

export type CovarianceWay = 'pairs' | 'dense-blocks' | 'passes'

export interface Covariance extends Operator {
  way: CovarianceWay
  /** mean over the cells of z less the z of a zero */
  centre: Float64Array
  /** sum of the squares about the mean, over all genes */
  total: number
}

export interface CovarianceOptions extends FormingOptions {
  /** the cheapest unless told */
  way?: CovarianceWay
}

/** genes x genes in float64: 200 MB */
const formedLimit = 5000
/**
 * Seconds, measured on two cores of an EPYC: a pair of entries of a row; dense blocks, by rows x genes^2; an entry, or a number of the
 * formed matrix, in one product.
 */
const cost = { pair: 1.5e-9, denseProduct: 2.5e-11, passEntry: 8e-9, formedNumber: 3e-10 }
/** Block products until 50 vectors are settled, roughly. */
const usualProducts = 130

export async function covariance(
  input: SparseRows | Points,
  standard: Standardisation,
  options: CovarianceOptions,
): Promise<Covariance> {
  const way = options.way ?? cheapestWay(input)
  const { sums, squares } = columnSums(input, standard)
  const centre = sums.map((sum) => sum / input.rows)
  const total = squares.reduce((all, square, gene) => all + square - sums[gene]! * centre[gene]!, 0)
  const size = columnsOf(input)
  if (way === 'passes') return { way, size, centre, total, multiply: passes(input, standard, centre) }
  const formed =
    way === 'pairs'
      ? await formByPairs(input, standard, options)
      : await formByDenseBlocks(input, { standard, centre, ...options })
  if (way === 'pairs')
    for (let i = 0; i < size; i++)
      for (let j = 0; j < size; j++) formed[i * size + j]! -= sums[i]! * centre[j]!
  const matrix = { rows: size, columns: size, values: formed }
  return { way, size, centre, total, multiply: (block) => options.products.product(matrix, block) }
}

function cheapestWay(input: SparseRows | Points): CovarianceWay {
  const genes = columnsOf(input)
  const stored = storedEntries(input)
  if (genes > formedLimit) return 'passes'
  const products = usualProducts * cost.formedNumber * genes ** 2
  const costs: Record<CovarianceWay, number> = {
    pairs: (cost.pair * stored ** 2) / input.rows / 2 + products,
    'dense-blocks': cost.denseProduct * input.rows * genes ** 2 + products,
    passes: usualProducts * cost.passEntry * stored,
  }
  return (Object.keys(costs) as CovarianceWay[]).reduce((best, way) =>
    costs[way] < costs[best] ? way : best,
  )
}

function columnSums(
  input: SparseRows | Points,
  standard: Standardisation,
): { sums: Float64Array; squares: Float64Array } {
  const sums = new Float64Array(columnsOf(input))
  const squares = new Float64Array(columnsOf(input))
  for (const { indices, values } of standardisedBlocks(input, standard))
    for (let at = 0; at < values.length; at++) {
      sums[indices[at]!]! += values[at]!
      squares[indices[at]!]! += values[at]! ** 2
    }
  return { sums, squares }
}

/** For each row its product with the block, less that of the mean row, spread back over the row's genes. */
function passes(
  input: SparseRows | Points,
  standard: Standardisation,
  centre: Float64Array,
): Operator['multiply'] {
  return (narrow) => {
    const block = padded(narrow)
    const mean = new Float64Array(blockWidth)
    for (let at = 0; at < block.length; at++)
      mean[at % blockWidth]! += centre[(at / blockWidth) | 0]! * block[at]!
    const rowSum = new Float64Array(blockWidth)
    const into = new Float64Array(block.length)
    for (const { rows, indptr, indices, values } of standardisedBlocks(input, standard))
      for (let row = 0; row < rows; row++) {
        const [from, to] = [indptr[row]!, indptr[row + 1]!]
        let [a, b, c, d] = [-mean[0]!, -mean[1]!, -mean[2]!, -mean[3]!]
        for (let entry = from; entry < to; entry++) {
          const at = indices[entry]! * blockWidth
          const value = values[entry]!
          a += value * block[at]!
          b += value * block[at + 1]!
          c += value * block[at + 2]!
          d += value * block[at + 3]!
        }
        for (let entry = from; entry < to; entry++) {
          const at = indices[entry]! * blockWidth
          const value = values[entry]!
          into[at]! += value * a
          into[at + 1]! += value * b
          into[at + 2]! += value * c
          into[at + 3]! += value * d
        }
        rowSum[0]! += a
        rowSum[1]! += b
        rowSum[2]! += c
        rowSum[3]! += d
      }
    for (let at = 0; at < into.length; at++)
      into[at]! -= centre[(at / blockWidth) | 0]! * rowSum[at % blockWidth]!
    return firstColumns({ rows: narrow.rows, columns: blockWidth, values: into }, narrow.columns)
  }
}

/** Zeros beside the block, so that it has the width that a pass is written for. */
function padded({ rows, columns, values }: Matrix): Float64Array {
  if (columns === blockWidth) return values
  const wide = new Float64Array(rows * blockWidth)
  for (let row = 0; row < rows; row++)
    wide.set(values.subarray(row * columns, (row + 1) * columns), row * blockWidth)
  return wide
}
