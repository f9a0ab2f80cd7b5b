/**
 * How many entries the chosen rows of a matrix hold, at most: an h5ad keeps its offsets in 32 bits where they suffice, and has to know
 * before the first row comes.
 */
import type { AnnDataFile } from '../data/anndata/file.ts'
import { readOffsets } from '../data/anndata/stored-numbers.ts'
import type { CellFile, Matrix } from '../data/cells.ts'
import { isAnnData } from '../data/copy-cells.ts'

/** more than this is worth counting */
const fewEntries = 2 ** 27
const rowsAtOnce = 2 ** 18

export async function entriesAtMost(cells: CellFile, matrix: Matrix, rows: Int32Array): Promise<number> {
  const bound = Math.min(matrix.stored, rows.length * matrix.columns)
  if (bound <= fewEntries || rows.length === matrix.rows || matrix.encoding !== 'csr' || !isAnnData(cells))
    return bound
  return countEntries(cells, matrix, rows)
}

async function countEntries(cells: AnnDataFile, matrix: Matrix, rows: Int32Array): Promise<number> {
  const { stored, columns, type } = matrix
  const parts = {
    ...{ tree: cells.tree, path: cells.pathOf(matrix.name), rows: matrix.rows },
    ...{ columns, stored, type },
  }
  let entries = 0
  for (let at = 0; at < rows.length; ) {
    const from = rows[at]!
    const to = Math.min(matrix.rows, from + rowsAtOnce)
    const offsets = await readOffsets(parts, { from, to })
    for (; at < rows.length && rows[at]! < to; at++) {
      const row = rows[at]! - from
      entries += offsets[row + 1]! - offsets[row]!
    }
  }
  return entries
}
