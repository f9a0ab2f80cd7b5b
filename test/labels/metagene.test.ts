/** Oracles of the five scores, their twins on dense rows, and cells that have no score. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type MetageneMethod, metagene, metageneScores } from '../../lib/labels/metagene.ts'
import { sparse } from './expressions.ts'

const methods: MetageneMethod[] = [
  'shifted-geometric-mean',
  'geometric-mean',
  'arithmetic-mean',
  'median',
  'minimum',
]

describe('the score of several markers', () => {
  test.each<[MetageneMethod, number]>([
    ['shifted-geometric-mean', 2.632484],
    ['geometric-mean', 2.154435],
    ['arithmetic-mean', 6.7],
    ['median', 10],
    ['minimum', 0.1],
  ])('of 10, 0.1 and 10 as %s is %f', (method, expected) => {
    expect(metagene([10, 0.1, 10], { method })).toBeCloseTo(expected, 6)
    expect(metageneScores(sparse([[10, 0.1, 10]]), [0, 1, 2], { method })[0]).toBeCloseTo(expected, 6)
  })

  test('of 0, 2 and 4 is .851337: a dropout lowers it and does not send it to 0', () => {
    expect(metagene([0, 2, 4])).toBeCloseTo(0.851337, 6)
  })

  test('of a cell that stores none of the markers is 0, but for the geometric mean that adds 1e-10', () => {
    for (const method of methods) {
      const [score] = metageneScores(sparse([[0, 0, 7]]), [0, 1], { method })
      expect(score).toBeCloseTo(0, 9)
    }
  })

  test('of an even number of markers has the mean of the middle two as median', () => {
    expect(metagene([4, 1, 3, 100], { method: 'median' })).toBe(3.5)
  })

  test('is the same from stored entries as from whole rows, in any order of genes', () => {
    const value = fc.oneof(fc.constant(0), fc.double({ min: 0, max: 9, noNaN: true }))
    fc.assert(
      fc.property(
        fc.array(fc.array(value, { minLength: 5, maxLength: 5 }), { minLength: 1, maxLength: 8 }),
        fc.shuffledSubarray([0, 1, 2, 3, 4], { minLength: 1 }),
        fc.constantFrom(...methods),
        (rows, genes, method) => {
          const scores = metageneScores(sparse(rows), genes, { method })
          for (const [i, row] of rows.entries())
            expect(scores[i]).toBe(
              metagene(
                genes.map((gene) => row[gene]!),
                { method },
              ),
            )
        },
      ),
    )
  })

  test('is asked for some cells in the order given', () => {
    const scores = metageneScores(sparse([[1], [2], [3]]), [0], {
      method: 'minimum',
      cells: Int32Array.of(2, 0),
    })
    expect([...scores]).toEqual([3, 1])
  })
})

describe('no score', () => {
  test('is NaN: a NaN marker under every method', () => {
    for (const method of methods) expect(metagene([1, Number.NaN, 3], { method })).toBeNaN()
  })

  test('is NaN: a negative marker under a geometric mean, however small', () => {
    expect(metagene([1, -0.05])).toBeNaN()
    expect(metagene([1, -1e-11], { method: 'geometric-mean' })).toBeNaN()
    expect(metagene([1, -3], { method: 'arithmetic-mean' })).toBe(-1)
  })

  test('is NaN: no genes at all', () => {
    expect([...metageneScores(sparse([[1], [0]]), [])]).toEqual([Number.NaN, Number.NaN])
    expect(metagene([])).toBeNaN()
  })

  test('is a mistake of the caller: a gene twice, beyond the matrix, a cell beyond it, a shift of 0', () => {
    const one = sparse([[1, 2]])
    expect(() => metageneScores(one, [0, 0])).toThrow('twice')
    expect(() => metageneScores(one, [2])).toThrow('gene 2 of 2')
    expect(() => metageneScores(one, [0], { cells: Int32Array.of(1) })).toThrow('cell 1 of 1')
    expect(() => metageneScores(one, [0], { shift: 0 })).toThrow('shift 0')
  })
})
