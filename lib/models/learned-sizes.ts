/**
 * Library sizes as a model has learned them: exp of the mean of the logarithm, or of each draw of it, as scvi-tools' `library_size="latent"`, which
 * always draws.
 */
import type { Tensor } from '../graph/tensor.ts'
import type { ExpressionOptions } from './scvi-inference.ts'
import { cellNoise, covariatesOf, type Parts, type Range, runGraph } from './scvi-inference-parts.ts'
import type { CellCovariates } from './slab-feeds.ts'

export interface SizedRows extends Range, Pick<ExpressionOptions, 'draws'> {
  covariates: CellCovariates
  /** number in the matrix of the slab's row 0 */
  start: number
  /** of these rows, as `entryFeeds` has them */
  counted: Record<string, Tensor>
}

/** Of each row, at each draw; or once, at the mean. The draws of z come first in a cell's noise, and are not these. */
export async function learnedSizes(
  parts: Parts,
  { covariates, start, counted, from, to, draws }: SizedRows,
): Promise<Float32Array[]> {
  const graph = await parts.librarian()
  const cells = { covariates, start, from, to }
  const { mean, variance } = await runGraph(graph, { ...counted, ...covariatesOf(parts, graph, cells) })
  if (draws === undefined) return [mean!.map(Math.exp)]
  const ofZ = draws.count * parts.model.shape.latent
  const width = ofZ + draws.count
  const numbers = draws.cells?.subarray(from, to)
  const noise = cellNoise(draws.seed, { from: start + from, to: start + to, width, numbers })
  return Array.from({ length: draws.count }, (_, draw) =>
    mean!.map((centre, cell) =>
      Math.exp(centre + Math.sqrt(variance![cell]!) * noise[cell * width + ofZ + draw]!),
    ),
  )
}
