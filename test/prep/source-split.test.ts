import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { splitBySource } from '../../lib/prep/source-split.ts'

type Options = Partial<Omit<Parameters<typeof splitBySource>[1], 'sources'>>

function split(target: number, cells: number[], options: Options = {}): number[] {
  const sources = cells.map((count, i) => ({ name: `S${i + 1}`, cells: count }))
  return [
    ...splitBySource(target, {
      sources,
      balance: 'proportional',
      minCellsPerSource: 50,
      rounding: 'compat',
      ...options,
    }),
  ]
}

describe('cells of one type by source', () => {
  it('are as SpatialCore shares them, more than asked for and all (oracle O6)', () => {
    expect(split(10_000, [30_000, 5000])).toEqual([8572, 1429])
    expect(split(10_000, [30_000, 5000], { balance: 'equal' })).toEqual([5000, 5000])
    expect(split(2000, [8100, 300])).toEqual([1929, 72])
    expect(split(2000, [8100, 300], { balance: 'equal' })).toEqual([1700, 300])
    expect(split(2000, [5000, 1000])).toEqual([1667, 334])
    expect(split(500, [10_000, 60])).toEqual([498, 50])
    expect(split(500, [10_000, 30])).toEqual([499, 2])
    expect(split(100, [500, 500, 2], { balance: 'equal' })).toEqual([65, 33, 2])
    expect(split(14, [30, 5], { minCellsPerSource: 2 })).toEqual([12, 2])
  })

  it('sum to what was asked for when rounded exactly, with the minimum of each source', () => {
    const exact: Options = { rounding: 'exact' }
    expect(split(10_000, [30_000, 5000], exact)).toEqual([8571, 1429])
    expect(split(2000, [8100, 300], exact)).toEqual([1929, 71])
    expect(split(2000, [5000, 1000], exact)).toEqual([1667, 333])
    expect(split(500, [10_000, 60], exact)).toEqual([450, 50])
    // a source with fewer cells than the minimum gives what it has
    expect(split(500, [10_000, 30], exact)).toEqual([470, 30])
    expect(split(500, [10_000, 30], { ...exact, minCellsPerSource: 0 })).toEqual([499, 1])
    expect(split(100, [500, 500, 2], { ...exact, balance: 'equal' })).toEqual([49, 49, 2])
    expect(split(14, [30, 5], { ...exact, minCellsPerSource: 2 })).toEqual([12, 2])
  })

  it('are shared out fairly where the minimum of all is more than was asked for', () => {
    const cells = [9000, 9000, 9000, 10]
    for (const balance of ['proportional', 'equal'] as const)
      expect(split(100, cells, { rounding: 'exact', balance })).toEqual([30, 30, 30, 10])
  })

  const cells = fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 7 })
  const balance = fc.constantFrom<'proportional' | 'equal'>('proportional', 'equal')

  it('are no more than each source has, and exactly the target in sum', () => {
    fc.assert(
      fc.property(
        cells,
        balance,
        fc.nat(80),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (list, way, least, part) => {
          const target = Math.floor(part * list.reduce((sum, count) => sum + count, 0))
          const minimums = list.reduce((sum, count) => sum + Math.min(count, least), 0)
          const exact = split(target, list, { rounding: 'exact', balance: way, minCellsPerSource: least })
          expect(exact.reduce((sum, count) => sum + count, 0)).toBe(target)
          const compat = split(target, list, { balance: way, minCellsPerSource: least })
          // rounding up and minimums add, and nothing takes away
          expect(compat.reduce((sum, count) => sum + count, 0)).toBeGreaterThanOrEqual(target)
          for (const [i, count] of list.entries()) {
            expect(exact[i]).toBeLessThanOrEqual(count)
            expect(compat[i]).toBeLessThanOrEqual(count)
            if (minimums <= target) expect(exact[i]).toBeGreaterThanOrEqual(Math.min(count, least))
          }
        },
      ),
    )
  })
})
