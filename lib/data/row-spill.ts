/**
 * Entries of a matrix that come in any order (columns of a CSC, an unsorted MTX) as slabs of rows, in bounded memory.
 *
 * A first pass counts the entries of each row. What fits in memory is placed there; else each entry goes to the file of
 * its group of rows, through small buffers, and the groups are read back one after another. The temporary file has no
 * name once it is open, so nothing stays behind, however the program ends.
 */
import { tmpdir } from 'node:os'
import { BadInput } from '../job/errors.ts'
import type { RowSlab } from './cells.ts'
import {
  cutIntoSlabs,
  defaultSlabBytes,
  entryBytes,
  RowFiller,
  type RowRange,
  type Shape,
} from './row-filler.ts'
import { type EntryBatch, openSpillFile, type SpillFile } from './row-spill-file.ts'

export type { EntryBatch } from './row-spill-file.ts'

export interface SpillOptions {
  /** for messages */
  place: string
  /** bytes of values and columns in one slab; 16 MiB unless told */
  slabBytes?: number
  /** first row, and the row behind the last */
  from?: number
  to?: number
  /** entries of each row, where they are known: saves the first pass */
  counts?: Int32Array
  /** up to here no file is written; 256 MiB unless told */
  memoryBytes?: number
  /** the system's folder for temporary files unless told */
  temporaryFolder?: string
}

const defaultMemoryBytes = 256 * 2 ** 20
const mostGroups = 1024

type Batches = () => AsyncIterable<EntryBatch>

/**
 * The rows in order, once, columns of each row ascending.
 * @throws BadInput DUPLICATE_ENTRY, ENTRY_OUT_OF_RANGE; StoreFailure SPILL_FAILED, OBJECT_CHANGED when two passes differ
 */
export async function* spillByRow(
  shape: Shape,
  batches: Batches,
  options: SpillOptions,
): AsyncGenerator<RowSlab> {
  const { place, from = 0, slabBytes = defaultSlabBytes } = options
  const to = Math.min(options.to ?? shape.rows, shape.rows)
  const counts = options.counts ?? (await countRows(shape, batches, place))
  const starts = cutIntoSlabs(counts, { from, to, slabBytes, type: shape.type })
  let entries = 0
  for (let row = from; row < to; row++) entries += counts[row] ?? 0
  const range = { start: from, end: to, counts, place }
  if (entries * entryBytes(shape.type) <= (options.memoryBytes ?? defaultMemoryBytes)) {
    yield* inMemory(shape, batches, { range, starts })
  } else {
    yield* throughFile(shape, batches, { range, starts, folder: options.temporaryFolder ?? tmpdir() })
  }
}

async function countRows(shape: Shape, batches: Batches, place: string): Promise<Int32Array> {
  const counts = new Int32Array(shape.rows)
  for await (const batch of batches()) {
    for (let i = 0; i < batch.rows.length; i++) {
      const row = batch.rows[i] ?? -1
      const column = batch.columns[i] ?? -1
      if (!(row >= 0 && row < shape.rows && column >= 0 && column < shape.columns)) {
        throw outOfRange(shape, { row, column, place })
      }
      counts[row] = (counts[row] ?? 0) + 1
    }
  }
  return counts
}

interface Plan {
  range: RowRange
  /** first rows of the slabs, and the end of the last */
  starts: number[]
}

async function* inMemory(shape: Shape, batches: Batches, { range, starts }: Plan): AsyncGenerator<RowSlab> {
  if (starts.length === 0) return
  const filler = new RowFiller(shape, range)
  for await (const batch of batches()) placeBatch(filler, batch)
  yield* cut(filler, starts)
}

function placeBatch(filler: RowFiller, { rows, columns, values }: EntryBatch): void {
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i] ?? -1
    if (row >= filler.start && row < filler.end) filler.place(row, columns[i] ?? 0, values[i] ?? 0)
  }
}

function* cut(filler: RowFiller, starts: number[]): Generator<RowSlab> {
  for (let i = 0; i + 1 < starts.length; i++) yield filler.slab(starts[i] ?? 0, starts[i + 1] ?? 0)
}

async function* throughFile(
  shape: Shape,
  batches: Batches,
  { range, starts, folder }: Plan & { folder: string },
): AsyncGenerator<RowSlab> {
  const groups = groupSlabs(starts)
  const spill = await openSpillFile(folder, { groups: groups.length, type: shape.type })
  try {
    await dealOut(batches, { range, groups, spill })
    for (const [number, slabs] of groups.entries()) {
      const [start, end] = [slabs[0] ?? 0, slabs.at(-1) ?? 0]
      const filler = new RowFiller(shape, { ...range, start, end })
      for await (const batch of spill.read(number)) placeBatch(filler, batch)
      yield* cut(filler, slabs)
    }
  } finally {
    await spill.close()
  }
}

/** Neighbouring slabs share a group where there are too many of them for a buffer each. */
function groupSlabs(starts: number[]): number[][] {
  const perGroup = Math.ceil((starts.length - 1) / mostGroups)
  const groups: number[][] = []
  for (let i = 0; i + 1 < starts.length; i += perGroup) groups.push(starts.slice(i, i + perGroup + 1))
  return groups
}

async function dealOut(
  batches: Batches,
  { range, groups, spill }: { range: RowRange; groups: number[][]; spill: SpillFile },
): Promise<void> {
  const groupOf = new Uint16Array(range.end - range.start)
  for (const [number, slabs] of groups.entries()) {
    groupOf.fill(number, (slabs[0] ?? 0) - range.start, (slabs.at(-1) ?? 0) - range.start)
  }
  for await (const { rows, columns, values } of batches()) {
    for (let i = 0; i < rows.length; i++) {
      const row = rows[i] ?? -1
      if (row < range.start || row >= range.end) continue
      const group = groupOf[row - range.start] ?? 0
      if (spill.add(group, { row, column: columns[i] ?? 0, value: values[i] ?? 0 })) await spill.flush(group)
    }
  }
  for (let group = 0; group < groups.length; group++) await spill.flush(group)
}

function outOfRange(
  shape: Shape,
  { row, column, place }: { row: number; column: number; place: string },
): BadInput {
  return new BadInput(
    'ENTRY_OUT_OF_RANGE',
    place,
    `an entry at row ${row + 1}, column ${column + 1} lies outside ${shape.rows} x ${shape.columns}`,
    'Write the matrix again from the program that made it',
  )
}
