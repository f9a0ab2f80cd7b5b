/** Thresholds by hand, the rules of classify_by_threshold, and what it refuses. */
import { describe, expect, test } from 'vitest'
import { random } from '../../lib/job/random.ts'
import type { GaussianMixture } from '../../lib/labels/gaussian-mixture.ts'
import {
  classifyByThreshold,
  probabilityHigh,
  scoreThreshold,
  thresholdOf,
} from '../../lib/labels/marker-threshold.ts'
import { sparse } from './expressions.ts'
import { quantileGrid } from './quantiles.ts'

function mixture(means: number[], variances: number[], weights: number[]): GaussianMixture {
  const parts = { means, variances, weights }
  const [m, v, w] = [parts.means, parts.variances, parts.weights].map((list) => Float64Array.from(list))
  return { means: m!, variances: v!, weights: w!, converged: true, steps: 1, logLikelihood: 0 }
}

describe('the threshold', () => {
  test('of two like components is the last of 1,000 points below the middle', () => {
    expect(thresholdOf(mixture([0, 999], [100, 100], [0.5, 0.5]))).toBe(499)
  })

  test('of two components moves to the rarer one', () => {
    // equal densities: ln(.9/.1) = 2 d (x - 2) with means 0 and 4, variance 1: x = 2 + ln 9 / 4
    expect(thresholdOf(mixture([0, 4], [1, 1], [0.9, 0.1]))).toBeCloseTo(2 + Math.log(9) / 4, 2)
  })

  test('of two components is the middle where one is likelier everywhere between them', () => {
    expect(thresholdOf(mixture([0, 1], [1e6, 1e6], [0.1, 0.9]))).toBe(0.5)
  })

  test('of three or more is the middle of the two lowest means, whatever their weights', () => {
    expect(thresholdOf(mixture([0, 1, 50], [1, 1, 1], [0.01, 0.01, 0.98]))).toBe(0.5)
    expect(thresholdOf(mixture([0, 4, 5, 6], [1, 1, 1, 1], [0.7, 0.1, 0.1, 0.1]))).toBe(2)
  })

  test('leaves all but the lowest component to be high', () => {
    const high = probabilityHigh(mixture([0, 10, 20], [1, 1, 1], [0.4, 0.3, 0.3]), [
      0,
      10,
      15,
      20,
      Number.NaN,
    ])
    expect(high[0]).toBeCloseTo(0, 9)
    for (const i of [1, 2, 3]) expect(high[i]).toBeCloseTo(1, 9)
    expect(high[4]).toBeNaN()
  })

  test('of many scores is found on a sample that the order of cells does not change', () => {
    const scores = Float64Array.of(
      ...quantileGrid(3000, 0.5, 0.1),
      ...quantileGrid(3000, 2, 0.2),
      ...quantileGrid(2000, 4, 0.3),
    )
    const all = scoreThreshold(scores, { components: 3 })
    const some = scoreThreshold(scores, { components: 3, mostCells: 1000 })
    const turned = scoreThreshold(scores.toReversed(), { components: 3, mostCells: 1000 })
    if (all.status !== 'assessed' || some.status !== 'assessed') throw new Error('no threshold')
    expect(turned).toEqual(some)
    expect(Math.abs(some.threshold - all.threshold)).toBeLessThan(0.05)
    expect(some.threshold).not.toBe(all.threshold)
  })
})

const place = 'obs/cell_type'
const generator = random(7)
/** 60 cells without the two markers, 60 with both. */
const twoKinds = Array.from({ length: 120 }, (_, i) => {
  const base = i % 2 === 0 ? 0.2 : 3
  return [base + 0.1 * generator.uniform(), base + 0.1 * generator.uniform(), 9]
})

describe('classification by a threshold', () => {
  test('calls the cells with the markers high and the others low', () => {
    const found = classifyByThreshold(sparse(twoKinds), [0, 1], { place })
    if (found.status !== 'assessed') throw new Error(found.reason)
    expect([...found.clusters]).toEqual(twoKinds.map((_, i) => i % 2))
    expect([found.high, found.low, found.invalid]).toEqual([60, 60, 0])
    expect(found.threshold).toBeGreaterThan(0.3)
    expect(found.threshold).toBeLessThan(3)
    expect(found.notices).toEqual([])
  })

  test('takes the value itself of a single marker, whatever the method, even a negative one', () => {
    const rows = twoKinds.map(([value]) => [value! - 1])
    const found = classifyByThreshold(sparse(rows), [0], { place, method: 'geometric-mean' })
    if (found.status !== 'assessed') throw new Error(found.reason)
    expect([...found.scores]).toEqual(rows.map(([value]) => value))
  })

  test('marks cells with a marker that is not finite as invalid, and leaves them out of the fit', () => {
    const rows = [...twoKinds, [Number.NaN, 1, 1], [1, Number.POSITIVE_INFINITY, 1]]
    const [whole, part] = [sparse(rows), sparse(twoKinds)].map((cells) =>
      classifyByThreshold(cells, [0, 1], { place, method: 'median' }),
    )
    if (whole?.status !== 'assessed' || part?.status !== 'assessed') throw new Error('no threshold')
    expect([...whole.clusters.subarray(-2)]).toEqual([-1, -1])
    expect(whole.scores.at(-1)).toBeNaN()
    expect(whole.probabilities.at(-2)).toBeNaN()
    expect(whole.invalid).toBe(2)
    expect(whole.threshold).toBe(part.threshold)
  })

  test('refuses fewer than 100 finite cells', () => {
    const rows = twoKinds.slice(0, 100).map((row, i) => (i === 0 ? [Number.NaN, 0, 0] : row))
    expect(classifyByThreshold(sparse(rows), [0, 1], { place })).toEqual({
      status: 'not-assessed',
      reason: 'fewer than 100 cells with finite markers',
    })
  })

  test('refuses negative values under a geometric mean', () => {
    const rows = twoKinds.map((row, i) => (i === 5 ? [-1, 2, 0] : row))
    expect(classifyByThreshold(sparse(rows), [0, 1], { place })).toHaveProperty(
      'reason',
      expect.stringContaining('negative'),
    )
    expect(classifyByThreshold(sparse(rows), [0, 1], { place, method: 'median' }).status).toBe('assessed')
  })

  test('says so where half of the cells express no marker', () => {
    const rows = twoKinds.map((row, i) => (i % 2 === 0 ? [0, 0, 1] : row))
    const found = classifyByThreshold(sparse(rows), [0, 1], { place })
    expect(found).toHaveProperty('notices', [expect.objectContaining({ code: 'MARKERS_MOSTLY_ZERO', place })])
  })

  test('refuses cells that are all alike', () => {
    const rows = twoKinds.map(() => [1, 1])
    expect(classifyByThreshold(sparse(rows), [0, 1], { place })).toHaveProperty(
      'reason',
      expect.stringContaining('distinct'),
    )
  })
})
