/**
 * Cells x genes standardised as scanpy's `pp.scale(max_value)` does it, without ever becoming dense: z = (x - mean) / sd (ddof 1; sd 1 for a
 * gene that is the same everywhere), clipped on both sides, as scanpy does since 1.10 where it centres (before, only above). All zeros of a
 * gene share one z; what is handed on is each stored entry's z less that of a zero, which is 0 where nothing is stored.
 */
import { BadInput } from '../job/errors.ts'
import type { Points } from './points.ts'

/** A matrix by rows in memory; column numbers within a row in any order, each at most once. */
export interface SparseRows {
  rows: number
  columns: number
  /** rows + 1 offsets, from 0 */
  indptr: ArrayLike<number>
  indices: Int32Array
  values: Float32Array
}

export interface Standardisation {
  /** of each gene; all 0 where nothing was scaled */
  mean: Float64Array
  /** of each gene; all 1 where nothing was scaled */
  sd: Float64Array
  /** largest |z|; infinite where nothing is clipped */
  clip: number
}

/** Some rows: entries of row r at [indptr[r], indptr[r + 1]). */
export interface RowBlock {
  start: number
  rows: number
  indptr: Int32Array
  indices: Int32Array
  values: Float64Array
}

/** Memory of a block: some megabytes, and near enough to the processor to be read often. */
const entriesPerBlock = 2 ** 16

export function isSparse(input: SparseRows | Points): input is SparseRows {
  return 'indptr' in input
}

export function columnsOf(input: SparseRows | Points): number {
  return isSparse(input) ? input.columns : input.dims
}

export function storedEntries(input: SparseRows | Points): number {
  return isSparse(input) ? input.values.length : input.rows * input.dims
}

/** Entries as stored, in blocks. */
export function* rawBlocks(input: SparseRows | Points): Generator<RowBlock> {
  const sparse = isSparse(input) ? input : undefined
  const columns = columnsOf(input)
  const offset = (row: number): number => (sparse === undefined ? row * columns : sparse.indptr[row]!)
  const everyColumn = Int32Array.from({ length: columns }, (_, column) => column)
  for (let start = 0; start < input.rows; ) {
    let end = start + 1
    while (end < input.rows && offset(end + 1) - offset(start) <= entriesPerBlock) end++
    const [from, to] = [offset(start), offset(end)]
    const indices = sparse?.indices.subarray(from, to) ?? new Int32Array(to - from)
    if (sparse === undefined)
      for (let at = 0; at < indices.length; at += columns) indices.set(everyColumn, at)
    yield {
      start,
      rows: end - start,
      indptr: Int32Array.from({ length: end - start + 1 }, (_, row) => offset(start + row) - from),
      indices,
      values: Float64Array.from(input.values.subarray(from, to)),
    }
    start = end
  }
}

/** Entries as z less the z of a zero, in blocks. */
export function* standardisedBlocks(
  input: SparseRows | Points,
  { mean, sd, clip }: Standardisation,
): Generator<RowBlock> {
  const zero = zeroLevels({ mean, sd, clip })
  for (const block of rawBlocks(input)) {
    const { indices, values } = block
    for (let at = 0; at < values.length; at++) {
      const gene = indices[at]!
      const z = (values[at]! - mean[gene]!) / sd[gene]!
      values[at] = Math.min(clip, Math.max(-clip, z)) - zero[gene]!
    }
    yield block
  }
}

/** z of a zero, for each gene. */
export function zeroLevels({ mean, sd, clip }: Standardisation): Float64Array {
  return mean.map((value, gene) => Math.min(clip, Math.max(-clip, -value / sd[gene]!)))
}

/**
 * Means and standard deviations (ddof 1) of the genes, in two passes, so that a large mean costs no digits.
 * @throws BadInput MATRIX_MALFORMED, MATRIX_NOT_FINITE
 */
export function standardisation(
  input: SparseRows | Points,
  { scale, maxValue, place }: { scale: boolean; maxValue: number; place: string },
): Standardisation {
  const genes = columnsOf(input)
  const range = columnRanges(input, place)
  if (!scale)
    return {
      mean: new Float64Array(genes),
      sd: new Float64Array(genes).fill(1),
      clip: Number.POSITIVE_INFINITY,
    }
  const mean = range.sums.map((sum) => sum / input.rows)
  const squares = new Float64Array(genes)
  const stored = new Float64Array(genes)
  for (const { indices, values } of rawBlocks(input))
    for (let at = 0; at < values.length; at++) {
      const gene = indices[at]!
      squares[gene]! += (values[at]! - mean[gene]!) ** 2
      stored[gene]! += 1
    }
  const sd = squares.map((sum, gene) => {
    // rounding of the mean would make a standard deviation out of nothing
    if (range.lowest[gene] === range.highest[gene]) return 1
    return Math.sqrt((sum + (input.rows - stored[gene]!) * mean[gene]! ** 2) / (input.rows - 1))
  })
  return { mean, sd, clip: maxValue }
}

function columnRanges(
  input: SparseRows | Points,
  place: string,
): { sums: Float64Array; lowest: Float64Array; highest: Float64Array } {
  const genes = columnsOf(input)
  checkShape(input, place)
  const sums = new Float64Array(genes)
  const stored = new Float64Array(genes)
  const lowest = new Float64Array(genes).fill(Number.POSITIVE_INFINITY)
  const highest = new Float64Array(genes).fill(Number.NEGATIVE_INFINITY)
  for (const { start, indices, values } of rawBlocks(input))
    for (let at = 0; at < values.length; at++) {
      const gene = indices[at]!
      const value = values[at]!
      if (!(gene >= 0 && gene < genes))
        throw malformed(place, `a row from ${start} on holds column ${gene} of ${genes}`)
      if (!Number.isFinite(value))
        throw new BadInput(
          'MATRIX_NOT_FINITE',
          place,
          `a row from ${start} on holds a number that is missing or infinite, in column ${gene}`,
          'Remove it, or start again from the raw counts',
        )
      sums[gene]! += value
      stored[gene]! += 1
      lowest[gene] = Math.min(lowest[gene]!, value)
      highest[gene] = Math.max(highest[gene]!, value)
    }
  for (let gene = 0; gene < genes; gene++)
    if (stored[gene]! < input.rows) {
      lowest[gene] = Math.min(lowest[gene]!, 0)
      highest[gene] = Math.max(highest[gene]!, 0)
    }
  return { sums, lowest, highest }
}

function checkShape(input: SparseRows | Points, place: string): void {
  if (!isSparse(input)) {
    if (input.values.length !== input.rows * input.dims)
      throw malformed(place, `${input.rows} x ${input.dims} numbers are ${input.values.length}`)
    return
  }
  const { rows, indptr, indices, values } = input
  if (
    indptr.length !== rows + 1 ||
    indptr[0] !== 0 ||
    indptr[rows] !== values.length ||
    indices.length !== values.length
  )
    throw malformed(place, 'row offsets, column numbers and values do not belong together')
  for (let row = 0; row < rows; row++)
    if (indptr[row + 1]! < indptr[row]!) throw malformed(place, `the offsets fall at row ${row}`)
}

function malformed(place: string, problem: string): BadInput {
  return new BadInput('MATRIX_MALFORMED', place, problem, 'The matrix is damaged: make it anew')
}
