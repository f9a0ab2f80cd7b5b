/**
 * Rows stored one after another (CSR) as slabs of rows. While the caller works on one slab the next is being read.
 * Stored numbers are checked on the way: offsets rise, indices lie inside, no entry stands twice.
 */
import { BadInput } from '../../job/errors.ts'
import type { RowSlab, SlabOptions } from '../cells.ts'
import { defaultSlabBytes, entryBytes } from '../row-filler.ts'
import { damaged } from './column.ts'
import { readOffsets, rowRange, type SparseParts, slabValues, wholeIndices } from './stored-numbers.ts'

interface Span {
  start: number
  rows: number
  /** offsets of the rows in data and indices, rows + 1 of them */
  offsets: Float64Array
}

export async function* rowSlabs(parts: SparseParts, options: SlabOptions = {}): AsyncGenerator<RowSlab> {
  const { from, to } = rowRange(parts.rows, options)
  const entries = Math.max(1, Math.floor((options.slabBytes ?? defaultSlabBytes) / entryBytes(parts.type)))
  const seen = new Int32Array(parts.columns)
  let coming: Promise<RowSlab> | undefined
  const give = async function* (slab: Promise<RowSlab>): AsyncGenerator<RowSlab> {
    const checked = checkSlab(parts, await slab, seen)
    yield checked
    if (options.transient) {
      parts.tree.giveBack?.(checked.indices)
      parts.tree.giveBack?.(checked.values)
    }
  }
  try {
    for await (const span of spans(parts, { from, to, entries })) {
      const next = readSpan(parts, span)
      next.catch(() => {})
      if (coming !== undefined) yield* give(coming)
      coming = next
    }
    if (coming !== undefined) yield* give(coming)
  } finally {
    await coming?.catch(() => {})
  }
}

/** Cuts rows into spans of at most `entries` stored values; a fuller row is a span of its own. */
async function* spans(
  parts: SparseParts,
  { from, to, entries }: { from: number; to: number; entries: number },
): AsyncGenerator<Span> {
  const window = 2 ** 18
  for (let base = from; base < to; base += window) {
    const end = Math.min(base + window, to)
    const offsets = await readOffsets(parts, { from: base, to: end })
    let first = 0
    for (let row = 1; row <= end - base; row++) {
      const full = row === end - base || (offsets[row + 1] ?? 0) - (offsets[first] ?? 0) > entries
      if (!full) continue
      yield { start: base + first, rows: row - first, offsets: offsets.slice(first, row + 1) }
      first = row
    }
  }
}

async function readSpan(parts: SparseParts, { start, rows, offsets }: Span): Promise<RowSlab> {
  const first = offsets[0] ?? 0
  const range = { from: first, to: offsets[rows] ?? 0 }
  const [indices, values] = await Promise.all([
    parts.tree.read(`${parts.path}/indices`, range),
    parts.tree.read(`${parts.path}/data`, range),
  ])
  const place = `${parts.tree.place}:${parts.path}`
  return {
    start,
    rows,
    columns: parts.columns,
    indptr: Int32Array.from(offsets, (offset) => offset - first),
    indices: wholeIndices(`${place}/indices`, indices),
    values: slabValues(`${place}/data`, values),
  }
}

/** `seen` is scratch memory for one matrix, zero at first: the last row (plus one) in which a column was met. */
function checkSlab(parts: SparseParts, slab: RowSlab, seen: Int32Array): RowSlab {
  const { indices, indptr, columns, rows } = slab
  for (let row = 0; row < rows; row++) {
    const end = indptr[row + 1]!
    let previous = -1
    let i = indptr[row]!
    // rising from 0: then only the last can be too large
    for (; i < end; i++) {
      const index = indices[i]!
      if (index <= previous) break
      previous = index
    }
    if (i < end || previous >= columns) checkUnsorted(parts, { slab, row, seen })
  }
  return slab
}

function checkUnsorted(
  parts: SparseParts,
  { slab, row, seen }: { slab: RowSlab; row: number; seen: Int32Array },
): void {
  const mark = slab.start + row + 1
  const end = slab.indptr[row + 1]!
  for (let i = slab.indptr[row]!; i < end; i++) {
    const index = slab.indices[i]!
    if (index < 0 || index >= slab.columns) throw outside(parts, { row: mark - 1, index })
    if (seen[index] === mark) throw twice(parts, { row: mark - 1, index })
    seen[index] = mark
  }
}

function outside(parts: SparseParts, { row, index }: { row: number; index: number }): BadInput {
  return damaged(
    `${parts.tree.place}:${parts.path}/indices`,
    `row ${row} names column ${index} of ${parts.columns}`,
  )
}

function twice(parts: SparseParts, { row, index }: { row: number; index: number }): BadInput {
  return new BadInput(
    'DUPLICATE_ENTRY',
    `${parts.tree.place}:${parts.path}`,
    `row ${row} stores column ${index} more than once`,
    'In Python: `adata.X.sum_duplicates()`, then write the file again',
  )
}
