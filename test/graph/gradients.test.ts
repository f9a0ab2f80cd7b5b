import { describe, expect, it } from 'vitest'
import { graphOf } from '../../lib/graph/emit.ts'
import { constant, type Expression, input } from '../../lib/graph/expression.ts'
import { gradients, withGradient } from '../../lib/graph/gradient.ts'
import { writeModel } from '../../lib/graph/onnx-write.ts'
import {
  add,
  divide,
  mean,
  multiply,
  negative,
  product,
  spread,
  squeeze,
  subtract,
  sum,
  unsqueeze,
} from '../../lib/graph/operations/arithmetic.ts'
import { cast, greater, maximum, minimum, scaleBytes, where } from '../../lib/graph/operations/choices.ts'
import {
  abs,
  erf,
  exp,
  log,
  log1p,
  logSoftmax,
  reciprocal,
  relu,
  sigmoid,
  softmax,
  softplus,
  sqrt,
  square,
  tanh,
} from '../../lib/graph/operations/functions.ts'
import { addShare, matmul } from '../../lib/graph/operations/matrices.ts'
import {
  concatenate,
  gatherEntries,
  gatherRows,
  oneHot,
  reshape,
  scatter,
  slice,
  transpose,
  zerosLike,
} from '../../lib/graph/operations/places.ts'
import { operations } from '../../lib/graph/operations/registry.ts'
import { repeat, runningSums } from '../../lib/graph/operations/runs.ts'
import { openSession } from '../../lib/graph/session.ts'
import { int64, sizeOf, type Tensor } from '../../lib/graph/tensor.ts'
import { random } from '../../lib/job/random.ts'
import { compute, type Values } from './compute.ts'

interface Sample {
  value: Expression
  /** what is varied, by name; others of `values` are not */
  by: Record<string, Expression>
  values: Values
  /** computed in float32 */
  single?: true
}

const draw = random(7)
function numbers(shape: number[], of: (uniform: number) => number = (u) => 4 * u - 2): Tensor {
  const data = Float64Array.from({ length: sizeOf(shape) }, () => of(draw.uniform()))
  return { type: 'float64', shape, data }
}

/** float64 inputs of these shapes, and a value made of them */
function sample(
  shapes: Record<string, number[]>,
  make: (inputs: Record<string, Expression>) => Expression,
  of?: (uniform: number) => number,
): Sample {
  const by = Object.fromEntries(
    Object.entries(shapes).map(([name, shape]) => [name, input(name, { type: 'float64', shape })]),
  )
  const values = Object.fromEntries(Object.entries(shapes).map(([name, shape]) => [name, numbers(shape, of)]))
  return { value: make(by), by, values }
}

const positive = (u: number) => 0.1 + 3 * u
const aside = (u: number) => (u < 0.5 ? -0.2 - 3 * u : 3 * u - 1.2)
const rows = (values: number[], shape?: number[]) => constant(int64(values, shape))
const pair = { a: [3, 4], b: [4] }

