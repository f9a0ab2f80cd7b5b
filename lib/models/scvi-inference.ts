/**
 * What a trained model gives of cells, slab by slab: where they lie in latent space, their labels' logits, their expression as the decoder has it (as
 * measured, or as if in other batches), and how well it explains them. Statistics of batch normalisation are the running ones, and nothing is
 * dropped out, as in scvi-tools' eval mode.
 *
 * Memory is bounded by the slab: runs take as many rows as make four million places of cells x genes. Noise belongs to the cell and not to the run:
 * the same seed gives a cell the same draws, however slabs are cut.
 */
import type { RowSlab } from '../data/cells.ts'
import type { SessionOptions } from '../graph/session.ts'
import { logFactorials } from './log-factorial.ts'
import { decode, expression } from './scvi-expression.ts'
import { covariatesOf, noiseOf, openParts, type Parts, rangesOf, runGraph } from './scvi-inference-parts.ts'
import { requireDecoder, type ScviModel } from './scvi-model.ts'
import { type CellCovariates, entryFeeds } from './slab-feeds.ts'

/** Row by row, as many rows as the slab has. */
export interface PosteriorRows {
  /** rows x latent; the embedding. Of a logistic normal space the mean of shares (latent-shares.ts) */
  mean: Float32Array
  /** rows x latent; of the normal place */
  variance: Float32Array
  /** rows x classes, of SCANVI; their softmax are its probabilities */
  logits: Float32Array | null
}

export interface DecodedRows {
  /** rows x genes: expected share of the gene in the cell's counts; rows sum to 1 */
  share: Float32Array
  /** rows x genes: logits of an extra zero; of zinb */
  dropout: Float32Array | null
  /** genes, or rows x genes where it differs between cells: log of the inverse dispersion; none of Poisson */
  logTheta: Float32Array | null
}

export interface ExpressionOptions {
  /** genes by number, all unless told */
  genes?: Int32Array
  /** as if cells were of these batches, in the mean over them; of their own unless told */
  batches?: readonly number[]
  /**
   * the mean over this many draws of z, of noise by this seed; at the mean of z unless told. `cells` numbers the rows of the slab for the noise,
   * where they do not follow one another
   */
  draws?: { count: number; seed: number; cells?: Int32Array }
  /**
   * Counts that a cell has in all: a number, 1 unless told; its own; or as the model has it (`latent`, its own where the model learns none). Extra
   * zeros of zinb are not taken off.
   */
  librarySize?: number | 'own' | 'latent'
}

/** Of each cell, in nats. Their sum is the negative ELBO, which scvi-tools logs as `elbo`. */
export interface LossRows {
  /** -log p(counts | z), all genes, with log x!; of SCANVI with what its model of z adds */
  reconstruction: Float64Array
  /** of the posterior from the prior; of SCANVI of z2 and of the label; and of a learned library */
  divergence: Float64Array
}

export interface ScviInference {
  /** @throws BadInput COUNTS_NEEDED, MODEL_CATEGORY where the encoder takes batches, MODEL_COVARIATE */
  posterior(slab: RowSlab, covariates: CellCovariates): Promise<PosteriorRows>
  /**
   * @param z rows x latent
   * @param cells.start number in the matrix of the cell that the first row stands for
   * @param cells.batch as if all were of this one
   * @throws BadInput MODEL_DECODER, MODEL_CATEGORY, MODEL_COVARIATE
   */
  decode(
    z: Float32Array,
    cells: { covariates: CellCovariates; start: number; batch?: number },
  ): Promise<DecodedRows>
  /** Rows x genes, as scvi-tools' `get_normalized_expression`. @throws as `posterior` and `decode` */
  expression(slab: RowSlab, covariates: CellCovariates, options?: ExpressionOptions): Promise<Float32Array>
  /** At the mean of z (and of a learned library's logarithm), or at a draw by a seed, as in training. @throws as `posterior` and `decode` */
  losses(slab: RowSlab, covariates: CellCovariates, options?: { seed?: number }): Promise<LossRows>
  /** gives the memory of the graphs back */
  close(): Promise<void>
}

export interface InferenceOptions extends SessionOptions {
  /** of the matrix that slabs come from, for messages */
  place: string
}

/** Graphs are opened when they are first wanted. */
export function scviInference(model: ScviModel, options: InferenceOptions): ScviInference {
  const parts = openParts(model, options)
  return {
    posterior: (slab, covariates) => posterior(parts, { slab, covariates }),
    decode: (z, cells) => decode(parts, { z, ...cells }),
    expression: (slab, covariates, how = {}) => expression(parts, { slab, covariates, ...how }),
    losses: (slab, covariates, how = {}) => losses(parts, { slab, covariates, ...how }),
    close: () => parts.close(),
  }
}

interface Given {
  slab: RowSlab
  covariates: CellCovariates
}

async function posterior(parts: Parts, { slab, covariates }: Given): Promise<PosteriorRows> {
  const { model, place } = parts
  const { latent } = model.shape
  const classes = model.kind === 'scanvi' ? model.shape.classes : 0
  const rows: PosteriorRows = {
    mean: new Float32Array(slab.rows * latent),
    variance: new Float32Array(slab.rows * latent),
    logits: classes === 0 ? null : new Float32Array(slab.rows * classes),
  }
  for await (const range of rangesOf(slab, parts)) {
    const graph = await parts.encoder()
    const got = await runGraph(graph, {
      ...entryFeeds({ slab, ...range }, place),
      ...covariatesOf(parts, graph, { covariates, start: slab.start, ...range }),
    })
    rows.mean.set(parts.places({ mean: got.mean!, variance: got.variance! }), range.from * latent)
    rows.variance.set(got.variance!, range.from * latent)
    rows.logits?.set(got.logits!, range.from * classes)
  }
  return rows
}

async function losses(
  parts: Parts,
  { slab, covariates, seed }: Given & { seed?: number },
): Promise<LossRows> {
  const { model, place } = parts
  requireDecoder(model, place)
  const logFactorial = logFactorials()
  const reconstruction = new Float64Array(slab.rows)
  const divergence = new Float64Array(slab.rows)
  for await (const range of rangesOf(slab, parts)) {
    const graph = await parts.comparer()
    const got = await runGraph(graph, {
      ...entryFeeds({ slab, ...range }, place),
      ...covariatesOf(parts, graph, { covariates, start: slab.start, ...range }),
      ...noiseOf(model, { from: slab.start + range.from, to: slab.start + range.to, seed }),
    })
    for (let row = range.from; row < range.to; row++) {
      const at = row - range.from
      let known = 0
      for (let k = slab.indptr[row]!; k < slab.indptr[row + 1]!; k++) known += logFactorial(slab.values[k]!)
      reconstruction[row] = got.reconstruction![at]! + (got.latent?.[at] ?? 0) + known
      divergence[row] = got.divergence![at]!
    }
  }
  return { reconstruction, divergence }
}
