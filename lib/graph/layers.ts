/**
 * Layers of networks, as PyTorch has them. Normalisations carry a gradient in closed form: a third of the nodes of what the chain
 * rule would write.
 */
import { type Expression, scalar } from './expression.ts'
import { withGradient } from './gradient.ts'
import { add, divide, lengthAlong, mean, multiply, subtract, sum, sumTo } from './operations/arithmetic.ts'
import { less, where } from './operations/choices.ts'
import { sqrt, square } from './operations/functions.ts'
import { matmul } from './operations/matrices.ts'

/** x W^T + b; `weight` is outputs x inputs, as PyTorch stores it */
export function linear(
  x: Expression,
  { weight, bias }: { weight: Expression; bias?: Expression },
): Expression {
  return matmul(x, weight, { right: true, ...(bias !== undefined && { add: bias }) })
}

export interface BatchNorm {
  /** each of shape [features] */
  scale: Expression
  shift: Expression
  mean: Expression
  variance: Expression
  epsilon: number
}

/**
 * By the mean and (biased) variance of this minibatch, as in training.
 * @param momentum share of the new statistics in the running ones, the unbiased variance among them
 * @returns with the running statistics that follow: those there were, where there is one cell, which has no variance
 */
export function normaliseBatch(
  x: Expression,
  {
    scale,
    shift,
    mean: runningMean,
    variance: runningVariance,
    epsilon,
    momentum,
  }: BatchNorm & { momentum: number },
): { value: Expression; mean: Expression; variance: Expression } {
  const { around, centre, variance, deviation } = centred(x, { axis: 0, epsilon })
  const cells = lengthAlong(x, 0)
  const factor = divide(scale, deviation)
  const value = withGradient(add(multiply(around, factor), shift), [x, scale, shift], (upstream) => {
    const [toShift, along] = [sum(upstream, [0]), sum(multiply(upstream, around), [0])]
    const toScale = divide(along, deviation)
    const lean = divide(toScale, multiply(cells, deviation))
    const aside = subtract(subtract(upstream, divide(toShift, cells)), multiply(around, lean))
    return [multiply(aside, factor), sumTo(toScale, scale), sumTo(toShift, shift)]
  })
  const others = subtract(cells, 1)
  const isOne = less(others, 0.5)
  const unbiased = multiply(variance, divide(cells, where(isOne, cells, others)))
  const share = where(isOne, scalar(0, x.type), scalar(momentum, x.type))
  return {
    value,
    mean: blend(runningMean, sumTo(centre, runningMean), share),
    variance: blend(runningVariance, sumTo(unbiased, runningVariance), share),
  }
}

function blend(before: Expression, now: Expression, share: Expression): Expression {
  return add(multiply(before, subtract(1, share)), multiply(now, share))
}

/** By the running statistics, as after training. */
export function normaliseByRunning(
  x: Expression,
  { scale, shift, mean: centre, variance, epsilon }: BatchNorm,
): Expression {
  const factor = divide(scale, sqrt(add(variance, epsilon)))
  return add(multiply(subtract(x, centre), factor), shift)
}

/** Each cell by its own mean and (biased) variance, without weights. */
export function normaliseLayer(x: Expression, { epsilon }: { epsilon: number }): Expression {
  const { around, deviation } = centred(x, { axis: 1, epsilon })
  const plain = divide(around, deviation)
  return withGradient(plain, [x], (upstream) => {
    const along = multiply(plain, mean(multiply(upstream, plain), [1]))
    return [divide(subtract(subtract(upstream, mean(upstream, [1])), along), deviation)]
  })
}

/** x less its mean along the axis, and sqrt(variance + epsilon) of the (biased) variance there. */
function centred(x: Expression, { axis, epsilon }: { axis: 0 | 1; epsilon: number }) {
  const centre = mean(x, [axis])
  const around = subtract(x, centre)
  const variance = mean(square(around), [axis])
  return { around, centre, variance, deviation: sqrt(add(variance, epsilon)) }
}

/** @param keep 1 / (1 - p) where a unit is kept, 0 where it is dropped */
export function dropOut(x: Expression, keep: Expression): Expression {
  return multiply(x, keep)
}
