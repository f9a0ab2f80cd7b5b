import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { random, restoreRandom } from '../../lib/job/random.ts'

const seeds = fc.integer({ min: 0, max: 2 ** 32 - 1 })

describe('the seeded generator', () => {
  it('gives the same numbers for the same seed and others for another', () => {
    const draw = (seed: number) => Array.from({ length: 20 }, random(seed).uniform)
    expect(draw(7)).toEqual(draw(7))
    expect(draw(7)).not.toEqual(draw(8))
  })

  it('has not changed since results were first stored with it', () => {
    const generator = random(42)
    expect([
      generator.integer(1000),
      generator.integer(1000),
      generator.integer(1000),
    ]).toMatchInlineSnapshot(`
      [
        221,
        732,
        526,
      ]
    `)
    expect(generator.uniform()).toMatchInlineSnapshot(`0.2119302863992052`)
  })

  it('fills an array with what it would give one after another, and goes on behind it', () => {
    fc.assert(
      fc.property(seeds, fc.nat(70), (seed, length) => {
        const [whole, each] = [random(seed), random(seed)]
        const block = new Uint32Array(length)
        whole.fillBits(block)
        expect([...block]).toEqual(Array.from({ length }, each.bits))
        expect(whole.state()).toEqual(each.state())
      }),
      { numRuns: 50 },
    )
  })

  it('goes on from a stored state as if it had never stopped', () => {
    fc.assert(
      fc.property(seeds, fc.nat(50), (seed, steps) => {
        const generator = random(seed)
        for (let i = 0; i < steps; i++) generator.normal()
        const copy = restoreRandom(JSON.parse(JSON.stringify(generator.state())))
        for (let i = 0; i < 5; i++) expect(copy.normal()).toBe(generator.normal())
      }),
      { numRuns: 50 },
    )
  })

  it('forks by name, whatever was drawn before', () => {
    const early = random(3).fork('noise').uniform()
    const late = random(3)
    late.uniform()
    expect(late.fork('noise').uniform()).toBe(early)
    expect(late.fork('split').uniform()).not.toBe(early)
  })

  it('draws uniform numbers whose mean, variance and buckets are right', () => {
    const generator = random(1)
    const buckets = new Array<number>(16).fill(0)
    let sum = 0
    const count = 160_000
    for (let i = 0; i < count; i++) {
      const value = generator.uniform()
      sum += value
      buckets[Math.floor(value * 16)]!++
    }
    expect(Math.abs(sum / count - 0.5)).toBeLessThan(0.004)
    const chiSquare = buckets.reduce((total, seen) => total + (seen - count / 16) ** 2 / (count / 16), 0)
    expect(chiSquare).toBeLessThan(45) // 15 degrees of freedom: 0.0001 of seeds would pass it
  })

  it('draws normal numbers of mean 0 and standard deviation 1', () => {
    const generator = random(2)
    const values = Array.from({ length: 100_000 }, generator.normal)
    const mean = values.reduce((a, b) => a + b) / values.length
    const variance = values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length
    expect(Math.abs(mean)).toBeLessThan(0.02)
    expect(Math.abs(variance - 1)).toBeLessThan(0.03)
  })

  it('shuffles without losing or repeating an item', () => {
    fc.assert(
      fc.property(seeds, fc.array(fc.integer()), (seed, items) => {
        expect(random(seed).shuffle(items).sort()).toEqual([...items].sort())
      }),
      { numRuns: 100 },
    )
  })

  it('refuses seeds and bounds that it would have to round', () => {
    expect(() => random(-1)).toThrow(RangeError)
    expect(() => random(0.5)).toThrow(RangeError)
    expect(() => random(1).integer(0)).toThrow(RangeError)
    expect(random(1).integer(1)).toBe(0)
  })
})