const samples: Record<string, Sample[]> = {
  Add: [
    sample(pair, ({ a, b }) => add(a!, b!)),
    sample({ a: [3, 1], b: [1, 4] }, ({ a, b }) => add(a!, b!)),
    sample({ a: [], b: [2, 3] }, ({ a, b }) => add(a!, b!)),
  ],
  Sub: [sample(pair, ({ a, b }) => subtract(a!, b!)), sample({ a: [3] }, ({ a }) => subtract(1, a!))],
  Mul: [
    sample(pair, ({ a, b }) => multiply(a!, b!)),
    sample({ a: [2, 3], b: [2, 1] }, ({ a, b }) => multiply(sum(a!, [1]), spread(b!, a!))),
  ],
  Div: [sample(pair, ({ a, b }) => divide(a!, b!), positive)],
  Neg: [sample({ a: [3] }, ({ a }) => negative(a!))],
  ReduceSum: [
    sample({ a: [3, 4] }, ({ a }) => square(sum(a!, [0]))),
    sample({ a: [3, 4] }, ({ a }) => square(sum(a!))),
  ],
  ReduceMean: [
    sample({ a: [3, 4] }, ({ a }) => square(mean(a!, [-1]))),
    sample({ a: [3, 4] }, ({ a }) => multiply(mean(a!), mean(a!, [0]))),
  ],
  CumSum: [
    sample({ a: [4] }, ({ a }) => square(runningSums(square(a!)))),
    sample({ a: [4] }, ({ a }) => square(runningSums(a!, { isReversed: true }))),
  ],
  Expand: [
    sample({ a: [1], b: [3] }, ({ a, b }) => {
      const repeated = repeat(a!, { length: rows([3]), word: 'times' })
      return multiply(reshape(square(repeated), [3]), b!)
    }),
  ],
  ReduceProd: [sample({ a: [3, 4] }, ({ a }) => square(product(a!, [1])), positive)],
  'axis-length': [openLength()],
  spread: [
    sample({ a: [1, 4], b: [3, 4] }, ({ a, b }) => multiply(add(multiply(spread(a!, b!), 3), 1), exp(b!))),
    sample({ a: [3, 1], b: [3, 4], c: [1, 4] }, ({ a, b, c }) =>
      add(square(multiply(spread(a!, b!), c!)), exp(b!)),
    ),
    sample({ a: [1, 1], b: [3, 1], c: [3, 1] }, ({ a, b, c }) =>
      multiply(add(spread(a!, b!), spread(c!, b!)), exp(b!)),
    ),
    sample({ a: [1, 1], b: [3, 4] }, ({ a, b }) => square(multiply(spread(a!, b!), sum(b!, [1])))),
    sample({ a: [1, 4], b: [3, 4] }, ({ a, b }) => multiply(exp(spread(a!, b!)), b!)),
    sample({ a: [4], b: [3, 4] }, ({ a, b }) => multiply(spread(a!, b!), b!)),
  ],
  Squeeze: [sample({ a: [3, 1] }, ({ a }) => square(squeeze(a!, [1])))],
  Unsqueeze: [sample({ a: [3], b: [3, 2] }, ({ a, b }) => multiply(unsqueeze(a!, [1]), b!))],
  Greater: [sample({ a: [5], b: [5] }, ({ a, b }) => where(greater(a!, b!), square(a!), b!))],
  Less: [sample({ a: [6] }, ({ a }) => abs(a!), aside)],
  Equal: [
    sample({ a: [2, 3] }, ({ a }) => multiply(oneHot(rows([2, 0]), { classes: 3, like: a! }), square(a!))),
  ],
  Where: [sample({ a: [4], b: [3, 4] }, ({ a, b }) => where(greater(b!, 0), a!, square(b!)))],
  Max: [
    sample({ a: [6], b: [6] }, ({ a, b }) => maximum(a!, b!)),
    sample({ a: [4], b: [3, 4] }, ({ a, b }) => square(maximum(a!, b!))),
  ],
  Min: [
    sample({ a: [6], b: [6] }, ({ a, b }) => minimum(a!, b!)),
    sample({ a: [8] }, ({ a }) => square(minimum(a!, 0)), aside),
  ],
  Cast: [sample({ a: [3] }, ({ a }) => cast(square(a!), 'float64')), halfCast()],
  DequantizeLinear: [scaledBytes()],
  Exp: [sample({ a: [4] }, ({ a }) => exp(a!))],
  Log: [sample({ a: [4] }, ({ a }) => log(a!), positive)],
  Sqrt: [sample({ a: [4] }, ({ a }) => sqrt(a!), positive)],
  Reciprocal: [sample({ a: [4] }, ({ a }) => reciprocal(a!), positive)],
  Sigmoid: [sample({ a: [4] }, ({ a }) => sigmoid(a!)), sample({ a: [4] }, ({ a }) => softplus(a!))],
  Tanh: [sample({ a: [4] }, ({ a }) => tanh(a!))],
  Relu: [sample({ a: [8] }, ({ a }) => relu(a!), aside)],
  Abs: [sample({ a: [8] }, ({ a }) => abs(a!), aside)],
  // onnxruntime has it in float32 alone
  Erf: [{ ...sample({ a: [4] }, ({ a }) => cast(erf(cast(a!, 'float32')), 'float64')), single: true }],
  Softmax: [sample({ a: [3, 4] }, ({ a }) => softmax(a!)), sample({ a: [3, 4] }, ({ a }) => softmax(a!, 0))],
  LogSoftmax: [sample({ a: [3, 4] }, ({ a }) => logSoftmax(a!))],
  Gemm: [
    sample({ a: [3, 4], b: [4, 2] }, ({ a, b }) => matmul(a!, b!)),
    sample({ a: [4, 3], b: [4, 2] }, ({ a, b }) => matmul(a!, b!, { left: true })),
    sample({ a: [3, 4], b: [2, 4] }, ({ a, b }) => matmul(a!, b!, { right: true })),
    sample({ a: [4, 3], b: [2, 4] }, ({ a, b }) => matmul(a!, b!, { left: true, right: true })),
    sample({ a: [3, 4], b: [4, 2], c: [2] }, ({ a, b, c }) => matmul(a!, b!, { add: c! })),
    sample({ a: [3, 4], b: [4, 2], c: [3, 2] }, ({ a, b, c }) =>
      square(addShare(matmul(a!, b!), { other: c!, share: 0.25 })),
    ),
  ],
  Gather: [sample({ a: [3, 2] }, ({ a }) => square(gatherRows(a!, rows([2, 0, 2, 2]))))],
  GatherElements: [sample({ a: [5] }, ({ a }) => square(gatherEntries(a!, rows([4, 1]))))],
  ScatterElements: [
    sample({ a: [5], b: [2] }, ({ a, b }) => square(scatter(a!, { places: rows([3, 0]), values: b! }))),
  ],
  'zeros-like': [sample({ a: [3] }, ({ a }) => add(square(a!), zerosLike(a!)))],
  Slice: [sample({ a: [3, 5] }, ({ a }) => square(slice(a!, { axis: 1, from: 1, to: 3 })))],
  Pad: [
    sample({ a: [3, 5] }, ({ a }) => {
      const [slope] = gradients(sum(square(slice(a!, { axis: 1, from: 1, to: 3 }))), [a!])
      return multiply(slope!, a!)
    }),
  ],
  Concat: [sample({ a: [2, 3], b: [2, 1] }, ({ a, b }) => square(concatenate([a!, b!])))],
  Transpose: [sample({ a: [2, 3], b: [3, 2] }, ({ a, b }) => multiply(square(transpose(a!)), b!))],
  Reshape: [sample({ a: [2, 3] }, ({ a }) => softmax(reshape(a!, [3, 2])))],
}

