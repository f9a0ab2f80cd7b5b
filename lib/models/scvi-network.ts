/**
 * scVI (Lopez et al. 2018; the VAE of scvi-tools 1.4): an encoder of log1p counts into a normal distribution over a small latent space, and a
 * decoder of latent place, covariates and library size into the distribution of every count.
 *
 * Covariates with one category take no part, as in the original. The library is the cell's own sum of counts, or it is learned.
 * Traps: the divergence of a learned library is not warmed up here, and is in SCANVI. Of a dispersion by label, a cell without a label has the mean
 * over all labels (of logarithms), where the original stops with an error.
 */
import { constant, type Expression } from '../graph/expression.ts'
import type { CountEntries } from '../graph/feeds.ts'
import { add, divide, lengthAlong, multiply, unsqueeze } from '../graph/operations/arithmetic.ts'
import { cast, less } from '../graph/operations/choices.ts'
import { exp, log, softmax } from '../graph/operations/functions.ts'
import { matmul } from '../graph/operations/matrices.ts'
import { concatenate, oneHot, reshape, scatter } from '../graph/operations/places.ts'
import { type Entries, type Likelihood, reconstructionLoss } from './count-likelihood.ts'
import { type Builder, fullyConnected, linearLayer, weight } from './network.ts'
import {
  covariatesOf,
  divergence,
  drawFrom,
  encode,
  isIn,
  learnedLibrary,
  type Posterior,
} from './scvi-encoder.ts'

export type Where = 'encoder' | 'decoder' | 'both' | 'none'

export interface ScviShape {
  genes: number
  hidden: number
  latent: number
  layers: number
  /** categories of the batch, then of each further categorical covariate */
  categories: readonly [batches: number, ...others: number[]]
  /** columns among all covariates' that surgery has added, see surgery.ts */
  added?: readonly number[]
  /** continuous covariates */
  continuous: number
  encodeCovariates: boolean
  deeplyInject: boolean
  batchNorm: Where
  layerNorm: Where
  /** of the encoder */
  dropout: number
  dispersion: 'gene' | 'gene-batch' | 'gene-label' | 'gene-cell'
  likelihood: Likelihood
  /** for dispersion by label; cells without one have none of their own */
  labels: number
  /** how many counts a cell has in all is learned; absent, it is the sum of its counts */
  library?: 'learned' | undefined
  /** logistic normal: places in the latent space are shares that add up to one; absent, they are the normal ones */
  latentDistribution?: 'ln' | undefined
}

/** A minibatch as a graph takes it. */
export interface Cells {
  /** what its cells are called among the feeds */
  group: string
  entries: Entries
  /** sum of counts: cells x 1 */
  library: Expression
  /** category of each cell by covariate, whole: [cells] each */
  categories: readonly Expression[]
  /** cells x continuous covariates */
  continuous: Expression | null
  /** whole, -1 for none: [cells] */
  labels: Expression | null
}

/** A minibatch of these feeds: the cells of a group. */
export function cellsOf({ feeds }: Builder, shape: ScviShape, group = 'cells'): Cells {
  const whole = (part: string) => feeds.ofCells(part, { type: 'int32', group })
  const numbers = (part: string, width: number) => feeds.ofCells(part, { type: 'float32', group, width })
  const library = numbers('library', 1)
  const entries = feeds.entries(group, shape.genes)
  return {
    group,
    entries: { ...entries, logs: logCounts(entries, { library, genes: shape.genes }) },
    library,
    categories: shape.categories.map((_, i) => whole(`category ${i}`)),
    continuous: shape.continuous === 0 ? null : numbers('continuous', shape.continuous),
    labels: shape.dispersion === 'gene-label' ? whole('labels') : null,
  }
}

/** cells x genes of log(1 + count), made of the entries above zero. */
function logCounts(
  { places, counts }: CountEntries,
  { library, genes }: { library: Expression; genes: number },
): Expression {
  const none = constant({ type: 'float32', shape: [1, genes], data: new Float32Array(genes) })
  const zeros = add(multiply(library, 0), none)
  const values = log(add(counts, 1)) // counts are not so small that digits were lost
  return reshape(scatter(reshape(zeros, ['cells x genes']), { places, values }), zeros.shape)
}

