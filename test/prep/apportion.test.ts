import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { apportion } from '../../lib/prep/apportion.ts'

const anyPart = fc
  .tuple(fc.integer({ min: 0, max: 50 }), fc.nat(40), fc.nat(60))
  .map(([weight, lower, more]) => ({ weight, lower, upper: lower + more }))
const anyParts = fc.array(anyPart, { minLength: 1, maxLength: 12 })

function shares(total: number, parts: { weight: number; lower: number; upper: number }[]): number[] {
  return [
    ...apportion(total, {
      weights: parts.map(({ weight }) => weight),
      lower: parts.map(({ lower }) => lower),
      upper: parts.map(({ upper }) => upper),
    }),
  ]
}

const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0)

describe('a number shared out', () => {
  it('goes by weight, what is left by the largest remainders', () => {
    expect([...apportion(10, { weights: [1, 1, 1], upper: [9, 9, 9] })]).toEqual([4, 3, 3])
    expect([...apportion(10, { weights: [50, 30, 15], upper: [99, 99, 99] })]).toEqual([5, 3, 2])
    // 14 of 30 and 5: 12 and 2 exactly, whatever a quotient rounds to
    expect([...apportion(14, { weights: [30, 5], upper: [30, 5] })]).toEqual([12, 2])
    expect([...apportion(0, { weights: [], upper: [] })]).toEqual([])
    expect([...apportion(7, { weights: [], upper: [] })]).toEqual([])
  })

  it('sums to the total, where the bounds allow it, and keeps within them', () => {
    fc.assert(
      fc.property(anyParts, fc.nat(800), (parts, total) => {
        const given = shares(total, parts)
        expect(sum(given)).toBe(Math.min(total, sum(parts.map(({ upper }) => upper))))
        const isShort = total < sum(parts.map(({ lower }) => lower))
        for (const [i, { lower, upper }] of parts.entries()) {
          expect(given[i]).toBeLessThanOrEqual(isShort ? lower : upper)
          expect(given[i]).toBeGreaterThanOrEqual(isShort ? 0 : lower)
        }
      }),
    )
  })

  it('gives every part less than a cell more or less than the real shares within the bounds, found by bisection', () => {
    fc.assert(
      fc.property(anyParts, fc.nat(800), (parts, total) => {
        const real = (level: number) =>
          parts.map(({ weight, lower, upper }) => Math.min(upper, Math.max(lower, level * weight)))
        if (total < sum(real(0)) || total > sum(real(1e9))) return
        let [low, high] = [0, 1e9]
        for (let i = 0; i < 200; i++) {
          const middle = (low + high) / 2
          if (sum(real(middle)) < total) low = middle
          else high = middle
        }
        const shared = shares(total, parts)
        for (const [i, share] of real(high).entries())
          expect(Math.abs(shared[i]! - share)).toBeLessThan(1 - 1e-9)
      }),
      { numRuns: 1000 },
    )
  })

  it('gives a heavier part no less than a lighter one of the same bounds', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 2, maxLength: 9 }),
        fc.nat(90),
        (weights, total) => {
          const given = shares(
            total,
            weights.map((weight) => ({ weight, lower: 2, upper: 9 })),
          )
          for (const [i, a] of weights.entries())
            for (const [j, b] of weights.entries())
              if (a > b) expect(given[i]!).toBeGreaterThanOrEqual(given[j]!)
        },
      ),
    )
  })

  it('serves the smallest first where lower bounds are more than there is, and of like ones the heaviest', () => {
    const lower = (total: number, bounds: number[], weights = bounds) => [
      ...apportion(total, { weights, lower: bounds, upper: bounds.map((bound) => bound + 5) }),
    ]
    expect(lower(100, [50, 50, 50])).toEqual([34, 33, 33])
    expect(lower(100, [2, 500, 500])).toEqual([2, 49, 49])
    expect(lower(2, [1, 1, 1, 1], [3, 9, 1, 5])).toEqual([0, 1, 0, 1])
  })

  it('passes over parts without weight until the others are full', () => {
    expect(
      shares(10, [
        { weight: 0, lower: 0, upper: 9 },
        { weight: 1, lower: 0, upper: 20 },
      ]),
    ).toEqual([0, 10])
    expect(
      shares(10, [
        { weight: 0, lower: 2, upper: 9 },
        { weight: 1, lower: 0, upper: 5 },
      ]),
    ).toEqual([5, 5])
    expect(
      shares(10, [
        { weight: 0, lower: 0, upper: 9 },
        { weight: 0, lower: 0, upper: 9 },
      ]),
    ).toEqual([5, 5])
  })

  it('refuses what is no bound or weight', () => {
    for (const bad of [
      { weights: [Number.NaN], upper: [1] },
      { weights: [-1], upper: [1] },
      { weights: [Number.POSITIVE_INFINITY], upper: [1] },
      { weights: [1], lower: [2], upper: [1] },
      { weights: [1], upper: [Number.NaN] },
    ])
      expect(() => apportion(1, bad)).toThrow(RangeError)
  })
})
