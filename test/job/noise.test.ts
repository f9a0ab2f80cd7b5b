import { describe, expect, it } from 'vitest'
import { fillMask, normalNoise } from '../../lib/job/noise.ts'
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

describe('a mask', () => {
  it('keeps as many as the chance says, and nothing at 0, all at 1', () => {
    const mask = new Uint8Array(1_000_001)
    fillMask(mask, { keep: 0.9, from: random(1) })
    const share = mask.reduce((count, one) => count + one, 0) / mask.length
    expect(Math.abs(share - 0.9)).toBeLessThan(4 * Math.sqrt(0.09 / mask.length) + 1e-5)
    for (const keep of [0, 1]) {
      fillMask(mask, { keep, from: random(1) })
      expect(mask.every((one) => one === keep)).toBe(true)
    }
  })
  it('takes two of every 32 bits, in blocks as one by one, and half of the last 32 where they are odd', () => {
    for (const length of [0, 1, 2, 4095, 4096, 4097, 10_001]) {
      const mask = new Uint8Array(length)
      const [generator, bits] = [random(7), random(7)]
      fillMask(mask, { keep: 0.3, from: generator })
      const halves = Array.from({ length: Math.ceil(length / 2) }, bits.bits).flatMap((word) => [
        word & 0xffff,
        word >>> 16,
      ])
      expect([...mask]).toEqual(halves.slice(0, length).map((half) => Number(half < 19_661)))
      expect(generator.state()).toEqual(bits.state())
    }
  })
})