export interface Decoded {
  /** logits of the share of each gene in a cell's counts: cells x genes */
  logits: Expression
  /** logits of an extra zero: cells x genes; for zinb */
  dropout: Expression | undefined
  /** log of the inverse dispersion: [genes] or cells x genes; none for Poisson */
  logTheta: Expression | undefined
}

export function decode(
  into: Builder,
  z: Expression,
  { cells, shape }: { cells: Cells; shape: ScviShape },
): Decoded {
  const { genes, hidden, latent, layers, continuous, deeplyInject, likelihood, dispersion } = shape
  const h = fullyConnected(
    into,
    'decoder.px_decoder',
    cells.continuous === null ? z : concatenate([z, cells.continuous]),
    {
      inputs: latent + continuous,
      hidden,
      outputs: hidden,
      layers,
      covariates: covariatesOf(cells, shape),
      deeplyInject,
      batchNorm: isIn(shape.batchNorm, 'decoder'),
      layerNorm: isIn(shape.layerNorm, 'decoder'),
      dropout: 0,
      group: cells.group,
    },
  )
  const head = (of: string) => linearLayer(into, `decoder.${of}`, { x: h, inputs: hidden, outputs: genes })
  return {
    logits: head('px_scale_decoder.0'),
    dropout: likelihood === 'zinb' ? head('px_dropout_decoder') : undefined,
    logTheta:
      likelihood === 'poisson'
        ? undefined
        : dispersion === 'gene-cell'
          ? head('px_r_decoder')
          : dispersionOf(into, cells, shape),
  }
}

/** A free parameter of each gene, or of each gene in each batch or label. */
function dispersionOf(into: Builder, { categories, labels }: Cells, shape: ScviShape): Expression {
  const { dispersion, genes } = shape
  const start = { normal: 1 }
  if (dispersion === 'gene') return weight(into, 'px_r', { shape: [genes], start })
  const isByBatch = dispersion === 'gene-batch'
  const groups = isByBatch ? shape.categories[0] : shape.labels
  const table = weight(into, 'px_r', { shape: [genes, groups], start })
  const rows = oneHot(isByBatch ? categories[0]! : labels!, { classes: groups, like: table })
  return matmul(isByBatch ? rows : add(rows, ofNoLabel(labels!, shape)), table, { right: true })
}

/** What a cell without a label has of each one's: cells x 1. */
function ofNoLabel(labels: Expression, shape: ScviShape): Expression {
  return unsqueeze(multiply(cast(less(labels, 0), 'float32'), 1 / shape.labels), [1])
}

export interface ScviLoss {
  /** sum over cells, without log(x!): [1, 1] */
  reconstruction: Expression
  /** of each cell, what is weighed by the warm-up: cells x 1 */
  divergence: Expression
  /** of each cell, that of a learned library: cells x 1 */
  ofLibrary: Expression | undefined
  posterior: Posterior
  /** a draw of it */
  drawn: Expression
  /** what of that is decoded: itself, or its shares */
  z: Expression
  /** counts that a cell has in all: cells x 1 */
  library: Expression
}

export function scviLoss(into: Builder, cells: Cells, shape: ScviShape): ScviLoss {
  const q = encode(into, cells, shape)
  const drawn = drawFrom(into, q, { name: 'z', width: shape.latent, group: cells.group })
  const z = shape.latentDistribution === 'ln' ? softmax(drawn) : drawn
  const { logits, dropout, logTheta } = decode(into, z, { cells, shape })
  const learned = shape.library === 'learned' ? learnedLibrary(into, cells, shape) : undefined
  const library = learned === undefined ? cells.library : exp(learned.log)
  const reconstruction = reconstructionLoss(
    shape.likelihood,
    {
      ...{ logits, library },
      ...(learned !== undefined && { logLibrary: learned.log }),
      ...(dropout !== undefined && { dropout }),
      ...(logTheta !== undefined && { logTheta }),
    },
    cells.entries,
  )
  return {
    ...{ reconstruction, posterior: q, drawn, z, library },
    divergence: divergence(q),
    ofLibrary: learned?.divergence,
  }
}

/** Of a sum over cells, the mean: [1, 1]. */
export function perCell(total: Expression, { library }: Cells): Expression {
  return divide(total, lengthAlong(library, 0))
}

/** Shares of genes: cells x genes. */
export function shares({ logits }: Decoded): Expression {
  return softmax(logits)
}
