/** Labelled cells by seed: log counts with a few genes that mark each label, sparse; every label occurs. */
import type { Random } from '../../lib/job/random.ts'
import type { TrainingRows } from '../../lib/models/standardised-cells.ts'

export function labelledCells(
  draw: Random,
  { rows, genes, labels, density = 0.2 }: { rows: number; genes: number; labels: number; density?: number },
): { cells: TrainingRows; codes: Int32Array } {
  // later labels are rarer
  const codes = Int32Array.from({ length: rows }, (_, row) =>
    row < labels ? row : Math.floor(labels * draw.uniform() ** 2),
  )
  const indptr = new Float64Array(rows + 1)
  const indices: number[] = []
  const values: number[] = []
  for (let row = 0; row < rows; row++) {
    for (let gene = 0; gene < genes; gene++) {
      const isMarker = gene % (labels * 2) === codes[row]
      if (draw.uniform() > (isMarker ? 0.7 : density)) continue
      indices.push(gene)
      values.push(Math.log1p(1 + draw.integer(isMarker ? 30 : 10)))
    }
    indptr[row + 1] = indices.length
  }
  return {
    cells: {
      rows,
      columns: genes,
      indptr,
      indices: Int32Array.from(indices),
      values: Float64Array.from(values),
    },
    codes,
  }
}
