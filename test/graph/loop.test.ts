import { describe, expect, it } from 'vitest'
import { adam } from '../../lib/graph/adam.ts'
import { type Expression, input } from '../../lib/graph/expression.ts'
import { blockFeeds } from '../../lib/graph/feeds.ts'
import { gradients } from '../../lib/graph/gradient.ts'
import { linear } from '../../lib/graph/layers.ts'
import { loopGraph, stepNumber } from '../../lib/graph/loop.ts'
import type { Graph } from '../../lib/graph/onnx-write.ts'
import { add, mean, multiply, squeeze, subtract, sum } from '../../lib/graph/operations/arithmetic.ts'
import { cast } from '../../lib/graph/operations/choices.ts'
import { exp, square } from '../../lib/graph/operations/functions.ts'
import { pack, packingNodes, replaceInputs } from '../../lib/graph/packing.ts'
import { float32, int64, type Tensor } from '../../lib/graph/tensor.ts'
import { random } from '../../lib/job/random.ts'
import { numbersOf, runGraph, type Values } from './compute.ts'

const number = (name: string): Expression => input(name, { type: 'float32', shape: [] })
const one = (value: number): Tensor => float32(Float32Array.of(value), [])
const bodyOf = (graph: Graph): Graph => {
  const loop = graph.nodes.find(({ op }) => op === 'Loop')!
  return (loop.attributes!.body as { graph: Graph }).graph
}

describe('a loop of steps', () => {
  it('carries values from step to step and tells rows', async () => {
    const step = stepNumber()
    const [total, fed] = [number('total'), number('fed')]
    const after = add(total, multiply(cast(step, 'float32'), fed))
    const graph = loopGraph('sums', {
      number: step,
      carried: { total: { before: total, after } },
      told: { before: total, step: cast(step, 'float32') },
    })
    const got = await runGraph(graph, { steps: int64([4], []), 'total.first': one(5), fed: one(2) })
    expect(numbersOf(got['total.after'])).toEqual([5 + 2 * 6])
    expect(numbersOf(got.before)).toEqual([5, 5, 7, 11])
    expect(numbersOf(got.step)).toEqual([0, 1, 2, 3])
    expect(got.before!.shape).toEqual([4])
  })

  it('gives back what it began with after no step', async () => {
    const total = number('total')
    const graph = loopGraph('none', {
      number: stepNumber(),
      carried: { total: { before: total, after: add(total, 1) } },
      told: { total },
    })
    const got = await runGraph(graph, { steps: int64([0], []), 'total.first': one(3) })
    expect(numbersOf(got['total.after'])).toEqual([3])
    expect(got.total!.shape).toEqual([0])
  })

  it('computes outside, once, what does not change with the step', async () => {
    const [total, fed] = [number('total'), number('fed')]
    const still = exp(square(fed))
    const after = add(multiply(total, still), 1)
    const graph = loopGraph('still', {
      number: stepNumber(),
      carried: { total: { before: total, after } },
      told: {},
    })
    expect(graph.nodes.map(({ op }) => op)).toEqual(['Mul', 'Exp', 'Loop'])
    const inside = bodyOf(graph).nodes.map(({ op }) => op)
    expect(inside).toContain('Add')
    expect(inside).not.toContain('Exp')
    const got = await runGraph(graph, { steps: int64([2], []), 'total.first': one(1), fed: one(0) })
    expect(numbersOf(got['total.after'])).toEqual([3])
  })

  it('exchanges carried values without mixing them up', async () => {
    const [a, b] = [number('a'), number('b')]
    const graph = loopGraph('exchange', {
      number: stepNumber(),
      carried: { a: { before: a, after: b }, b: { before: b, after: a } },
      told: {},
    })
    const got = await runGraph(graph, { steps: int64([3], []), 'a.first': one(1), 'b.first': one(2) })
    expect([numbersOf(got['a.after']), numbersOf(got['b.after'])]).toEqual([[2], [1]])
  })

  it('refuses a value that comes out in another shape than it went in', () => {
    const a = number('a')
    const wide = input('wide', { type: 'float32', shape: [3] })
    const carried = { a: { before: a, after: add(a, wide) } }
    expect(() => loopGraph('shapes', { number: stepNumber(), carried, told: {} })).toThrow(
      "'a' goes in as float32 [] and comes out as float32 [3]",
    )
  })
})

const sizes = { weight: [2, 3], bias: [2], more: [1, 2], last: [1] }

/** A small regression, trained by Adam on the cells of each step. */
function trainingLoop(isPacked: boolean): Graph {
  const step = stepNumber()
  const feeds = blockFeeds({ step })
  const x = feeds.take('x', { type: 'float32', group: 'cells', width: 3 })
  const y = feeds.take('y', { type: 'float32', group: 'cells', width: 1 })
  const weights = Object.entries(sizes).map(
    ([name, shape]) => [name, input(name, { type: 'float32', shape })] as const,
  )
  const [weight, bias, more, last] = weights.map(([, of]) => of) as [
    Expression,
    Expression,
    Expression,
    Expression,
  ]
  const hidden = exp(linear(x, { weight, bias }))
  const loss = mean(square(subtract(linear(hidden, { weight: more, bias: last }), y)))
  const slopes = gradients(
    loss,
    weights.map(([, of]) => of),
  )
  const before = number('steps-before')
  const options = { rate: number('rate'), stepsBefore: before, epsilon: 1e-8 }
  const moved = Object.fromEntries(
    weights.map(([name, of], i) => [name, { weight: of, gradient: slopes[i]! }]),
  )
  const counter = { 'steps-before': { before, after: add(before, 1) } }
  const told = { loss: squeeze(loss, [0, 1]) }
  if (!isPacked)
    return loopGraph('plain', { number: step, carried: { ...counter, ...adam(moved, options) }, told })
  const all = pack('all', moved)
  const carried = { ...counter, ...adam({ all }, options) }
  const afters = replaceInputs(
    Object.fromEntries(Object.entries(carried).map(([name, of]) => [name, of.after])),
    all.slices,
  )
  const named = (suffix: string) => all.parts.map((part) => ({ ...part, name: `${part.name}${suffix}` }))
  return loopGraph('packed', {
    number: step,
    carried: Object.fromEntries(
      Object.entries(carried).map(([name, of]) => [name, { before: of.before, after: afters[name]! }]),
    ),
    told: replaceInputs(told, all.slices),
    packs: {
      all: all.parts,
      'all.first-moment': named('.first-moment'),
      'all.second-moment': named('.second-moment'),
    },
  })
}

