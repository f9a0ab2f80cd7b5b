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
import type { CountEntries } from '../graph/feeds.ts'
import { withGradient } from '../graph/gradient.ts'
import {
  add,
  divide,
  multiply,
  negative,
  product,
  subtract,
  sum,
  sumTo,
} from '../graph/operations/arithmetic.ts'
import { maximum, minimum } from '../graph/operations/choices.ts'
import { exp, log, relu, sigmoid, softmax } from '../graph/operations/functions.ts'
import { gatherEntries, reshape, scatter } from '../graph/operations/places.ts'
import { countTerms } from '../graph/special.ts'

export type Likelihood = 'zinb' | 'nb' | 'poisson'

export interface Entries extends CountEntries {
  /** log(1 + count): cells x genes, zeros among them */
  logs: Expression
}

export interface CountModel {
  /** logits of the share of each gene: cells x genes */
  logits: Expression
  /** counts of each cell: cells x 1 */
  library: Expression
  /** their logarithm, where the library is learned: gradients flow to it */
  logLibrary?: Expression
  /** log theta: [genes], or cells x genes; none for Poisson */
  logTheta?: Expression
  /** logits of an extra zero: cells x genes, for zinb */
  dropout?: Expression
}

const tiny = 1e-8
/** what makes odds of any logarithm above zero of which the logistic function is 1 */
const beyondDoubt = 1e30

/** The sum over all cells and genes of -log p(x), without log(x!): one number, shape [1, 1]. Gradients flow to all but the library, and to its logarithm. */
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

function binomialLoss(
  { logits, logTheta, dropout, logLibrary }: Binomial,
  { share, mean, entries }: Parts,
): Expression {
  const { counts } = entries
  const theta = exp(logTheta)
  const { failed, gap, rest } = withoutCount(multiply(mean, exp(negative(logTheta))), theta)
  // at counts above zero
  const ofGene = (narrow: Expression) => gatherEntries(narrow, entries.genes)
  const isByGene = theta.shape.length === 1
  const thetaAt = isByGene ? ofGene(theta) : at(theta, entries)
  const meanAt = at(mean, entries)
  const totalAt = add(thetaAt, add(meanAt, tiny))
  const success = divide(add(meanAt, tiny), totalAt)
  const { value: countedAt, slope } = isByGene
    ? countTerms(theta, { x: counts, base: success, at: ofGene })
    : countTerms(thetaAt, { x: counts, base: success })
  const zeros = dropout && extraZeros({ dropout, rest, entries })
  const value =
    zeros === undefined
      ? subtract(negative(sum(rest)), whole(sum(countedAt)))
      : add(zeros.loss, whole(sum(subtract(relu(negative(zeros.oddsAt)), countedAt))))

  const by = [logits, logTheta, ...given(dropout), ...given(logLibrary)]
  return withGradient(value, by, (upstream) => {
    // what is scaled by is narrow wherever it can be
    const scaled = multiply(theta, flow(upstream, theta))
    const byChance = (dense: Expression) => (zeros === undefined ? dense : multiply(dense, zeros.chance))
    // mean x d/dmean: where there is a count, mean x ((theta + x) / (theta + mean) - x / (mean + tiny))
    const foundAt = multiply(
      meanAt,
      subtract(divide(add(thetaAt, counts), totalAt), divide(counts, add(meanAt, tiny))),
    )
    const byMean = put(byChance(multiply(failed, scaled)), multiply(foundAt, flow(upstream, counts)), entries)
    const byLibrary = sum(byMean, [1])
    const toLogits = subtract(byMean, multiply(share, byLibrary))
    // d/dtheta: gap, and where there is a count, x / (theta + mean) - digamma difference besides
    const seenAt = subtract(divide(counts, totalAt), slope)
    const byTheta = sumTo(put(byChance(gap), add(at(gap, entries), seenAt), entries), logTheta)
    const toDropout = zeros && multiply(zeros.slope, upstream)
    return [toLogits, multiply(byTheta, scaled), ...given(toDropout), ...(logLibrary ? [byLibrary] : [])]
  })
}

