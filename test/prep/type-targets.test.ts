import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { TypeCells } from '../../lib/prep/proportion-check.ts'
import { typeTargets } from '../../lib/prep/type-targets.ts'

const place = 'job.json: target_proportions'
type Way = 'exact' | 'compat'

function types(cells: Record<string, number>): TypeCells[] {
  return Object.entries(cells).map(([name, count]) => ({ name, cells: count }))
}

function targets(
  cells: Record<string, number>,
  options: { shares?: Record<string, number>; min?: number; max?: number; rounding?: Way } = {},
): { cells: Record<string, number>; codes: string[]; text: string } {
  const { shares = {}, min = 50, max = 5000, rounding = 'compat' } = options
  const list = types(cells)
  const found = typeTargets(list, { max, min, rounding, proportions: new Map(Object.entries(shares)), place })
  return {
    cells: Object.fromEntries(list.map(({ name }, i) => [name, found.targets[i]!])),
    codes: found.notices.map(({ code }) => code),
    text: found.notices.map(({ problem }) => problem).join('\n'),
  }
}

const atlas = { T: 3000, Mac: 8000, Epi: 9000, NK: 5000 }

function refusal(
  shares: Record<string, number>,
  rounding: Way = 'compat',
  cells: Record<string, number> = atlas,
) {
  return () => targets(cells, { shares, rounding })
}

describe('cells of each type as SpatialCore decides them (oracle O7)', () => {
  it('are what there is up to the cap without proportions', () => {
    expect(targets(atlas).cells).toEqual({ T: 3000, Mac: 5000, Epi: 5000, NK: 5000 })
    expect(targets({ few: 40, same: 50, more: 60 }, { max: 30 }).cells).toEqual({
      few: 40,
      same: 50,
      more: 30,
    })
  })

  it('are shares of what comes out, not below the floor', () => {
    const nk = (share: number, min: number) => targets(atlas, { shares: { NK: share }, min })
    expect(nk(0.0025, 50).cells.NK).toBe(50)
    expect(nk(0.0025, 50).codes).toEqual(['PROPORTIONS_FLOORED'])
    expect(nk(0.0025, 10).cells).toEqual({ T: 3000, Mac: 5000, Epi: 5000, NK: 32 })
    expect(nk(0.05, 50).cells.NK).toBe(684)
    expect(nk(0.05, 50).codes).toEqual([])
    expect(nk(0.9, 50).cells.NK).toBe(5000)
    expect(nk(0.9, 50).codes).toEqual(['PROPORTIONS_CAPPED'])
    expect(nk(0.9, 50).text).toContain('"NK" (5000 cells instead of 16200)')
  })

  it('count types with few cells as they are', () => {
    const cells = { A: 40, B: 6000, C: 6000 }
    expect(targets(cells, { shares: { B: 0.2 } }).cells).toEqual({ A: 40, B: 1260, C: 5000 })
    const few = targets(cells, { shares: { A: 0.5 } })
    expect([few.cells.A, few.codes]).toEqual([40, ['PROPORTIONS_TOO_FEW_CELLS']])
  })

  it('stay at the floor where all types have a share, which is its fault', () => {
    const four = { A: 1000, B: 1000, C: 1000, D: 1000 }
    const quarters = { A: 0.25, B: 0.25, C: 0.25, D: 0.25 }
    expect(targets(four, { shares: quarters }).cells).toEqual({ A: 50, B: 50, C: 50, D: 50 })
    const two = { A: 4000, B: 4000 }
    expect(targets(two, { shares: { A: 0.25, B: 0.75 } }).cells).toEqual({ A: 50, B: 147 })
  })

  it('may leave no room, or find no end', () => {
    expect(refusal({ A: 0.4, B: 0.6 }, 'compat', { A: 50, B: 9000 })).not.toThrow()
    expect(refusal({ A: 0, B: 1 }, 'compat', { A: 50, B: 9000 })).toThrowError(
      expect.objectContaining({ code: 'PROPORTIONS_NO_ROOM', place }),
    )
    expect(refusal({ A: 0.01, B: 0.99 }, 'compat', { A: 9000, B: 9000 })).toThrowError(
      expect.objectContaining({ code: 'PROPORTIONS_UNSETTLED', place }),
    )
  })
})

