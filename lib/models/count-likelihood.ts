/**
 * Log-likelihoods of counts given their mean: zero-inflated negative binomial, negative binomial, Poisson, as scvi-tools parametrises them
 * (theta is the inverse dispersion, pi the logit of an extra zero). Less log(x!), which depends on the data alone.
 *
 * Three things make them fast. Gradients are closed forms, and they go straight to the logits of the softmax, where they are simplest.
 * What only counts above zero need is computed at these alone. And only the sum over cells and genes is made.
 * They are sound for theta from 1e-4 to 1e7: with t = mean / theta, log(theta / (theta + mean)) = -log1p(t), no difference of logarithms.
 * Traps: `entries` are all counts above zero of the cells and nothing else, each once. The original's 1e-8 inside logarithms is kept where
 * it counts: in the logarithm of a mean that underflowed.
 */
import type { Expression } from '../graph/expression.ts'
import { withGradient } from '../graph/gradient.ts'
import { add, divide, multiply, negative, subtract, sum, sumTo } from '../graph/operations/arithmetic.ts'
import { exp, log, log1p, reciprocal, sigmoid, softmax, softplus } from '../graph/operations/functions.ts'
import { gatherEntries, gatherRows, reshape, scatter } from '../graph/operations/places.ts'
import { digammaDifference, logPochhammer } from '../graph/special.ts'

export type Likelihood = 'zinb' | 'nb' | 'poisson'

/** The counts above zero of a minibatch. */
export interface Entries {
  /** cell x genes + gene, whole: [entries] */
  places: Expression
  /** whole: [entries] */
  genes: Expression
  /** [entries] */
  counts: Expression
}

export interface CountModel {
  /** logits of the share of each gene: cells x genes */
  logits: Expression
  /** counts of each cell: cells x 1 */
  library: Expression
  /** log theta: [genes], or cells x genes; none for Poisson */
  logTheta?: Expression
  /** logits of an extra zero: cells x genes, for zinb */
  dropout?: Expression
}

const tiny = 1e-8

/** The sum over all cells and genes of -log p(x), without log(x!): one number, shape [1, 1]. Gradients flow to all but the library. */
export function reconstructionLoss(likelihood: Likelihood, model: CountModel, entries: Entries): Expression {
  const share = softmax(model.logits)
  const mean = multiply(share, model.library)
  if (likelihood === 'poisson') return poissonLoss(model, { share, mean, entries })
  const { logTheta, dropout } = model
  if (logTheta === undefined || (likelihood === 'zinb') !== (dropout !== undefined))
    throw new Error(`${likelihood} lacks a part of its model`)
  return binomialLoss({ ...model, logTheta, dropout }, { share, mean, entries })
}

interface Parts {
  share: Expression
  mean: Expression
  entries: Entries
}

interface Binomial extends Omit<CountModel, 'logTheta' | 'dropout'> {
  logTheta: Expression
  dropout: Expression | undefined
}

function binomialLoss({ logits, logTheta, dropout }: Binomial, { share, mean, entries }: Parts): Expression {
  const { places, counts } = entries
  const theta = exp(logTheta)
  const ratio = multiply(mean, exp(negative(logTheta)))
  const failing = reciprocal(add(ratio, 1)) // theta / (theta + mean)
  const logRatio = log1p(ratio)
  const rest = multiply(theta, logRatio) // -log of the chance of no count, had there been no extra zeros
  // at counts above zero
  const at = (dense: Expression) => gatherEntries(flat(dense), places)
  const thetaAt = theta.shape.length === 2 ? at(theta) : gatherRows(theta, entries.genes)
  const meanAt = at(mean)
  const totalAt = add(thetaAt, add(meanAt, tiny))
  const countedAt = add(
    multiply(counts, subtract(log(add(meanAt, tiny)), log(totalAt))),
    logPochhammer(thetaAt, counts),
  )
  const value = dropout === undefined ? sum(rest) : undefined
  const zeros = dropout && extraZeros(dropout, rest)
  const likelihood =
    zeros === undefined
      ? subtract(value!, whole(sum(countedAt)))
      : subtract(zeros.loss, whole(sum(add(countedAt, subtract(at(zeros.odds), softplus(at(zeros.odds)))))))

  return withGradient(
    likelihood,
    [logits, logTheta, ...(dropout === undefined ? [] : [dropout])],
    (upstream) => {
      const put = (dense: Expression, values: Expression) =>
        reshape(scatter(flat(dense), { places, values }), dense.shape)
      const chance = zeros && put(sigmoid(zeros.odds), ones(counts)) // that a zero is no extra one
      const byChance = (dense: Expression) => (chance === undefined ? dense : multiply(dense, chance))
      // mean x d/dmean = theta x (1 - failing) x chance - x (mean / (mean + tiny) - mean / (theta + mean))
      const failed = multiply(mean, failing)
      const foundAt = multiply(counts, subtract(divide(meanAt, add(meanAt, tiny)), divide(meanAt, totalAt)))
      const byMean = put(byChance(failed), subtract(at(failed), foundAt))
      const toLogits = subtract(byMean, multiply(share, sum(byMean, [1])))
      // theta x d/dtheta = -theta x (ratio x failing - log ratio) x chance + x theta / (theta + mean) - theta x digamma difference
      const gap = subtract(logRatio, multiply(ratio, failing))
      const seenAt = subtract(divide(counts, totalAt), digammaDifference(thetaAt, counts))
      const byTheta = multiply(sumTo(put(byChance(gap), add(at(gap), seenAt)), logTheta), theta)
      const toDropout = zeros && [multiply(subtract(chance!, sigmoid(negative(dropout!))), upstream)]
      return [multiply(toLogits, upstream), multiply(byTheta, flow(upstream, logTheta)), ...(toDropout ?? [])]
    },
  )
}

/** @param rest minus the logarithm of the chance of no count without extra zeros */
function extraZeros(dropout: Expression, rest: Expression) {
  const against = negative(dropout)
  const odds = subtract(against, rest)
  return { odds, loss: subtract(sum(softplus(against)), sum(softplus(odds))) }
}

function poissonLoss(
  { logits }: CountModel,
  { share, mean, entries: { places, counts } }: Parts,
): Expression {
  const meanAt = gatherEntries(flat(mean), places)
  const value = subtract(sum(mean), whole(sum(multiply(counts, log(add(meanAt, tiny))))))
  return withGradient(value, [logits], (upstream) => {
    const foundAt = multiply(counts, divide(meanAt, add(meanAt, tiny)))
    const byMean = reshape(scatter(flat(mean), { places, values: subtract(meanAt, foundAt) }), mean.shape)
    return [multiply(subtract(byMean, multiply(share, sum(byMean, [1]))), upstream)]
  })
}

function flat(dense: Expression): Expression {
  return reshape(dense, ['cells x genes'])
}

/** [1] to [1, 1] */
function whole(total: Expression): Expression {
  return reshape(total, [1, 1])
}

function ones(like: Expression): Expression {
  return divide(like, like)
}

/** One number, to be combined with a row or with a matrix. */
function flow(upstream: Expression, { shape }: Expression): Expression {
  return shape.length === 1 ? reshape(upstream, [1]) : upstream
}
