/**
 * Sums, products, and what broadcasting does to their gradients. Sums keep the axes they run over as length 1.
 *
 * `spread` is lazy: where a spread value meets one of full shape, the value itself is used and broadcasting does the rest.
 */
import { apply, type Expression, type Operation, scalar, wholeNumbers } from '../expression.ts'
import type { GraphNode } from '../onnx-write.ts'
import { broadcast, isSameShape, positiveAxis, reducedShape, repeatedAxes } from '../shapes.ts'

type Term = Expression | number

function elementwise(name: string, gradient: NonNullable<Operation['gradient']>): Operation {
  return {
    name,
    infer: ([left, right]) => {
      if (left!.type !== right!.type) throw new Error(`${name} of ${left!.type} and ${right!.type}`)
      return { type: left!.type, shape: broadcast(left!.shape, right!.shape) }
    },
    gradient,
  }
}

function combine(operation: Operation, left: Term, right: Term): Expression {
  const type = typeof left !== 'number' ? left.type : typeof right !== 'number' ? right.type : 'float32'
  const a = typeof left === 'number' ? scalar(left, type) : left
  const b = typeof right === 'number' ? scalar(right, type) : right
  const whole = apply(operation, [a, b])
  const [plainA, plainB] = [unspread(a), unspread(b)]
  if (plainA !== a && isSameShape(b.shape, whole.shape)) return apply(operation, [plainA, b])
  if (plainB !== b && isSameShape(a.shape, whole.shape)) return apply(operation, [a, plainB])
  // what is spread is computed with while it is narrow
  const like = plainA === a ? b : a
  const narrow = broadcast(plainA.shape, plainB.shape)
  const isSpread = (plainA !== a || plainB !== b) && isSameShape(like.shape, whole.shape)
  if (!isSpread || isSameShape(narrow, whole.shape)) return whole
  return spread(apply(operation, [plainA, plainB]), like)
}

export const addition = elementwise('Add', (upstream, { inputs: [left, right] }) => [
  sumTo(upstream, left!),
  sumTo(upstream, right!),
])
export const subtraction = elementwise('Sub', (upstream, { inputs: [left, right] }) => [
  sumTo(upstream, left!),
  sumTo(negative(upstream), right!),
])
export const multiplication = elementwise('Mul', (upstream, { inputs: [left, right] }) => [
  sumTo(multiply(upstream, right!), left!),
  sumTo(multiply(upstream, left!), right!),
])
export const division = elementwise('Div', (upstream, of) => {
  const [left, right] = of.inputs
  const share = divide(upstream, right!)
  return [sumTo(share, left!), sumTo(negative(multiply(share, of)), right!)]
})
export const negation: Operation = {
  name: 'Neg',
  infer: ([of]) => of!,
  gradient: (upstream) => [negative(upstream)],
}

export const add = (left: Term, right: Term) => combine(addition, left, right)
export const subtract = (left: Term, right: Term) => combine(subtraction, left, right)
export const multiply = (left: Term, right: Term) => combine(multiplication, left, right)
export const divide = (left: Term, right: Term) => combine(division, left, right)
export const negative = (of: Expression) => apply(negation, [of])

/** Sum along axes, which stay as length 1. */
export const summation: Operation = {
  name: 'ReduceSum',
  infer: ([of, axes]) => ({ type: of!.type, shape: reducedShape(of!.shape, axesOf(axes!)) }),
  gradient: (upstream, { inputs: [of] }) => [spread(upstream, of!), undefined],
}
export const averaging: Operation = {
  name: 'ReduceMean',
  infer: summation.infer,
  gradient: (upstream, { inputs: [of, axes] }) => [
    spread(divide(upstream, countAlong(of!, axesOf(axes!))), of!),
    undefined,
  ],
}

/** Product along axes, which stay as length 1. Trap: the gradient divides, so none of the numbers may be 0 where it is taken. */
export const multiplying: Operation = {
  name: 'ReduceProd',
  infer: summation.infer,
  gradient: (upstream, of) => [divide(multiply(upstream, of), of.inputs[0]!), undefined],
}

export const product = (of: Expression, axes: readonly number[]) => reduce(multiplying, of, axes)
/** A matrix as a whole is summed by rows first: in one go float32 would be off by 2e-4 for 256,000 equal numbers, so by 3e-6. */
export function sum(of: Expression, axes: readonly number[] = allAxes(of)): Expression {
  if (axes.length < 2 || axes.length < of.shape.length) return reduce(summation, of, axes)
  return reduce(summation, reduce(summation, of, [-1]), allAxes(of).slice(0, -1))
}
export const mean = (of: Expression, axes: readonly number[] = allAxes(of)) => reduce(averaging, of, axes)

function reduce(operation: Operation, of: Expression, axes: readonly number[]): Expression {
  const positive = axes.map((axis) => positiveAxis(axis, of.shape)).sort((a, b) => a - b)
  if (positive.length === 0) return of
  return apply(operation, [of, wholeNumbers(positive)], { keepdims: { int: 1 } })
}

function allAxes({ shape }: Expression): number[] {
  return shape.map((_, axis) => axis)
}

