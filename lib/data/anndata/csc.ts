/** Columns stored one after another (CSC) as slabs of rows: the entries are dealt out by row, on disk where they are many. */
import type { RowSlab, SlabOptions } from '../cells.ts'
import { type EntryBatch, spillByRow } from '../row-spill.ts'
import { readOffsets, rowRange, type SparseParts, slabValues, wholeIndices } from './stored-numbers.ts'

/** stored entries read at once */
const batchEntries = 2 ** 20
const columnsAtOnce = 2 ** 18

export function columnSlabs(parts: SparseParts, options: SlabOptions = {}): AsyncIterable<RowSlab> {
  const { rows, columns, type } = parts
  return spillByRow({ rows, columns, type }, () => batches(parts), {
    ...options,
    ...rowRange(rows, options),
    place: `${parts.tree.place}:${parts.path}`,
  })
}

async function* batches(parts: SparseParts): AsyncGenerator<EntryBatch> {
  const { tree, path, columns } = parts
  const place = `${tree.place}:${path}`
  for (let base = 0; base < columns; base += columnsAtOnce) {
    const end = Math.min(base + columnsAtOnce, columns)
    const offsets = await readOffsets(parts, { from: base, to: end })
    const last = offsets[end - base] ?? 0
    let column = 0
    for (let at = offsets[0] ?? 0; at < last; at += batchEntries) {
      const range = { from: at, to: Math.min(last, at + batchEntries) }
      const [indices, data] = await Promise.all([
        tree.read(`${path}/indices`, range),
        tree.read(`${path}/data`, range),
      ])
      const rows = wholeIndices(`${place}/indices`, indices)
      const columnNumbers = new Int32Array(rows.length)
      for (let i = 0; i < rows.length; i++) {
        while ((offsets[column + 1] ?? 0) <= at + i) column++
        columnNumbers[i] = base + column
      }
      yield { rows, columns: columnNumbers, values: slabValues(`${place}/data`, data) }
    }
  }
}
