/** Three cells of two batches over four genes, one of them with a single count, and the shape of a network for them. */
import type { ScviShape } from '../../lib/models/scvi-network.ts'
import type { TrainingCells } from '../../lib/models/training-cells.ts'
import { smallShape } from './toy-scvi.ts'

export const tinyShape: ScviShape = { ...smallShape, genes: 4, hidden: 3, latent: 2 }

export function threeCells(): TrainingCells {
  return {
    cells: 3,
    genes: 4,
    indptr: Float64Array.of(0, 2, 3, 6),
    indices: Int32Array.of(0, 3, 2, 0, 1, 2),
    counts: Float32Array.of(5, 1, 7, 2, 3, 4),
    library: Float32Array.of(6, 7, 9),
    categories: [Int32Array.of(1, 0, 1)],
    continuous: null,
    labels: Int32Array.of(0, -1, 1),
  }
}
