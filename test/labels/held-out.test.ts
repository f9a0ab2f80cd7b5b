import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { heldOutFolds, neverHeldOutNotice } from '../../lib/labels/held-out.ts'

const some = fc.array(fc.record({ code: fc.integer({ min: -1, max: 4 }), source: fc.nat(2) }), {
  maxLength: 80,
})

describe('folds', () => {
  test('have every label in every complement, and sizes of a label that differ by one at most', () => {
    fc.assert(
      fc.property(some, fc.integer({ min: 2, max: 6 }), fc.nat(1000), (cells, folds, seed) => {
        const codes = Int32Array.from(cells, ({ code }) => code)
        const sources = Int32Array.from(cells, ({ source }) => source)
        const result = heldOutFolds({ codes, sources, folds, seed })
        for (const code of new Set(codes)) {
          const own = [...codes.keys()].filter((cell) => codes[cell] === code)
          const sizes = Array.from(
            { length: folds },
            (_, fold) => own.filter((cell) => result[cell] === fold).length,
          )
          if (code < 0 || own.length === 1) expect(own.every((cell) => result[cell] === -1)).toBe(true)
          else {
            expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1)
            expect(Math.max(...sizes)).toBeLessThan(own.length)
            expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(own.length)
          }
        }
      }),
    )
  })

  test('share out each source of a label evenly', () => {
    const codes = new Int32Array(100)
    const sources = Int32Array.from({ length: 100 }, (_, cell) => (cell < 90 ? 0 : 1))
    const result = heldOutFolds({ codes, sources, seed: 1 })
    for (let fold = 0; fold < 5; fold++)
      expect([...codes.keys()].filter((cell) => result[cell] === fold && sources[cell] === 1)).toHaveLength(2)
  })

  test('are the same for the same seed, and others for another', () => {
    const codes = Int32Array.from({ length: 60 }, (_, cell) => cell % 3)
    const folds = (seed: number) => [...heldOutFolds({ codes, seed })]
    expect(folds(7)).toEqual(folds(7))
    expect(folds(8)).not.toEqual(folds(7))
  })

  test('a label with one cell is never held out, and that is told', () => {
    const codes = Int32Array.of(0, 0, 1, 0, -1)
    const folds = heldOutFolds({ codes, seed: 1 })
    expect([...folds].map((fold) => fold >= 0)).toEqual([true, true, false, true, false])
    expect(neverHeldOutNotice(folds, { codes, labels: ['B', '__proto__'] })?.problem).toContain('__proto__')
    expect(
      neverHeldOutNotice(Int32Array.of(0, 1), { codes: Int32Array.of(0, 0), labels: ['B'] }),
    ).toBeUndefined()
  })

  test('none at all for no cells; fewer than two are refused', () => {
    expect(heldOutFolds({ codes: new Int32Array(0), seed: 1 })).toHaveLength(0)
    expect(() => heldOutFolds({ codes: new Int32Array(4), folds: 1, seed: 1 })).toThrow(RangeError)
    expect(() => heldOutFolds({ codes: new Int32Array(4), sources: new Int32Array(3), seed: 1 })).toThrow(
      RangeError,
    )
  })
})
