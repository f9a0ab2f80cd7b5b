/** The 2,000 cells of two conditions over 1,500 genes that scvi-tools was run on (shared/golden/scvi). */
import { columnTexts } from '../../lib/data/column-texts.ts'
import { openCells } from '../../lib/data/open-cells.ts'
import { sumsOf, type TrainingCells } from '../../lib/models/training-cells.ts'
import { sharedPath } from './shared.ts'

export interface KangCells extends TrainingCells {
  /** cell type of each cell */
  types: string[]
}

/** Batch 0 is ctrl, batch 1 stim; classes are the cell types in order. */
export async function kangCells(): Promise<KangCells> {
  const file = await openCells(sharedPath('golden', 'scvi', 'kang_2000x1500_counts.h5ad'))
  const matrix = await file.matrix('X')
  const [indptr, indices, counts] = [[0], [] as number[], [] as number[]]
  for await (const slab of matrix.slabs()) {
    for (let row = 0; row < slab.rows; row++) {
      const entries = Array.from(
        { length: slab.indptr[row + 1]! - slab.indptr[row]! },
        (_, i) => slab.indptr[row]! + i,
      )
      entries.sort((a, b) => slab.indices[a]! - slab.indices[b]!)
      for (const i of entries) {
        indices.push(slab.indices[i]!)
        counts.push(Number(slab.values[i]))
      }
      indptr.push(indices.length)
    }
  }
  const obs = await file.obs()
  const condition = columnTexts(obs.columns.get('condition')!)!
  const types = columnTexts(obs.columns.get('cell_type')!)!
  const classes = [...new Set(types)].sort()
  await file.close()
  const arrays = { cells: matrix.rows, indptr: Float64Array.from(indptr), counts: Float32Array.from(counts) }
  return {
    ...arrays,
    genes: matrix.columns,
    indices: Int32Array.from(indices),
    library: sumsOf(arrays),
    categories: [Int32Array.from(condition, (one) => (one === 'stim' ? 1 : 0))],
    continuous: null,
    labels: Int32Array.from(types, (type) => classes.indexOf(type)),
    types,
  }
}