const given = (part: Expression | undefined) => (part === undefined ? [] : [part])

/**
 * Of a negative binomial with ratio = mean / theta: `rest` = -theta log(1 + ratio), the logarithm of the chance of no count; `failed` =
 * ratio / (1 + ratio); `gap` = log(1 + ratio) - failed. With u = 1 + ratio as rounded, log u - (u - 1) / u is the gap without loss, and
 * the logarithm follows from it: tiny ratios keep their digits in both.
 */
function withoutCount(ratio: Expression, theta: Expression) {
  const u = add(ratio, 1)
  const gap = subtract(log(u), divide(subtract(u, 1), u))
  const failed = divide(ratio, u)
  return { failed, gap, rest: multiply(add(gap, failed), negative(theta)) }
}

/**
 * What extra zeros make of it. softplus(t) = max(t, 0) - log sigmoid(|t|), and that sigmoid lies between 1/2 and 1: one logarithm of
 * products of many of them is enough. Counts above zero are given odds beyond doubt, so that no count there can be an extra zero.
 */
function extraZeros({ dropout, rest, entries }: { dropout: Expression; rest: Expression; entries: Entries }) {
  const odds = subtract(rest, dropout) // of a zero being no extra one
  const oddsAt = at(odds, entries)
  const chance = sigmoid(add(odds, multiply(entries.logs, beyondDoubt)))
  const extra = sigmoid(dropout)
  const doubt = subtract(1, chance)
  const larger = divide(maximum(chance, doubt), maximum(extra, subtract(1, extra)))
  const kept = negative(add(sum(minimum(dropout, 0)), sum(relu(odds))))
  return {
    /** the sum of softplus(-dropout) over all, less that of softplus(odds) over zeros, less that of max(odds, 0) over counts */
    loss: add(kept, sumOfLogs(larger)),
    oddsAt,
    chance,
    slope: subtract(extra, doubt),
  }
}

function poissonLoss({ logits, logLibrary }: CountModel, { share, mean, entries }: Parts): Expression {
  const { counts } = entries
  const meanAt = at(mean, entries)
  const value = subtract(sum(mean), whole(sum(multiply(counts, log(add(meanAt, tiny))))))
  return withGradient(value, [logits, ...given(logLibrary)], (upstream) => {
    const foundAt = multiply(counts, divide(meanAt, add(meanAt, tiny)))
    const byMean = multiply(put(mean, subtract(meanAt, foundAt), entries), upstream)
    const byLibrary = sum(byMean, [1])
    return [subtract(byMean, multiply(share, byLibrary)), ...(logLibrary ? [byLibrary] : [])]
  })
}

/** Of cells x genes, what stands at the entries. */
function at(dense: Expression, { places }: Entries): Expression {
  return gatherEntries(flat(dense), places)
}

/** cells x genes with these values at the entries. */
function put(dense: Expression, values: Expression, { places }: Entries): Expression {
  return reshape(scatter(flat(dense), { places, values }), dense.shape)
}

/** Of numbers between 1/2 and 2: logarithms are dear, so products of up to 32 are taken first, which neither overflow nor vanish. */
function sumOfLogs(of: Expression): Expression {
  const columns = of.shape[1]
  const together = typeof columns === 'number' ? largestDivisor(columns, 32) : 1
  return sum(log(product(reshape(of, ['cells x groups', together]), [1])))
}

function largestDivisor(of: number, most: number): number {
  for (let divisor = Math.min(of, most); divisor > 1; divisor--) if (of % divisor === 0) return divisor
  return 1
}

function flat(dense: Expression): Expression {
  return reshape(dense, ['cells x genes'])
}

/** [1] to [1, 1] */
function whole(total: Expression): Expression {
  return reshape(total, [1, 1])
}

/** One number, to be combined with a row or with a matrix. */
function flow(upstream: Expression, { shape }: Expression): Expression {
  return shape.length === 1 ? reshape(upstream, [1]) : upstream
}