/** A mean over cells whose number is only known when it runs. */
function openLength(): Sample {
  const a = input('a', { type: 'float64', shape: ['batch', 3] })
  return { value: square(mean(exp(a), [0])), by: { a }, values: { a: numbers([5, 3]) } }
}

/** Whole numbers have no gradient, and do not stop those beside them. */
function halfCast(): Sample {
  const a = input('a', { type: 'float64', shape: [3] })
  const b = input('b', { type: 'int64', shape: [3] })
  return {
    value: multiply(a, cast(b, 'float64')),
    by: { a },
    values: { a: numbers([3]), b: int64([1, -2, 3]) },
  }
}

/** Nor have bytes. */
function scaledBytes(): Sample {
  const a = input('a', { type: 'float64', shape: [3] })
  const b = input('b', { type: 'uint8', shape: [3] })
  const value = multiply(a, cast(scaleBytes(b, 1.25), 'float64'))
  return {
    value,
    by: { a },
    values: { a: numbers([3]), b: { type: 'uint8', shape: [3], data: Uint8Array.of(0, 1, 200) } },
  }
}

/** Largest difference between the gradients and central differences, of a weighted sum of the value's entries. */
async function worst({ value, by, values, single }: Sample): Promise<number> {
  const weights = constant(numbers(value.shape.map((length) => (typeof length === 'number' ? length : 1))))
  const loss = sum(multiply(value, weights))
  const names = Object.keys(by)
  const slopes = gradients(loss, Object.values(by))
  const outputs = Object.fromEntries(
    names.flatMap((name, i) => (slopes[i] ? [[`d.${name}`, slopes[i]!]] : [])),
  )
  const got = await compute({ loss, ...outputs }, values)
  const graph = graphOf('loss', { loss })
  const session = await openSession(writeModel(graph), { notices: [], threads: 1 })
  const at = async (moved: Values) => {
    const feeds = Object.fromEntries(graph.inputs.map(({ name }) => [name, moved[name]!]))
    return Number((await session.run(feeds)).loss!.data[0])
  }
  let most = 0
  for (const name of names) {
    const { data, shape } = values[name]!
    const slope = got[`d.${name}`]
    expect(slope?.shape, name).toEqual(shape)
    for (let i = 0; i < data.length; i++) {
      const step = single ? 1e-2 : 1e-5
      const moved = async (by: number) => {
        const copy = Float64Array.from(data as Float64Array)
        copy[i] = copy[i]! + by
        return at({ ...values, [name]: { type: 'float64', shape, data: copy } })
      }
      const difference = ((await moved(step)) - (await moved(-step))) / (2 * step)
      const exact = Number(slope!.data[i])
      most = Math.max(most, Math.abs(difference - exact) / Math.max(1, Math.abs(exact)))
    }
  }
  await session.close()
  return most
}