const draw = random(31)
const normals = (length: number) => Float32Array.from({ length }, () => draw.normal())
/** Minibatches of different sizes. */
const [steps, starts] = [6, [0, 4, 7, 8, 13, 15, 20]]
const cells = { x: normals(20 * 3), y: normals(20) }
const first: Values = Object.fromEntries(
  Object.entries(sizes).flatMap(([name, shape]) => {
    const size = shape.reduce((all, length) => all * length, 1)
    return [
      [`${name}.first`, float32(normals(size), shape)],
      [`${name}.first-moment.first`, float32(new Float32Array(size), shape)],
      [`${name}.second-moment.first`, float32(new Float32Array(size), shape)],
    ]
  }),
)

function fed(from: number, to: number): Values {
  const [begin, end] = [starts[from]!, starts[to]!]
  return {
    steps: int64([to - from], []),
    rate: one(0.01),
    'cells from': int64(starts.slice(from, to + 1).map((start) => start - begin)),
    x: float32(cells.x.slice(3 * begin, 3 * end), [end - begin, 3]),
    y: float32(cells.y.slice(begin, end), [end - begin, 1]),
  }
}

describe('training in a loop', () => {
  for (const isPacked of [false, true]) {
    const how = isPacked ? 'weights end to end' : 'each weight by itself'
    it(`is the same bit for bit in one run and in a run a step, ${how}`, async () => {
      const graph = trainingLoop(isPacked)
      const whole = await runGraph(graph, { ...first, ...fed(0, steps), 'steps-before.first': one(0) })
      let state: Values = { ...first, 'steps-before.first': one(0) }
      const losses: number[] = []
      for (let step = 0; step < steps; step++) {
        const got = await runGraph(graph, { ...state, ...fed(step, step + 1) })
        losses.push(...numbersOf(got.loss))
        state = Object.fromEntries(
          Object.entries(got).flatMap(([name, value]) =>
            name.endsWith('.after') ? [[name.replace(/\.after$/, '.first'), value]] : [],
          ),
        )
      }
      expect(losses).toEqual(numbersOf(whole.loss))
      expect(Object.keys(state)).toHaveLength(13)
      for (const [name, value] of Object.entries(state)) {
        const same = whole[name.replace(/\.first$/, '.after')]!
        expect(value.shape, name).toEqual(same.shape)
        expect(numbersOf(value), name).toEqual(numbersOf(same))
      }
      expect(losses.at(-1)).not.toBe(losses[0])
    })
  }

  it('leads to the same weights whether they lie end to end or not', async () => {
    const start = { ...first, ...fed(0, steps), 'steps-before.first': one(0) }
    const [plain, packed] = [
      await runGraph(trainingLoop(false), start),
      await runGraph(trainingLoop(true), start),
    ]
    expect(Object.keys(packed).sort()).toEqual(Object.keys(plain).sort())
    for (const [name, value] of Object.entries(plain))
      for (const [i, wanted] of numbersOf(value).entries())
        expect(Math.abs(numbersOf(packed[name])[i]! - wanted), `${name} ${i}`).toBeLessThan(1e-6)
  })

  it('needs few operations for weights that lie end to end', () => {
    const [plain, packed] = [bodyOf(trainingLoop(false)), bodyOf(trainingLoop(true))]
    expect(packed.nodes.filter(({ op }) => op === 'Sqrt').length).toBeLessThan(
      plain.nodes.filter(({ op }) => op === 'Sqrt').length,
    )
  })
})

describe('weights that lie end to end', () => {
  it('go in and come out by their own names', () => {
    const { before, after } = packingNodes('all', [
      { name: 'a', shape: [2, 2] },
      { name: 'b', shape: [3] },
    ])
    expect(before.at(-1)!.outputs).toEqual(['all.first'])
    expect(before.flatMap(({ inputs }) => inputs)).toEqual(expect.arrayContaining(['a.first', 'b.first']))
    const given = after.flatMap(({ op, outputs }) => (op === 'Reshape' ? outputs : []))
    expect(given).toEqual(['a.after', 'b.after'])
  })

  it('are replaced only where they are used', () => {
    const [a, b] = [number('a'), number('b')]
    const [uses, not] = [add(a, 1), exp(b)]
    const now = replaceInputs({ uses, not, sum: sum(multiply(uses, 2)) }, new Map([[a, b]]))
    expect(now.not).toBe(not)
    expect(now.uses).not.toBe(uses)
    expect(now.uses.inputs[0]).toBe(b)
  })
})