describe.each(['exact', 'compat'] as const)('proportions that cannot be meant, rounding %s', (rounding) => {
  it('are refused with what is wrong and what is near', () => {
    const code = (name: string, problem: RegExp | string) =>
      expect.objectContaining({ code: name, place, problem: expect.stringMatching(problem) })
    expect(refusal({ X: 0.5 }, rounding)).toThrowError(code('PROPORTIONS_UNKNOWN', '"X"'))
    expect(refusal({ epi: 0.5 }, rounding)).toThrowError(
      expect.objectContaining({ remedy: expect.stringMatching(/^Nearest are "Epi"/) }),
    )
    expect(refusal({ NK: 0.7, T: 0.5 }, rounding)).toThrowError(code('PROPORTIONS_SUM', '1\\.2000'))
    expect(refusal({ NK: 0.5, T: 0.5 }, rounding)).toThrowError(
      code('PROPORTIONS_INCOMPLETE', '"Mac", "Epi"'),
    )
    for (const share of [-0.1, 1.1, Number.NaN, Number.POSITIVE_INFINITY])
      expect(refusal({ NK: share }, rounding)).toThrowError(code('PROPORTIONS_RANGE', '"NK"'))
  })

  it('do not look into the prototype of objects', () => {
    expect(() =>
      typeTargets(types({ A: 100 }), {
        max: 10,
        min: 1,
        rounding,
        proportions: new Map([['__proto__', 0.5]]),
        place,
      }),
    ).toThrowError(expect.objectContaining({ code: 'PROPORTIONS_UNKNOWN' }))
  })
})

