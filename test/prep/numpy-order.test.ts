import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { orderDescending } from '../../lib/prep/numpy-order.ts'

describe('the order of numbers from largest to smallest', () => {
  it('is that of numpy 1.24 where many are equal (oracle)', () => {
    const values = Float64Array.from({ length: 40 }, (_, i) => (i * i) % 7)
    expect([...orderDescending(values)]).toEqual([
      19, 23, 12, 9, 30, 26, 33, 2, 37, 5, 16, 31, 32, 18, 25, 24, 38, 39, 4, 17, 11, 10, 3, 15, 6, 29, 27, 8,
      22, 36, 20, 1, 13, 34, 35, 28, 21, 14, 7, 0,
    ])
  })

  it('keeps the places of sixteen and fewer that are equal, as an insertion does', () => {
    expect([...orderDescending(Float64Array.of(0, 1, 1, 0, 1))]).toEqual([1, 2, 4, 0, 3])
    expect([...orderDescending(new Float64Array(16))]).toEqual([...new Float64Array(16).keys()])
  })

  it('is an order: every place once, no number before a larger one (law)', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 9 }), { maxLength: 400 }), (numbers) => {
        const values = Float64Array.from(numbers)
        const order = orderDescending(values)
        expect([...order].sort((a, b) => a - b)).toEqual([...values.keys()])
        for (let i = 1; i < order.length; i++)
          expect(values[order[i - 1]!]!).toBeGreaterThanOrEqual(values[order[i]!]!)
      }),
    )
  })

  it('ends soon, and is an order, for numbers made to be sorted slowly', () => {
    const values = Float64Array.from({ length: 4000 }, (_, i) => (i % 2 === 0 ? i : 4000 - i))
    const order = orderDescending(values)
    for (let i = 1; i < order.length; i++)
      expect(values[order[i - 1]!]!).toBeGreaterThanOrEqual(values[order[i]!]!)
  })
})
