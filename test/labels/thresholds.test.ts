import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { broadenCalls, coversMatrix, probabilityOfCall } from '../../lib/labels/broader-labels.ts'
import { assignLabels, reasons } from '../../lib/labels/thresholds.ts'

const labels = ['B', '__proto__', 'T']
const calls = {
  codes: Int32Array.of(0, 0, 1, 2, -1, 2, 2),
  labels,
  confidence: Float64Array.of(0.9, 0.8, 0.79, 0.99, 0.99, Number.NaN, 0.95),
}
const named = (reasonCodes: Uint8Array) => Array.from(reasonCodes, (code) => reasons[code])

describe('assigning labels', () => {
  test('a confidence at the threshold passes, one below does not, and each cell has its reason', () => {
    const { names, reasonCodes, counts } = assignLabels(calls, {
      outOfReference: { tails: Float64Array.of(1, 0.01, 0.001, 0.0099, 0.001, 0.001, Number.NaN) },
    })
    expect(names).toEqual(['B', 'B', 'Unassigned', 'Unassigned', 'Unassigned', 'Unassigned', 'T'])
    expect(named(reasonCodes)).toEqual([
      'assigned',
      'assigned',
      'out-of-reference',
      'out-of-reference',
      'not-scored',
      'not-scored',
      'assigned',
    ])
    expect(counts).toEqual({
      assigned: 3,
      broadened: 0,
      'below-threshold': 0,
      'out-of-reference': 2,
      'low-count': 0,
      'not-scored': 2,
    })
  })

  test('a threshold of 0 lets every scored cell pass', () => {
    expect(
      assignLabels({ ...calls, confidence: new Float64Array(7) }, { threshold: 0 }).counts,
    ).toMatchObject({
      assigned: 6,
      'not-scored': 1,
    })
  })

  test('labels are counted after the other filters, and Unassigned is no label of few cells', () => {
    const { names, counts } = assignLabels(calls, { minCells: 2 })
    expect(names).toEqual(['B', 'B', 'Unassigned', 'T', 'Unassigned', 'Unassigned', 'T'])
    expect(assignLabels(calls, { minCells: 3 }).names.filter((name) => name === 'Low_count')).toHaveLength(4)
    expect(counts['low-count']).toBe(0)
  })

  test('reasons account for every cell, and a higher threshold never assigns more', () => {
    const cell = fc.record({
      code: fc.integer({ min: -1, max: 2 }),
      sure: fc.float({ min: 0, max: 1 }),
      tail: fc.double({ min: 0, max: 1 }),
    })
    fc.assert(
      fc.property(fc.array(cell), fc.nat(5), (cells, minCells) => {
        const given = {
          codes: Int32Array.from(cells, ({ code }) => code),
          labels,
          confidence: Float32Array.from(cells, ({ sure }) => sure),
        }
        const outOfReference = { tails: Float64Array.from(cells, ({ tail }) => tail), threshold: 0.1 }
        const at = (threshold: number) => assignLabels(given, { threshold, outOfReference, minCells }).counts
        expect(Object.values(at(0.5)).reduce((sum, count) => sum + count, 0)).toBe(cells.length)
        expect(at(0.7).assigned).toBeLessThanOrEqual(at(0.5).assigned)
      }),
    )
  })

  test('values for other cells are refused', () => {
    expect(() => assignLabels({ ...calls, confidence: new Float64Array(3) })).toThrow(RangeError)
    expect(() => assignLabels(calls, { outOfReference: { tails: new Float64Array(3) } })).toThrow(RangeError)
  })
})

describe('broader labels', () => {
  // 0 covers 1 and 2, 3 stands alone
  const covers = coversMatrix(4, (broad, narrow) => broad === 0 && narrow < 3)
  const probabilities = Float64Array.of(0.3, 0.4, 0.2, 0.1, 0.05, 0.85, 0.05, 0.05, 0.2, 0.3, 0.1, 0.4)
  const codes = Int32Array.of(1, 1, 3)

  test('have the probability of all that they cover', () => {
    const own = probabilityOfCall(probabilities, { labels: 4, codes })
    expect([...own]).toEqual([0.4, 0.85, 0.4])
    const broad = probabilityOfCall(probabilities, { labels: 4, codes: Int32Array.of(0, 0, -1), covers })
    expect(broad[0]).toBeCloseTo(0.9, 12)
    expect(broad[1]).toBeCloseTo(0.95, 12)
    expect(broad[2]).toBeNaN()
  })

  test('stand in for a call that is not sure enough, and only then', () => {
    const result = broadenCalls(probabilities, { labels: 4, codes, covers, threshold: 0.8 })
    expect([...result.codes]).toEqual([0, 1, 3])
    expect([...result.broadened]).toEqual([1, 0, 0])
    expect(result.confidence[0]).toBeCloseTo(0.9, 12)
    expect(result.confidence[2]).toBe(0.4)
  })

  test('are as narrow as the threshold allows, whatever their order', () => {
    // 0 covers all, 1 covers 2: of label 2, 1 is the narrower way out
    const nested = coversMatrix(4, (broad, narrow) => broad === 0 || (broad === 1 && narrow === 2))
    const result = broadenCalls(Float64Array.of(0.05, 0.4, 0.45, 0.1), {
      labels: 4,
      codes: Int32Array.of(2),
      covers: nested,
      threshold: 0.8,
    })
    expect([...result.codes]).toEqual([1])
  })
})
