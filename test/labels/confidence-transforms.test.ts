/** Oracles: rows computed by hand, and what SpatialCore 0.3.0 gave for tables of scores (../shared/golden/spatialcore). */
import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  confidenceMethods,
  transformConfidence,
  zscoreCeiling,
  zscoreCeilingNotice,
} from '../../lib/labels/confidence-transforms.ts'
import { hasShared, sharedPath } from '../support/shared.ts'

const rows = Float64Array.of(5, 0.1, 0.1, 0.1, 2, 1.8, 1.9, 1.7, 0.5, -1, -0.5, 0.3, 1, 1, 1, 1)

describe('confidence of four rows', () => {
  const expected = {
    raw: [5, 2, 0.5, 1],
    zscore: [0.849675, 0.79276, 0.75295, 0.5],
    softmax: [0.978148, 0.288651, 0.414982, 0.25],
    minmax: [1, 1, 1, 0],
  }
  test.each(confidenceMethods)('%s is as recorded', (method) => {
    const confidence = transformConfidence(rows, { labels: 4, method })
    for (const [cell, value] of expected[method].entries()) expect(confidence[cell]).toBeCloseTo(value, 6)
  })

  test('z-scores of the toy model are as recorded: only the cell that no label claims passes 0.8', () => {
    const scores = Float64Array.of(
      ...[-3.41925, -0.4637, 0.43503, 0.12974, -0.09409, -3.35207],
      ...[-1.37217, -0.74865, -1.29249, -0.06463, -3.31474, -0.14954],
    )
    const confidence = transformConfidence(scores, { labels: 3, method: 'zscore' })
    for (const [cell, value] of [0.723572, 0.684876, 0.802887, 0.675899].entries())
      expect(confidence[cell]).toBeCloseTo(value, 5)
    expect([...confidence].map((value) => value >= 0.8)).toEqual([false, false, true, false])
  })
})

describe('what is no matrix of labels', () => {
  test('one label is refused, and so are rows that are not whole', () => {
    for (const labels of [0, 1, Number.NaN, 3])
      expect(() => transformConfidence(rows, { labels, method: 'zscore' })).toThrowError(
        expect.objectContaining({ code: 'CONFIDENCE_SHAPE' }),
      )
  })

  test('an unknown method is refused by name', () => {
    expect(() => transformConfidence(rows, { labels: 4, method: 'sharpen' as 'raw' })).toThrow(/sharpen/)
  })

  test('a NaN gives NaN, and no cells give no confidence', () => {
    for (const method of confidenceMethods) {
      const confidence = transformConfidence(Float64Array.of(1, Number.NaN, 3, 1, 2, 3), {
        labels: 3,
        method,
      })
      expect(Number.isNaN(confidence[0])).toBe(true)
      expect(Number.isNaN(confidence[1])).toBe(false)
      expect(transformConfidence(new Float64Array(0), { labels: 3, method })).toHaveLength(0)
    }
  })
})

describe('the ceiling of z-scores', () => {
  test.each([
    [2, 0.731059],
    [3, 0.80443],
    [4, 0.849675],
    [5, 0.880797],
    [10, 0.952574],
    [20, 0.987369],
    [50, 0.999089],
  ])('with %i labels is %d', (labels, ceiling) => {
    expect(zscoreCeiling(labels)).toBeCloseTo(ceiling, 6)
  })

  test('is never passed, and is reached by a row in which one label stands out', () => {
    const row = fc.array(fc.double({ min: -1e3, max: 1e3, noNaN: true }), { minLength: 2, maxLength: 30 })
    fc.assert(
      fc.property(row, (scores) => {
        const [value = 1] = transformConfidence(Float64Array.from(scores), {
          labels: scores.length,
          method: 'zscore',
        })
        expect(value).toBeLessThanOrEqual(zscoreCeiling(scores.length) + 1e-12)
      }),
    )
    const [reached] = transformConfidence(Float64Array.of(9, 1, 1, 1, 1), { labels: 5, method: 'zscore' })
    expect(reached).toBeCloseTo(zscoreCeiling(5), 12)
  })

  test('is told where no cell, or hardly one, can reach the threshold', () => {
    expect(zscoreCeilingNotice({ labels: 2, threshold: 0.8 })?.problem).toContain('no cell reaches')
    expect(zscoreCeilingNotice({ labels: 3, threshold: 0.8 })?.problem).toContain('hardly a cell')
    expect(zscoreCeilingNotice({ labels: 4, threshold: 0.8 })).toBeUndefined()
    expect(zscoreCeilingNotice({ labels: 2, threshold: 0 })).toBeUndefined()
  })
})

describe.skipIf(!hasShared)('as SpatialCore 0.3.0', () => {
  const table = (name: string, { headers = 0 } = {}): number[][] => {
    const bytes = readFileSync(sharedPath('golden/spatialcore', name))
    const text = (name.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString()
    return text
      .trimEnd()
      .split(/\r?\n/)
      .slice(headers)
      .map((line) => line.split(',').map(Number))
  }

  test('the z-scores of a small table agree to 1e-6', () => {
    const decision = table('functions/decision.csv')
    const expected = table('functions/zscore.csv').map(([value]) => value!)
    const labels = decision[0]!.length
    const confidence = transformConfidence(Float64Array.from(decision.flat()), { labels, method: 'zscore' })
    expect(confidence).toHaveLength(expected.length)
    for (const [cell, value] of expected.entries())
      expect(Math.abs(confidence[cell]! - value)).toBeLessThan(1e-6)
  })

  test.each(['default', 'cap300', 'cap300_equal', 'no_B', 'no_NK', 'no_Mono'])(
    'the confidence of 2,170 cells of run %s agrees to 1e-6',
    (run) => {
      const decision = table(`${run}.decision_scores.csv.gz`, { headers: 1 }).map((row) => row.slice(1))
      const text = gunzipSync(readFileSync(sharedPath('golden/spatialcore', `${run}.obs.csv.gz`))).toString()
      const [header, ...lines] = text
        .trimEnd()
        .split(/\r?\n/)
        .map((line) => [...line.matchAll(/("[^"]*"|[^,]*)(?:,|$)/g)].map(([, field = '']) => field))
      const column = header!.indexOf('cell_type_confidence')
      const scores = Float32Array.from(decision.flat())
      const confidence = transformConfidence(scores, { labels: decision[0]!.length, method: 'zscore' })
      expect(lines).toHaveLength(2170)
      const worst = lines.reduce(
        (most, line, cell) => Math.max(most, Math.abs(confidence[cell]! - Number(line[column]))),
        0,
      )
      expect(worst).toBeLessThan(1e-6)
    },
  )
})
