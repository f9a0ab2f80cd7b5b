/**
 * Counts of the cells that a network learns from, out of slabs over its genes: CSR in shared memory with ascending genes, zeros dropped, and each
 * cell's sum. A cell without any count on these genes has no depth to be scaled by (upstream's loss becomes NaN): it is left out, and listed.
 *
 * Memory: 16 bytes a cell and 8 an entry, so a million cells with 250 of 2,000 genes each take 2 GB; besides it one slab.
 */
import type { RowSlab } from '../data/cells.ts'
import { BadInput, type ErrorReport } from '../job/errors.ts'
import { checkCounts, noneBroken, notWhole } from './count-values.ts'
import { type Growing, growing } from './growing-array.ts'

export interface TrainingCounts {
  /** those that have counts */
  cells: number
  genes: number
  /** cells + 1 */
  indptr: Float64Array
  /** ascending in each cell, each once */
  indices: Int32Array
  /** above zero and whole; float32 holds whole numbers up to 16,777,216 */
  counts: Float32Array
  /** sum of each cell */
  library: Float32Array
  /** number of each cell among all that came, ascending */
  rows: Int32Array
  /** numbers of those without any count on these genes, ascending */
  empty: Int32Array
  /** CELLS_WITHOUT_COUNTS */
  notices: ErrorReport[]
}

export interface TrainingCountOptions {
  /** for messages: the matrix */
  place: string
  /** cells that come */
  cells: number
  /** columns of the slabs */
  genes: number
  /** for all arrays: 8 GiB unless told */
  mostBytes?: number
}

/**
 * @param slabs raw counts over the model's genes, rows in order (`start` counted over all cells), entries of a row in any order
 * @throws BadInput VALUES_NOT_COUNTS (negative, NaN, infinite), COUNTS_NOT_WHOLE, DUPLICATE_ENTRY, each with the first cell that has it;
 * CELLS_EMPTY when no cell has a count; CELLS_TOO_MANY. RangeError when other rows or columns come than were told
 */
export async function collectTrainingCounts(
  slabs: AsyncIterable<RowSlab>,
  options: TrainingCountOptions,
): Promise<TrainingCounts> {
  const { place, cells, genes } = options
  const filling = newFilling(options)
  const empty: number[] = []
  let came = 0
  for await (const slab of slabs) {
    came += slab.rows
    if (came > cells) throw new RangeError(`${place}: more than ${cells} cells come`)
    if (slab.columns !== genes) throw new RangeError(`${place}: ${slab.columns} genes instead of ${genes}`)
    const broken = noneBroken()
    checkCounts(slab, { place, broken })
    if (broken.entries > 0) throw errorOf(notWhole(broken, place))
    for (let row = 0; row < slab.rows; row++) if (!addCell(filling, slab, row)) empty.push(slab.start + row)
  }
  if (came < cells) throw new RangeError(`${place}: ${came} of ${cells} cells come`)
  if (filling.cells === 0) throw errorOf(noCounts(place, cells))
  const { cells: kept, entries } = filling
  return {
    cells: kept,
    genes,
    indptr: filling.indptr.subarray(0, kept + 1),
    indices: filling.indices.taken(entries),
    counts: filling.counts.taken(entries),
    library: filling.library.subarray(0, kept),
    rows: filling.rows.subarray(0, kept),
    empty: Int32Array.from(empty),
    notices: empty.length > 0 ? [someEmpty(place, { empty: empty.length, cells })] : [],
  }
}

interface Filling extends Pick<TrainingCountOptions, 'place' | 'genes'> {
  mostBytes: number
  cells: number
  entries: number
  indptr: Float64Array
  library: Float32Array
  rows: Int32Array
  indices: Growing<Int32Array>
  counts: Growing<Float32Array>
  /** count of each gene of a cell whose entries come in another order */
  scratch: Float32Array
}

