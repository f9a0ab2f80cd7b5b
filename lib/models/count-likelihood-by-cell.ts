/**
 * The log-likelihoods of count-likelihood.ts for each cell rather than summed over all, without gradients: for what is told of cells, not for
 * training. Less log(x!), as there. The same traps.
 */
import type { Expression } from '../graph/expression.ts'
import type { CountEntries } from '../graph/feeds.ts'
import { add, multiply, negative, subtract, sum } from '../graph/operations/arithmetic.ts'
import { exp, log, log1p, softmax, softplus } from '../graph/operations/functions.ts'
import { gatherEntries, gatherRows, reshape, scatter } from '../graph/operations/places.ts'
import { logPochhammer } from '../graph/special.ts'
import type { CountModel, Likelihood } from './count-likelihood.ts'

const tiny = 1e-8

/** -log p(x) of each cell, without log(x!), summed over genes: cells x 1. */
export function reconstructionByCell(
  likelihood: Likelihood,
  { logits, library, logTheta, dropout }: CountModel,
  { places, genes, counts }: CountEntries,
): Expression {
  const mean = multiply(softmax(logits), library)
  const at = (dense: Expression) => gatherEntries(reshape(dense, ['cells x genes']), places)
  /** of every count as if it were none, and then what those above zero have instead */
  const total = (none: Expression, counted: Expression) => {
    const flat = reshape(none, ['cells x genes'])
    return sum(reshape(scatter(flat, { places, values: counted }), none.shape), [1])
  }
  const meanAt = at(mean)
  if (likelihood === 'poisson') return total(mean, subtract(meanAt, multiply(counts, log(add(meanAt, tiny)))))
  if (logTheta === undefined || (likelihood === 'zinb') !== (dropout !== undefined))
    throw new Error(`${likelihood} lacks a part of its model`)
  const theta = exp(logTheta)
  const rest = multiply(theta, log1p(multiply(mean, exp(negative(logTheta)))))
  const thetaAt = theta.shape.length === 2 ? at(theta) : gatherRows(theta, genes)
  const ofMean = subtract(log(add(meanAt, tiny)), log(add(thetaAt, add(meanAt, tiny))))
  const seen = subtract(at(rest), add(multiply(counts, ofMean), logPochhammer(thetaAt, counts)))
  if (dropout === undefined) return total(rest, seen)
  const against = negative(dropout)
  const none = subtract(softplus(against), softplus(subtract(against, rest)))
  return total(none, add(seen, subtract(softplus(at(against)), at(against))))
}
