/** Comparisons, choices between values, and changes of type. */
import { apply, type Expression, type Operation, scalar } from '../expression.ts'
import { broadcast } from '../shapes.ts'
import { type ElementType, elementTypes } from '../tensor.ts'
import { sumTo } from './arithmetic.ts'

function comparison(name: string): Operation {
  return {
    name,
    infer: ([left, right]) => ({ type: 'bool', shape: broadcast(left!.shape, right!.shape) }),
  }
}

export const isGreater = comparison('Greater')
export const isLess = comparison('Less')
export const isEqual = comparison('Equal')

const compare = (operation: Operation) => (left: Expression, right: Expression | number) =>
  apply(operation, [left, typeof right === 'number' ? scalar(right, left.type) : right])

export const greater = compare(isGreater)
export const less = compare(isLess)
export const equal = compare(isEqual)

/** The first where the condition holds, the second elsewhere. */
export const choice: Operation = {
  name: 'Where',
  infer: ([condition, yes, no]) => ({
    type: yes!.type,
    shape: broadcast(condition!.shape, broadcast(yes!.shape, no!.shape)),
  }),
  gradient: (upstream, { inputs: [condition, yes, no] }) => {
    const nothing = scalar(0, upstream.type)
    return [
      undefined,
      sumTo(where(condition!, upstream, nothing), yes!),
      sumTo(where(condition!, nothing, upstream), no!),
    ]
  },
}

export function where(condition: Expression, yes: Expression, no: Expression): Expression {
  return apply(choice, [condition, yes, no])
}

function extreme(
  name: 'Max' | 'Min',
  isFirst: (left: Expression, right: Expression) => Expression,
): Operation {
  return {
    name,
    infer: ([left, right]) => ({ type: left!.type, shape: broadcast(left!.shape, right!.shape) }),
    gradient: (upstream, { inputs: [left, right] }) => {
      const nothing = scalar(0, upstream.type)
      const first = isFirst(left!, right!)
      return [sumTo(where(first, upstream, nothing), left!), sumTo(where(first, nothing, upstream), right!)]
    },
  }
}

/** Where both are equal, all flows to the second. */
export const largest = extreme('Max', greater)
export const smallest = extreme('Min', less)

export const maximum = (left: Expression, right: Expression) => apply(largest, [left, right])
export const minimum = (left: Expression, right: Expression | number) =>
  apply(smallest, [left, typeof right === 'number' ? scalar(right, left.type) : right])

export const conversion: Operation = {
  name: 'Cast',
  infer: ([of], attributes) => {
    const number = (attributes.to as { int: number }).int
    const [type] = Object.entries(elementTypes).find(([, { onnx }]) => onnx === number)!
    return { type: type as ElementType, shape: of!.shape }
  },
  gradient: (upstream, { inputs: [of] }) => [isReal(of!.type) ? cast(upstream, of!.type) : undefined],
}

export function cast(of: Expression, type: ElementType): Expression {
  return of.type === type ? of : apply(conversion, [of], { to: { int: elementTypes[type].onnx } })
}

/** Bytes as numbers, each times the same one: a cast and a product in one pass. Nothing flows to either. */
export const scaling: Operation = {
  name: 'DequantizeLinear',
  infer: ([bytes, by]) => ({ type: by!.type, shape: bytes!.shape }),
}

/** @param bytes uint8 */
export const scaleBytes = (bytes: Expression, by: number) => apply(scaling, [bytes, scalar(by, 'float32')])

function isReal(type: ElementType): boolean {
  return type === 'float32' || type === 'float64'
}