function newFilling({ place, cells, genes, mostBytes = 2 ** 33 }: TrainingCountOptions): Filling {
  const most = Math.min(cells * genes, Math.floor((mostBytes - 16 * cells) / 8))
  if (most < 0) throw tooMany(place, mostBytes)
  const shared = (bytes: number): SharedArrayBuffer => new SharedArrayBuffer(bytes)
  return {
    place,
    genes,
    mostBytes,
    cells: 0,
    entries: 0,
    indptr: new Float64Array(shared(8 * (cells + 1))),
    library: new Float32Array(shared(4 * cells)),
    rows: new Int32Array(shared(4 * cells)),
    indices: growing('int32', most),
    counts: growing('float32', most),
    scratch: new Float32Array(genes),
  }
}

/** @returns false where the cell has no counts: then nothing was added */
function addCell(filling: Filling, slab: RowSlab, row: number): boolean {
  const { genes, place, mostBytes } = filling
  const first = filling.entries
  const [from, to] = [slab.indptr[row]!, slab.indptr[row + 1]!]
  let own = 0
  for (let i = from; i < to; i++) own += Number(slab.values[i] !== 0)
  if (own === 0) return false
  const cell = slab.start + row
  if (own > genes) throw twice(place, cell)
  if (!filling.indices.makeRoom(first + own) || !filling.counts.makeRoom(first + own))
    throw tooMany(place, mostBytes)
  const [indices, counts] = [filling.indices.values, filling.counts.values]
  let [at, sum, before, isSorted] = [first, 0, -1, true]
  for (let i = from; i < to; i++) {
    const count = slab.values[i]!
    if (count === 0) continue
    const gene = slab.indices[i]!
    if (gene < 0 || gene >= genes)
      throw new RangeError(`${place}: cell ${cell + 1} has gene ${gene} of ${genes}`)
    isSorted &&= gene > before
    before = gene
    indices[at] = gene
    counts[at++] = count
    sum += count
  }
  if (!isSorted) sortEntries(filling, { from: first, to: at, cell })
  filling.rows[filling.cells] = cell
  filling.library[filling.cells++] = sum
  filling.indptr[filling.cells] = at
  filling.entries = at
  return true
}

function sortEntries(
  { indices, counts, scratch, place }: Filling,
  { from, to, cell }: { from: number; to: number; cell: number },
): void {
  for (let i = from; i < to; i++) scratch[indices.values[i]!] = counts.values[i]!
  const own = indices.values.subarray(from, to).sort()
  for (const [i, gene] of own.entries()) {
    if (i > 0 && gene === own[i - 1]) throw twice(place, cell)
    counts.values[from + i] = scratch[gene]!
  }
}

const errorOf = ({ code, place, problem, remedy }: ErrorReport): BadInput =>
  new BadInput(code, place, problem, remedy)

function twice(place: string, cell: number): BadInput {
  const problem = `cell ${cell + 1} stores a gene more than once`
  const remedy = 'In Python: `adata.X.sum_duplicates()`, then write the file again'
  return new BadInput('DUPLICATE_ENTRY', place, problem, remedy)
}

function tooMany(place: string, bytes: number): BadInput {
  const problem = `the counts to learn from do not fit in ${bytes} bytes`
  return new BadInput(
    'CELLS_TOO_MANY',
    place,
    problem,
    'Give this step more memory, fewer cells or fewer genes',
  )
}

function noCounts(place: string, cells: number): ErrorReport {
  const problem = `none of the ${cells} cells has a count on the genes that the model works over`
  return {
    code: 'CELLS_EMPTY',
    place,
    problem,
    remedy: 'Choose other genes, or check that these are raw counts',
  }
}

function someEmpty(place: string, { empty, cells }: { empty: number; cells: number }): ErrorReport {
  const share = ((100 * empty) / cells).toFixed(1)
  const problem = `${empty} of ${cells} cells (${share} %) have no count on the genes that the model works over: they are neither learnt from nor placed`
  return {
    code: 'CELLS_WITHOUT_COUNTS',
    place,
    problem,
    remedy: 'Take such cells out first, or choose more genes',
  }
}
