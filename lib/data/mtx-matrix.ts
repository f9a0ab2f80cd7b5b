/**
 * An MTX file as a matrix of cells x genes in slabs of rows. A first pass over the text checks all of it and learns the
 * order of the entries: what is sorted by cell, as Cell Ranger writes it, then streams, the rest is dealt out by row.
 */
import type { Matrix, RowSlab } from './cells.ts'
import { type MtxHeader, mtxEntries } from './mtx.ts'
import { plainBytes, type TextFile } from './mtx-text.ts'
import { cutIntoSlabs, RowFiller, type Shape } from './row-filler.ts'
import { type EntryBatch, type SpillOptions, spillByRow } from './row-spill.ts'

const defaultSlabBytes = 16 * 2 ** 20

interface Scan {
  /** entries of each cell */
  counts: Int32Array
  isSorted: boolean
  isInt32: boolean
}

/** @throws BadInput MTX_ENTRY, MTX_COUNT; `cellsAre` says which side of the file holds the cells */
export async function openMtxMatrix(
  file: TextFile,
  { header, cellsAre }: { header: MtxHeader; cellsAre: 'rows' | 'columns' },
): Promise<Matrix> {
  const [cells, genes] = cellsAre === 'rows' ? [header.rows, header.columns] : [header.columns, header.rows]
  const batches = () => entriesByCell(file, { header, cellsAre })
  const { counts, isSorted, isInt32 } = await scan(batches, cells)
  const type = header.field !== 'real' && isInt32 ? 'int32' : 'float64'
  const shape: Shape = { rows: cells, columns: genes, type }
  const options = { place: file.place, counts }
  return {
    name: 'X',
    ...shape,
    encoding: 'mtx',
    stored: header.entries,
    slabs: (range = {}) => (isSorted ? sortedSlabs : spillByRow)(shape, batches, { ...options, ...range }),
  }
}

async function* entriesByCell(
  file: TextFile,
  { header, cellsAre }: { header: MtxHeader; cellsAre: 'rows' | 'columns' },
): AsyncGenerator<EntryBatch> {
  for await (const batch of mtxEntries(plainBytes(file), { header, place: file.place })) {
    yield cellsAre === 'rows' ? batch : { rows: batch.columns, columns: batch.rows, values: batch.values }
  }
}

async function scan(batches: () => AsyncIterable<EntryBatch>, cells: number): Promise<Scan> {
  const counts = new Int32Array(cells)
  let [isSorted, isInt32, previous] = [true, true, 0]
  for await (const { rows, values } of batches()) {
    for (let i = 0; i < rows.length; i++) {
      const row = rows[i] ?? 0
      const value = values[i] ?? 0
      counts[row] = (counts[row] ?? 0) + 1
      isSorted &&= row >= previous
      isInt32 &&= (value | 0) === value
      previous = row
    }
  }
  return { counts, isSorted, isInt32 }
}

async function* sortedSlabs(
  shape: Shape,
  batches: () => AsyncIterable<EntryBatch>,
  options: SpillOptions & { counts: Int32Array },
): AsyncGenerator<RowSlab> {
  const { place, counts, from = 0, slabBytes = defaultSlabBytes } = options
  const to = Math.min(options.to ?? shape.rows, shape.rows)
  const starts = cutIntoSlabs(counts, { from, to, slabBytes, type: shape.type })
  let next = 0
  const begin = () =>
    new RowFiller(shape, { start: starts[next] ?? to, end: starts[++next] ?? to, counts, place })
  if (starts.length === 0) return
  let filler = begin()
  for await (const { rows, columns, values } of batches()) {
    for (let i = 0; i < rows.length; i++) {
      const row = rows[i] ?? 0
      if (row < from) continue
      while (row >= filler.end) {
        yield filler.slab(filler.start, filler.end)
        if (filler.end === to) return
        filler = begin()
      }
      filler.place(row, columns[i] ?? 0, values[i] ?? 0)
    }
  }
  yield filler.slab(filler.start, filler.end)
  while (filler.end < to) {
    filler = begin()
    yield filler.slab(filler.start, filler.end)
  }
}
