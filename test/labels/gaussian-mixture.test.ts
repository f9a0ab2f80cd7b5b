/** Oracles on quantile grids (means, weights and the threshold are known), laws, and input on which no mixture exists. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { random } from '../../lib/job/random.ts'
import { fitMixture, posteriors } from '../../lib/labels/gaussian-mixture.ts'
import { scoreThreshold } from '../../lib/labels/marker-threshold.ts'
import { quantileGrid } from './quantiles.ts'

const grid = Float64Array.of(
  ...quantileGrid(300, 0.2, 0.05),
  ...quantileGrid(400, 1.5, 0.2),
  ...quantileGrid(300, 4, 0.4),
)

function fitted(values: Float64Array, components: number, seed = 42) {
  const fit = fitMixture(values, { components, seed })
  if (fit.status !== 'fitted') throw new Error(fit.reason)
  return fit.mixture
}

describe('a mixture', () => {
  test('finds the three Gaussians of a grid of their quantiles', () => {
    const { means, variances, weights, converged } = fitted(grid, 3)
    for (const [k, [mean, deviation, weight]] of [
      [0.2, 0.05, 0.3],
      [1.5, 0.2, 0.4],
      [4, 0.4, 0.3],
    ].entries()) {
      expect(means[k]).toBeCloseTo(mean!, 3)
      expect(Math.sqrt(variances[k]!)).toBeCloseTo(deviation!, 2)
      expect(weights[k]).toBeCloseTo(weight!, 3)
    }
    expect(converged).toBe(true)
  })

  test('gives the threshold .85 and 700 of 1,000 values above it, as recorded', () => {
    const found = scoreThreshold(grid, { components: 3 })
    if (found.status !== 'assessed') throw new Error(found.reason)
    expect(found.threshold).toBeCloseTo(0.85, 2)
    expect(grid.filter((value) => value >= found.threshold)).toHaveLength(700)
  })

  test('of one component is mean and variance, with 1e-6 added', () => {
    const { means, variances, weights } = fitted(Float64Array.of(1, 2, 3, 6), 1)
    expect(means[0]).toBeCloseTo(3, 12)
    expect(variances[0]).toBeCloseTo(3.5 + 1e-6, 12)
    expect(weights[0]).toBeCloseTo(1, 12)
  })

  test('keeps a spike of zeros as a component of its own', () => {
    const values = Float64Array.of(
      ...new Float64Array(500),
      ...quantileGrid(300, 1, 0.2),
      ...quantileGrid(200, 3, 0.3),
    )
    const { means, weights } = fitted(values, 3)
    expect(means[0]).toBeCloseTo(0, 6)
    expect(weights[0]).toBeCloseTo(0.5, 3)
    expect(means[1]).toBeCloseTo(1, 1)
  })

  test('does not depend on the order of values, and is the same for the same seed', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 31 }), (seed) => {
        const shuffled = Float64Array.from(random(seed).shuffle([...grid]))
        expect(fitted(shuffled, 3)).toEqual(fitted(grid, 3))
      }),
      { numRuns: 5 },
    )
  })

  test('finds the same components from other seeds', () => {
    for (const seed of [0, 1, 2, 3]) {
      const { means } = fitted(grid, 3, seed)
      expect(means[0]).toBeCloseTo(0.2, 3)
      expect(means[1]).toBeCloseTo(1.5, 3)
    }
  })

  test('of any finite values has weights of sum 1, ascending means between the extremes, and posteriors of sum 1', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: -100, max: 100, noNaN: true }), { minLength: 5, maxLength: 60 }),
        fc.integer({ min: 1, max: 4 }),
        (list, components) => {
          const values = Float64Array.from(list)
          const fit = fitMixture(values, { components, starts: 3 })
          if (fit.status !== 'fitted') return
          const { means, variances, weights } = fit.mixture
          expect(weights.reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(1, 9)
          expect([...means]).toEqual([...means].sort((a, b) => a - b))
          expect(means[0]).toBeGreaterThanOrEqual(Math.min(...list) - 1e-6)
          expect(means.at(-1)).toBeLessThanOrEqual(Math.max(...list) + 1e-6)
          expect(variances.every((variance) => variance >= 1e-6)).toBe(true)
          const shares = posteriors(fit.mixture, values)
          for (let i = 0; i < values.length; i++) {
            const own = shares.subarray(i * components, (i + 1) * components)
            expect(own.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 9)
          }
        },
      ),
      { numRuns: 100 },
    )
  })

  test('has no posteriors for values that are not finite', () => {
    const mixture = fitted(grid, 2)
    const [a, b, c] = [
      posteriors(mixture, [Number.NaN]),
      posteriors(mixture, [Number.POSITIVE_INFINITY]),
      posteriors(mixture, [1]),
    ]
    expect([...a, ...b]).toEqual([Number.NaN, Number.NaN, Number.NaN, Number.NaN])
    expect(c[0]! + c[1]!).toBeCloseTo(1, 12)
  })
})

describe('no mixture, with the reason, is what comes of', () => {
  test.each([
    ['no values', [], /^0 distinct values for 3 components/],
    ['one value', [1], /^1 distinct/],
    ['equal values', new Array<number>(50).fill(2.5), /^1 distinct values for 3 components$/],
    ['fewer distinct values than components', [0, 0, 0, 1, 1, 1, 1], /^2 distinct/],
    ['a NaN', [0, 1, 2, 3, Number.NaN], /1 of 5 values are not finite/],
    ['an infinite value', [0, 1, 2, Number.POSITIVE_INFINITY], /not finite/],
    ['values whose variance is beyond a double', [1e200, -1e200, 3e200, 4e200], /told apart/],
  ])('%s', (_, values, reason) => {
    const fit = fitMixture(Float64Array.from(values), { components: 3 })
    expect(fit.status).toBe('not-assessed')
    expect(fit).toHaveProperty('reason', expect.stringMatching(reason))
  })

  test('and a number of components that is none is a mistake of the caller', () => {
    expect(() => fitMixture(Float64Array.of(1, 2), { components: 0 })).toThrow(RangeError)
    expect(() => fitMixture(Float64Array.of(1, 2), { components: 1.5 })).toThrow(RangeError)
  })
})
