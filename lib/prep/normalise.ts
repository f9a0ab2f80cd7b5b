/**
 * Rows as linear models want them: log1p(count / total * 10,000), the total over all genes of the matrix, as scanpy's
 * normalize_total and log1p do. Then, in the same pass, over the genes of a model.
 *
 * Trap: the total is taken before genes are left out, unless it is asked for over the genes that stay, as panels need it: then logs are
 * undone and scaled anew too. A cell without counts stays empty.
 */
import type { Matrix, RowSlab } from '../data/cells.ts'
import { BadInput } from '../job/errors.ts'
import { type Alignment, alignRows } from './align-genes.ts'
import { type RowQuality, rowQuality } from './quality.ts'

/** Logs over the genes of the query or of the model, and what the rows were before. */
export interface NormalisedSlab extends RowSlab, RowQuality {
  values: Float32Array | Float64Array
}

export interface NormaliseOptions {
  /** what the matrix holds: `log1p_10k` is passed on as it is, `log1p` is undone and scaled anew (`chooseCounts`) */
  from: 'counts' | 'log1p_10k' | 'log1p'
  /** what each cell is scaled to: 10,000 unless told */
  target?: number
  /** to the genes of a model, duplicates summed; as they are unless told */
  genes?: Omit<Alignment, 'values'>
  /** what each cell is scaled by: its total over the whole matrix, or over `genes`; the former unless told */
  over?: 'matrix' | 'genes'
  /** of the values that come; float32 unless told */
  type?: 'float32' | 'float64'
  /** 1 for each mitochondrial column: then their share comes along */
  isMitochondrial?: Uint8Array | undefined
  slabBytes?: number
  /** for messages: the file */
  place?: string
}

/**
 * All rows in order, once, in slabs of their own memory.
 * @throws BadInput VALUES_NOT_COUNTS when a negative, NaN or infinite value comes
 */
export async function* normalisedRows(
  matrix: Matrix,
  options: NormaliseOptions,
): AsyncGenerator<NormalisedSlab> {
  const { genes, isMitochondrial, slabBytes, over = 'matrix' } = options
  const areLogs = options.from !== 'counts'
  const isPartial = over === 'genes' && genes !== undefined
  const from = isPartial && areLogs ? 'log1p' : options.from
  for await (const slab of matrix.slabs({ transient: true, ...(slabBytes !== undefined && { slabBytes }) })) {
    checkValues(slab, options.place === undefined ? matrix.name : `${options.place}:${matrix.name}`)
    const quality = rowQuality(slab, { areLogs, isMitochondrial })
    const aligned =
      genes === undefined ? slab : alignRows(slab, { ...genes, values: areLogs ? 'log1p' : 'counts' })
    const scaledBy = isPartial ? rowQuality(aligned, { areLogs }).totals : quality.totals
    const values = scaled(aligned, { ...options, from, totals: scaledBy })
    const own = genes === undefined ? { indptr: slab.indptr.slice(), indices: slab.indices.slice() } : {}
    yield { ...aligned, ...own, values, ...quality }
  }
}

/** Counts this small are most of all entries: their logs are computed once for each row. */
const small = 64

function scaled(
  { rows, indptr, values }: RowSlab,
  { from, target = 1e4, type = 'float32', totals }: NormaliseOptions & { totals: Float64Array },
): Float32Array | Float64Array {
  const output = type === 'float64' ? new Float64Array(values.length) : new Float32Array(values.length)
  if (from === 'log1p_10k') {
    output.set(values)
    return output
  }
  const known = new Float64Array(small)
  for (let row = 0; row < rows; row++) {
    const total = totals[row]!
    const scale = total > 0 ? target / total : 0
    known.fill(-1)
    const end = indptr[row + 1]!
    for (let i = indptr[row]!; i < end; i++) {
      const value = from === 'log1p' ? Math.expm1(values[i]!) : values[i]!
      const count = value | 0
      if (count === value && count < small) {
        if (known[count]! < 0) known[count] = Math.log1p(count * scale)
        output[i] = known[count]!
      } else output[i] = Math.log1p(value * scale)
    }
  }
  return output
}

function checkValues({ values, indptr, start, rows }: RowSlab, place: string): void {
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!
    if (value >= 0 && value < Number.POSITIVE_INFINITY) continue
    let row = 0
    while (row < rows && indptr[row + 1]! <= i) row++
    throw new BadInput(
      'VALUES_NOT_COUNTS',
      place,
      `cell ${start + row + 1} holds the value ${value}, which neither counts nor their logs can be`,
      'Give raw counts, or log1p of counts scaled to 10,000 a cell',
    )
  }
}