describe('gradients', () => {
  it('has a sample of every operation there is', () => {
    expect(Object.keys(samples).sort()).toEqual([...new Set(operations.map(({ name }) => name))].sort())
  })

  for (const [name, cases] of Object.entries(samples)) {
    it(`of ${name} are what central differences give`, async () => {
      for (const one of cases) expect(await worst(one)).toBeLessThan(one.single ? 1e-3 : 1e-8)
    })
  }

  it('reach past bytes that are scaled, whose numbers are exact', async () => {
    const bytes = input('b', { type: 'uint8', shape: [3] })
    const { scaled } = await compute(
      { scaled: scaleBytes(bytes, 1 / 0.9) },
      { b: { type: 'uint8', shape: [3], data: Uint8Array.of(0, 1, 3) } },
    )
    const one = Math.fround(1 / 0.9)
    expect([...scaled!.data]).toEqual([0, one, Math.fround(3 * one)])
  })

  it('are those that are told, where they are told', async () => {
    const a = input('a', { type: 'float64', shape: [2] })
    const value = withGradient(square(a), [a], (upstream) => [multiply(upstream, 10)])
    const [slope] = gradients(sum(value), [a])
    const { d } = await compute({ d: slope! }, { a: numbers([2]) })
    expect([...d!.data]).toEqual([10, 10])
  })

  it('are not computed towards what is not asked for', () => {
    const counts = input('counts', { type: 'float32', shape: ['batch', 4] })
    const weight = input('weight', { type: 'float32', shape: [4, 2] })
    const [toWeight] = gradients(sum(square(matmul(counts, weight))), [weight])
    const products = graphOf('step', { toWeight: toWeight! }).nodes.filter(({ op }) => op === 'Gemm')
    expect(products).toHaveLength(2)
  })
})

describe('the sum of a matrix', () => {
  it('keeps its digits in float32 for 256,000 equal numbers', async () => {
    const a = input('a', { type: 'float32', shape: [128, 2000] })
    const data = new Float32Array(256_000).fill(0.7)
    const { total } = await compute({ total: sum(a) }, { a: { type: 'float32', shape: [128, 2000], data } })
    expect(Math.abs((total!.data[0] as number) / (256_000 * Math.fround(0.7)) - 1)).toBeLessThan(5e-6)
  })
})

describe('log1p', () => {
  it('keeps the digits of small numbers in float32', async () => {
    const t = input('t', { type: 'float32', shape: [6] })
    const at = [1e-20, 1e-8, 1e-4, 0.5, 3, 1e6]
    const { value } = await compute(
      { value: log1p(t) },
      { t: { type: 'float32', shape: [6], data: Float32Array.from(at) } },
    )
    for (const [i, one] of at.entries()) expect(value!.data[i] as number).toBeCloseTo(Math.log1p(one), 6)
    for (const [i, one] of at.entries())
      expect(Math.abs((value!.data[i] as number) / Math.log1p(Math.fround(one)) - 1)).toBeLessThan(3e-7)
  })
})
