import { describe, expect, it } from 'vitest'
import { graphOf } from '../../lib/graph/emit.ts'
import { input } from '../../lib/graph/expression.ts'
import { heldModel, withConstants } from '../../lib/graph/held-inputs.ts'
import { add } from '../../lib/graph/operations/arithmetic.ts'
import { gatherRows } from '../../lib/graph/operations/places.ts'
import { openSession } from '../../lib/graph/session.ts'
import { float32, type Tensor } from '../../lib/graph/tensor.ts'
import { numbersOf } from './compute.ts'

const block: Tensor = float32(Float32Array.of(1, 2, 3, 4, 5, 6), [3, 2])
const rows: Tensor = { type: 'int32', shape: [2], data: Int32Array.of(2, 0) }
const graph = graphOf('rows', {
  chosen: add(
    gatherRows(
      input('block', { type: 'float32', shape: ['all', 2] }),
      input('rows', { type: 'int32', shape: ['some'] }),
    ),
    1,
  ),
})

describe('inputs that are held', () => {
  it('are part of the model, and what comes out is the same', async () => {
    for (const [model, inputs] of [
      [heldModel(graph, { block })('cuda'), ['rows']],
      [heldModel(graph, { block })('cpu'), ['block', 'rows']],
    ] as const) {
      const session = await openSession(model, { notices: [] })
      expect([...session.inputs].sort()).toEqual(inputs)
      const all: Record<string, Tensor> = { block, rows }
      const { chosen } = await session.run(
        Object.fromEntries(session.inputs.map((name) => [name, all[name]!])),
      )
      await session.close()
      expect(numbersOf(chosen)).toEqual([6, 7, 2, 3])
    }
  })

  it('are fed where the file could not hold them', () => {
    expect(withConstants(graph, { block }, 23)).toBe(graph)
    expect(withConstants(graph, { block }, 24).inputs.map(({ name }) => name)).toEqual(['rows'])
  })

  it('are fed again where the provider that would hold them does not load', async () => {
    const asked: string[] = []
    const notices: { code: string }[] = []
    const session = await openSession(
      (provider) => {
        asked.push(provider)
        return heldModel(graph, { block })(provider)
      },
      { providers: ['cuda', 'cpu'], notices: notices as never },
    )
    expect([...session.inputs].sort()).toEqual(session.provider === 'cpu' ? ['block', 'rows'] : ['rows'])
    expect(asked[0]).toBe('cuda')
    expect(notices).toHaveLength(session.provider === 'cpu' ? 1 : 0)
    await session.close()
  })
})
