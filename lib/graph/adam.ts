/**
 * Adam (Kingma and Ba 2015) as PyTorch has it, with weight decay added to the gradient ('coupled', torch.optim.Adam) or taken off the
 * weights ('decoupled', AdamW). Moments are kept undivided by 1 - beta, which saves two passes over all weights a step and changes
 * nothing but rounding: `firstMoment` and `secondMoment` here are PyTorch's exp_avg / (1 - beta1) and exp_avg_sq / (1 - beta2).
 */
import { type Expression, input, scalar } from './expression.ts'
import type { Carried } from './loop.ts'
import { add, divide, multiply, squeeze, subtract, sum } from './operations/arithmetic.ts'
import { less, where } from './operations/choices.ts'
import { sqrt, square, tanh } from './operations/functions.ts'
import { addShare } from './operations/matrices.ts'

export interface AdamOptions {
  /** one number */
  rate: Expression
  /** how many steps there were before this one, one number */
  stepsBefore: Expression
  epsilon: number
  beta1?: number
  beta2?: number
  /** none when absent */
  decay?: { rate: number; kind: 'coupled' | 'decoupled' }
  /** largest Euclidean length of all gradients together */
  clip?: number
}

/** What goes from step to step of these weights: NAME, NAME.first-moment, NAME.second-moment. */
export function adam(
  weights: Readonly<Record<string, { weight: Expression; gradient: Expression }>>,
  { rate, stepsBefore, epsilon, beta1 = 0.9, beta2 = 0.999, decay, clip }: AdamOptions,
): Record<string, Carried> {
  const { type } = rate
  const done = add(stepsBefore, 1)
  // (m / c1) / (sqrt(v / c2) + eps), with m = (1 - beta1) M and v = (1 - beta2) V
  const root = sqrt(divide(corrected(beta2, done), 1 - beta2))
  const pace = multiply(multiply(rate, root), divide(1 - beta1, corrected(beta1, done)))
  const floor = multiply(root, epsilon)
  const shrink = clip === undefined ? undefined : clipping(Object.values(weights), clip)
  const carried: Record<string, Carried> = {}
  for (const [name, { weight, gradient: raw }] of Object.entries(weights)) {
    const shape = { type, shape: weight.shape }
    const first = input(`${name}.first-moment`, shape)
    const second = input(`${name}.second-moment`, shape)
    const clipped = shrink === undefined ? raw : multiply(raw, shrink)
    const gradient =
      decay?.kind === 'coupled' ? addShare(clipped, { other: weight, share: decay.rate }) : clipped
    const firstAfter = add(multiply(first, beta1), gradient)
    const secondAfter = add(multiply(second, beta2), square(gradient))
    const step = multiply(divide(firstAfter, add(sqrt(secondAfter), floor)), pace)
    const from =
      decay?.kind === 'decoupled' ? multiply(weight, subtract(1, multiply(rate, decay.rate))) : weight
    carried[name] = { before: weight, after: subtract(from, step) }
    carried[`${name}.first-moment`] = { before: first, after: firstAfter }
    carried[`${name}.second-moment`] = { before: second, after: secondAfter }
  }
  return carried
}

/** What gradients are multiplied by, as torch.nn.utils.clip_grad_norm_ does. */
function clipping(of: readonly { gradient: Expression }[], most: number): Expression {
  const squares = of.map(({ gradient }) => {
    const total = sum(square(gradient))
    return squeeze(
      total,
      total.shape.map((_, axis) => axis),
    )
  })
  const length = sqrt(squares.reduce(add))
  const share = divide(most, add(length, 1e-6))
  return where(less(share, 1), share, scalar(1, share.type))
}

/** 1 - beta^steps. By tanh: in float32 the difference itself would lose four digits in the first steps. */
function corrected(beta: number, steps: Expression): Expression {
  const half = tanh(multiply(steps, Math.log(beta) / 2))
  return divide(multiply(half, -2), subtract(1, half))
}
