/**
 * Whether CellTypist would take a matrix as it is: its test of the first 1000 rows, and its warning about the first cell.
 * It is told to users beside what was done, and decides nothing: 9.22 is log1p(10,000), so a panel of few genes fails it.
 */
import type { Matrix } from '../data/cells.ts'
import type { ErrorReport } from '../job/errors.ts'

export interface CellTypistCheck {
  /** all of the first rows lie in [0, 9.22] */
  isAccepted: boolean
  min: number
  max: number
  /** what the logs of the first cell undo to; CellTypist warns where it is not 10,000 +- 1, and refuses to train */
  firstTotal: number
  notices: ErrorReport[]
}

const mostRows = 1000
const most = 9.22

/** Reads the first 1000 rows; a CSC or unsorted MTX is passed over whole for that. @param options.place the file */
export async function checkAsCellTypist(
  matrix: Matrix,
  { place }: { place: string },
): Promise<CellTypistCheck> {
  let [min, max, firstTotal] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0]
  for await (const slab of matrix.slabs({ from: 0, to: Math.min(mostRows, matrix.rows), transient: true })) {
    for (const value of slab.values) {
      if (!(value >= min)) min = value
      if (!(value <= max)) max = value
    }
    // what is not stored is zero
    if (slab.values.length < slab.rows * slab.columns) [min, max] = [Math.min(min, 0), Math.max(max, 0)]
    if (slab.start > 0) continue
    for (let i = 0; i < (slab.indptr[1] ?? 0); i++) firstTotal += Math.expm1(slab.values[i]!)
  }
  const isAccepted = min >= 0 && max <= most
  const at = `${place}:${matrix.name}`
  const notices: ErrorReport[] = []
  if (!isAccepted) {
    const problem = `CellTypist would refuse this matrix: its first rows lie in ${min} to ${max}, not in 0 to ${most}`
    notices.push({ code: 'CELLTYPIST_RANGE', place: at, problem, remedy: 'Nothing: it is normalised here' })
  } else if (Math.abs(firstTotal - 10_000) > 1) {
    const problem = `CellTypist would warn: the first cell adds up to ${firstTotal.toFixed(1)}, not to 10,000`
    notices.push({ code: 'CELLTYPIST_TOTAL', place: at, problem, remedy: 'Give all genes and raw counts' })
  }
  return { isAccepted, min, max, firstTotal, notices }
}
