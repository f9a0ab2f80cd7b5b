import { describe, expect, it } from 'vitest'
import { graphOf } from '../../lib/graph/emit.ts'
import { input } from '../../lib/graph/expression.ts'
import { modelBytes, withConstants } from '../../lib/graph/held-inputs.ts'
import { add } from '../../lib/graph/operations/arithmetic.ts'
import { gatherRows } from '../../lib/graph/operations/places.ts'
import { openSession } from '../../lib/graph/session.ts'
import { float32, type Tensor } from '../../lib/graph/tensor.ts'
import type { ErrorReport } from '../../lib/job/errors.ts'
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
  it('are part of the model for providers but the CPU, and what comes out is the same', async () => {
    const model = { graph, held: { block, another: rows } }
    expect(withConstants(model).inputs.map(({ name }) => name)).toEqual(['rows'])
    for (const opened of [modelBytes(model, 'cuda'), modelBytes(model, 'webgpu'), model]) {
      const session = await openSession(opened, { notices: [] })
      const { chosen } = await session.run({ rows })
      await session.close()
      expect(numbersOf(chosen)).toEqual([6, 7, 2, 3])
    }
    const fed = await openSession(modelBytes(model, 'cpu'), { notices: [] })
    await expect(fed.run({ rows })).rejects.toThrow(/block/)
    await fed.close()
  })

  it('are fed where the file could not hold them', () => {
    expect(withConstants({ graph, held: { block } }, 23)).toBe(graph)
    expect(withConstants({ graph, held: { block } }, 24).inputs.map(({ name }) => name)).toEqual(['rows'])
  })

  it('are there too where the provider that would hold them does not load', async () => {
    const notices: ErrorReport[] = []
    const session = await openSession({ graph, held: { block } }, { providers: ['cuda', 'cpu'], notices })
    expect(numbersOf((await session.run({ rows })).chosen)).toEqual([6, 7, 2, 3])
    expect(notices).toHaveLength(session.provider === 'cpu' ? 1 : 0)
    await session.close()
  })
})
