/** Training cells cut to some of their genes. Stored zeros go: nothing after this tells them from zeros that were not stored. */
import type { TrainingRows } from './standardised-cells.ts'

/** @param genes numbers of the genes to keep, rising; they become 0, 1, 2 ... */
export function columnsOf(cells: TrainingRows, genes: Int32Array): TrainingRows {
  const place = new Int32Array(cells.columns).fill(-1)
  for (const [at, gene] of genes.entries()) place[gene] = at
  const indptr = new Float64Array(cells.rows + 1)
  let stored = 0
  for (let i = cells.indptr[0]!; i < cells.indptr[cells.rows]!; i++)
    if (place[cells.indices[i]!]! >= 0 && cells.values[i] !== 0) stored++
  const indices = new Int32Array(stored)
  const values = new (cells.values instanceof Float32Array ? Float32Array : Float64Array)(stored)
  let at = 0
  for (let row = 0; row < cells.rows; row++) {
    for (let i = cells.indptr[row]!; i < cells.indptr[row + 1]!; i++) {
      const gene = place[cells.indices[i]!]!
      if (gene < 0 || cells.values[i] === 0) continue
      indices[at] = gene
      values[at++] = cells.values[i]!
    }
    indptr[row + 1] = at
  }
  return { rows: cells.rows, columns: genes.length, indptr, indices, values }
}

/** Numbers of the genes that are not zero in every cell, rising. */
export function expressedGenes({ rows, columns, indptr, indices, values }: TrainingRows): Int32Array {
  const seen = new Uint8Array(columns)
  for (let i = indptr[0]!; i < indptr[rows]!; i++) if (values[i] !== 0) seen[indices[i]!] = 1
  return Int32Array.from(seen.keys()).filter((gene) => seen[gene] === 1)
}
