/** Rows of a file over other genes, whole in memory: for the training cells of one reference, which are few beside the file. */
import type { Matrix, RowSlab } from '../data/cells.ts'
import { type Alignment, alignRows } from './align-genes.ts'

/** @param alignment to which genes, and what the values are; columns that are one gene are summed, zeros left out */
export async function holdRows(matrix: Matrix, alignment: Alignment): Promise<Matrix> {
  const slabs: RowSlab[] = []
  for await (const slab of matrix.slabs({ transient: true })) slabs.push(alignRows(slab, alignment))
  return {
    ...matrix,
    columns: alignment.genes,
    encoding: 'csr',
    stored: slabs.reduce((sum, { indices }) => sum + indices.length, 0),
    async *slabs() {
      yield* slabs
    },
  }
}

/**
 * Median of the cells' totals over the aligned genes, cells without counts left out; of many cells a sample of ten runs of rows.
 * @returns 0 where no cell has a count
 */
export async function medianTotal(
  matrix: Matrix,
  alignment: Alignment,
  { mostRows = 20_000 }: { mostRows?: number } = {},
): Promise<number> {
  const totals: number[] = []
  const runs = matrix.rows <= mostRows ? 1 : 10
  const length = Math.ceil(Math.min(mostRows, matrix.rows) / runs)
  for (let run = 0; run < runs; run++) {
    const from = Math.floor((run * (matrix.rows - length)) / Math.max(1, runs - 1))
    for await (const slab of matrix.slabs({ transient: true, from, to: from + length })) {
      const { rows, indptr, values } = alignRows(slab, alignment)
      for (let row = 0; row < rows; row++) {
        let total = 0
        for (let i = indptr[row]!; i < indptr[row + 1]!; i++) total += values[i]!
        if (total > 0) totals.push(total)
      }
    }
  }
  totals.sort((a, b) => a - b)
  return totals[totals.length >> 1] ?? 0
}
