/** Parts of a whole: rows by number, slices, single entries by place, several values side by side; and new shapes. */
import {
  apply,
  constant,
  type Expression,
  integerOf,
  type Length,
  type Operation,
  type Shape,
  wholeNumbers,
} from '../expression.ts'
import { positiveAxis } from '../shapes.ts'
import { int64 } from '../tensor.ts'
import { unsqueeze } from './arithmetic.ts'
import { cast, equal } from './choices.ts'
import { matmul } from './matrices.ts'

/** Rows of a matrix by number. What flows back is summed by a product with the one-hot rows: the same on every provider and each time. */
export const rowChoice: Operation = {
  name: 'Gather',
  infer: ([of, rows]) => ({ type: of!.type, shape: [...rows!.shape, ...of!.shape.slice(1)] }),
  gradient(upstream, { inputs: [of, rows] }) {
    const count = of!.shape[0]
    if (typeof count !== 'number') throw new Error('rows of a matrix of unknown length are not trained')
    return [matmul(oneHot(rows!, { classes: count, like: upstream }), upstream, { left: true }), undefined]
  },
}

/** @param rows whole numbers, one axis */
export const gatherRows = (of: Expression, rows: Expression) =>
  apply(rowChoice, [of, rows], { axis: { int: 0 } })

/** rows x classes: 1 in the column of each row's number, else 0 */
export function oneHot(
  numbers: Expression,
  { classes, like }: { classes: number; like: Pick<Expression, 'type'> },
): Expression {
  const columns = constant(int64(Array.from({ length: classes }, (_, column) => column)))
  return cast(equal(unsqueeze(cast(numbers, 'int64'), [1]), columns), like.type)
}

/** Entries of a row of numbers by place. Places must differ: what flows back is put there, not added up. */
export const entryChoice: Operation = {
  name: 'GatherElements',
  infer: ([of, places]) => ({ type: of!.type, shape: places!.shape }),
  gradient: (upstream, { inputs: [of, places] }) => [
    scatter(zerosLike(of!), { places: places!, values: upstream }),
    undefined,
  ],
}

export const gatherEntries = (of: Expression, places: Expression) =>
  apply(entryChoice, [of, places], { axis: { int: 0 } })

/** A row of numbers with some of them replaced, by place. */
export const placement: Operation = {
  name: 'ScatterElements',
  infer: ([into]) => ({ type: into!.type, shape: into!.shape }),
  gradient: (upstream, { inputs: [, places, values] }) => [
    scatter(upstream, { places: places!, values: zerosLike(values!) }),
    undefined,
    gatherEntries(upstream, places!),
  ],
}

export const scatter = (into: Expression, { places, values }: { places: Expression; values: Expression }) =>
  apply(placement, [into, places, values], { axis: { int: 0 } })

/** Zeros of the same shape. Nothing flows through them. */
export const zeros: Operation = {
  name: 'zeros-like',
  infer: ([of]) => ({ type: of!.type, shape: of!.shape }),
  emit({ type }, { inputs, output, between }) {
    const shape = between()
    return [
      { op: 'Shape', inputs, outputs: [shape] },
      {
        op: 'ConstantOfShape',
        inputs: [shape],
        outputs: [output],
        attributes: { value: { tensor: zeroOf(type) } },
      },
    ]
  },
}

export const zerosLike = (of: Expression) => apply(zeros, [of])

function zeroOf(type: Expression['type']) {
  if (type === 'float64') return { type, shape: [1], data: new Float64Array(1) }
  if (type === 'float32') return { type, shape: [1], data: new Float32Array(1) }
  throw new Error(`no zeros of ${type}`)
}

/** The part between two places along an axis; places may be computed, and then the length is a word. */
export const part: Operation = {
  name: 'Slice',
  infer: ([of, , , axes], attributes) => {
    const axis = Number((axes!.value!.data as BigInt64Array)[0])
    const named = attributes.length as { text: string } | { int: number }
    const length: Length = 'text' in named ? named.text : named.int
    return { type: of!.type, shape: of!.shape.map((whole, at) => (at === axis ? length : whole)) }
  },
  gradient(upstream, { inputs: [of, from, , axes], shape }) {
    const axis = Number((axes!.value!.data as BigInt64Array)[0])
    const [whole, length, before] = [of!.shape[axis], shape[axis], from!.value?.data[0]]
    if (typeof whole !== 'number' || typeof length !== 'number' || before === undefined)
      throw new Error('a part at computed places is not trained')
    return [pad(upstream, { axis, before: Number(before), after: whole - Number(before) - length })]
  },
  emit: (_, { inputs, output }) => [{ op: 'Slice', inputs, outputs: [output] }],
}

export function slice(
  of: Expression,
  { axis, from, to }: { axis: number; from: number; to: number },
): Expression {
  const at = positiveAxis(axis, of.shape)
  return apply(part, [of, wholeNumbers([from]), wholeNumbers([to]), wholeNumbers([at])], {
    length: { int: to - from },
  })
}

