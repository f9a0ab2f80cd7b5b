/**
 * A temporary file of matrix entries by group of rows: a buffer for each group, written out as a block when it is full.
 * The file loses its name as soon as it is open, so that nothing stays behind, however the program ends.
 */
import { type FileHandle, mkdtemp, open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { StoreFailure } from '../job/errors.ts'
import type { SlabValues } from './cells.ts'
import { entryBytes, newValues } from './row-filler.ts'
import type { NumberType } from './tree.ts'

/** Entry i is (rows[i], columns[i], values[i]). The arrays may be used again for the next batch. */
export interface EntryBatch {
  rows: Int32Array
  columns: Int32Array
  values: SlabValues
}

/** all write buffers together */
const bufferBytes = 32 * 2 ** 20

export async function openSpillFile(
  folder: string,
  { groups, type }: { groups: number; type: NumberType },
): Promise<SpillFile> {
  const file = await openNameless(folder).catch((error) => {
    throw spillFailed(folder, error)
  })
  return new SpillFile({ file, folder }, { groups, type })
}

async function openNameless(folder: string): Promise<FileHandle> {
  const own = await mkdtemp(join(folder, 'celldrop-spill-'))
  try {
    return await open(join(own, 'entries'), 'wx+', 0o600)
  } finally {
    await rm(own, { recursive: true, force: true })
  }
}

export class SpillFile {
  readonly #file: FileHandle
  readonly #folder: string
  readonly #capacity: number
  readonly #batches: EntryBatch[]
  readonly #filled: Int32Array
  readonly #blocks: { offset: number; entries: number }[][]
  #end = 0

  constructor(
    { file, folder }: { file: FileHandle; folder: string },
    { groups, type }: { groups: number; type: NumberType },
  ) {
    this.#file = file
    this.#folder = folder
    const perEntry = 4 + entryBytes(type)
    this.#capacity = Math.max(256, Math.min(65_536, Math.floor(bufferBytes / groups / perEntry)))
    this.#batches = Array.from({ length: groups }, () => ({
      rows: new Int32Array(this.#capacity),
      columns: new Int32Array(this.#capacity),
      values: newValues(type, this.#capacity),
    }))
    this.#filled = new Int32Array(groups)
    this.#blocks = Array.from({ length: groups }, () => [])
  }

  /** True when the group's buffer is full and has to be flushed. */
  add(group: number, { row, column, value }: { row: number; column: number; value: number }): boolean {
    const batch = this.#batches[group]
    if (batch === undefined) throw new RangeError(`no group ${group}`)
    const at = this.#filled[group] ?? 0
    batch.rows[at] = row
    batch.columns[at] = column
    batch.values[at] = value
    this.#filled[group] = at + 1
    return at + 1 === this.#capacity
  }

  async flush(group: number): Promise<void> {
    const batch = this.#batches[group]
    const entries = this.#filled[group] ?? 0
    if (batch === undefined || entries === 0) return
    this.#blocks[group]?.push({ offset: this.#end, entries })
    for (const array of [batch.rows, batch.columns, batch.values]) {
      const bytes = new Uint8Array(array.buffer, 0, entries * array.BYTES_PER_ELEMENT)
      await this.#write(bytes, this.#end)
      this.#end += bytes.length
    }
    this.#filled[group] = 0
  }

  /** The group's entries in the order they were added. The arrays of a batch are used again for the next. */
  async *read(group: number): AsyncGenerator<EntryBatch> {
    const batch = this.#batches[group]
    if (batch === undefined) return
    for (const { offset, entries } of this.#blocks[group] ?? []) {
      let at = offset
      for (const array of [batch.rows, batch.columns, batch.values]) {
        const bytes = new Uint8Array(array.buffer, 0, entries * array.BYTES_PER_ELEMENT)
        await this.#read(bytes, at)
        at += bytes.length
      }
      yield {
        rows: batch.rows.subarray(0, entries),
        columns: batch.columns.subarray(0, entries),
        values: batch.values.subarray(0, entries),
      }
    }
  }
  async close(): Promise<void> {
    await this.#file.close()
  }

  async #write(bytes: Uint8Array, offset: number): Promise<void> {
    try {
      let done = 0
      while (done < bytes.length) {
        const { bytesWritten } = await this.#file.write(bytes, done, bytes.length - done, offset + done)
        done += bytesWritten
      }
    } catch (error) {
      throw spillFailed(this.#folder, error)
    }
  }

  async #read(bytes: Uint8Array, offset: number): Promise<void> {
    try {
      let done = 0
      while (done < bytes.length) {
        const { bytesRead } = await this.#file.read(bytes, done, bytes.length - done, offset + done)
        if (bytesRead === 0) throw new Error('it became shorter')
        done += bytesRead
      }
    } catch (error) {
      throw spillFailed(this.#folder, error)
    }
  }
}

function spillFailed(folder: string, cause: unknown): StoreFailure {
  const said = cause instanceof Error ? cause.message : String(cause)
  return new StoreFailure(
    'SPILL_FAILED',
    folder,
    `a temporary file could not be written or read: ${said}`,
    'Free disk space there, or set TMPDIR to a folder on a larger disk',
    { cause },
  )
}
