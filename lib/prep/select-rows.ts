/** Some rows of a matrix as a matrix of their own: what is not wanted is read past and never kept. */
import type { Matrix, RowSlab } from '../data/cells.ts'

/** @param rows numbers of the rows wanted, ascending, each once */
export function selectRows(matrix: Matrix, rows: Int32Array): Matrix {
  const { stored } = matrix
  return {
    ...matrix,
    rows: rows.length,
    stored: Math.ceil((stored * rows.length) / Math.max(1, matrix.rows)),
    async *slabs(options = {}) {
      let at = 0
      for await (const slab of matrix.slabs({
        ...options,
        from: rows[0] ?? 0,
        to: (rows.at(-1) ?? -1) + 1,
      })) {
        const first = at
        while (at < rows.length && rows[at]! < slab.start + slab.rows) at++
        if (at > first) yield selected(slab, { wanted: rows.subarray(first, at), start: first })
      }
    },
  }
}

function selected(slab: RowSlab, { wanted, start }: { wanted: Int32Array; start: number }): RowSlab {
  const indptr = new Int32Array(wanted.length + 1)
  for (const [i, row] of wanted.entries()) {
    const at = row - slab.start
    indptr[i + 1] = indptr[i]! + slab.indptr[at + 1]! - slab.indptr[at]!
  }
  const indices = new Int32Array(indptr[wanted.length]!)
  const values = slab.values.slice(0, 0).constructor as new (length: number) => typeof slab.values
  const chosen = new values(indices.length)
  for (const [i, row] of wanted.entries()) {
    const [from, to] = [slab.indptr[row - slab.start]!, slab.indptr[row - slab.start + 1]!]
    indices.set(slab.indices.subarray(from, to), indptr[i])
    chosen.set(slab.values.subarray(from, to), indptr[i])
  }
  return { start, rows: wanted.length, columns: slab.columns, indptr, indices, values: chosen }
}
