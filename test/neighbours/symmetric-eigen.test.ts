import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type MatrixProducts, openMatrixProducts } from '../../lib/graph/matrix-products.ts'
import { random } from '../../lib/job/random.ts'
import type { Operator } from '../../lib/neighbours/krylov-basis.ts'
import { leadingEigenvectors } from '../../lib/neighbours/leading-eigenvectors.ts'
import { symmetricEigen } from '../../lib/neighbours/symmetric-eigen.ts'

/** Q^T diag(values) Q for a random orthonormal Q, made of mirrors. */
function withEigenvalues(values: readonly number[], seed: number): Float64Array {
  const size = values.length
  const chance = random(seed)
  const matrix = new Float64Array(size * size)
  for (const [i, value] of values.entries()) matrix[i * size + i] = value
  for (let mirror = 0; mirror < 2; mirror++) {
    const normal = Float64Array.from({ length: size }, () => chance.normal())
    const scale = 2 / normal.reduce((sum, x) => sum + x * x, 0)
    for (const [step, other] of [
      [1, size],
      [size, 1],
    ] as const)
      for (let line = 0; line < size; line++) {
        let along = 0
        for (let i = 0; i < size; i++) along += matrix[line * other + i * step]! * normal[i]!
        for (let i = 0; i < size; i++) matrix[line * other + i * step]! -= scale * along * normal[i]!
      }
  }
  return matrix
}

let products: MatrixProducts
beforeAll(async () => {
  products = await openMatrixProducts()
})
afterAll(() => products.close())

function operatorOf(values: Float64Array, size: number): Operator {
  return { size, multiply: (block) => products.product({ rows: size, columns: size, values }, block) }
}

/** Largest |A v - value v| and largest distance of the vectors from being orthonormal. */
function errors(
  matrix: Float64Array,
  { size, values, vectors }: { size: number; values: Float64Array; vectors: Float64Array },
): { residual: number; angle: number } {
  let [residual, angle] = [0, 0]
  for (let pair = 0; pair < values.length; pair++) {
    const vector = vectors.subarray(pair * size, (pair + 1) * size)
    for (let i = 0; i < size; i++) {
      let sum = -values[pair]! * vector[i]!
      for (let j = 0; j < size; j++) sum += matrix[i * size + j]! * vector[j]!
      residual = Math.max(residual, Math.abs(sum))
    }
    for (let other = 0; other <= pair; other++) {
      const product = vectors
        .subarray(other * size, (other + 1) * size)
        .reduce((sum, x, i) => sum + x * vector[i]!, 0)
      angle = Math.max(angle, Math.abs(product - (other === pair ? 1 : 0)))
    }
  }
  return { residual, angle }
}

/** With repeated, tiny and zero values, as covariances have them. */
const spectrum = fc
  .array(fc.constantFrom(0, 1e-9, 0.5, 1, 1, 3, 70), { minLength: 1, maxLength: 25 })
  .map((values) => values.sort((a, b) => b - a))

describe('all eigenvectors of a symmetric matrix', () => {
  it('are orthonormal, solve the equation and come largest first, with repeated and zero values too', () => {
    fc.assert(
      fc.property(spectrum, fc.nat(1000), (wanted, seed) => {
        const size = wanted.length
        const matrix = withEigenvalues(wanted, seed)
        const { values, vectors } = symmetricEigen(matrix, size)
        for (const [i, value] of wanted.entries()) expect(values[i]).toBeCloseTo(value, 11)
        const { residual, angle } = errors(matrix, { size, values, vectors })
        expect(residual).toBeLessThan(1e-11)
        expect(angle).toBeLessThan(1e-12)
      }),
    )
  })

  it('can be had for the largest values alone', () => {
    const matrix = withEigenvalues([9, 4, 2, 1, 0], 3)
    const whole = symmetricEigen(matrix, 5)
    const part = symmetricEigen(matrix, 5, { count: 2 })
    expect(part.values).toEqual(whole.values.slice(0, 2))
    expect(part.vectors).toEqual(whole.vectors.slice(0, 10))
  })

  it('are refused for a matrix that holds no number', () => {
    expect(() => symmetricEigen(Float64Array.of(1, Number.NaN, Number.NaN, 1), 2)).toThrow(/finite/)
  })
})

/** The blocks of the search have four columns: of a value that occurs more often they see four. */
function isSimple(values: readonly number[]): boolean {
  return values.every((value) => values.filter((other) => Math.abs(value - other) < 1e-6).length <= 4)
}

describe('the leading eigenvectors of an operator', () => {
  it('are those of the whole matrix, with values that occur up to four times', async () => {
    await fc.assert(
      fc.asyncProperty(spectrum.filter(isSimple), fc.nat(1000), async (wanted, seed) => {
        const size = wanted.length
        const matrix = withEigenvalues(wanted, seed)
        const count = Math.ceil(size / 2)
        const found = await leadingEigenvectors(operatorOf(matrix, size), { count, seed, products })
        for (let i = 0; i < count; i++) expect(found.values[i]).toBeCloseTo(wanted[i]!, 10)
        expect(errors(matrix, { size, ...found }).angle).toBeLessThan(1e-12)
      }),
    )
  })

  it('are found from a space far smaller than the whole, and their residual is what it says', async () => {
    const size = 400
    const wanted = Array.from({ length: size }, (_, i) => (i < 6 ? 50 - i : 1 + Math.cos(i)))
    const matrix = withEigenvalues(wanted, 5)
    let multiplied = 0
    const inner = operatorOf(matrix, size)
    const counted: Operator = {
      size,
      multiply(block) {
        multiplied += block.columns
        return inner.multiply(block)
      },
    }
    const found = await leadingEigenvectors(counted, { count: 6, seed: 1, tolerance: 1e-8, products })
    expect(multiplied).toBeLessThan(size / 4)
    expect(found.residual).toBeLessThanOrEqual(1e-8)
    for (let i = 0; i < 6; i++) expect(found.values[i]).toBeCloseTo(50 - i, 10)
    expect(errors(matrix, { size, ...found }).residual).toBeLessThan(1e-8 * 50)
  })

  it('settle by restarts too, when the space may not grow to what they need', async () => {
    const size = 3000
    // a flat end, in which convergence is slow: diagonal, so that a product is cheap
    const wanted = Float64Array.from({ length: size }, (_, i) => 1 + 3e-4 * (size - i) + (i < 5 ? 5 - i : 0))
    const diagonal: Operator = {
      size,
      multiply: ({ rows, columns, values }) => ({
        rows,
        columns,
        values: values.map((value, at) => value * wanted[Math.floor(at / columns)]!),
      }),
    }
    const found = await leadingEigenvectors(diagonal, { count: 30, seed: 1, basisLimit: 120, products })
    expect(found.residual).toBeLessThanOrEqual(1e-6)
    for (let i = 0; i < 30; i++) expect(found.values[i]).toBeCloseTo(wanted[i]!, 7)
  })
})
