/** Laws of places in a logistic normal space: shares add up to one, depend on no other cell, and are the mean of what is drawn. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { random } from '../../lib/job/random.ts'
import { meanPlaces, placesOfDraws } from '../../lib/models/latent-shares.ts'
import { smallShape } from './toy-scvi.ts'

const shares = { ...smallShape, latentDistribution: 'ln' } as const
const sum = (values: Float32Array) => values.reduce((all, one) => all + one, 0)

function softmax(row: readonly number[]): number[] {
  const most = Math.max(...row)
  const odds = row.map((value) => Math.exp(value - most))
  const total = odds.reduce((all, one) => all + one, 0)
  return odds.map((one) => one / total)
}

describe('places in a logistic normal space', () => {
  const place = meanPlaces(shares)

  it('are shares, whatever mean and variance; those of each cell by itself', () => {
    const number = fc.float({ min: -30, max: 30, noNaN: true })
    const spread = fc.float({ min: Math.fround(1e-4), max: 50, noNaN: true })
    fc.assert(
      fc.property(
        fc.array(fc.tuple(number, number, number, spread, spread, spread), { minLength: 1, maxLength: 4 }),
        (rows) => {
          const mean = Float32Array.from(rows.flatMap((row) => row.slice(0, 3)))
          const variance = Float32Array.from(rows.flatMap((row) => row.slice(3)))
          const found = place({ mean, variance })
          for (let row = 0; row < rows.length; row++) {
            const own = found.subarray(3 * row, 3 * row + 3)
            expect(sum(own)).toBeCloseTo(1, 5)
            expect(own.every((one) => one >= 0)).toBe(true)
            const alone = place({
              mean: mean.slice(3 * row, 3 * row + 3),
              variance: variance.slice(3 * row, 3 * row + 3),
            })
            expect(alone).toEqual(own)
          }
        },
      ),
      { numRuns: 20 },
    )
  })

  it('are the mean of the softmax of draws', () => {
    const [mean, variance] = [Float32Array.of(0.4, -1, 0.8), Float32Array.of(0.5, 1.5, 0.2)]
    const chance = random(77)
    const total = [0, 0, 0]
    const draws = 200_000
    for (let n = 0; n < draws; n++) {
      const drawn = [...mean].map((centre, i) => centre + Math.sqrt(variance[i]!) * chance.normal())
      for (const [i, one] of softmax(drawn).entries()) total[i]! += one / draws
    }
    // 5,000 draws of a share whose standard deviation is about .15
    for (const [i, one] of place({ mean, variance }).entries())
      expect(Math.abs(one - total[i]!)).toBeLessThan(0.01)
    const still = place({ mean, variance: new Float32Array(3) })
    for (const [i, one] of softmax([...mean]).entries()) expect(still[i]).toBeCloseTo(one, 5)
  })

  it('of a single draw are its softmax; of a normal space the draw and the mean themselves', () => {
    const drawn = Float32Array.of(1, 2, 3, -1000, 0, 1000)
    expect(placesOfDraws(drawn, smallShape)).toEqual(Float32Array.of(1, 2, 3, -1000, 0, 1000))
    const found = placesOfDraws(drawn.slice(), shares)
    for (const [i, one] of [...softmax([1, 2, 3]), 0, 0, 1].entries()) expect(found[i]).toBeCloseTo(one, 6)
    const rows = { mean: drawn, variance: drawn }
    expect(meanPlaces(smallShape)(rows)).toBe(drawn)
  })
})
