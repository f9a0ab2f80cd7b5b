import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { RowSlab } from '../../lib/data/cells.ts'
import { cutIntoSlabs, entryBytes } from '../../lib/data/row-filler.ts'
import { type EntryBatch, type SpillOptions, spillByRow } from '../../lib/data/row-spill.ts'

interface Entry {
  row: number
  column: number
  value: number
}

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'row-spill-test-'))
})
afterAll(() => rm(folder, { recursive: true }))

/** Batches share their arrays, as those of the readers do. */
function inBatches(entries: Entry[], size: number): () => AsyncGenerator<EntryBatch> {
  return async function* () {
    const rows = new Int32Array(size)
    const columns = new Int32Array(size)
    const values = new Float64Array(size)
    for (let start = 0; start < entries.length; start += size) {
      const part = entries.slice(start, start + size)
      for (const [i, entry] of part.entries()) {
        rows[i] = entry.row
        columns[i] = entry.column
        values[i] = entry.value
      }
      const length = part.length
      yield {
        rows: rows.subarray(0, length),
        columns: columns.subarray(0, length),
        values: values.subarray(0, length),
      }
    }
  }
}

async function collect(slabs: AsyncIterable<RowSlab>): Promise<RowSlab[]> {
  const all: RowSlab[] = []
  for await (const slab of slabs) all.push(slab)
  return all
}

/** Entries row by row, and checks that slabs follow each other and columns rise. */
function entriesOf(slabs: RowSlab[]): Entry[] {
  const entries: Entry[] = []
  for (const [number, slab] of slabs.entries()) {
    const before = slabs[number - 1]
    if (before !== undefined) expect(slab.start).toBe(before.start + before.rows)
    expect(slab.indptr.length).toBe(slab.rows + 1)
    expect(slab.indptr[slab.rows]).toBe(slab.indices.length)
    for (let row = 0; row < slab.rows; row++) {
      for (let i = slab.indptr[row]!; i < slab.indptr[row + 1]!; i++) {
        if (i > slab.indptr[row]!) expect(slab.indices[i]).toBeGreaterThan(slab.indices[i - 1]!)
        entries.push({ row: slab.start + row, column: slab.indices[i]!, value: slab.values[i]! })
      }
    }
  }
  return entries
}

const byRowThenColumn = (a: Entry, b: Entry) => a.row - b.row || a.column - b.column

const matrices = fc
  .record({ rows: fc.integer({ min: 1, max: 30 }), columns: fc.integer({ min: 1, max: 30 }) })
  .chain(({ rows, columns }) =>
    fc.record({
      rows: fc.constant(rows),
      columns: fc.constant(columns),
      entries: fc.uniqueArray(
        fc.record({
          row: fc.integer({ min: 0, max: rows - 1 }),
          column: fc.integer({ min: 0, max: columns - 1 }),
          value: fc.integer({ min: -1000, max: 1000 }),
        }),
        { selector: ({ row, column }) => row * columns + column, maxLength: 200 },
      ),
    }),
  )

const options = (more: Partial<SpillOptions>): SpillOptions => ({
  place: 'matrix',
  temporaryFolder: folder,
  ...more,
})

