/**
 * Sums of counts and of their squares, of each gene in each batch of cells: one pass over streamed rows. Whole numbers add up without
 * rounding, so neither slabs nor the order of cells change a digit, and a gene that is the same in every cell has no variance at all.
 */
import type { RowSlab } from '../data/cells.ts'
import { BadInput } from '../job/errors.ts'
import { type BrokenCounts, checkCounts, noneBroken } from './count-values.ts'

/** Which batch each cell is of: the number of its name, -1 for none. */
export interface BatchCodes {
  codes: Int32Array
  names: readonly string[]
}

export interface BatchMoments {
  /** cells of each batch; the last are those of none */
  cells: Int32Array
  genes: number
  /** batches and one (cells of none) x genes */
  sums: Float64Array
  squares: Float64Array
  /** of each gene the cells that have it, over all */
  detected: Int32Array
  broken: BrokenCounts
}

export interface BatchMomentOptions {
  /** for messages: the matrix */
  place: string
  /** genes of the rows */
  columns: number
  /** null: all cells are one batch */
  batches: BatchCodes | null
  /** for batches x genes: 2 GiB unless told; choosing genes wants half as much again */
  mostBytes?: number | undefined
}

/**
 * @param slabs raw counts, cells x genes; `start` is the number of the slab's first cell among all
 * @throws BadInput VALUES_NOT_COUNTS, BATCHES_TOO_MANY; RangeError when cells and codes are not equally many
 */
export async function batchMoments(
  slabs: AsyncIterable<RowSlab>,
  options: BatchMomentOptions,
): Promise<BatchMoments> {
  const { place, columns, batches } = options
  const groups = (batches?.names.length ?? 1) + 1
  checkRoom(groups * columns * 16, options)
  const cells = new Int32Array(groups)
  const sums = new Float64Array(groups * columns)
  const squares = new Float64Array(groups * columns)
  const detected = new Int32Array(columns)
  const broken = noneBroken()
  let seen = 0
  for await (const slab of slabs) {
    if (slab.columns !== columns)
      throw new RangeError(`${place}: ${slab.columns} genes instead of ${columns}`)
    checkCounts(slab, { place, broken })
    const { rows, indptr, indices, values } = slab
    seen += rows
    for (let row = 0; row < rows; row++) {
      const group = groupOf(slab.start + row, { batches, groups })
      cells[group]! += 1
      const at = group * columns
      const end = indptr[row + 1]!
      for (let i = indptr[row]!; i < end; i++) {
        const value = values[i]!
        if (value === 0) continue
        const gene = indices[i]!
        detected[gene]! += 1
        sums[at + gene]! += value
        squares[at + gene]! += value * value
      }
    }
  }
  if (batches !== null && seen !== batches.codes.length)
    throw new RangeError(`${place}: ${batches.codes.length} batch codes for ${seen} cells`)
  return { cells, genes: columns, sums, squares, detected, broken }
}

/** Where the sums of a cell are. */
export function groupOf(
  cell: number,
  { batches, groups }: { batches: BatchCodes | null; groups: number },
): number {
  if (batches === null) return 0
  const code = batches.codes[cell] ?? -1
  if (code >= groups - 1) throw new RangeError(`batch ${code} of ${groups - 1}`)
  return code < 0 ? groups - 1 : code
}

function checkRoom(
  bytes: number,
  { place, batches, columns, mostBytes = 2 ** 31 }: BatchMomentOptions,
): void {
  if (bytes <= mostBytes) return
  throw new BadInput(
    'BATCHES_TOO_MANY',
    place,
    `${batches?.names.length ?? 1} batches of ${columns} genes take ${bytes} bytes, and ${mostBytes} are allowed`,
    'Name a batch column with fewer values, or give this step more memory',
  )
}

/** All cells as one batch, those of none among them. */
export function joined(moments: BatchMoments): BatchMoments {
  const { genes } = moments
  const out = {
    ...moments,
    cells: new Int32Array(2),
    sums: new Float64Array(2 * genes),
    squares: new Float64Array(2 * genes),
  }
  for (const [group, cells] of moments.cells.entries()) {
    out.cells[0]! += cells
    for (let gene = 0; gene < genes; gene++) {
      out.sums[gene]! += moments.sums[group * genes + gene]!
      out.squares[gene]! += moments.squares[group * genes + gene]!
    }
  }
  return out
}

/** Mean and variance (n - 1) of each gene in one batch; a variance that is rounding alone is 0. */
export function momentsOf(
  { cells, genes, sums, squares }: BatchMoments,
  group: number,
): { means: Float64Array; variances: Float64Array } {
  const count = cells[group]!
  const means = new Float64Array(genes)
  const variances = new Float64Array(genes)
  for (let gene = 0; gene < genes; gene++) {
    const sum = sums[group * genes + gene]!
    const square = squares[group * genes + gene]!
    const spread = square - (sum * sum) / count
    means[gene] = count > 0 ? sum / count : 0
    variances[gene] = count > 1 && spread > 4 * Number.EPSILON * square ? spread / (count - 1) : 0
  }
  return { means, variances }
}
