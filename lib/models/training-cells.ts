/**
 * The cells that a network learns from, whole in memory: their counts as CSR over the model's genes, and what else is known of each. The
 * arrays lie in shared memory, so that the worker that trains has them without a copy.
 */
import { BadInput } from '../job/errors.ts'
import type { ScviShape } from './scvi-network.ts'

export interface TrainingCells {
  cells: number
  genes: number
  /** cells + 1 */
  indptr: Float64Array
  /** genes of the entries; ascending within a cell, each once */
  indices: Int32Array
  /** counts above zero */
  counts: Float32Array
  /** sum of counts of each cell */
  library: Float32Array
  /** by covariate, batch first: the category of each cell */
  categories: readonly Int32Array[]
  /** cells x continuous covariates; null where there are none */
  continuous: Float32Array | null
  /** class of each cell, -1 where it has no label; null for models without labels */
  labels: Int32Array | null
  /** the same for a dispersion by label, which a scVI may have too: it divides no cells and teaches no classifier */
  dispersions?: Int32Array | undefined
}

/** Where in which file the cells are from, for messages. */
export interface CellOrigin {
  place: string
  /** name of a cell by number */
  nameOf(cell: number): string
}

/**
 * What no count model can learn from is refused here, each with the first cell that has it.
 * @throws BadInput COUNTS_NEGATIVE, COUNTS_NOT_WHOLE, CELLS_EMPTY, COVARIATE_UNKNOWN
 */
export function checkTrainingCells(of: TrainingCells, shape: ScviShape, origin: CellOrigin): void {
  const refuse = (code: string, cell: number, [problem, remedy]: readonly [string, string]): never => {
    throw new BadInput(code, `${origin.place}: cell ${origin.nameOf(cell)}`, problem, remedy)
  }
  for (let cell = 0; cell < of.cells; cell++) {
    const [from, to] = [of.indptr[cell]!, of.indptr[cell + 1]!]
    if (from === to) refuse('CELLS_EMPTY', cell, emptyCell)
    for (let i = from; i < to; i++) {
      const count = of.counts[i]!
      if (!(count > 0)) refuse('COUNTS_NEGATIVE', cell, [`it has a count of ${count}`, rawCounts])
      if (!Number.isInteger(count))
        refuse('COUNTS_NOT_WHOLE', cell, [`it has a count of ${count}`, rawCounts])
    }
    for (const [i, codes] of of.categories.entries()) {
      const code = codes[cell]!
      if (code < 0 || code >= shape.categories[i]!)
        refuse('COVARIATE_UNKNOWN', cell, [
          `it has no category of covariate ${i + 1}`,
          'Give every cell its batch',
        ])
    }
  }
}

const rawCounts = 'Give raw counts: the number of molecules of each gene'
const emptyCell = [
  'none of the genes that the model works over was seen in it',
  'Take such cells out first, or choose other genes',
] as const

export function sumsOf({
  cells,
  indptr,
  counts,
}: Pick<TrainingCells, 'cells' | 'indptr' | 'counts'>): Float32Array {
  const sums = new Float32Array(new SharedArrayBuffer(4 * cells))
  for (let cell = 0; cell < cells; cell++) {
    let sum = 0
    for (let i = indptr[cell]!; i < indptr[cell + 1]!; i++) sum += counts[i]!
    sums[cell] = sum
  }
  return sums
}
