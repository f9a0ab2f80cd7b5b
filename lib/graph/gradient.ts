/**
 * Reverse-mode differentiation by rewriting: the gradient of one number by some expressions, as expressions. Nothing is computed towards what
 * is not asked for: counts, noise and frozen weights have no gradient.
 */
import { apply, type Expression, inOrder, type Operation, scalar } from './expression.ts'
import { add } from './operations/arithmetic.ts'

/**
 * @param of one number (any shape with a single entry)
 * @param by inputs, or expressions in between
 * @returns for each of `by` its gradient, shaped as it is; undefined where `of` does not depend on it
 */
export function gradients(of: Expression, by: readonly Expression[]): (Expression | undefined)[] {
  if (of.shape.some((length) => length !== 1)) throw new Error('a gradient is taken of one number')
  const order = inOrder([of])
  const wanted = new Set(by)
  const onTheWay = new Set<Expression>()
  for (const expression of order)
    if (wanted.has(expression) || expression.inputs.some((inner) => onTheWay.has(inner)))
      onTheWay.add(expression)
  const flows = new Map<Expression, Expression>()
  const arrive = (at: Expression, flow: Expression | undefined) => {
    if (flow === undefined || !onTheWay.has(at)) return
    const before = flows.get(at)
    flows.set(at, before === undefined ? flow : add(before, flow))
  }
  if (onTheWay.has(of)) flows.set(of, ones(of))
  for (const expression of order.toReversed()) {
    const upstream = flows.get(expression)
    if (upstream === undefined || !expression.inputs.some((inner) => onTheWay.has(inner))) continue
    const { gradient, name } = expression.operation
    if (gradient === undefined) continue
    const flowing = gradient(upstream, expression)
    if (flowing.length > expression.inputs.length) throw new Error(`${name} has more gradients than inputs`)
    for (const [i, inner] of expression.inputs.entries()) arrive(inner, flowing[i])
  }
  return by.map((expression) => flows.get(expression))
}

function ones({ type, shape }: Expression): Expression {
  const one = scalar(1, type)
  return { ...one, shape, value: { ...one.value!, shape: shape as readonly number[] } }
}

/** A value with a gradient that is told instead of derived: a closed form costs a fraction of what the chain rule writes. */
export function withGradient(
  value: Expression,
  by: readonly Expression[],
  gradient: (upstream: Expression) => readonly (Expression | undefined)[],
): Expression {
  const told: Operation = {
    name: 'told',
    infer: () => value,
    gradient: (upstream) => [undefined, ...gradient(upstream)],
    emit: (_, { inputs, output }) => [{ op: 'Identity', inputs: [inputs[0]!], outputs: [output] }],
  }
  return apply(told, [value, ...by])
}
