/**
 * Some rows of a matrix in a remote file, read in runs: what lies between two wanted rows is read past where it is short and passed over
 * where it is long, since a request costs as much as a few megabytes.
 *
 * Trap: only rows that are stored row by row lie together. Of a matrix stored gene by gene everything is read in any case, once.
 */
import type { Matrix, RowSlab } from '../data/cells.ts'
import { selectRows } from '../prep/select-rows.ts'

/** what is rather read than asked for anew, as it is in memory */
const gapBytes = 4 << 20
const bytesOfEntry = 8

/** @param rows ascending, each once; slabs count from 0 in their order. Gaps of up to `gap` rows are read past */
export async function* slabsOfRows(
  matrix: Matrix,
  rows: Int32Array,
  { gap = gapOf(matrix) }: { gap?: number } = {},
): AsyncGenerator<RowSlab> {
  let before = 0
  for (const run of runsOf(rows, gap)) {
    for await (const slab of selectRows(matrix, run).slabs({ transient: true })) {
      yield { ...slab, start: before + slab.start }
    }
    before += run.length
  }
}

/** Rows of a gap that is worth a request of its own; without end where rows do not lie together. */
export function gapOf({ encoding, rows, stored }: Pick<Matrix, 'encoding' | 'rows' | 'stored'>): number {
  if (encoding !== 'csr' && encoding !== 'dense') return Number.POSITIVE_INFINITY
  const bytesOfRow = Math.max(1, (stored / Math.max(1, rows)) * bytesOfEntry)
  return Math.max(1, Math.floor(gapBytes / bytesOfRow))
}

/** Share of the rows of the matrix that are read for these, with what lies between them. */
export function coverageOf(matrix: Pick<Matrix, 'encoding' | 'rows' | 'stored'>, rows: Int32Array): number {
  let covered = 0
  for (const run of runsOf(rows, gapOf(matrix))) covered += run.at(-1)! - run[0]! + 1
  return covered / Math.max(1, matrix.rows)
}

function* runsOf(rows: Int32Array, gap: number): Generator<Int32Array> {
  let first = 0
  for (let i = 1; i <= rows.length; i++) {
    if (i < rows.length && rows[i]! - rows[i - 1]! <= gap) continue
    if (i > first) yield rows.subarray(first, i)
    first = i
  }
}
