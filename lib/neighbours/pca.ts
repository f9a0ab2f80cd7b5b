/**
 * Principal components of cells x genes that are standardised on the way, as scanpy's `pp.scale(max_value=10)` and `tl.pca` in one, without
 * ever making the matrix dense. Settled to float64 as ARPACK is there, not randomised. Signs are fixed: the largest loading is positive;
 * scanpy's signs are those of its solver, so components compare up to sign.
 */
import { openMatrixProducts } from '../graph/matrix-products.ts'
import { BadInput, type ErrorReport } from '../job/errors.ts'
import { type Covariance, type CovarianceWay, covariance } from './covariance.ts'
import { type LeadingEigen, leadingEigenvectors } from './leading-eigenvectors.ts'
import type { Points } from './points.ts'
import {
  columnsOf,
  type SparseRows,
  type Standardisation,
  standardisation,
  standardisedBlocks,
} from './standardised-rows.ts'

/** What is needed to give further cells scores in the same components. */
export interface PcaModel extends Standardisation {
  genes: number
  components: number
  /** genes x components */
  loadings: Float32Array
  /** mean of z over the cells that were fitted, less the z of a zero: 0 but for clipping and where zeros are common */
  centre: Float64Array
}

export interface Pca extends PcaModel {
  /** cells x components */
  scores: Points
  /** of each component, ddof 1 */
  variance: Float64Array
  /** share of the variance of all genes */
  varianceRatio: Float64Array
}

export interface PcaOptions {
  /** 50 unless told; at most min(cells, genes) - 1 */
  components?: number
  /** standardise the genes; otherwise they are only centred */
  scale: boolean
  /** largest |z| where genes are standardised, 10 unless told */
  maxValue?: number
  seed: number
  /** what the matrix is, for messages: 'X' */
  place?: string
  /** how the covariance is had; the cheapest unless told */
  way?: CovarianceWay
  threads?: number
  signal?: AbortSignal
  /** share of the cells that the covariance holds, from 0 to 1 */
  onProgress?: (done: number) => void
  /** PCA_COMPONENTS_REDUCED, PCA_NOT_SETTLED */
  notices?: ErrorReport[]
}

/** Residual of the eigenvectors; singular values are then right to half of it, or far better. */
const tolerance = 1e-6

/**
 * @throws BadInput PCA_TOO_SMALL under 2 cells or genes, COMPONENTS_OUT_OF_RANGE, MATRIX_MALFORMED, MATRIX_NOT_FINITE
 */
export async function pca(input: SparseRows | Points, options: PcaOptions): Promise<Pca> {
  const { scale, maxValue = 10, place = 'matrix' } = options
  const genes = columnsOf(input)
  const components = componentsFor(input, { ...options, place })
  const standard = standardisation(input, { scale, maxValue, place })
  const { cells, values, vectors, residual } = await decompose(input, { ...options, components, standard })
  if (residual > tolerance)
    options.notices?.push({
      code: 'PCA_NOT_SETTLED',
      place,
      problem: `the components are exact to ${residual.toExponential(1)} only, ${tolerance} was wanted`,
      remedy: 'Ask for fewer components: the last ones are hardly larger than those that follow',
    })
  const model: PcaModel = {
    ...standard,
    genes,
    components,
    loadings: loadingsOf(vectors, { genes, components }),
    centre: cells.centre,
  }
  const variance = values.map((value) => Math.max(value, 0) / (input.rows - 1))
  const all = cells.total / (input.rows - 1)
  return {
    ...model,
    scores: projectPca(input, model),
    variance,
    varianceRatio: variance.map((value) => (all > 0 ? value / all : 0)),
  }
}

async function decompose(
  input: SparseRows | Points,
  options: PcaOptions & { components: number; standard: Standardisation },
): Promise<LeadingEigen & { cells: Covariance }> {
  const { components: count, standard, threads } = options
  const products = await openMatrixProducts(threads === undefined ? {} : { threads })
  try {
    const cells = await covariance(input, standard, { ...options, products })
    return { cells, ...(await leadingEigenvectors(cells, { ...options, count, tolerance, products })) }
  } finally {
    await products.close()
  }
}

/**
 * Scores of cells in components that were fitted before: standardised with the fitted means, not their own.
 * @throws BadInput PCA_OTHER_GENES when the number of genes differs
 */
export function projectPca(input: SparseRows | Points, model: PcaModel): Points {
  const { genes, components, centre, loadings } = model
  if (columnsOf(input) !== genes)
    throw new BadInput(
      'PCA_OTHER_GENES',
      'matrix',
      `the components were fitted on ${genes} genes, the cells have ${columnsOf(input)}`,
      'Give the cells the genes of the fitted ones, in their order',
    )
  const wide = Float64Array.from(loadings)
  const start = new Float64Array(components)
  for (let gene = 0, at = 0; gene < genes; gene++)
    for (let c = 0; c < components; c++, at++) start[c]! -= centre[gene]! * wide[at]!
  const scores = new Float32Array(input.rows * components)
  const sums = new Float64Array(components)
  for (const block of standardisedBlocks(input, model))
    for (let row = 0; row < block.rows; row++) {
      sums.set(start)
      for (let entry = block.indptr[row]!; entry < block.indptr[row + 1]!; entry++) {
        const value = block.values[entry]!
        const at = block.indices[entry]! * components
        for (let c = 0; c < components; c++) sums[c]! += value * wide[at + c]!
      }
      scores.set(sums, (block.start + row) * components)
    }
  return { rows: input.rows, dims: components, values: scores }
}

function componentsFor(
  input: SparseRows | Points,
  { components = 50, place, notices }: PcaOptions & { place: string },
): number {
  const genes = columnsOf(input)
  const most = Math.min(input.rows, genes) - 1
  if (most < 1)
    throw new BadInput(
      'PCA_TOO_SMALL',
      place,
      `${input.rows} cells of ${genes} genes have no principal components`,
      'Keep at least 2 cells and 2 genes',
    )
  if (!Number.isInteger(components) || components < 1)
    throw new BadInput(
      'COMPONENTS_OUT_OF_RANGE',
      place,
      `${components} components cannot be computed`,
      'Ask for a whole number from 1',
    )
  if (components <= most) return components
  notices?.push({
    code: 'PCA_COMPONENTS_REDUCED',
    place,
    problem: `${most} components are computed, not ${components}: there are ${input.rows} cells of ${genes} genes`,
    remedy: 'Nothing need be done; more cells or genes give more components',
  })
  return most
}

/** Turns vectors (components x genes) into loadings (genes x components) whose largest number is positive. */
function loadingsOf(
  vectors: Float64Array,
  { genes, components }: { genes: number; components: number },
): Float32Array {
  const loadings = new Float32Array(genes * components)
  for (let c = 0; c < components; c++) {
    const vector = vectors.subarray(c * genes, (c + 1) * genes)
    let largest = 0
    for (let gene = 0; gene < genes; gene++)
      if (Math.abs(vector[gene]!) > Math.abs(vector[largest]!)) largest = gene
    const sign = vector[largest]! < 0 ? -1 : 1
    for (let gene = 0; gene < genes; gene++) loadings[gene * components + c] = sign * vector[gene]!
  }
  return loadings
}
