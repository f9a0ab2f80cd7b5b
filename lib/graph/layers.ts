/**
 * Layers of networks, as PyTorch has them. Normalisations carry a gradient in closed form: a third of the nodes of what the chain
 * rule would write.
 */
import type { Expression } from './expression.ts'
import { withGradient } from './gradient.ts'
import { add, divide, lengthAlong, mean, multiply, subtract, sumTo } from './operations/arithmetic.ts'
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
 * @returns with the running statistics that follow
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
  const centre = mean(x, [0])
  const spreadAround = mean(square(subtract(x, centre)), [0])
  const cells = lengthAlong(x, 0)
  const unbiased = multiply(spreadAround, divide(cells, subtract(cells, 1)))
  return {
    value: standardise(x, { axis: 0, centre, variance: spreadAround, scale, shift, epsilon }),
    mean: blend(runningMean, sumTo(centre, runningMean), momentum),
    variance: blend(runningVariance, sumTo(unbiased, runningVariance), momentum),
  }
}

function blend(before: Expression, now: Expression, share: number): Expression {
  return add(multiply(before, 1 - share), multiply(now, share))
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
  const centre = mean(x, [1])
  return standardise(x, { axis: 1, centre, variance: mean(square(subtract(x, centre)), [1]), epsilon })
}

/**
 * (x - centre) / sqrt(variance + epsilon), times scale, plus shift; centre and variance being those of x along the axis, which the
 * gradient takes into account.
 */
function standardise(
  x: Expression,
  of: {
    axis: 0 | 1
    centre: Expression
    variance: Expression
    scale?: Expression
    shift?: Expression
    epsilon: number
  },
): Expression {
  const { axis, centre, variance, scale, shift, epsilon } = of
  const deviation = sqrt(add(variance, epsilon))
  const plain = divide(subtract(x, centre), deviation)
  const normalised = withGradient(plain, [x], (upstream) => {
    const common = mean(upstream, [axis])
    const along = multiply(plain, mean(multiply(upstream, plain), [axis]))
    return [divide(subtract(subtract(upstream, common), along), deviation)]
  })
  if (scale === undefined || shift === undefined) return normalised
  return add(multiply(normalised, scale), shift)
}

/** @param keep 1 / (1 - p) where a unit is kept, 0 where it is dropped */
export function dropOut(x: Expression, keep: Expression): Expression {
  return multiply(x, keep)
}
