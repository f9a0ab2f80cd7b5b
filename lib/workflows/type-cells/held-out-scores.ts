/** Scores of every training cell by a model that was trained without it. */
import type { LinearArrays } from '../../models/linear-model.ts'
import { createLinearScorer } from '../../models/linear-scorer.ts'
import type { TrainingRows } from '../../models/standardised-cells.ts'
import type { TypeCellsContext } from './context.ts'
import { train } from './train.ts'
import type { TrainingCells } from './training-cells.ts'

/**
 * @param of.folds the round in which each cell is held out; -1 is never
 * @param of.start of the model of all cells: where each round begins, for speed alone
 * @returns cells x labels; NaN for cells that are never held out
 */
export async function heldOutScores(
  context: TypeCellsContext,
  of: { cells: TrainingCells; folds: Int32Array; labels: number; start: LinearArrays },
): Promise<Float64Array> {
  const { cells, folds, labels, start } = of
  const scores = new Float64Array(cells.rows * labels).fill(Number.NaN)
  const rounds = folds.reduce((most, fold) => Math.max(most, fold), -1) + 1
  for (let round = 0; round < rounds; round++) {
    const out = rowsWhere(folds, (fold) => fold === round)
    if (out.length === 0) continue
    const kept = rowsWhere(folds, (fold) => fold !== round)
    const codes = Int32Array.from(kept, (row) => cells.classes[row]!)
    const { arrays } = await train(rowsOf(cells, kept), { codes, labels, context, start })
    const card = { labels: names(labels), genes: names(cells.columns), clip: 10 }
    const scorer = createLinearScorer({ ...arrays, card }, new Uint8Array(cells.columns).fill(1))
    const found = scorer.score({ ...rowsOf(cells, out), start: 0 })
    for (const [at, row] of out.entries())
      scores.set(found.subarray(at * labels, (at + 1) * labels), row * labels)
    context.progress(round + 2, rounds + 1, 'models', 'training without held-out cells')
    await new Promise(setImmediate)
  }
  return scores
}

function names(count: number): string[] {
  return Array.from({ length: count }, (_, at) => String(at))
}

function rowsWhere(folds: Int32Array, isWanted: (fold: number) => boolean): Int32Array {
  return Int32Array.from(folds.keys()).filter((row) => isWanted(folds[row]!))
}

function rowsOf(
  cells: TrainingRows,
  rows: Int32Array,
): TrainingRows & { values: Float32Array | Float64Array } {
  const indptr = new Float64Array(rows.length + 1)
  for (const [at, row] of rows.entries())
    indptr[at + 1] = indptr[at]! + cells.indptr[row + 1]! - cells.indptr[row]!
  const stored = indptr[rows.length]!
  const indices = new Int32Array(stored)
  const values = new Float32Array(stored)
  for (const [at, row] of rows.entries()) {
    const [from, to] = [cells.indptr[row]!, cells.indptr[row + 1]!]
    indices.set(cells.indices.subarray(from, to), indptr[at])
    values.set(cells.values.subarray(from, to), indptr[at])
  }
  return { rows: rows.length, columns: cells.columns, indptr, indices, values }
}
