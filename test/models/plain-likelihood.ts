/** Log-likelihoods of counts in float64, straight from their definition; slow and plain, for tests. */
import type { Likelihood } from '../../lib/models/count-likelihood.ts'

export interface PlainModel {
  /** by cell, by gene */
  logits: readonly (readonly number[])[]
  library: readonly number[]
  /** by cell, by gene */
  logTheta: readonly (readonly number[])[]
  dropout: readonly (readonly number[])[]
  /** by cell, by gene, zeros among them */
  counts: readonly (readonly number[])[]
}

const tiny = 1e-8

/** Sum over cells and genes of -log p(x), without log(x!). */
export function plainLoss(likelihood: Likelihood, model: PlainModel): number {
  return model.logits.reduce((sum, _, cell) => sum + plainLossOfCell(likelihood, model, cell), 0)
}

export function plainLossOfCell(likelihood: Likelihood, model: PlainModel, cell: number): number {
  const logits = model.logits[cell]!
  const most = Math.max(...logits)
  const whole = logits.reduce((sum, one) => sum + Math.exp(one - most), 0)
  return logits.reduce((sum, logit, gene) => {
    const mean = (model.library[cell]! * Math.exp(logit - most)) / whole
    const x = model.counts[cell]![gene]!
    if (likelihood === 'poisson') return sum + mean - (x === 0 ? 0 : x * Math.log(mean + tiny))
    const theta = Math.exp(model.logTheta[cell]![gene]!)
    const none = -theta * Math.log1p(mean / theta)
    const counted = x === 0 ? 0 : x * Math.log((mean + tiny) / (theta + mean + tiny)) + pochhammer(theta, x)
    if (likelihood === 'nb') return sum - none - counted
    const against = -model.dropout[cell]![gene]!
    return sum + softplus(against) - (x === 0 ? softplus(against + none) : against + none + counted)
  }, 0)
}

function softplus(x: number): number {
  return Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)))
}

function pochhammer(theta: number, x: number): number {
  let sum = 0
  for (let i = 0; i < x; i++) sum += Math.log(theta + i)
  return sum
}
