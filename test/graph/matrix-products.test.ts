import fc from 'fast-check'
import { expect, it } from 'vitest'
import { type Matrix, openMatrixProducts } from '../../lib/graph/matrix-products.ts'

function table(rows: number, columns: number): fc.Arbitrary<Matrix> {
  const number = fc.double({ min: -100, max: 100, noNaN: true })
  return fc
    .array(number, { minLength: rows * columns, maxLength: rows * columns })
    .map((values) => ({ rows, columns, values: Float64Array.from(values) }))
}

it('multiplies as a loop does, and a transposed matrix too', async () => {
  const products = await openMatrixProducts({ threads: 1 })
  const length = fc.integer({ min: 1, max: 6 })
  const pair = fc
    .tuple(length, length, length)
    .chain(([rows, inner, columns]) => fc.tuple(table(rows, inner), table(inner, columns)))
  await fc.assert(
    fc.asyncProperty(pair, async ([left, right]) => {
      const transposed: Matrix = {
        rows: left.columns,
        columns: left.rows,
        values: left.values.map(
          (_, at) => left.values[(at % left.rows) * left.columns + Math.floor(at / left.rows)]!,
        ),
      }
      for (const found of [
        await products.product(left, right),
        await products.transposedProduct(transposed, right),
      ]) {
        expect([found.rows, found.columns]).toEqual([left.rows, right.columns])
        for (const [at, value] of found.values.entries()) {
          let sum = 0
          for (let j = 0; j < left.columns; j++)
            sum +=
              left.values[Math.floor(at / right.columns) * left.columns + j]! *
              right.values[j * right.columns + (at % right.columns)]!
          expect(value).toBeCloseTo(sum, 8)
        }
      }
    }),
  )
  await products.close()
})
