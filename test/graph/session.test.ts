import { describe, expect, it } from 'vitest'
import { writeModel } from '../../lib/graph/onnx-write.ts'
import { openSession, type Provider } from '../../lib/graph/session.ts'
import { float32 } from '../../lib/graph/tensor.ts'
import { BadInput, type ErrorReport } from '../../lib/job/errors.ts'

const model = writeModel({
  name: 'both',
  inputs: [{ name: 'x', type: 'float32', shape: ['n'] }],
  outputs: [
    { name: 'negative', type: 'float32', shape: ['n'] },
    { name: 'root', type: 'float32', shape: ['n'] },
  ],
  nodes: [
    { op: 'Neg', inputs: ['x'], outputs: ['negative'] },
    { op: 'Sqrt', inputs: ['x'], outputs: ['root'] },
  ],
})
const missing = 'no-such-provider' as Provider
const x = float32(Float32Array.of(4, 9))

describe('a session', () => {
  it('gives all outputs, or only those that are named', async () => {
    const session = await openSession(model, { notices: [], threads: 1 })
    expect(session.provider).toBe('cpu')
    expect(await session.run({ x })).toEqual({
      negative: float32(Float32Array.of(-4, -9)),
      root: float32(Float32Array.of(2, 3)),
    })
    expect(Object.keys(await session.run({ x }, ['root']))).toEqual(['root'])
    await session.close()
    await expect(session.run({ x })).rejects.toThrow()
  })

  it('gives results in memory of their own, which later runs and its end leave as it was', async () => {
    const session = await openSession(model, { notices: [], threads: 1 })
    const runs = []
    for (let i = 1; i < 40; i++) runs.push(await session.run({ x: float32(Float32Array.of(i, i * i)) }))
    await session.close()
    const buffers = new Set(runs.flatMap(({ root, negative }) => [root!.data.buffer, negative!.data.buffer]))
    expect(buffers.size).toBe(2 * runs.length)
    for (const [i, { root }] of runs.entries())
      expect(root!.data).toEqual(Float32Array.of(Math.sqrt(i + 1), i + 1))
  })

  it('goes on with the next provider when one does not load, and says so', async () => {
    const notices: ErrorReport[] = []
    const session = await openSession(model, { providers: [missing, 'cpu'], notices })
    expect(session.provider).toBe('cpu')
    expect(notices.map(({ code }) => code)).toEqual(['PROVIDER_FALLBACK'])
    expect(notices[0]!.problem).toContain(missing)
    expect((await session.run({ x }, ['root'])).root!.data).toEqual(Float32Array.of(2, 3))
    await session.close()
  })

  it('computes on a GPU where one is usable, and otherwise says that it does not', async () => {
    const notices: ErrorReport[] = []
    const session = await openSession(model, { providers: ['cuda', 'cpu'], notices })
    expect(notices.map(({ code }) => code)).toEqual(session.provider === 'cuda' ? [] : ['PROVIDER_FALLBACK'])
    expect((await session.run({ x }, ['root'])).root!.data).toEqual(Float32Array.of(2, 3))
    await session.close()
  })

  it('refuses when nothing of the list loads and the CPU was not allowed', async () => {
    const opened = openSession(model, { providers: [missing], notices: [] })
    await expect(opened).rejects.toBeInstanceOf(BadInput)
    await expect(opened).rejects.toMatchObject({ code: 'PROVIDER_UNAVAILABLE' })
  })

  it('does not take a graph that is wrong for a missing provider', async () => {
    const wrong = writeModel({
      name: 'wrong',
      inputs: [],
      outputs: [{ name: 'y', type: 'float32', shape: [] }],
      nodes: [{ op: 'NoSuchOperator', inputs: [], outputs: ['y'] }],
    })
    await expect(openSession(wrong, { notices: [] })).rejects.toThrow(/NoSuchOperator/)
  })
})
