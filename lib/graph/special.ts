/**
 * What ONNX lacks for count likelihoods: differences of log-gamma and digamma, as float32 can compute them. A difference of two log-gammas
 * loses all its digits where theta is large (off by 27 at theta 1e7 in float32); shifted by four and with Stirling's series the
 * large terms never appear. Against float64, for theta 1e-4 ... 1e7 and x to 3,000, small counts among them: log-gamma within 3e-6 of itself
 * or of 1, whichever is larger, digamma within 1.5e-6 of itself (tests).
 */
import type { Expression } from './expression.ts'
import { withGradient } from './gradient.ts'
import { add, divide, multiply, subtract } from './operations/arithmetic.ts'
import { log, log1p, reciprocal, square } from './operations/functions.ts'

const shift = 4

/** log-gamma(x + theta) - log-gamma(theta), for theta > 0 and x >= 0. x is data: nothing flows to it. */
export const logPochhammer = (theta: Expression, x: Expression) => countTerms(theta, { x }).value

/** digamma(x + theta) - digamma(theta), for theta > 0 and x >= 0. */
export const digammaDifference = (theta: Expression, x: Expression) => countTerms(theta, { x }).slope

export interface CountTerms {
  /** log-gamma(x + theta) - log-gamma(theta) + x log(base) */
  value: Expression
  /** digamma(x + theta) - digamma(theta), which is what flows to theta */
  slope: Expression
}

/**
 * Both at once, theta being narrower than x: what depends on theta alone is computed before it is laid out. x and base are data: nothing
 * flows to them from here.
 * @param of.at lays out numbers of theta's shape as x is; nothing flows through it
 * @param of.base above zero, shaped as x is; its logarithm is taken together with that of x + theta, which saves one
 */
export function countTerms(
  theta: Expression,
  {
    x,
    base,
    at = (narrow) => narrow,
  }: { x: Expression; base?: Expression; at?(narrow: Expression): Expression },
): CountTerms {
  const low = add(theta, shift)
  const thetaAt = at(theta)
  const lowAt = add(thetaAt, shift)
  const high = add(lowAt, x)
  const [steps, more] = [fourSteps(theta), fourSteps(add(thetaAt, x))]
  const growth = log1p(divide(x, lowAt))
  const each = log(base === undefined ? high : multiply(high, base))
  const main = add(multiply(subtract(lowAt, 0.5), growth), multiply(x, subtract(each, 1)))
  const value = add(
    add(main, subtract(gammaSeries(high), at(gammaSeries(low)))),
    log(divide(at(steps.product), more.product)),
  )
  const ofTheta = at(subtract(steps.shares, digammaSeries(low)))
  const slope = add(growth, add(ofTheta, subtract(digammaSeries(high), more.shares)))
  return { value: withGradient(value, [thetaAt], (upstream) => [multiply(upstream, slope)]), slope }
}

/** Of y, y + 1, y + 2, y + 3: their product, and the sum of what 1 is divided by each. */
function fourSteps(y: Expression): { product: Expression; shares: Expression } {
  const last = add(y, 3)
  const outer = multiply(y, last)
  const inner = add(outer, 2) // (y + 1) (y + 2)
  const product = multiply(outer, inner)
  return { product, shares: divide(multiply(add(y, last), add(outer, inner)), product) }
}

/** Of Stirling's series for log-gamma, what follows the large terms. */
function gammaSeries(of: Expression): Expression {
  const one = reciprocal(of)
  return multiply(one, polynomial(square(one), [1 / 12, -1 / 360, 1 / 1260]))
}

function digammaSeries(of: Expression): Expression {
  const one = reciprocal(of)
  const both = square(one)
  return add(multiply(one, -0.5), multiply(both, polynomial(both, [-1 / 12, 1 / 120, -1 / 252])))
}

/** Horner's scheme, lowest power first; at least two coefficients. */
function polynomial(of: Expression, coefficients: readonly number[]): Expression {
  const [last = 0, next = 0, ...others] = coefficients.toReversed()
  return others.reduce<Expression>(
    (value, coefficient) => add(multiply(value, of), coefficient),
    add(multiply(of, last), next),
  )
}
