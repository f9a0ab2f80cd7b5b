/**
 * Columns of a query become the genes of a model: each row's entries move to the model's gene numbers, in ascending order,
 * and columns that are one gene there are summed, as counts are (of logs: the log of the sum of what they stand for).
 *
 * Every row is scattered into a scratch row with a bit for each gene touched, and read back bit by bit: no sorting.
 */
import type { RowSlab } from '../data/cells.ts'

export interface Alignment {
  /** for each column of the query the gene of the model, or -1 */
  target: Int32Array
  /** how many genes the model has */
  genes: number
  /** what the values are: duplicates are summed as counts, or below the log1p. Counts unless told */
  values?: 'counts' | 'log1p'
  /** of the columns in a row: ascending unless told; 'any' is faster where no two columns are one gene */
  order?: 'ascending' | 'any'
}

/** Rows of a slab over the model's genes, zeros left out; a slab of its own memory. */
export function alignRows(slab: RowSlab, alignment: Alignment): RowSlab {
  const { target, genes, values = 'counts', order = 'ascending' } = alignment
  checkTarget(target, { columns: slab.columns, genes })
  if (order === 'any' && isOneToOne(target, genes)) return renamed(slab, { target, genes })
  const { rows } = slab
  const scratch = new Float64Array(genes)
  const touched = new Uint32Array(Math.ceil(genes / 32))
  const out = outputFor(slab)
  const add = values === 'log1p' ? addLogs : addCounts
  let at = 0
  for (let row = 0; row < rows; row++) {
    scatterRow(slab, row, { target, scratch, touched, add })
    for (let word = 0; word < touched.length; word++) {
      let bits = touched[word]!
      if (bits === 0) continue
      touched[word] = 0
      while (bits !== 0) {
        const lowest = bits & -bits
        const gene = word * 32 + 31 - Math.clz32(lowest)
        bits ^= lowest
        const value = scratch[gene]!
        if (value === 0) continue
        out.indices[at] = gene
        out.values[at++] = value
      }
    }
    out.indptr[row + 1] = at
  }
  return finished(slab, { out, stored: at, genes })
}

/** No two columns of the query are one gene of the model. */
function isOneToOne(target: Int32Array, genes: number): boolean {
  const taken = new Uint8Array(genes)
  for (let i = 0; i < target.length; i++) {
    const gene = target[i]!
    if (gene < 0) continue
    if (taken[gene] !== 0) return false
    taken[gene] = 1
  }
  return true
}

/** Then there is nothing to sum: entries keep their order and get the model's numbers. */
function renamed(slab: RowSlab, { target, genes }: Pick<Alignment, 'target' | 'genes'>): RowSlab {
  const { rows, indptr, indices, values } = slab
  const out = outputFor(slab)
  const { indices: outIndices, values: outValues } = out
  let at = 0
  for (let row = 0; row < rows; row++) {
    const end = indptr[row + 1]!
    for (let i = indptr[row]!; i < end; i++) {
      const gene = target[indices[i]!]!
      const value = values[i]!
      // written in any case, kept only where there is something to keep: no branch to be guessed
      outIndices[at] = gene
      outValues[at] = value
      at += Number(gene >= 0) & Number(value !== 0)
    }
    out.indptr[row + 1] = at
  }
  return finished(slab, { out, stored: at, genes })
}

interface Output {
  indptr: Int32Array
  indices: Int32Array
  values: Float32Array | Float64Array
}

function outputFor(slab: RowSlab): Output {
  const most = slab.indptr[slab.rows]!
  return {
    indptr: new Int32Array(slab.rows + 1),
    indices: new Int32Array(most),
    values: hasWideValues(slab) ? new Float64Array(most) : new Float32Array(most),
  }
}

function finished(
  { start, rows }: RowSlab,
  { out, stored, genes }: { out: Output; stored: number; genes: number },
): RowSlab {
  const { indptr, indices, values } = out
  return { start, rows, columns: genes, indptr, indices: kept(indices, stored), values: kept(values, stored) }
}

/** Where most was dropped, memory for what was kept: rows are held until their shard is full. */
function kept<Values extends Int32Array | Float32Array | Float64Array>(
  values: Values,
  length: number,
): Values {
  return (2 * length < values.length ? values.slice(0, length) : values.subarray(0, length)) as Values
}

interface Scatter {
  target: Int32Array
  scratch: Float64Array
  /** one bit a gene */
  touched: Uint32Array
  add: (a: number, b: number) => number
}

function scatterRow(slab: RowSlab, row: number, { target, scratch, touched, add }: Scatter): void {
  const { indices, values } = slab
  const end = slab.indptr[row + 1]!
  for (let i = slab.indptr[row]!; i < end; i++) {
    const gene = target[indices[i]!]!
    if (gene < 0) continue
    const word = gene >>> 5
    const bit = 1 << (gene & 31)
    const before = touched[word]!
    if ((before & bit) === 0) {
      touched[word] = before | bit
      scratch[gene] = values[i]!
    } else {
      scratch[gene] = add(scratch[gene]!, values[i]!)
    }
  }
}

const addCounts = (a: number, b: number): number => a + b
const addLogs = (a: number, b: number): number => Math.log1p(Math.expm1(a) + Math.expm1(b))

/** float32 does not hold every sum of 32-bit integers, nor float64 */
function hasWideValues({ values }: RowSlab): boolean {
  return values instanceof Float64Array || values instanceof Int32Array || values instanceof Uint32Array
}

function checkTarget(target: Int32Array, { columns, genes }: { columns: number; genes: number }): void {
  if (target.length !== columns) throw new RangeError(`${target.length} targets for ${columns} columns`)
  for (let i = 0; i < target.length; i++) {
    if (target[i]! >= genes) throw new RangeError(`column ${i} goes to gene ${target[i]} of ${genes}`)
  }
}
