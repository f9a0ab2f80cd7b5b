/**
 * What state the numbers of a matrix are in, told from some of its rows: SpatialCore's `check_normalization_status`, test by
 * test and threshold by threshold, over streamed slabs.
 *
 * Trap: whole numbers are looked for among the non-zero values only, so 0/1 matrices are raw and small logs never are.
 */
import type { RowSlab } from '../data/cells.ts'

export type MatrixState =
  | 'raw'
  | 'log1p_10k'
  | 'log1p_cpm'
  | 'log1p_other'
  | 'linear'
  | 'negative'
  | 'unknown'

export interface MatrixStatistics {
  state: MatrixState
  /** of the non-zero values, how many are whole numbers up to 1e-6; null where all are zero */
  integerShare: number | null
  /** median over cells of what the logs undo to, where the numbers look like logs */
  targetSum: number | null
  /** over all entries looked at, zeros included; null where there is none */
  mean: number | null
  max: number | null
  min: number | null
  /** cells looked at; 0 where values were looked at without knowing their cells */
  rows: number
  /** NaN and infinite values met */
  notFinite: number
}

export interface Tally {
  rows: number
  entries: number
  nonZero: number
  whole: number
  notFinite: number
  sum: number
  max: number
  min: number
  /** of each cell that is not empty: the sum of expm1 over its values; undefined where cells are not known */
  undone: number[] | undefined
}

export function newTally(): Tally {
  return {
    rows: 0,
    entries: 0,
    nonZero: 0,
    whole: 0,
    notFinite: 0,
    sum: 0,
    max: Number.NEGATIVE_INFINITY,
    min: Number.POSITIVE_INFINITY,
    undone: [],
  }
}

export function tallyRows(tally: Tally, { rows, columns, indptr, values }: RowSlab): void {
  for (let row = 0; row < rows; row++) {
    const [start, end] = [indptr[row]!, indptr[row + 1]!]
    const before = tally.nonZero
    tallyValues(tally, values.subarray(start, end))
    if (end - start < columns) withZero(tally)
    if (tally.nonZero === before) continue
    let undone = 0
    for (let i = start; i < end; i++) undone += Math.expm1(values[i]!)
    tally.undone?.push(undone)
  }
  tally.rows += rows
  tally.entries += rows * columns
}

/** Adds stored values that belong to any cells; entries and zeros are for the caller to count. */
export function tallyValues(tally: Tally, values: ArrayLike<number>): void {
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!
    if (!Number.isFinite(value)) {
      tally.notFinite++
      continue
    }
    if (value > tally.max) tally.max = value
    if (value < tally.min) tally.min = value
    if (value === 0) continue
    tally.sum += value
    tally.nonZero++
    if (Math.abs(value - Math.round(value)) < 1e-6) tally.whole++
  }
}

export function withZero(tally: Tally): void {
  if (tally.max < 0) tally.max = 0
  if (tally.min > 0) tally.min = 0
}

/** At least 95 % of the non-zero values are whole, none is negative, and there is one. */
export function isRaw({ nonZero, whole, min, notFinite }: Tally): boolean {
  return nonZero > 0 && notFinite === 0 && min >= 0 && whole / nonZero >= 0.95
}

/** @param raw what the test for counts said, where it was made over other rows */
export function statisticsOf(tally: Tally, raw = isRaw(tally)): MatrixStatistics {
  const { entries, rows, notFinite, nonZero, whole } = tally
  const known = Number.isFinite(tally.max)
  const facts = {
    integerShare: nonZero === 0 ? null : whole / nonZero,
    mean: known ? tally.sum / entries : null,
    max: known ? tally.max : null,
    min: known ? tally.min : null,
    rows,
    notFinite,
  }
  return { ...stateOf(tally, raw), ...facts }
}

function stateOf(tally: Tally, raw: boolean): { state: MatrixState; targetSum: number | null } {
  const { notFinite, nonZero, whole, max, min, sum, entries } = tally
  if (raw) return { state: 'raw', targetSum: null }
  if (min < 0) return { state: 'negative', targetSum: null }
  if (notFinite > 0 || nonZero === 0) return { state: 'unknown', targetSum: null }
  if (max < 25 && sum / entries < 10) return logState(median(tally.undone ?? []))
  return { state: max > 25 && whole / nonZero < 0.5 ? 'linear' : 'unknown', targetSum: null }
}

function logState(target: number | null): { state: MatrixState; targetSum: number | null } {
  if (target === null || !(target > 0)) return { state: 'unknown', targetSum: null }
  if (target > 8_000 && target < 12_000) return { state: 'log1p_10k', targetSum: target }
  if (target > 800_000 && target < 1_200_000) return { state: 'log1p_cpm', targetSum: target }
  return { state: 'log1p_other', targetSum: target }
}

function median(values: number[]): number | null {
  if (values.length === 0) return null
  const sorted = Float64Array.from(values).sort()
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}
