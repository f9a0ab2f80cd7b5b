/** Sparse cells x genes for tests: log counts of groups of cells, from a seed. */
import { random } from '../../lib/job/random.ts'
import type { SparseRows } from '../../lib/neighbours/standardised-rows.ts'

/** Genes differ in how often they are seen; each group has genes that it shows more. Columns within a row rise. */
export function logCounts(
  rows: number,
  {
    columns,
    density,
    groups = 5,
    seed = 1,
  }: { columns: number; density: number; groups?: number; seed?: number },
): SparseRows {
  const chance = random(seed)
  const rates = Array.from({ length: groups * columns }, (_, at) => {
    const usual = 2 * density * ((at % columns) / columns)
    return usual * (chance.uniform() < 0.1 ? 3 : 1)
  })
  const indptr = new Int32Array(rows + 1)
  const indices: number[] = []
  const values: number[] = []
  for (let row = 0; row < rows; row++) {
    for (let gene = 0; gene < columns; gene++) {
      if (chance.uniform() >= rates[(row % groups) * columns + gene]!) continue
      indices.push(gene)
      values.push(Math.log1p(chance.uniform() ** 4 * 30))
    }
    indptr[row + 1] = indices.length
  }
  return { rows, columns, indptr, indices: Int32Array.from(indices), values: Float32Array.from(values) }
}

/** The same numbers, row by row, with their zeros. */
export function asDense({ rows, columns, indptr, indices, values }: SparseRows): Float32Array {
  const dense = new Float32Array(rows * columns)
  for (let row = 0; row < rows; row++)
    for (let at = indptr[row]!; at < indptr[row + 1]!; at++)
      dense[row * columns + indices[at]!]! += values[at]!
  return dense
}
