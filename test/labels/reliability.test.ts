/** Oracles by hand; laws of the expected calibration error. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { random } from '../../lib/job/random.ts'
import { accuracyAt, expectedCalibrationError, reliabilityTable } from '../../lib/labels/reliability.ts'

const confidence = Float64Array.of(0.1, 0.15, 0.6, 0.9, 1, Number.NaN)
const correct = [0, 1, 1, 1, 0, 1]

describe('the reliability table', () => {
  test('holds each cell once, 1 in the last bin and NaN in none', () => {
    const table = reliabilityTable(confidence, { correct, bins: 5 })
    expect(table.map(({ cells }) => cells)).toEqual([2, 0, 0, 1, 2])
    expect(table[0]).toEqual({ from: 0, to: 0.2, cells: 2, confidence: 0.125, accuracy: 0.5 })
    expect(table[1]).toMatchObject({ confidence: Number.NaN, accuracy: Number.NaN })
    expect(table[4]).toMatchObject({ confidence: 0.95, accuracy: 0.5 })
  })

  test('the error is the difference of its columns, weighted by cells', () => {
    expect(expectedCalibrationError(confidence, correct, { bins: 5 })).toBeCloseTo(
      (2 * 0.375 + 0.4 + 2 * 0.45) / 5,
      12,
    )
  })

  test('nothing is known of no cells: NaN, not 0', () => {
    expect(expectedCalibrationError(new Float64Array(0), [])).toBeNaN()
    expect(expectedCalibrationError(Float64Array.of(Number.NaN), [1])).toBeNaN()
  })

  test('answers for other cells are refused', () => {
    expect(() => expectedCalibrationError(confidence, [1])).toThrow(RangeError)
  })

  test('the error lies in [0, 1], and is near 0 where right calls are drawn with the confidence given', () => {
    const one = fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.nat(1))
    fc.assert(
      fc.property(fc.array(one, { minLength: 1 }), (cells) => {
        const error = expectedCalibrationError(
          Float64Array.from(cells, ([value]) => value),
          cells.map(([, right]) => right),
        )
        expect(error).toBeGreaterThanOrEqual(0)
        expect(error).toBeLessThanOrEqual(1)
      }),
    )
    const draw = random(3)
    const drawn = Float64Array.from({ length: 20_000 }, () => draw.uniform())
    const right = Uint8Array.from(drawn, (value) => (draw.uniform() < value ? 1 : 0))
    expect(expectedCalibrationError(drawn, right)).toBeLessThan(0.02)
    expect(
      expectedCalibrationError(
        drawn.map((value) => value ** 2),
        right,
      ),
    ).toBeGreaterThan(0.1)
  })
})

describe('accuracy at a threshold', () => {
  test('counts cells that are not below it, and says what they promise and what they keep', () => {
    expect(accuracyAt(confidence, { threshold: 0.9, correct })).toEqual({
      threshold: 0.9,
      cells: 2,
      share: 0.4,
      expectedAccuracy: 0.95,
      accuracy: 0.5,
    })
  })

  test('without truth, or without cells that pass, accuracy is NaN', () => {
    expect(accuracyAt(confidence, { threshold: 0.9 }).accuracy).toBeNaN()
    expect(accuracyAt(Float64Array.of(0.1), { threshold: 0.5, correct: [1] })).toMatchObject({
      cells: 0,
      share: 0,
      expectedAccuracy: Number.NaN,
      accuracy: Number.NaN,
    })
    expect(accuracyAt(new Float64Array(0), { threshold: 0.5 }).share).toBeNaN()
  })
})
