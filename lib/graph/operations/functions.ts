/** Functions of one number each, and softmax along an axis. */
import { apply, type Expression, integerOf, type Operation, scalar } from '../expression.ts'
import { positiveAxis } from '../shapes.ts'
import { add, divide, multiply, negative, subtract, sum } from './arithmetic.ts'
import { cast, greater, less, where } from './choices.ts'

function unary(
  name: string,
  slope: (upstream: Expression, of: Expression, x: Expression) => Expression,
): Operation {
  return {
    name,
    infer: ([x]) => ({ type: x!.type, shape: x!.shape }),
    gradient: (upstream, of) => [slope(upstream, of, of.inputs[0]!)],
  }
}

export const exponential = unary('Exp', (upstream, of) => multiply(upstream, of))
export const logarithm = unary('Log', (upstream, _, x) => divide(upstream, x))
export const squareRoot = unary('Sqrt', (upstream, of) => divide(multiply(upstream, 0.5), of))
export const inverse = unary('Reciprocal', (upstream, of) => negative(multiply(upstream, multiply(of, of))))
export const logistic = unary('Sigmoid', (upstream, of) => multiply(upstream, multiply(of, subtract(1, of))))
export const hyperbolicTangent = unary('Tanh', (upstream, of) =>
  multiply(upstream, subtract(1, multiply(of, of))),
)
/** 0 has slope 0, as in PyTorch. By a product: onnxruntime's own Where takes twice as long on a CPU. */
export const rectifier = unary('Relu', (upstream, of) => multiply(upstream, cast(greater(of, 0), of.type)))
export const absolute = unary('Abs', (upstream, of, x) =>
  where(
    less(x, 0),
    negative(upstream),
    multiply(upstream, where(greater(x, 0), scalar(1, of.type), scalar(0, of.type))),
  ),
)
const twoOverRootPi = 2 / Math.sqrt(Math.PI)
export const errorFunction = unary('Erf', (upstream, _, x) =>
  multiply(upstream, multiply(exp(negative(multiply(x, x))), twoOverRootPi)),
)

export const exp = (of: Expression) => apply(exponential, [of])
export const log = (of: Expression) => apply(logarithm, [of])
export const sqrt = (of: Expression) => apply(squareRoot, [of])
export const reciprocal = (of: Expression) => apply(inverse, [of])
export const sigmoid = (of: Expression) => apply(logistic, [of])
export const tanh = (of: Expression) => apply(hyperbolicTangent, [of])
export const relu = (of: Expression) => apply(rectifier, [of])
export const abs = (of: Expression) => apply(absolute, [of])
export const erf = (of: Expression) => apply(errorFunction, [of])
export const square = (of: Expression) => multiply(of, of)

function alongAxis(
  name: string,
  slope: (upstream: Expression, of: Expression, axis: number) => Expression,
): Operation {
  return {
    name,
    infer: ([x]) => ({ type: x!.type, shape: x!.shape }),
    gradient: (upstream, of) => [slope(upstream, of, integerOf(of, 'axis'))],
  }
}

export const normalisedExponential = alongAxis('Softmax', (upstream, of, axis) => {
  const weighted = multiply(upstream, of)
  return subtract(weighted, multiply(of, sum(weighted, [axis])))
})
export const logNormalisedExponential = alongAxis('LogSoftmax', (upstream, of, axis) =>
  subtract(upstream, multiply(exp(of), sum(upstream, [axis]))),
)

export const softmax = (of: Expression, axis = -1) =>
  apply(normalisedExponential, [of], { axis: { int: positiveAxis(axis, of.shape) } })
export const logSoftmax = (of: Expression, axis = -1) =>
  apply(logNormalisedExponential, [of], { axis: { int: positiveAxis(axis, of.shape) } })

/**
 * log(1 + t), t > -1, to rounding where t is tiny too: log u and what 1 + t lost of t, u = 1 + t. Sparing: no comparison, no choice.
 * ONNX has no such operator (specs of opset 18).
 */
export function log1p(t: Expression): Expression {
  const u = add(t, 1)
  const lost = subtract(t, subtract(u, 1))
  return add(log(u), divide(lost, u))
}

/**
 * log(1 + e^x). By the logistic function, whose argument is never negative here: a seventh of the time that onnxruntime's own Softplus
 * takes on a CPU (1.27 against 0.19 ms for 128 x 2000), and as exact.
 */
export function softplus(x: Expression): Expression {
  return subtract(relu(x), log(sigmoid(abs(x))))
}