/**
 * The part of the first axis between two computed places.
 * @param places.from of shape [1], whole
 * @param places.length how long it is, or the word for it
 */
export function sliceRows(
  of: Expression,
  { from, to, length }: { from: Expression; to: Expression; length: Length },
): Expression {
  const known = typeof length === 'number' ? { int: length } : { text: length }
  return apply(part, [of, from, to, wholeNumbers([0])], { length: known })
}

/** Zeros before and after, along one axis; where there are fewer than none, numbers are cut off. */
export const padding: Operation = {
  name: 'Pad',
  infer: ([of, counts]) => {
    const around = Array.from(counts!.value!.data as BigInt64Array, Number)
    const rank = of!.shape.length
    const shape = of!.shape.map((length, axis) => {
      const more = around[axis]! + around[axis + rank]!
      if (more === 0) return length
      if (typeof length !== 'number') throw new Error('an axis of unknown length cannot be padded')
      return length + more
    })
    return { type: of!.type, shape }
  },
  gradient: (upstream, { inputs: [, counts] }) => [
    padBy(
      upstream,
      Array.from(counts!.value!.data as BigInt64Array, (count) => -Number(count)),
    ),
  ],
}

function pad(
  of: Expression,
  { axis, before, after }: { axis: number; before: number; after: number },
): Expression {
  const starts = of.shape.map((_, at) => (at === axis ? before : 0))
  const ends = of.shape.map((_, at) => (at === axis ? after : 0))
  return padBy(of, [...starts, ...ends])
}

const padBy = (of: Expression, counts: readonly number[]) => apply(padding, [of, wholeNumbers(counts)])

/** A row with each number at the place after its own: a zero comes in, the last drops out. */
export const moveOn = (row: Expression) => pad(row, { axis: 0, before: 1, after: -1 })

/** Several values side by side along an axis. */
export const joining: Operation = {
  name: 'Concat',
  infer: (parts, attributes) => {
    const { int: axis } = attributes.axis as { int: number }
    const length = parts.map(({ shape }) => shape[axis]!)
    const total = length.every((one) => typeof one === 'number')
      ? (length as number[]).reduce((all, one) => all + one, 0)
      : length.join('+')
    return { type: parts[0]!.type, shape: parts[0]!.shape.map((one, at) => (at === axis ? total : one)) }
  },
  gradient(upstream, of) {
    const axis = integerOf(of, 'axis')
    let from = 0
    return of.inputs.map(({ shape }) => {
      const length = shape[axis]
      if (typeof length !== 'number') throw new Error('parts of unknown length are not trained')
      const own = slice(upstream, { axis, from, to: from + length })
      from += length
      return own
    })
  },
}

export function concatenate(parts: readonly Expression[], axis = -1): Expression {
  const [first] = parts
  if (first === undefined) throw new Error('nothing to join')
  return parts.length === 1
    ? first
    : apply(joining, parts, { axis: { int: positiveAxis(axis, first.shape) } })
}

/** A matrix with rows for columns. */
export const turning: Operation = {
  name: 'Transpose',
  infer: ([of]) => ({ type: of!.type, shape: of!.shape.toReversed() }),
  gradient: (upstream) => [transpose(upstream)],
  emit: (_, { inputs, output }) => [
    { op: 'Transpose', inputs, outputs: [output], attributes: { perm: { ints: [1, 0] } } },
  ],
}

export function transpose(of: Expression): Expression {
  if (of.shape.length !== 2) throw new Error(`[${of.shape.join(', ')}] is no matrix`)
  return apply(turning, [of])
}

/** The same numbers in a new shape, in which one length may be a word. */
export const reshaping: Operation = {
  name: 'Reshape',
  infer: ([of], attributes) => ({ type: of!.type, shape: shapeIn(attributes) }),
  gradient: (upstream, { inputs: [of] }) => [reshape(upstream, of!.shape)],
  emit: ({ shape }, { inputs, output, between }) => {
    const lengths = between()
    const data = BigInt64Array.from(
      shape.map((length) => (typeof length === 'number' ? BigInt(length) : -1n)),
    )
    return [
      {
        op: 'Constant',
        inputs: [],
        outputs: [lengths],
        attributes: { value: { tensor: { type: 'int64', shape: [shape.length], data } } },
      },
      { op: 'Reshape', inputs: [inputs[0]!, lengths], outputs: [output] },
    ]
  },
}

function shapeIn({ shape }: Expression['attributes']): Shape {
  return JSON.parse((shape as { text: string }).text) as Shape
}

export function reshape(of: Expression, shape: Shape): Expression {
  const words = shape.filter((length) => typeof length !== 'number')
  if (words.length > 1) throw new Error(`[${shape.join(', ')}] leaves more than one length open`)
  if (shape.length === 0) throw new Error('squeeze instead')
  return apply(reshaping, [of], { shape: { text: JSON.stringify(shape) } })
}
