/** Laws of calibrated probabilities: they keep the order of labels, add up, do not depend on the number of labels, and never pretend. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { random } from '../../lib/job/random.ts'
import { type Calibration, calibratedProbabilities, fitCalibration } from '../../lib/labels/calibration.ts'
import { bestMatch } from '../../lib/labels/match.ts'
import { expectedCalibrationError } from '../../lib/labels/reliability.ts'

/** Scores that are right, blown up by a factor; labels drawn with the probabilities that the right ones stand for. */
function drawnCells(
  cells: number,
  { labels, blownUp, seed }: { labels: number; blownUp: number; seed: number },
) {
  const draw = random(seed)
  const scores = Float64Array.from({ length: cells * labels }, () => 2 * draw.normal())
  const codes = new Int32Array(cells)
  for (let cell = 0; cell < cells; cell++) {
    const row = scores.subarray(cell * labels, (cell + 1) * labels)
    const shares = row.map(Math.exp)
    let left = draw.uniform() * shares.reduce((sum, share) => sum + share, 0)
    while (left > shares[codes[cell]!]! && codes[cell]! < labels - 1) {
      left -= shares[codes[cell]!]!
      codes[cell]! += 1
    }
  }
  return { scores: scores.map((score) => blownUp * score), codes, labels, loss: 'ovr' as const }
}

const calibrationOf = (scale: number, labels: number): Calibration => ({
  kind: 'temperature',
  status: 'calibrated',
  loss: 'ovr',
  labels,
  scale,
  cells: 100,
  fewestCells: 10,
  measured: null,
})

/** How sure the highest label is, and whether it is right. */
function callsOf(
  scores: Float64Array,
  { codes, calibration }: { codes: Int32Array; calibration: Calibration },
) {
  const probabilities = calibratedProbabilities(scores, { calibration })
  const called = bestMatch(scores, calibration.labels)
  return {
    confidence: Float64Array.from(called, (code, cell) => probabilities[cell * calibration.labels + code]!),
    correct: Uint8Array.from(called, (code, cell) => (code === codes[cell] ? 1 : 0)),
  }
}

describe('a fitted calibration', () => {
  test.each([0.1, 1, 7])('finds by what factor (%d) scores were blown up', (blownUp) => {
    const { calibration, notices } = fitCalibration(drawnCells(4000, { labels: 5, blownUp, seed: 1 }))
    expect(calibration.scale * blownUp).toBeGreaterThan(0.93)
    expect(calibration.scale * blownUp).toBeLessThan(1.07)
    expect(notices).toEqual([])
    expect(calibration).toMatchObject({ status: 'calibrated', cells: 4000 })
    expect(calibration.measured!.expectedCalibrationError).toBeLessThan(0.03)
  })

  test('holds on new cells, where the raw scores did not', () => {
    const { calibration } = fitCalibration(drawnCells(2000, { labels: 4, blownUp: 5, seed: 2 }))
    const fresh = drawnCells(4000, { labels: 4, blownUp: 5, seed: 3 })
    const error = (by: Calibration): number => {
      const { confidence, correct } = callsOf(fresh.scores, { codes: fresh.codes, calibration: by })
      return expectedCalibrationError(confidence, correct)
    }
    expect(error(calibration)).toBeLessThan(0.04)
    expect(error(calibrationOf(1, 4))).toBeGreaterThan(0.15)
  })

  test.each([2, 3, 5, 10, 20, 50])('of pure noise with %i labels says that a call is a guess', (labels) => {
    const draw = random(labels)
    const noise = (cells: number) => ({
      scores: Float64Array.from({ length: cells * labels }, () => draw.normal()),
      codes: Int32Array.from({ length: cells }, () => draw.integer(labels)),
    })
    const { calibration } = fitCalibration({ ...noise(3000), labels, loss: 'ovr' })
    const { scores, codes } = noise(3000)
    const { confidence, correct } = callsOf(scores, { codes, calibration })
    const mean = confidence.reduce((sum, value) => sum + value, 0) / confidence.length
    const accuracy = correct.reduce((sum, value) => sum + value, 0) / correct.length
    expect(Math.abs(mean - accuracy)).toBeLessThan(0.05)
    expect(confidence.filter((value) => value >= 0.8)).toHaveLength(0)
  })

  test('does not ask for certainty where held-out cells are told apart without a mistake', () => {
    const codes = Int32Array.from({ length: 100 }, (_, cell) => cell % 2)
    const scores = Float64Array.from([...codes].flatMap((code) => (code === 0 ? [3, -3] : [-3, 3])))
    const { calibration } = fitCalibration({ scores, codes, labels: 2, loss: 'ovr' })
    const [confidence = 1] = calibratedProbabilities(scores, { calibration })
    expect(confidence).toBeGreaterThan(0.95)
    expect(confidence).toBeLessThan(0.995)
  })

  test('is plain data: it survives JSON', () => {
    const { calibration } = fitCalibration(drawnCells(200, { labels: 3, blownUp: 1, seed: 4 }))
    expect(JSON.parse(JSON.stringify(calibration))).toEqual(calibration)
  })

  test('leaves out cells without a label and rows that are not finite', () => {
    const { scores, codes, labels, loss } = drawnCells(300, { labels: 3, blownUp: 1, seed: 5 })
    const whole = fitCalibration({ scores, codes, labels, loss }).calibration
    const more = fitCalibration({
      scores: Float64Array.from([...scores, Number.NaN, 1, 2, 9, 9, 9]),
      codes: Int32Array.from([...codes, 1, -1]),
      labels,
      loss,
    }).calibration
    expect(more).toEqual(whole)
  })
})

