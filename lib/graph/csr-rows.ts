/**
 * Rows of a CSR matrix by number, inside a graph: the entries of the chosen rows one after another, whatever their lengths. Places of entries are a
 * running sum of ones with a jump where a row begins; which row an entry is of, a running sum of the same kind.
 *
 * Trap: rows without entries would begin at the same place as the next, and one jump would be lost: every row has one.
 */
import { type Expression, wholeNumbers } from './expression.ts'
import { add, multiply, subtract } from './operations/arithmetic.ts'
import { cast } from './operations/choices.ts'
import { gatherEntries, gatherRows, moveOn, scatter, sliceRows } from './operations/places.ts'
import { repeat, runningSums } from './operations/runs.ts'

export interface CsrMatrix {
  /** whole, int32 or int64: [rows + 1] */
  indptr: Expression
  /** columns of the entries, int32: [entries] */
  indices: Expression
  /** [entries] */
  values: Expression
  columns: number
}

export interface RowEntries {
  /** row among the chosen x columns + column, int32: [word] */
  places: Expression
  /** columns, int32: [word] */
  columns: Expression
  /** [word] */
  values: Expression
}

/**
 * @param rows numbers of rows, whole: one axis
 * @param word what stands in shapes for how many entries they have together
 */
export function entriesOfRows(
  { indptr, indices, values, columns: width }: CsrMatrix,
  { rows, word }: { rows: Expression; word: string },
): RowEntries {
  const [begin, end] = [gatherRows(indptr, rows), gatherRows(indptr, add(rows, 1))]
  const lengths = subtract(end, begin)
  const ends = runningSums(lengths)
  const firsts = subtract(ends, lengths)
  const last = sliceRows(ends, { from: wholeNumbers([-1]), to: wholeNumbers([2 ** 31 - 1]), length: 1 })
  const length = cast(last, 'int64')
  const each = (number: number, type: Expression['type']) =>
    repeat(cast(wholeNumbers([number]), type), { length, word })
  // from the last entry of the row before to the first of this one
  const jumps = subtract(begin, moveOn(subtract(end, 1)))
  const entries = runningSums(scatter(each(1, indptr.type), { places: firsts, values: jumps }))
  const perRow = moveOn(add(multiply(cast(rows, 'int32'), 0), width))
  const before = runningSums(scatter(each(0, 'int32'), { places: firsts, values: perRow }))
  const columns = gatherEntries(indices, entries)
  return { places: add(columns, before), columns, values: gatherEntries(values, entries) }
}
