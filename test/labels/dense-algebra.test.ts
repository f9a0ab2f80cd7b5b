import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { cholesky, eigenvectors, orthonormalRows, solveLower } from '../../lib/labels/dense-algebra.ts'

const size = 4
const entries = fc.array(fc.double({ min: -5, max: 5, noNaN: true }), {
  minLength: size * size,
  maxLength: size * size,
})

/** A A' + a little of the identity. */
function positive(values: readonly number[]): Float64Array {
  return Float64Array.from({ length: size * size }, (_, at) => {
    const [row, column] = [Math.floor(at / size), at % size]
    let sum = row === column ? 0.1 : 0
    for (let k = 0; k < size; k++) sum += values[row * size + k]! * values[column * size + k]!
    return sum
  })
}

describe('dense algebra', () => {
  test('eigenvectors of a matrix known by hand, the largest first', () => {
    // eigenvalues 3 and 1 of [[2, 1], [1, 2]]
    const vectors = eigenvectors(Float64Array.of(2, 1, 1, 2), 2)
    expect(Math.abs(vectors[0]! + vectors[1]!)).toBeCloseTo(Math.SQRT2, 12)
    expect(vectors[2]! + vectors[3]!).toBeCloseTo(0, 12)
    expect([...eigenvectors(Float64Array.of(1, 0, 0, 5), 2)]).toEqual([0, 1, 1, 0])
    expect([...eigenvectors(new Float64Array(4), 2)]).toEqual([1, 0, 0, 1])
  })

  test('eigenvectors are orthonormal, and each is turned into a multiple of itself', () => {
    fc.assert(
      fc.property(entries, (values) => {
        const matrix = positive(values)
        const vectors = eigenvectors(matrix.slice(), size)
        let before = Number.POSITIVE_INFINITY
        for (let k = 0; k < size; k++) {
          const own = vectors.subarray(k * size, (k + 1) * size)
          const image = own.map((_, row) =>
            own.reduce((sum, value, i) => sum + matrix[row * size + i]! * value, 0),
          )
          const eigenvalue = image.reduce((sum, value, i) => sum + value * own[i]!, 0)
          for (const [i, value] of image.entries()) expect(value).toBeCloseTo(eigenvalue * own[i]!, 6)
          expect(own.reduce((sum, value) => sum + value ** 2, 0)).toBeCloseTo(1, 10)
          expect(eigenvalue).toBeLessThanOrEqual(before + 1e-9)
          before = eigenvalue
        }
      }),
    )
  })

  test('L times what the triangular solve gives is what went in, and L L is the matrix', () => {
    fc.assert(
      fc.property(entries, (values) => {
        const matrix = positive(values)
        const factor = cholesky(matrix, size)
        const vector = Float64Array.of(1, -2, 3, 0.5)
        const solved = vector.slice()
        solveLower(factor, solved)
        for (let row = 0; row < size; row++) {
          let [again, square] = [0, 0]
          for (let k = 0; k < size; k++) {
            again += factor[row * size + k]! * solved[k]!
            square += factor[row * size + k]! ** 2
          }
          expect(again).toBeCloseTo(vector[row]!, 6)
          expect(square).toBeCloseTo(matrix[row * size + row]!, 8)
        }
      }),
    )
  })

  test('rows become orthonormal, and one that adds nothing becomes 0', () => {
    const rows = orthonormalRows(Float64Array.of(3, 0, 4, 6, 0, 8, 0, 2, 0), 3)
    expect([...rows.subarray(0, 3)].map((value) => Number(value.toFixed(12)))).toEqual([0.6, 0, 0.8])
    expect([...rows.subarray(3)]).toEqual([0, 0, 0, 0, 1, 0])
  })
})
