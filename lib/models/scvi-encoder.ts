/**
 * The encoders of scVI (scvi-tools 1.4): log1p counts, and covariates where the model says so, into a normal distribution of the latent place,
 * and one of the same kind into that of the logarithm of a cell's library size, for models that learn it. That one has one hidden layer whatever
 * the other has.
 */
import type { Expression } from '../graph/expression.ts'
import { add, divide, multiply, subtract, sum } from '../graph/operations/arithmetic.ts'
import { exp, log, sqrt, square } from '../graph/operations/functions.ts'
import { matmul } from '../graph/operations/matrices.ts'
import { concatenate, oneHot } from '../graph/operations/places.ts'
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
import type { Cells, ScviShape, Where } from './scvi-network.ts'

/** All categorical covariates that have more than one category, in one-hot rows. */
export function covariatesOf({ categories }: Cells, shape: ScviShape): Covariates {
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
export const encode = (into: Builder, cells: Cells, shape: ScviShape): Posterior =>
  encodeBy(into, 'z_encoder', { cells, shape, layers: shape.layers, latent: shape.latent })

/** q(log of the library size | x): cells x 1 each. */
export const encodeLibrary = (into: Builder, cells: Cells, shape: ScviShape): Posterior =>
  encodeBy(into, 'l_encoder', { cells, shape, layers: 1, latent: 1 })

function encodeBy(
  into: Builder,
  name: string,
  { cells, shape, layers, latent }: { cells: Cells; shape: ScviShape; layers: number; latent: number },
): Posterior {
  const { genes, hidden, continuous, encodeCovariates, deeplyInject, dropout } = shape
  const counts = cells.entries.logs
  const withContinuous = encodeCovariates && cells.continuous !== null
  const h = fullyConnected(
    into,
    `${name}.encoder`,
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
  return posterior(into, name, h, { hidden, latent })
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

/** KL(q || N(0, 1)) of each row: rows x 1. */
export function divergence({ mean, variance }: Posterior): Expression {
  return multiply(sum(subtract(add(variance, square(mean)), add(log(variance), 1)), [1]), 0.5)
}

export interface Library {
  /** a draw of its logarithm: cells x 1 */
  log: Expression
  /** from the prior of the cell's batch: cells x 1 */
  divergence: Expression
}

/**
 * The library size as the model learns it: lognormal, about what is usual in the cell's batch. Mean and variance of the logarithms there are
 * statistics of the cells (library-prior.ts), not weights that learn.
 */
export function learnedLibrary(into: Builder, cells: Cells, shape: ScviShape): Library {
  const q = encodeLibrary(into, cells, shape)
  const [batches] = shape.categories
  const ofBatch = (name: string, constant: number) => {
    const table = weight(into, name, { shape: [1, batches], start: { constant }, kind: 'statistic' })
    return matmul(oneHot(cells.categories[0]!, { classes: batches, like: table }), table, { right: true })
  }
  const usual = { mean: ofBatch(priorMeans, 0), variance: ofBatch(priorVariances, 1) }
  const ratio = divide(q.variance, usual.variance)
  const distance = divide(square(subtract(q.mean, usual.mean)), usual.variance)
  return {
    log: drawFrom(into, q, { name: libraryNoise, width: 1, group: cells.group }),
    divergence: multiply(subtract(add(ratio, distance), add(log(ratio), 1)), 0.5),
  }
}

export const priorMeans = 'library_log_means'
export const priorVariances = 'library_log_vars'
/** name of the noise that a library is drawn by */
export const libraryNoise = 'l'
