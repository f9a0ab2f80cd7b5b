import { describe, expect, it } from 'vitest'
import { graphOf } from '../../lib/graph/emit.ts'
import { input } from '../../lib/graph/expression.ts'
import { gradients, withGradient } from '../../lib/graph/gradient.ts'
import { add, lengthAlong, multiply, subtract, sum } from '../../lib/graph/operations/arithmetic.ts'
import { exp, log, square } from '../../lib/graph/operations/functions.ts'
import { float32 } from '../../lib/graph/tensor.ts'
import { numbersOf, runGraph } from './compute.ts'

const x = input('x', { type: 'float32', shape: ['cells', 2] })
const y = input('y', { type: 'float32', shape: ['cells', 2] })
const ops = (graph: ReturnType<typeof graphOf>) => graph.nodes.map(({ op }) => op)

describe('an emitted graph', () => {
  it('computes once what is said twice', () => {
    const graph = graphOf('twice', { value: multiply(add(exp(x), 1), add(exp(x), 1)) })
    expect(ops(graph)).toEqual(['Exp', 'Add', 'Mul'])
    expect(Object.keys(graph.constants ?? {})).toHaveLength(1)
  })

  it('tells apart what differs in an attribute, an input, a constant, or a type of constant', () => {
    const parts = [sum(x, [0]), sum(x, [1]), sum(y, [0]), add(x, 1), add(x, 2)]
    const graph = graphOf('five', Object.fromEntries(parts.map((part, i) => [`part ${i}`, part])))
    expect(graph.nodes).toHaveLength(5)
  })

  it('tells apart zeros of either sign', async () => {
    const graph = graphOf('zeros', { over: multiply(exp(x), 0), under: multiply(exp(x), -0) })
    const got = await runGraph(graph, { x: float32(Float32Array.of(1, 2), [1, 2]) })
    expect(numbersOf(got.over)).toEqual([0, 0])
    expect(numbersOf(got.under)).toEqual([-0, -0])
  })

  it('leaves out what no output needs, inputs among them', () => {
    const told = withGradient(exp(x), [x], (upstream) => [multiply(upstream, log(y))])
    const graph = graphOf('value only', { value: told })
    expect(graph.inputs.map(({ name }) => name)).toEqual(['x'])
    expect(ops(graph)).not.toContain('Log')
    const [slope] = gradients(sum(told), [x])
    expect(ops(graphOf('slope', { slope: slope! }))).toContain('Log')
  })

  it('names outputs without a copy, and copies only what is an input or has two names', async () => {
    const value = square(x)
    const plain = graphOf('named', { value })
    expect(plain.nodes.map(({ outputs }) => outputs)).toEqual([['value']])
    const both = graphOf('both', { first: value, second: square(x), same: x })
    expect(ops(both)).toEqual(['Mul', 'Identity', 'Identity'])
    const got = await runGraph(both, { x: float32(Float32Array.of(3, -4), [1, 2]) })
    expect([got.first, got.second, got.same].map(numbersOf)).toEqual([
      [9, 16],
      [9, 16],
      [3, -4],
    ])
  })

  it('takes equal words for equal lengths', async () => {
    const lengths = add(lengthAlong(x, 0), lengthAlong(y, 0))
    const graph = graphOf('lengths', { lengths })
    expect(ops(graph).filter((op) => op === 'Shape')).toHaveLength(1)
    const got = await runGraph(graph, {
      x: float32(new Float32Array(6), [3, 2]),
      y: float32(new Float32Array(6), [3, 2]),
    })
    expect(numbersOf(got.lengths)).toEqual([6])
  })

  it('refuses one name for two shapes', () => {
    const other = input('x', { type: 'float32', shape: [7] })
    expect(() => graphOf('two', { a: exp(x), b: exp(other) })).toThrow("input 'x' is given two")
  })

  it('is not deeper than the stack for a chain of 20,000 operations', () => {
    let value = x
    for (let i = 0; i < 20_000; i++) value = subtract(value, i)
    expect(graphOf('chain', { value }).nodes).toHaveLength(20_000)
  })
})
