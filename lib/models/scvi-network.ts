/**
 * scVI (Lopez et al. 2018; the VAE of scvi-tools 1.4): an encoder of log1p counts into a normal distribution over a small latent space, and a
 * decoder of latent place, covariates and library size into the distribution of every count.
 *
 * Covariates with one category take no part, as in the original. The library is the cell's own sum of counts.
 */
import { constant, type Expression } from '../graph/expression.ts'
import { add, divide, lengthAlong, multiply, subtract, sum } from '../graph/operations/arithmetic.ts'
import { exp, log, softmax, sqrt, square } from '../graph/operations/functions.ts'
import { matmul } from '../graph/operations/matrices.ts'
import { concatenate, oneHot, reshape, scatter } from '../graph/operations/places.ts'
import { type Entries, type Likelihood, reconstructionLoss } from './count-likelihood.ts'
import {
  type Builder,
  type Covariates,
  covariateRows,
  fullyConnected,
  linearLayer,
  type NoiseRows,
  noCovariates,
  normalNoise,
  weight,
} from './network.ts'

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
  /** for dispersion by label */
  labels: number
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
  /** whole: [cells] */
  labels: Expression | null
}

/** A minibatch of these feeds; of a second one in a step the names begin with its group. */
export function cellsOf({ feeds }: Builder, shape: ScviShape, group = 'cells'): Cells {
  const prefix = group === 'cells' ? '' : `${group} `
  const whole = (name: string, of = group) => feeds.take(`${prefix}${name}`, { type: 'int32', group: of })
  const numbers = (name: string, width: number) =>
    feeds.take(`${prefix}${name}`, { type: 'float32', group, width })
  const entries = `${prefix}entries`
  const library = numbers('library', 1)
  const places = whole('places', entries)
  const counts = feeds.take(`${prefix}counts`, { type: 'float32', group: entries })
  return {
    group,
    entries: {
      places,
      genes: whole('genes', entries),
      counts,
      logs: logCounts({ places, counts }, { library, genes: shape.genes }),
    },
    library,
    categories: shape.categories.map((_, i) => whole(`category ${i}`)),
    continuous: shape.continuous === 0 ? null : numbers('continuous', shape.continuous),
    labels: shape.dispersion === 'gene-label' ? whole('labels') : null,
  }
}

/** cells x genes of log(1 + count), made of the entries above zero. */
function logCounts(
  { places, counts }: Omit<Entries, 'genes' | 'logs'>,
  { library, genes }: { library: Expression; genes: number },
): Expression {
  const none = constant({ type: 'float32', shape: [1, genes], data: new Float32Array(genes) })
  const zeros = add(multiply(library, 0), none)
  const values = log(add(counts, 1)) // counts are not so small that digits were lost
  return reshape(scatter(reshape(zeros, ['cells x genes']), { places, values }), zeros.shape)
}

/** All categorical covariates that have more than one category, in one-hot rows. */
function covariatesOf({ categories }: Cells, shape: ScviShape): Covariates {
  const used = shape.categories.flatMap((count, i) => (count > 1 ? [{ count, of: categories[i]! }] : []))
  if (used.length === 0) return noCovariates
  const rows = used.map(({ count, of }) => oneHot(of, { classes: count, like: { type: 'float32' } }))
  return covariateRows(concatenate(rows), {
    width: used.reduce((width, { count }) => width + count, 0),
    ...(shape.added && { added: shape.added }),
  })
}

export const isIn = (where: Where, part: 'encoder' | 'decoder') => where === part || where === 'both'

export interface Posterior {
  mean: Expression
  variance: Expression
}

/** q(z | x): cells x latent each. */
export function encode(into: Builder, cells: Cells, shape: ScviShape): Posterior {
  const { genes, hidden, latent, layers, continuous, encodeCovariates, deeplyInject, dropout } = shape
  const counts = cells.entries.logs
  const withContinuous = encodeCovariates && cells.continuous !== null
  const h = fullyConnected(
    into,
    'z_encoder.encoder',
    withContinuous ? concatenate([counts, cells.continuous!]) : counts,
    {
      inputs: genes + (withContinuous ? continuous : 0),
      hidden,
      outputs: hidden,
      layers,
      covariates: encodeCovariates ? covariatesOf(cells, shape) : noCovariates,
      deeplyInject,
      batchNorm: isIn(shape.batchNorm, 'encoder'),
      layerNorm: isIn(shape.layerNorm, 'encoder'),
      dropout,
      group: cells.group,
    },
  )
  return posterior(into, 'z_encoder', h, { hidden, latent })
}

/** scvi-tools adds 1e-4 to the variance, so that it cannot vanish. */
export function posterior(
  into: Builder,
  name: string,
  h: Expression,
  size: Pick<ScviShape, 'hidden' | 'latent'>,
): Posterior {
  const { hidden: inputs, latent: outputs } = size
  const head = (of: string) => linearLayer(into, `${name}.${of}`, { x: h, inputs, outputs })
  return { mean: head('mean_encoder'), variance: add(exp(head('var_encoder')), 1e-4) }
}

/** A draw from it, by standard normal noise of this name. */
export function drawFrom(
  into: Builder,
  { mean, variance }: Posterior,
  { name, ...rows }: NoiseRows & { name: string },
): Expression {
  return add(mean, multiply(sqrt(variance), normalNoise(into, name, rows)))
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
  const [of, groups] =
    dispersion === 'gene-batch' ? [categories[0]!, shape.categories[0]] : [labels!, shape.labels]
  const table = weight(into, 'px_r', { shape: [genes, groups], start })
  return matmul(oneHot(of, { classes: groups, like: table }), table, { right: true })
}

/** KL(q || N(0, 1)) of each row: rows x 1. */
export function divergence({ mean, variance }: Posterior): Expression {
  return multiply(sum(subtract(add(variance, square(mean)), add(log(variance), 1)), [1]), 0.5)
}

export interface ScviLoss {
  /** sum over cells, without log(x!): [1, 1] */
  reconstruction: Expression
  /** of each cell: cells x 1 */
  divergence: Expression
  posterior: Posterior
  z: Expression
}

export function scviLoss(into: Builder, cells: Cells, shape: ScviShape): ScviLoss {
  const q = encode(into, cells, shape)
  const z = drawFrom(into, q, { name: 'z', width: shape.latent, group: cells.group })
  const { logits, dropout, logTheta } = decode(into, z, { cells, shape })
  const reconstruction = reconstructionLoss(
    shape.likelihood,
    {
      logits,
      library: cells.library,
      ...(dropout !== undefined && { dropout }),
      ...(logTheta !== undefined && { logTheta }),
    },
    cells.entries,
  )
  return { reconstruction, divergence: divergence(q), posterior: q, z }
}

/** Of a sum over cells, the mean: [1, 1]. */
export function perCell(total: Expression, { library }: Cells): Expression {
  return divide(total, lengthAlong(library, 0))
}

/** Shares of genes: cells x genes. */
export function shares({ logits }: Decoded): Expression {
  return softmax(logits)
}
