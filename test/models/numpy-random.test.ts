/** Oracle: what numpy 1.24.2's RandomState gives for a seed; and that a sample is a sample. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { numpyRandom } from '../../lib/models/numpy-random.ts'

const weights = Float64Array.of(0.05, 0.05, 0.1, 0.2, 0.01, 0.09, 0.3, 0.1, 0.05, 0.05)

describe("the numbers of NumPy's RandomState", () => {
  it('are those that numpy gives for seed 7, one kind after the other', () => {
    const draw = numpyRandom(7)
    expect([draw.word(), draw.word()]).toEqual([327741615, 976413892])
    expect(draw.uniform()).toBe(0.7799187922401146)
    expect([draw.integer(0, 2147483647), draw.integer(1, 2147483647)]).toEqual([1882953283, 2053951700])
    expect(draw.integer(3, 10)).toBe(7)
    expect([...draw.permutation(12)]).toEqual([1, 2, 5, 3, 0, 4, 6, 10, 11, 8, 7, 9])
    expect([...draw.choice(8, weights)]).toEqual([1, 3, 8, 5, 0, 6, 9, 2])
    expect([...draw.choice(10, weights)]).toEqual([6, 8, 2, 5, 3, 7, 1, 9, 0, 4])
    expect(draw.uniform()).toBe(0.3529783659443947)
  })

  it('begin again for the same seed, and go on for 10,000 words: the last is that of MT19937 seeded with 5489', () => {
    const draw = numpyRandom(5489)
    for (let i = 0; i < 9999; i++) draw.word()
    expect(draw.word()).toBe(4123659995)
  })

  it('are refused for what is no seed, no range and no sample', () => {
    expect(() => numpyRandom(-1)).toThrow(RangeError)
    expect(() => numpyRandom(2 ** 32)).toThrow(RangeError)
    expect(() => numpyRandom(0.5)).toThrow(RangeError)
    expect(() => numpyRandom(0).integer(3, 3)).toThrow(RangeError)
    expect(() => numpyRandom(0).choice(3, Float64Array.of(0.5, 0.5, 0))).toThrow(RangeError)
  })

  it('sample without repeats, and never what has no weight', () => {
    const sizes = fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: 40 })
    fc.assert(
      fc.property(fc.nat(), sizes, fc.double({ min: 0, max: 1, noNaN: true }), (seed, given, share) => {
        const positive = given.filter((size) => size > 0).length
        const count = Math.floor(share * positive)
        const found = numpyRandom(seed).choice(count, Float64Array.from(given))
        expect(new Set(found).size).toBe(count)
        expect([...found].every((place) => given[place]! > 0)).toBe(true)
        expect([...numpyRandom(seed).permutation(given.length)].sort((a, b) => a - b)).toEqual([
          ...given.keys(),
        ])
      }),
    )
  })
})
