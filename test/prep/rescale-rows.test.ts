/** Twin: rescaled logs are the logs that scaling the same counts over these genes alone gives. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { rescaleRows } from '../../lib/prep/rescale-rows.ts'

it('is what scaling the counts of these genes alone would have given', () => {
  const counts = fc.array(fc.array(fc.integer({ min: 0, max: 500 }), { minLength: 4, maxLength: 4 }), {
    minLength: 1,
    maxLength: 5,
  })
  fc.assert(
    fc.property(counts, fc.integer({ min: 0, max: 10_000 }), (rows, others) => {
      const logs = (row: number[], total: number) =>
        row.map((count) => (total > 0 ? Math.log1p((count / total) * 1e4) : 0))
      const sum = (row: number[]) => row.reduce((all, count) => all + count, 0)
      const indptr = Int32Array.from({ length: rows.length + 1 }, (_, row) => 4 * row)
      const wide = Float64Array.from(rows.flatMap((row) => logs(row, sum(row) + others)))
      const made = rescaleRows({ rows: rows.length, indptr, values: wide })
      const wanted = rows.flatMap((row) => logs(row, sum(row)))
      for (const [i, value] of made.entries()) expect(value).toBeCloseTo(wanted[i]!, 9)
    }),
  )
})
