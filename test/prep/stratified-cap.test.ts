import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { random } from '../../lib/job/random.ts'
import { drawRows } from '../../lib/prep/draw-rows.ts'
import { stratifiedCap } from '../../lib/prep/stratified-cap.ts'

/** Codes with so many cells of each label, dealt out in turn. */
function codesOf(counts: number[]): Int32Array {
  const left = [...counts]
  const codes: number[] = []
  while (left.some((count) => count > 0))
    for (const [label, count] of left.entries())
      if (count > 0) {
        codes.push(label)
        left[label] = count - 1
      }
  return Int32Array.from(codes)
}

function countsOf(rows: Int32Array, { codes, labels }: { codes: Int32Array; labels: number }): number[] {
  const counts = new Array<number>(labels).fill(0)
  for (const row of rows) counts[codes[row]!]! += 1
  return counts
}

const someCodes = fc.array(fc.integer({ min: -1, max: 5 }), { maxLength: 200 })
const rounding = fc.constantFrom<'exact' | 'compat'>('exact', 'compat')
const seeds = fc.nat(2 ** 31)

describe('the stratified cap', () => {
  it('keeps shares exactly, and a rare label, where SpatialCore may lose it (90, 9 and 1 cells to 10)', () => {
    const codes = codesOf([90, 9, 1])
    const counts = (options: { rounding: 'exact' | 'compat'; seed: number }) =>
      countsOf(stratifiedCap(codes, { labels: 3, max: 10, ...options }), { codes, labels: 3 })
    for (let seed = 0; seed < 20; seed++) expect(counts({ rounding: 'exact', seed })).toEqual([8, 1, 1])
    const seen = Array.from({ length: 60 }, (_, seed) => counts({ rounding: 'compat', seed }).join())
    // 9, 1 and 1 are drawn, and one of the eleven goes
    expect(new Set(seen)).toEqual(new Set(['8,1,1', '9,0,1', '9,1,0']))
  })

  it('takes all labelled rows where they are no more than allowed', () => {
    const codes = Int32Array.of(0, -1, 1, 0)
    for (const way of ['exact', 'compat'] as const)
      expect([...stratifiedCap(codes, { labels: 2, max: 3, seed: 1, rounding: way })]).toEqual([0, 2, 3])
    expect([...stratifiedCap(new Int32Array(0), { labels: 0, max: 3, seed: 1 })]).toEqual([])
    expect([...stratifiedCap(codes, { labels: 2, max: 0, seed: 1 })]).toEqual([])
  })

  it('takes exactly as many rows as it may, ascending, each once and with a label', () => {
    fc.assert(
      fc.property(someCodes, fc.nat(120), seeds, rounding, (list, max, seed, way) => {
        const codes = Int32Array.from(list)
        const rows = stratifiedCap(codes, { labels: 6, max, seed, rounding: way })
        expect(rows.length).toBe(Math.min(max, list.filter((code) => code >= 0).length))
        for (const [i, row] of rows.entries()) {
          expect(codes[row]!).toBeGreaterThanOrEqual(0)
          if (i > 0) expect(row).toBeGreaterThan(rows[i - 1]!)
        }
        expect(stratifiedCap(codes, { labels: 6, max, seed, rounding: way })).toEqual(rows)
      }),
    )
  })

  it('keeps a cell of every label while it may, and shares to within one cell of those that have more', () => {
    fc.assert(
      fc.property(someCodes, fc.nat(120), seeds, (list, max, seed) => {
        const codes = Int32Array.from(list)
        const all = countsOf(
          Int32Array.from(list.keys()).filter((row) => codes[row]! >= 0),
          { codes, labels: 6 },
        )
        const kept = countsOf(stratifiedCap(codes, { labels: 6, max, seed }), { codes, labels: 6 })
        const present = all.filter((count) => count > 0).length
        if (max >= present)
          for (const [label, count] of all.entries()) expect(kept[label]! > 0).toBe(count > 0)
        else expect(Math.max(...kept)).toBeLessThanOrEqual(1)
      }),
    )
  })

  it('does not hang on the order of the cells but for which are drawn', () => {
    fc.assert(
      fc.property(someCodes, fc.nat(120), seeds, (list, max, seed) => {
        const [one, other] = [list, list.toReversed()].map((order) => {
          const codes = Int32Array.from(order)
          return countsOf(stratifiedCap(codes, { labels: 6, max, seed }), { codes, labels: 6 })
        })
        expect(one).toEqual(other)
      }),
    )
  })

  it('draws every row equally often', () => {
    const rows = Int32Array.from({ length: 10 }, (_, i) => i)
    const times = new Array<number>(10).fill(0)
    for (let seed = 0; seed < 4000; seed++)
      for (const row of drawRows(rows, { count: 3, random: random(seed) })) times[row]! += 1
    // 1200 each, with a standard deviation of 29
    for (const count of times) expect(Math.abs(count - 1200)).toBeLessThan(150)
  })

  it('refuses codes that are no label', () => {
    expect(() => stratifiedCap(Int32Array.of(2), { labels: 2, max: 1, seed: 1 })).toThrow(RangeError)
    expect(() => stratifiedCap(Int32Array.of(0), { labels: 2, max: 1.5, seed: 1 })).toThrow(RangeError)
  })
})
