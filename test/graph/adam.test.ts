import { describe, expect, it } from 'vitest'
import { type AdamOptions, adam } from '../../lib/graph/adam.ts'
import { type Expression, input } from '../../lib/graph/expression.ts'
import { gradients } from '../../lib/graph/gradient.ts'
import { add, multiply, sum } from '../../lib/graph/operations/arithmetic.ts'
import { square } from '../../lib/graph/operations/functions.ts'
import { matmul } from '../../lib/graph/operations/matrices.ts'
import { float32, type Tensor } from '../../lib/graph/tensor.ts'
import { random } from '../../lib/job/random.ts'
import { compute, float64, numbersOf, type Values } from './compute.ts'
import { type PlainAdam, plainAdam } from './plain-adam.ts'

const shapes = { a: [3, 4], b: [5] } as const
type Name = keyof typeof shapes
const names = Object.keys(shapes) as Name[]

/** Ten steps with gradients that are given, one run a step. */
async function tenSteps(
  type: 'float32' | 'float64',
  options: Omit<AdamOptions, 'rate' | 'stepsBefore'>,
  { first, slopes, rate }: { first: Record<Name, number[]>; slopes: Record<Name, number[]>[]; rate: number },
): Promise<Record<Name, number[]>> {
  const number = (name: string): Expression => input(name, { type, shape: [] })
  const weights = Object.fromEntries(
    names.map((name) => {
      const of = { type, shape: shapes[name] }
      return [name, { weight: input(name, of), gradient: input(`d ${name}`, of) }]
    }),
  )
  const carried = adam(weights, { ...options, rate: number('rate'), stepsBefore: number('steps-before') })
  const after = Object.fromEntries(Object.entries(carried).map(([name, one]) => [`${name} after`, one.after]))
  const tensor = (data: Iterable<number>, shape: readonly number[]): Tensor =>
    type === 'float64' ? float64(data, shape) : float32(Float32Array.from(data), shape)
  let state: Values = Object.fromEntries(
    names.flatMap((name) => {
      const none = tensor(new Float64Array(first[name].length), shapes[name])
      return [
        [name, tensor(first[name], shapes[name])],
        [`${name}.first-moment`, none],
        [`${name}.second-moment`, none],
      ]
    }),
  )
  for (const [step, own] of slopes.entries()) {
    const given = Object.fromEntries(names.map((name) => [`d ${name}`, tensor(own[name], shapes[name])]))
    const numbers = { rate: tensor([rate], []), 'steps-before': tensor([step], []) }
    const got = await compute(after, { ...state, ...given, ...numbers })
    state = Object.fromEntries(Object.entries(got).map(([name, one]) => [name.replace(' after', ''), one]))
  }
  return Object.fromEntries(names.map((name) => [name, numbersOf(state[name])])) as Record<Name, number[]>
}

const draw = random(3)
const some = (scale: number) =>
  Object.fromEntries(
    names.map((name) => [
      name,
      Array.from({ length: shapes[name].reduce((size: number, one) => size * one, 1) }, () =>
        Math.fround(scale * draw.normal()),
      ),
    ]),
  ) as Record<Name, number[]>
const given = { first: some(1), slopes: Array.from({ length: 10 }, () => some(0.3)), rate: 0.01 }

const kinds: Record<string, PlainAdam> = {
  'without decay': { epsilon: 1e-8 },
  'with the epsilon and the coupled decay of scvi-tools': {
    epsilon: 0.01,
    decay: { rate: 1e-6, kind: 'coupled' },
  },
  'with strong coupled decay': { epsilon: 1e-8, decay: { rate: 0.1, kind: 'coupled' } },
  'with decoupled decay': { epsilon: 1e-8, decay: { rate: 0.1, kind: 'decoupled' } },
  'with clipped gradients': { epsilon: 1e-8, clip: 0.5 },
  'with a clip that is never reached': { epsilon: 1e-8, clip: 100 },
  'with other betas': {
    epsilon: 1e-3,
    beta1: 0.5,
    beta2: 0.9,
    clip: 1,
    decay: { rate: 0.01, kind: 'coupled' },
  },
}

describe('ten steps of Adam', () => {
  for (const [name, options] of Object.entries(kinds))
    it(`${name} are those computed by hand in float64`, async () => {
      const exact = plainAdam(given, options)
      for (const [type, tolerance] of [
        ['float64', 1e-12],
        ['float32', 3e-6],
      ] as const) {
        const got = await tenSteps(type, options, given)
        for (const of of names)
          for (const [i, one] of exact[of]!.entries())
            expect(Math.abs(got[of][i]! - one), `${type} ${of} ${i}`).toBeLessThan(tolerance)
      }
    })

  it('leaves a weight alone whose gradient is nothing, and moves none by a rate of nothing', async () => {
    const still = { ...given, slopes: given.slopes.map((one) => ({ ...one, b: one.b.map(() => 0) })) }
    expect((await tenSteps('float32', { epsilon: 1e-8 }, still)).b).toEqual(given.first.b)
    expect(await tenSteps('float32', { epsilon: 1e-8 }, { ...given, rate: 0 })).toEqual(given.first)
  })

  it('takes decay along in the product that a gradient is, to the same weights', async () => {
    const [x, w] = [
      input('x', { type: 'float64', shape: [4, 3] }),
      input('w', { type: 'float64', shape: [2, 3] }),
    ]
    const [gradient] = gradients(sum(square(matmul(x, w, { right: true }))), [w])
    const rate = input('rate', { type: 'float64', shape: [] })
    const decay = { rate: 0.1, kind: 'coupled' as const }
    const options = { rate, stepsBefore: multiply(rate, 0), epsilon: 1e-8, decay }
    const moved = (slope: Expression) => adam({ w: { weight: w, gradient: slope } }, options).w!.after
    const got = await compute(
      { taken: moved(gradient!), apart: moved(add(gradient!, 0)) },
      {
        x: float64(
          Array.from({ length: 12 }, () => draw.normal()),
          [4, 3],
        ),
        w: float64(
          Array.from({ length: 6 }, () => draw.normal()),
          [2, 3],
        ),
        rate: float64([0.1], []),
        'w.first-moment': float64(new Float64Array(6), [2, 3]),
        'w.second-moment': float64(new Float64Array(6), [2, 3]),
      },
    )
    for (const [i, one] of numbersOf(got.apart).entries())
      expect(Math.abs(numbersOf(got.taken)[i]! - one)).toBeLessThan(1e-12)
  })
})