function axesOf({ value }: Expression): number[] {
  return Array.from(value!.data as BigInt64Array, Number)
}

/** How many numbers lie along axes: one number, for lengths that are words too. */
function countAlong(of: Expression, axes: readonly number[]): Expression {
  let known = 1
  let count: Expression | undefined
  for (const axis of axes) {
    const length = of.shape[axis]!
    if (typeof length === 'number') known *= length
    else count = count === undefined ? lengthAlong(of, axis) : multiply(count, lengthAlong(of, axis))
  }
  if (count === undefined) return scalar(known, of.type)
  return known === 1 ? count : multiply(count, known)
}

/** The length of one axis as a number of the same type. Nothing flows through it. */
export const axisLength: Operation = {
  name: 'axis-length',
  infer: ([of]) => ({ type: of!.type, shape: [] }),
  // equal words are equal lengths
  sameAs({ inputs: [of], attributes, type }) {
    const length = of!.shape[(attributes.axis as { int: number }).int]
    return typeof length === 'string' ? `${length} as ${type}` : undefined
  },
  emit({ type, attributes }, { inputs, output, between }) {
    const [length, whole] = [between(), between()]
    const start = attributes.axis as { int: number }
    const nodes: GraphNode[] = [
      {
        op: 'Shape',
        inputs,
        outputs: [length],
        attributes: { start, end: { int: start.int + 1 } },
      },
      { op: 'Squeeze', inputs: [length], outputs: [whole] },
      {
        op: 'Cast',
        inputs: [whole],
        outputs: [output],
        attributes: { to: { int: type === 'float64' ? 11 : 1 } },
      },
    ]
    return nodes
  },
}

/** The length of an axis, as one number of the type of `of`. */
export function lengthAlong(of: Expression, axis: number): Expression {
  return apply(axisLength, [of], { axis: { int: axis } })
}

/** Repeats along axes of length 1 (or missing in front) until it is shaped as `like` is. */
export const spreading: Operation = {
  name: 'spread',
  infer: ([of, like]) => {
    if (!isSameShape(broadcast(of!.shape, like!.shape), like!.shape))
      throw new Error(`[${of!.shape.join(', ')}] cannot be spread over [${like!.shape.join(', ')}]`)
    return { type: of!.type, shape: like!.shape }
  },
  gradient: (upstream, { inputs: [of] }) => [sumTo(upstream, of!), undefined],
  emit(_, { inputs: [of, like], output, between }) {
    const shape = between()
    return [
      { op: 'Shape', inputs: [like!], outputs: [shape] },
      { op: 'Expand', inputs: [of!, shape], outputs: [output] },
    ]
  },
}

export function spread(of: Expression, like: Expression): Expression {
  return isSameShape(of.shape, like.shape) ? of : apply(spreading, [of, like])
}

function unspread(of: Expression): Expression {
  return of.operation === spreading ? of.inputs[0]! : of
}

/** Undoes broadcasting: what flows to a value that was repeated is the sum over its copies. */
export function sumTo(upstream: Expression, narrow: Expression): Expression {
  if (isSameShape(upstream.shape, narrow.shape)) return upstream
  const inner = unspread(upstream)
  const axes = repeatedAxes(upstream.shape, narrow.shape).filter((axis) => upstream.shape[axis] !== 1)
  const summed =
    inner !== upstream && isSameShape(inner.shape, reducedShape(upstream.shape, axes))
      ? multiply(inner, countAlong(upstream, axes))
      : sum(upstream, axes)
  return summed.shape.length === narrow.shape.length ? summed : withoutLeading(summed, narrow)
}

/** Drops axes of length 1 in front. */
function withoutLeading(of: Expression, like: Expression): Expression {
  const more = of.shape.length - like.shape.length
  return squeeze(
    of,
    Array.from({ length: more }, (_, axis) => axis),
  )
}

export const squeezing: Operation = {
  name: 'Squeeze',
  infer: ([of, axes]) => {
    const dropped = axesOf(axes!)
    return { type: of!.type, shape: of!.shape.filter((_, axis) => !dropped.includes(axis)) }
  },
  gradient: (upstream, { inputs: [, axes] }) => [unsqueeze(upstream, axesOf(axes!)), undefined],
}
export const unsqueezing: Operation = {
  name: 'Unsqueeze',
  infer: ([of, axes]) => {
    const added = axesOf(axes!)
    const shape = [...of!.shape]
    for (const axis of added) shape.splice(axis, 0, 1)
    return { type: of!.type, shape }
  },
  gradient: (upstream, { inputs: [, axes] }) => [squeeze(upstream, axesOf(axes!)), undefined],
}

/** Drops axes of length 1. */
export function squeeze(of: Expression, axes: readonly number[]): Expression {
  const positive = axes.map((axis) => positiveAxis(axis, of.shape)).sort((a, b) => a - b)
  return positive.length === 0 ? of : apply(squeezing, [of, wholeNumbers(positive)])
}

/** New axes of length 1, at these places of the result. */
export function unsqueeze(of: Expression, axes: readonly number[]): Expression {
  return axes.length === 0 ? of : apply(unsqueezing, [of, wholeNumbers([...axes].sort((a, b) => a - b))])
}
