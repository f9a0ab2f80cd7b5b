import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { loess } from '../../lib/prep/loess.ts'

/** Brinkmann's gas data, as scikit-misc and R's lattice carry them: richness of the mixture, nitrogen oxides. */
const richness = Float64Array.of(
  ...[
    0.831, 1.045, 1.021, 0.97, 0.825, 0.891, 0.71, 0.801, 1.074, 1.148, 1, 0.928, 0.767, 0.701, 0.807, 0.902,
  ],
  ...[0.997, 1.224, 1.089, 0.973, 0.98, 0.665],
)
const oxides = Float64Array.of(
  ...[4.818, 2.849, 3.275, 4.691, 4.255, 5.064, 2.118, 4.602, 2.286, 0.97, 3.965, 5.344, 3.834, 1.99, 5.199],
  ...[5.283, 3.752, 0.537, 1.64, 5.055, 4.937, 1.561],
)

describe('loess', () => {
  it('fits the gas data as dloess does, which is published to six digits (oracle)', () => {
    const { fitted, unsure } = loess(richness, { y: oxides, span: 2 / 3 })
    const published = [
      4.883437, 2.927639, 3.572746, 4.71051, 4.815363, 5.196193, 2.512832, 4.474939, 2.149797,
    ]
    const more = [0.990044, 4.089353, 5.303627, 3.864174, 2.267121, 4.575636]
    for (const [i, value] of [...published, ...more].entries()) expect(fitted[i]).toBeCloseTo(value, 5)
    expect(unsure).toBe(0)
  })

  it('goes through the points of any parabola (law)', () => {
    const size = fc.double({ min: -10, max: 10, noNaN: true })
    const places = fc.uniqueArray(fc.integer({ min: -500, max: 500 }), { minLength: 20, maxLength: 200 })
    fc.assert(
      fc.property(size, size, size, places, (a, b, c, places) => {
        const x = Float64Array.from(places, (place) => place / 100)
        const y = x.map((place) => a + b * place + c * place * place)
        const { fitted } = loess(x, { y })
        const scale = 1 + Math.max(...y.map(Math.abs))
        for (const [i, value] of fitted.entries()) expect(Math.abs(value - y[i]!) / scale).toBeLessThan(1e-7)
      }),
      { numRuns: 50 },
    )
  })

  it('follows the points when these are permuted (law)', () => {
    const order = richness.map((_, i) => (i * 7) % 22)
    const permuted = loess(
      order.map((i) => richness[i]!),
      { y: order.map((i) => oxides[i]!) },
    )
    const plain = loess(richness, { y: oxides })
    expect([...permuted.fitted]).toEqual([...order].map((i) => plain.fitted[i]))
  })

  it('is finite wherever points coincide, and unsure throughout where they are at two places only (law)', () => {
    const point = fc.tuple(fc.integer({ min: 0, max: 3 }), fc.integer({ min: -5, max: 5 }))
    fc.assert(
      fc.property(fc.array(point, { minLength: 1, maxLength: 80 }), (points) => {
        const x = Float64Array.from(points, ([place]) => Math.log10(place + 1))
        const y = Float64Array.from(points, ([, height]) => height)
        const { fitted, unsure, vertices } = loess(x, { y })
        expect(fitted.every(Number.isFinite)).toBe(true)
        if (new Set(x).size < 3) expect(unsure).toBe(vertices)
      }),
    )
  })

  it('is the mean of points that are all at one place, and nothing without points', () => {
    const { fitted, unsure, vertices } = loess(new Float64Array(30).fill(-2), {
      y: Float64Array.from({ length: 30 }, (_, i) => i),
    })
    for (const value of fitted) expect(value).toBeCloseTo(14.5, 10)
    expect(unsure).toBe(vertices)
    expect(loess(new Float64Array(0), { y: new Float64Array(0) }).fitted.length).toBe(0)
  })

  it('looks at ten points where its span holds too few for a parabola, and says so', () => {
    const x = Float64Array.from({ length: 12 }, (_, i) => i)
    const { fitted, isWidened } = loess(x, { y: x.map((place) => place * place), span: 0.3 })
    expect(isWidened).toBe(true)
    for (const [i, value] of fitted.entries()) expect(value).toBeCloseTo(i * i, 7)
  })

  it('refuses what is not finite or does not fit together', () => {
    expect(() => loess(Float64Array.of(1, Number.NaN), { y: Float64Array.of(1, 2) })).toThrow(RangeError)
    expect(() => loess(Float64Array.of(1, 2), { y: Float64Array.of(1) })).toThrow(RangeError)
  })
})
