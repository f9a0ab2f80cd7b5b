/**
 * Which reference cells are kept from the model in which round, so that every cell gets scores from a model that never saw it. Folds are
 * stratified by label and, within it, by source: each complement has every label and source in the same share.
 *
 * Trap: a label with one cell cannot be held out, its complement would not know it: that cell has fold -1 and is always trained on.
 */
import type { ErrorReport } from '../job/errors.ts'
import { random } from '../job/random.ts'

export interface FoldOptions {
  /** number of each cell's label; below 0 is a cell without one: fold -1 */
  codes: Int32Array
  /** each cell's source, by any number; one source unless told */
  sources?: Int32Array
  /** 5 unless told */
  folds?: number
  seed: number
}

/** int32, one a cell: the round in which it is held out, from 0, or -1. The same input and seed give the same folds. */
export function heldOutFolds({ codes, sources, folds = 5, seed }: FoldOptions): Int32Array {
  if (sources !== undefined && sources.length !== codes.length)
    throw new RangeError(`${sources.length} sources for ${codes.length} labels`)
  if (!Number.isInteger(folds) || folds < 2) throw new RangeError(`${folds} folds; at least two are needed`)
  const chance = random(seed)
  const result = new Int32Array(codes.length).fill(-1)
  for (const [code, cells] of inOrder(cellsBy(codes.keys(), (cell) => codes[cell]!))) {
    if (code < 0 || cells.length < 2) continue
    const own = chance.fork(`label ${code}`)
    // one fold after the other through all sources of the label: sizes differ by one at most
    let next = own.integer(folds)
    for (const [, group] of inOrder(cellsBy(cells, (cell) => sources?.[cell] ?? 0)))
      for (const cell of own.shuffle(group)) {
        result[cell] = next % folds
        next++
      }
  }
  return result
}

/** The labels that are never held out, for the report; undefined where every cell with a label has its turn. */
export function neverHeldOutNotice(
  folds: Int32Array,
  { codes, labels }: { codes: Int32Array; labels: readonly string[] },
): ErrorReport | undefined {
  const names = [...codes.keys()]
    .filter((cell) => folds[cell]! < 0 && codes[cell]! >= 0)
    .map((cell) => labels[codes[cell]!]!)
  if (names.length === 0) return undefined
  return {
    code: 'HELD_OUT_LABELS',
    place: 'reference',
    problem: `labels with a single cell were never held out: ${names.slice(0, 10).join(', ')}`,
    remedy: 'Confidence in these labels rests on no check; give more cells of them or drop them',
  }
}

function cellsBy(cells: Iterable<number>, key: (cell: number) => number): Map<number, number[]> {
  const groups = new Map<number, number[]>()
  for (const cell of cells) {
    const group = groups.get(key(cell))
    if (group === undefined) groups.set(key(cell), [cell])
    else group.push(cell)
  }
  return groups
}

function inOrder(groups: Map<number, number[]>): [number, number[]][] {
  return [...groups].sort(([a], [b]) => a - b)
}