describe('cells of each type, exactly', () => {
  const exact = (cells: Record<string, number>, options: Parameters<typeof targets>[1] = {}) =>
    targets(cells, { ...options, rounding: 'exact' })

  it('are the shares asked for, to the nearest cell', () => {
    expect(exact(atlas).cells).toEqual({ T: 3000, Mac: 5000, Epi: 5000, NK: 5000 })
    const nk = (share: number, min = 50) => exact(atlas, { shares: { NK: share }, min }).cells.NK
    // 13000 others: .0025 of 13032.58 is 32.58
    expect([nk(0.0025), nk(0.0025, 10), nk(0.05), nk(0.9)]).toEqual([50, 33, 684, 5000])
    expect(exact({ A: 40, B: 6000, C: 6000 }, { shares: { B: 0.2 } }).cells).toEqual({
      A: 40,
      B: 1260,
      C: 5000,
    })
  })

  it('are as many as all types have the cells for, where all have a share', () => {
    const two = exact({ A: 4000, B: 4000 }, { shares: { A: 0.25, B: 0.75 } })
    expect(two.cells).toEqual({ A: 1333, B: 4000 })
    expect(two.codes).toEqual(['PROPORTIONS_LIMITED'])
    expect(two.text).toContain('5333 cells is the most that meets them, as "B" has no more than 4000')
    const four = exact(
      { A: 900, B: 800, C: 1000, D: 1e6 },
      { shares: { A: 0.25, B: 0.25, C: 0.25, D: 0.25 } },
    )
    expect(four.cells).toEqual({ A: 800, B: 800, C: 800, D: 800 })
    // the cap is one bound of them
    expect(exact({ A: 4000, B: 4000 }, { shares: { A: 0.5, B: 0.5 }, max: 300 }).cells).toEqual({
      A: 300,
      B: 300,
    })
    const thirds = exact({ A: 300, B: 9e5, C: 9e5 }, { shares: { A: 0.3, B: 0.3, C: 0.4 } })
    expect(thirds.cells).toEqual({ A: 300, B: 300, C: 400 })
  })

  it('keep the floor of rare types, and tell of it', () => {
    const rare = exact({ A: 5000, B: 5000 }, { shares: { A: 0.999, B: 0.001 } })
    expect(rare.cells).toEqual({ A: 5000, B: 50 })
    expect(rare.codes).toEqual(['PROPORTIONS_LIMITED', 'PROPORTIONS_FLOORED'])
    expect(exact(atlas, { shares: { NK: 0 }, min: 0 }).codes).toEqual(['PROPORTIONS_NO_CELL'])
    expect(exact(atlas, { shares: { NK: 0 } }).cells.NK).toBe(50)
  })

  it('are scaled where all types have a share and the sum is below 1', () => {
    const half = exact({ A: 4000, B: 4000 }, { shares: { A: 0.1, B: 0.4 } })
    expect(half.cells).toEqual({ A: 1000, B: 4000 })
    expect(half.codes).toEqual(['PROPORTIONS_LIMITED', 'PROPORTIONS_RESCALED'])
    expect(() => exact({ A: 100 }, { shares: { A: 0 } })).toThrowError(
      expect.objectContaining({ code: 'PROPORTIONS_SUM' }),
    )
  })

  it('find an end where SpatialCore finds none, and room where it has none', () => {
    expect(exact({ A: 9000, B: 9000 }, { shares: { A: 0.01, B: 0.99 } }).cells).toEqual({ A: 50, B: 5000 })
    expect(exact({ A: 50, B: 9000 }, { shares: { A: 0, B: 1 } }).cells).toEqual({ A: 50, B: 5000 })
    expect(exact({ A: 10, B: 2e6 }, { shares: { A: 1e-300 }, min: 0 }).cells).toEqual({ A: 0, B: 5000 })
  })

  const given = fc.array(
    fc.record({
      cells: fc.integer({ min: 1, max: 4000 }),
      share: fc.option(fc.nat(100), { nil: undefined }),
    }),
    { minLength: 1, maxLength: 8 },
  )
  const bounds = fc.record({ min: fc.nat(60), max: fc.integer({ min: 60, max: 2000 }) })

  function drawn(list: { cells: number; share: number | undefined }[]) {
    const weight = list.reduce((sum, { share }) => sum + (share ?? 0), 0)
    const proportions = new Map(
      list.flatMap(({ share }, i): [string, number][] =>
        share === undefined ? [] : [[`t${i}`, share / Math.max(1, weight * 1.05)]],
      ),
    )
    return { list: list.map(({ cells }, i) => ({ name: `t${i}`, cells })), proportions }
  }

  it('are never more than there are, and of types without a share what there is up to the cap', () => {
    fc.assert(
      fc.property(given, bounds, (cells, { min, max }) => {
        const { list, proportions } = drawn(cells)
        if (proportions.size === list.length && [...proportions.values()].every((share) => share === 0))
          return
        const found = typeTargets(list, { min, max, proportions, rounding: 'exact', place }).targets
        for (const [i, type] of list.entries()) {
          expect(found[i]).toBeLessThanOrEqual(type.cells)
          expect(found[i]).toBeGreaterThanOrEqual(Math.min(min, type.cells))
          if (!proportions.has(type.name)) expect(found[i]).toBe(Math.min(max, type.cells))
        }
      }),
    )
  })

  it('are the shares of their own total to a cell or two, wherever no bound is in the way', () => {
    fc.assert(
      fc.property(given, bounds, (cells, { min, max }) => {
        const { list, proportions } = drawn(cells)
        if (proportions.size === list.length) return
        const found = typeTargets(list, { min, max, proportions, rounding: 'exact', place }).targets
        const total = found.reduce((sum, count) => sum + count, 0)
        for (const [i, type] of list.entries()) {
          const share = proportions.get(type.name)
          const isFree = found[i]! > Math.min(min, type.cells) && found[i]! < type.cells
          if (share !== undefined && isFree) expect(Math.abs(found[i]! - share * total)).toBeLessThan(2)
        }
      }),
      { numRuns: 500 },
    )
  })

  it('do not hang on the order of the types', () => {
    fc.assert(
      fc.property(given, bounds, (cells, { min, max }) => {
        const { list, proportions } = drawn(cells)
        if (proportions.size === list.length && [...proportions.values()].every((share) => share === 0))
          return
        const options = { min, max, proportions, rounding: 'exact' as const, place }
        const found = typeTargets(list, options).targets
        expect([...typeTargets(list.toReversed(), options).targets].toReversed()).toEqual([...found])
      }),
    )
  })
})
