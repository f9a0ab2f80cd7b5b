/** Some of the cells that are in memory for the training, as inference takes them: their counts as a slab, and what else is known of each. */
import type { RowSlab } from '../../data/cells.ts'
import type { CellCovariates } from '../../models/slab-feeds.ts'
import type { TrainingCells } from '../../models/training-cells.ts'
import { slabRows } from '../parts/count-shards.ts'

/** cells looked at in one go */
export const rowsAtOnce = 4096

/** @param rows of the training cells, ascending */
export function trainingPart(
  { cells, genes, indptr, indices, counts, categories, continuous, labels }: TrainingCells,
  rows: Int32Array,
): { slab: RowSlab; covariates: CellCovariates } {
  const whole = { start: 0, rows: cells, columns: genes, indptr, indices, values: counts }
  const width = (continuous?.length ?? 0) / Math.max(1, cells)
  const numbers = new Float32Array(rows.length * width)
  for (const [i, cell] of rows.entries())
    if (continuous !== null) numbers.set(continuous.subarray(cell * width, (cell + 1) * width), i * width)
  return {
    slab: slabRows(whole, rows),
    covariates: {
      categories: categories.map((codes) => rows.map((cell) => codes[cell]!)),
      ...(continuous !== null && { continuous: numbers }),
      ...(labels !== null && { labels: rows.map((cell) => labels[cell]!) }),
    },
  }
}
