/**
 * What counts have to be before a count model sees them: not negative, not NaN, not infinite, whole. The first value that is not is told with
 * its cell, counted from 1 over all slabs.
 */
import type { RowSlab } from '../data/cells.ts'
import { BadInput, type ErrorReport } from '../job/errors.ts'

export interface BrokenCounts {
  /** entries that are no whole numbers */
  entries: number
  /** cell of the first of them, from 0; -1 where there is none */
  cell: number
  value: number
}

export const noneBroken = (): BrokenCounts => ({ entries: 0, cell: -1, value: 0 })

/**
 * @param broken what was found before; entries that are not whole are added to it
 * @throws BadInput VALUES_NOT_COUNTS at a negative, NaN or infinite value
 */
export function checkCounts(slab: RowSlab, { place, broken }: { place: string; broken: BrokenCounts }): void {
  const { values, indptr, rows } = slab
  const end = indptr[rows]!
  for (let i = 0; i < end; i++) {
    const value = values[i]!
    if (value >= 0 && value < Number.POSITIVE_INFINITY) {
      if (Math.floor(value) === value) continue
      if (broken.entries++ > 0) continue
      broken.cell = cellOf(slab, i)
      broken.value = value
    } else throw noCount(place, { cell: cellOf(slab, i), value })
  }
}

function cellOf({ start, rows, indptr }: RowSlab, entry: number): number {
  let row = 0
  while (row < rows && indptr[row + 1]! <= entry) row++
  return start + row
}

function noCount(place: string, { cell, value }: { cell: number; value: number }): BadInput {
  const problem = `cell ${cell + 1} holds the value ${value}, which no count can be`
  return new BadInput('VALUES_NOT_COUNTS', place, problem, rawCounts)
}

const rawCounts = 'Give raw counts: the number of molecules of each gene'

/** Values that are not whole, in words: an error where nothing can be made of them, a notice elsewhere. */
export function notWhole({ entries, cell, value }: BrokenCounts, place: string): ErrorReport {
  const others = entries > 1 ? ` (and ${entries - 1} more)` : ''
  const problem = `cell ${cell + 1} holds the value ${value}${others}, and counts are whole numbers`
  return { code: 'COUNTS_NOT_WHOLE', place, problem, remedy: rawCounts }
}