describe('entries dealt out by row', () => {
  it('gives the same rows as sorting all entries, in memory and through a file, whatever the slab and batch sizes', async () => {
    await fc.assert(
      fc.asyncProperty(
        matrices,
        fc.integer({ min: 1, max: 300 }),
        fc.integer({ min: 1, max: 50 }),
        fc.constantFrom(0, 2 ** 20),
        async ({ rows, columns, entries }, slabBytes, batchSize, memoryBytes) => {
          const shape = { rows, columns, type: 'int32' as const }
          const slabs = await collect(
            spillByRow(shape, inBatches(entries, batchSize), options({ slabBytes, memoryBytes })),
          )
          expect(entriesOf(slabs)).toEqual([...entries].sort(byRowThenColumn))
          expect(slabs.reduce((sum, slab) => sum + slab.rows, 0)).toBe(rows)
          for (const slab of slabs) {
            const bytes = slab.indices.length * entryBytes('int32') + slab.rows * 4
            expect(slab.rows === 1 || bytes <= slabBytes).toBe(true)
          }
        },
      ),
      { numRuns: 150 },
    )
  })

  it('gives only the rows asked for', async () => {
    await fc.assert(
      fc.asyncProperty(
        matrices,
        fc.nat(30),
        fc.nat(30),
        fc.constantFrom(0, 2 ** 20),
        async ({ rows, columns, entries }, a, b, memoryBytes) => {
          const [from, to] = [Math.min(a, b), Math.max(a, b)]
          const shape = { rows, columns, type: 'float64' as const }
          const slabs = await collect(
            spillByRow(shape, inBatches(entries, 7), options({ from, to, memoryBytes, slabBytes: 64 })),
          )
          const wanted = entries.filter(({ row }) => row >= from && row < to).sort(byRowThenColumn)
          expect(entriesOf(slabs)).toEqual(wanted)
          expect(slabs.reduce((sum, slab) => sum + slab.rows, 0)).toBe(Math.max(0, Math.min(to, rows) - from))
        },
      ),
      { numRuns: 80 },
    )
  })

  it('puts more slabs than buffers through the file, and blocks larger than a buffer', async () => {
    const shape = { rows: 3000, columns: 40, type: 'uint16' as const }
    const entries: Entry[] = []
    for (let column = 0; column < 40; column++) {
      for (let row = 0; row < 3000; row++) entries.push({ row, column, value: (row * 40 + column) % 60_000 })
    }
    const slabs = await collect(
      spillByRow(shape, inBatches(entries, 1000), options({ slabBytes: 1, memoryBytes: 0 })),
    )
    expect(slabs.length).toBe(3000)
    expect(entriesOf(slabs)).toEqual(entries.sort(byRowThenColumn))
    const whole = await collect(
      spillByRow(shape, inBatches(entries, 1000), options({ slabBytes: 2 ** 30, memoryBytes: 0 })),
    )
    expect(whole.length).toBe(1)
    expect(entriesOf(whole)).toEqual(entries)
  })

  it.each([
    ['in memory', 2 ** 20],
    ['through a file', 0],
  ])('names the place, row and column of an entry that is there twice, %s', async (_, memoryBytes) => {
    const entries = [
      { row: 1, column: 4, value: 1 },
      { row: 1, column: 2, value: 1 },
      { row: 1, column: 4, value: 2 },
    ]
    const shape = { rows: 3, columns: 5, type: 'int32' as const }
    await expect(
      collect(spillByRow(shape, inBatches(entries, 2), options({ memoryBytes }))),
    ).rejects.toMatchObject({
      name: 'BadInput',
      code: 'DUPLICATE_ENTRY',
      place: 'matrix',
      problem: 'row 2 has two values for column 5',
    })
  })

  it.each([
    { row: 3, column: 0 },
    { row: -1, column: 0 },
    { row: 0, column: 5 },
    { row: 0, column: -1 },
  ])('refuses an entry at row $row, column $column of 3 x 5', async ({ row, column }) => {
    const shape = { rows: 3, columns: 5, type: 'int32' as const }
    const slabs = spillByRow(shape, inBatches([{ row, column, value: 1 }], 1), options({}))
    await expect(collect(slabs)).rejects.toMatchObject({ name: 'BadInput', code: 'ENTRY_OUT_OF_RANGE' })
  })

  it('tells when the second pass has other entries than the first', async () => {
    const shape = { rows: 2, columns: 2, type: 'int32' as const }
    for (const second of [[], [0, 0, 1], [0, 0]]) {
      let pass = 0
      const batches = async function* (): AsyncGenerator<EntryBatch> {
        const rows = pass++ === 0 ? [0, 1] : second
        yield {
          rows: Int32Array.from(rows),
          columns: Int32Array.from(rows, (_, i) => i % 2),
          values: Int32Array.from(rows, () => 1),
        }
      }
      await expect(collect(spillByRow(shape, batches, options({})))).rejects.toMatchObject({
        name: 'StoreFailure',
        code: 'OBJECT_CHANGED',
      })
    }
  })

  it('leaves no file behind: not at the end, not while it runs, not when the reader stops or throws', async () => {
    const entries = Array.from({ length: 500 }, (_, i) => ({
      row: i % 50,
      column: Math.floor(i / 50),
      value: i,
    }))
    const shape = { rows: 50, columns: 10, type: 'int32' as const }
    const start = () =>
      spillByRow(shape, inBatches(entries, 100), options({ slabBytes: 200, memoryBytes: 0 }))
    for await (const slab of start()) {
      expect(await readdir(folder)).toEqual([])
      if (slab.start > 20) break
    }
    const thrown = async () => {
      for await (const slab of start()) if (slab.start > 20) throw new Error('enough')
    }
    await expect(thrown()).rejects.toThrow('enough')
    await collect(start())
    expect(await readdir(folder)).toEqual([])
    if (process.platform !== 'linux') return
    const open = await readdir('/proc/self/fd')
    await collect(start())
    expect((await readdir('/proc/self/fd')).length).toBe(open.length)
  })

  it('says where the temporary file could not be made', async () => {
    const shape = { rows: 1, columns: 1, type: 'int32' as const }
    const slabs = spillByRow(
      shape,
      inBatches([{ row: 0, column: 0, value: 1 }], 1),
      options({ temporaryFolder: join(folder, 'absent'), memoryBytes: 0 }),
    )
    await expect(collect(slabs)).rejects.toMatchObject({
      name: 'StoreFailure',
      code: 'SPILL_FAILED',
      place: join(folder, 'absent'),
    })
  })
})

describe('cutting rows into slabs', () => {
  it('makes a row that is larger than a slab a slab of its own', () => {
    const counts = Int32Array.of(1, 1, 100, 1, 1)
    expect(cutIntoSlabs(counts, { from: 0, to: 5, slabBytes: 40, type: 'int32' })).toEqual([0, 2, 3, 5])
  })

  it('answers nothing for no rows', () => {
    expect(cutIntoSlabs(new Int32Array(), { from: 0, to: 0, slabBytes: 40, type: 'int32' })).toEqual([])
  })
})
