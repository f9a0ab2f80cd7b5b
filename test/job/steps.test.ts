import { afterAll, describe, expect, it } from 'vitest'
import { canonicalJson, hashOf } from '../../lib/job/canonical.ts'
import { openFolderStore } from '../../lib/job/folder-store.ts'
import { openStep } from '../../lib/job/steps.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const folder = await temporaryFolder()
afterAll(() => folder[Symbol.asyncDispose]())
const step = async (dependsOn: unknown = { a: 1 }, code = 'v1') =>
  openStep(await openFolderStore(folder.path), { state: 'Prepare', code, dependsOn })

describe('a step', () => {
  it('is not done until its record is written, and then says what it found', async () => {
    const first = await step({ run: 1 })
    expect(await first.record()).toBeUndefined()
    await expect(first.finished()).rejects.toMatchObject({ code: 'STEP_MISSING' })
    await first.writeBlock('values', new Float32Array([1.5, -2]))
    await first.finish({ value: { cells: 2 }, notices: [], seconds: 1, peakMemory: 10 })
    const again = await step({ run: 1 })
    expect(await again.finished()).toMatchObject({
      state: 'Prepare',
      value: { cells: 2 },
      blocks: { values: { type: 'Float32Array', length: 2 } },
    })
    expect(await again.readBlock('values', Float32Array)).toEqual(new Float32Array([1.5, -2]))
  })

  it('keeps the record of whoever finished first', async () => {
    const [first, second] = [await step({ run: 2 }), await step({ run: 2 })]
    await first.finish({ value: 'first', notices: [], seconds: 1, peakMemory: 1 })
    expect((await second.finish({ value: 'second', notices: [], seconds: 2, peakMemory: 2 })).value).toBe(
      'first',
    )
  })

  it('lies elsewhere when anything it depends on differs, and nowhere else otherwise', async () => {
    const base = await step({ a: 1, b: [1, 2] })
    expect((await step({ b: [1, 2], a: 1 })).prefix).toBe(base.prefix)
    expect((await step({ a: 1, b: [2, 1] })).prefix).not.toBe(base.prefix)
    expect((await step({ a: 1, b: [1, 2] }, 'v2')).prefix).not.toBe(base.prefix)
  })

  it('gives blocks back as they were, of every type and length', async () => {
    const made = await step({ run: 3 })
    for (const values of [
      new Float64Array([1e300, Number.NaN]),
      new Int32Array([-5]),
      new Uint8Array([]),
      new Uint16Array([1, 2, 3]),
    ]) {
      await made.writeBlock(values.constructor.name, values)
      const type = values.constructor as Float64ArrayConstructor
      expect(await made.readBlock(values.constructor.name, type)).toEqual(values)
    }
  })
})

describe('a canonical text', () => {
  it('does not depend on the order of keys, at any depth', () => {
    expect(canonicalJson({ b: { d: 1, c: 2 }, a: [{ y: 1, x: 2 }] })).toBe(
      canonicalJson({ a: [{ x: 2, y: 1 }], b: { c: 2, d: 1 } }),
    )
    expect(hashOf({ a: 1 })).toMatch(/^[0-9a-f]{32}$/)
  })
})
