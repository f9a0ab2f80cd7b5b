import { describe, expect, it } from 'vitest'
import { normalNoise } from '../../lib/job/noise.ts'
import { random, restoreRandom } from '../../lib/job/random.ts'

/** Phi, to 1e-7 (Abramowitz and Stegun 26.2.17) */
function normalCdf(x: number): number {
  const t = 1 / (1 + 0.2316419 * Math.abs(x))
  const series =
    t * (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))))
  const upper = (Math.exp(-0.5 * x * x) / Math.sqrt(2 * Math.PI)) * series
  return x < 0 ? upper : 1 - upper
}

describe('normal noise', () => {
  it('has the distribution of a standard normal, also far out', () => {
    const draws = new Float32Array(2_000_000)
    normalNoise()(draws, random(3))
    const sorted = draws.toSorted()
    let worst = 0
    for (let i = 0; i < sorted.length; i += 97)
      worst = Math.max(worst, Math.abs(i / sorted.length - normalCdf(sorted[i]!)))
    // Kolmogorov-Smirnov at 0.1 % for this many draws
    expect(worst).toBeLessThan(1.95 / Math.sqrt(draws.length))
    const beyond = (x: number) => draws.reduce((count, one) => count + (Math.abs(one) > x ? 1 : 0), 0)
    // expected 2 (1 - Phi(x)) of them, give or take four times its root
    for (const [x, expected] of [
      [3, 5399.6],
      [3.4426, 1152.0],
      [4, 126.7],
    ] as const)
      expect(Math.abs(beyond(x) - expected)).toBeLessThan(4 * Math.sqrt(expected))
  })

  it('is the same in blocks as one by one', () => {
    const fill = normalNoise()
    const whole = new Float32Array(10_000)
    const [generator, again] = [random(9), random(9)]
    fill(whole, generator)
    const single = new Float32Array(1)
    for (const [i, drawn] of whole.entries()) {
      fill(single, again)
      if (single[0] !== drawn) expect.fail(`draw ${i} is ${single[0]} by itself and ${drawn} in a block`)
    }
    expect(again.state()).toEqual(generator.state())
  })

  it('goes on from a stored state as if it had not stopped', () => {
    const whole = new Float32Array(999)
    normalNoise()(whole, random(5))
    const generator = random(5)
    const fill = normalNoise()
    const [first, second] = [new Float32Array(400), new Float32Array(599)]
    fill(first, generator)
    fill(second, restoreRandom(generator.state()))
    expect([...first, ...second]).toEqual([...whole])
  })
})
