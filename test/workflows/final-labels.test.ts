/** Law: which cells `min_confidence` leaves unassigned, and that their labels before are not lost. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { leaveUnsure } from '../../lib/workflows/annotate/final-labels.ts'

const names = ['__proto__', 'constructor', 'T cell', 'T cell|B cell', 'Unassigned', 'Heterogeneous', '']
const given = fc
  .tuple(
    fc.uniqueArray(fc.constantFrom(...names), { minLength: 1 }),
    fc.array(fc.tuple(fc.nat(), fc.oneof(fc.float({ min: 0, max: 1 }), fc.constant(Number.NaN)))),
  )
  .map(([categories, cells]) => ({
    labels: { codes: Int32Array.from(cells, ([code]) => code % categories.length), categories },
    probability: Float32Array.from(cells, ([, value]) => value),
  }))
const textsOf = (codes: Int32Array, categories: readonly string[]) =>
  Array.from(codes, (code) => categories[code])

describe('a least probability', () => {
  it('leaves exactly the cells unassigned that are below it or have none', () => {
    fc.assert(
      fc.property(given, fc.float({ min: 0, max: 1, noNaN: true }), ({ labels, probability }, least) => {
        const made = leaveUnsure(labels, { probability, least })
        const before = textsOf(labels.codes, labels.categories)
        const expected = before.map((label, cell) => {
          const value = probability[cell]!
          return Number.isNaN(value) || value < least ? 'Unassigned' : label
        })
        expect(textsOf(made.labels.codes, made.labels.categories)).toEqual(expected)
        expect(textsOf(made.raw, made.labels.categories)).toEqual(before)
      }),
    )
  })

  it('has one category of each name, also where a class of the model is called "Unassigned"', () => {
    fc.assert(
      fc.property(given, ({ labels, probability }) => {
        const { categories } = leaveUnsure(labels, { probability, least: 0.5 }).labels
        expect(new Set(categories).size).toBe(categories.length)
      }),
    )
  })

  it('keeps a cell that is exactly at it, although 0.7 as float32 is below 0.7', () => {
    const probability = Float32Array.of(0.7, 0.699)
    expect(probability[0]).toBeLessThan(0.7)
    const labels = { codes: Int32Array.of(0, 0), categories: ['T cell'] }
    expect(leaveUnsure(labels, { probability, least: 0.7 }).labels.codes).toEqual(Int32Array.of(0, 1))
  })

  it('leaves the labels that it was given as they were', () => {
    const labels = { codes: Int32Array.of(0, 0), categories: ['T cell'] }
    leaveUnsure(labels, { probability: Float32Array.of(0, 1), least: 0.5 })
    expect(labels).toEqual({ codes: Int32Array.of(0, 0), categories: ['T cell'] })
  })
})