describe('what cannot be calibrated', () => {
  test('too few held-out cells are told, and nothing is measured', () => {
    const { calibration, notices } = fitCalibration(drawnCells(49, { labels: 3, blownUp: 9, seed: 6 }))
    expect(calibration).toMatchObject({ status: 'not-assessed', scale: 1, measured: null })
    expect(notices).toMatchObject([{ code: 'CALIBRATION_NOT_ASSESSED' }])
    const none = fitCalibration({
      scores: new Float64Array(0),
      codes: new Int32Array(0),
      labels: 2,
      loss: 'ovr',
    })
    expect(none.calibration.status).toBe('not-assessed')
  })

  test('a label that could not be held out is told', () => {
    const { scores, codes, loss } = drawnCells(100, { labels: 2, blownUp: 1, seed: 7 })
    const wide = Float64Array.from({ length: 300 }, (_, at) =>
      at % 3 === 2 ? -5 : scores[2 * Math.floor(at / 3) + (at % 3)]!,
    )
    const { notices } = fitCalibration({ scores: wide, codes, labels: 3, loss })
    expect(notices).toMatchObject([{ code: 'CALIBRATION_LABELS' }])
    expect(notices[0]!.problem).toContain('1 of 3 labels')
  })

  test('scores of other cells are refused', () => {
    const scores = new Float64Array(5)
    expect(() => fitCalibration({ scores, codes: new Int32Array(2), labels: 2, loss: 'ovr' })).toThrow(
      RangeError,
    )
    expect(() => calibratedProbabilities(scores, { calibration: calibrationOf(1, 2) })).toThrow(RangeError)
  })
})

describe('calibrated probabilities', () => {
  const row = fc.array(fc.double({ min: -1e4, max: 1e4, noNaN: true }), { minLength: 3, maxLength: 3 })

  test('add up to 1, and to what is within the reference where that is given', () => {
    fc.assert(
      fc.property(row, fc.double({ min: 0, max: 1, noNaN: true }), (scores, share) => {
        const calibration = calibrationOf(0.7, 3)
        const sum = (values: Float64Array): number => values.reduce((all, value) => all + value, 0)
        const given = Float64Array.from(scores)
        expect(sum(calibratedProbabilities(given, { calibration }))).toBeCloseTo(1, 12)
        expect(
          sum(calibratedProbabilities(given, { calibration, within: Float64Array.of(share) })),
        ).toBeCloseTo(share, 12)
      }),
    )
  })

  test('never change which label is highest, and rise with its score', () => {
    fc.assert(
      fc.property(row, fc.double({ min: 1e-3, max: 10, noNaN: true }), (scores, scale) => {
        const calibration = calibrationOf(scale, 3)
        const [code = 0] = bestMatch(Float64Array.from(scores), 3)
        const before = calibratedProbabilities(Float64Array.from(scores), { calibration })
        expect(before[code]).toBe(Math.max(...before))
        const raised = scores.map((score, k) => (k === code ? score + 1 : score))
        const after = calibratedProbabilities(Float64Array.from(raised), { calibration })
        expect(after[code]).toBeGreaterThanOrEqual(before[code]!)
      }),
    )
  })

  test('stay numbers with infinite scores, and are NaN only in a row with a NaN', () => {
    const scores = Float64Array.of(Number.POSITIVE_INFINITY, 1, Number.NEGATIVE_INFINITY, 0, Number.NaN, 1)
    const probabilities = calibratedProbabilities(scores, { calibration: calibrationOf(1, 2) })
    expect([...probabilities]).toEqual([1, 0, 0, 1, Number.NaN, Number.NaN])
  })
})
