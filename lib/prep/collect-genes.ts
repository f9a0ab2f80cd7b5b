/**
 * The chosen genes of all cells as one matrix in memory, as PCA wants it. How much it will be is known beforehand from the
 * cells each gene is seen in; where that is too much, the last of the ranking are left out, and a notice says how many.
 */
import type { RowSlab } from '../data/cells.ts'
import { BadInput, type ErrorReport } from '../job/errors.ts'
import { alignRows } from './align-genes.ts'

export interface CellsByGenes {
  rows: number
  columns: number
  /** rows + 1 offsets into indices and values */
  indptr: Float64Array
  /** ascending in each row */
  indices: Int32Array
  values: Float32Array
}

export interface CollectedGenes extends CellsByGenes {
  /** which gene of the slabs each column is, ascending */
  genes: Int32Array
  notices: ErrorReport[]
}

export interface CollectOptions {
  /** how many cells come */
  cells: number
  /** genes of the slabs, best first (`selectVariableGenes`) */
  ranked: Int32Array
  /** cells in which each gene of the slabs is not zero (`geneMoments`) */
  detected: Int32Array
  /** 2 GiB unless told */
  mostBytes?: number
  /** for messages: the matrix */
  place: string
}

const bytesOfEntry = 8

/** @throws BadInput CELLS_TOO_MANY when not even one gene of all cells fits */
export async function collectGenes(
  slabs: AsyncIterable<RowSlab>,
  options: CollectOptions,
): Promise<CollectedGenes> {
  const { cells, detected } = options
  const { genes, entries, notices } = fitting(options)
  const target = new Int32Array(detected.length).fill(-1)
  for (const [column, gene] of genes.entries()) target[gene] = column
  const indptr = new Float64Array(cells + 1)
  const indices = new Int32Array(entries)
  const values = new Float32Array(entries)
  let [rows, at] = [0, 0]
  for await (const slab of slabs) {
    const chosen = alignRows(slab, { target, genes: genes.length })
    if (at + chosen.indices.length > entries || rows + chosen.rows > cells)
      throw new RangeError(`${options.place}: more comes than was counted before`)
    indices.set(chosen.indices, at)
    values.set(chosen.values, at)
    for (let row = 1; row <= chosen.rows; row++) indptr[rows + row] = at + chosen.indptr[row]!
    at += chosen.indices.length
    rows += chosen.rows
  }
  if (rows !== cells || at !== entries)
    throw new RangeError(`${options.place}: less comes than was counted before`)
  return { rows, columns: genes.length, indptr, indices, values, genes, notices }
}

interface Fitting {
  genes: Int32Array
  entries: number
  notices: ErrorReport[]
}

/** As many genes as fit, in their order in the slabs. */
function fitting({ cells, ranked, detected, mostBytes = 2 ** 31, place }: CollectOptions): Fitting {
  const most = Math.floor((mostBytes - (cells + 1) * 8) / bytesOfEntry)
  let [count, entries] = [0, 0]
  while (count < ranked.length && entries + detected[ranked[count]!]! <= most)
    entries += detected[ranked[count++]!]!
  if (count === 0 && ranked.length > 0) {
    throw new BadInput(
      'CELLS_TOO_MANY',
      place,
      `${cells} cells of one gene do not fit in ${mostBytes} bytes`,
      'Give this step more memory, or fewer cells',
    )
  }
  const genes = ranked.slice(0, count).sort()
  if (count === ranked.length) return { genes, entries, notices: [] }
  const notice = {
    code: 'VARIABLE_GENES_FEWER',
    place,
    problem: `of ${ranked.length} variable genes the first ${count} are used: more do not fit in ${mostBytes} bytes`,
    remedy: 'Give this step more memory',
  }
  return { genes, entries, notices: [notice] }
}
