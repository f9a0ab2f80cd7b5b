/** Oracle O5: the weighted neighbours of scArches, worked out by hand and run. */
import { describe, expect, test } from 'vitest'
import { labelShares, neighbourWeights } from '../../lib/labels/neighbour-transfer.ts'

const abb = Int32Array.of(0, 1, 1)

function near(values: ArrayLike<number>, wanted: number[]): void {
  expect(values).toHaveLength(wanted.length)
  for (const [i, value] of wanted.entries()) expect(values[i]).toBeCloseTo(value, 6)
}

describe('weighted neighbours', () => {
  test.each([
    [[1, 2, 3], [0.390166, 0.330268, 0.279566], 0.390166],
    [[1, 1, 1], [1 / 3, 1 / 3, 1 / 3], 1 / 3],
    [[0.5, 0.5, 4], [0.477927, 0.477927, 0.044146], 0.477927],
  ])('at %j count as recorded, and B wins', (distances, wanted, uncertain) => {
    const weights = neighbourWeights(Float64Array.from(distances), 3)
    near(weights, wanted)
    near(labelShares(abb, { weights, k: 3, labels: 2 }), [uncertain, 1 - uncertain])
  })

  test('far from every reference cell still count, and cells do not mix', () => {
    const weights = neighbourWeights(Float64Array.of(1e6, 1e6 + 1, 1e6 + 2, 1, 2, 3), 3)
    near(weights.subarray(0, 3), [0.390166, 0.330268, 0.279566])
    near(weights.subarray(3), [0.390166, 0.330268, 0.279566])
  })

  test('without a label count for none, or leave the cell without one, and wrong sizes are refused', () => {
    const weights = neighbourWeights(Float64Array.of(1, 1, 1, 2), 2)
    const shares = labelShares(Int32Array.of(-1, 2, -1, -1), { weights, k: 2, labels: 3 })
    expect([...shares]).toEqual([0, 0, 0.5, Number.NaN, Number.NaN, Number.NaN])
    expect(() => neighbourWeights(new Float64Array(3), 2)).toThrow(RangeError)
    expect(() => labelShares(abb, { weights, k: 2, labels: 2 })).toThrow(RangeError)
  })
})
