import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { RowSlab } from '../../lib/data/cells.ts'
import { random } from '../../lib/job/random.ts'
import { checkTrainingCells, sumsOf } from '../../lib/models/training-cells.ts'
import { growing } from '../../lib/prep/growing-array.ts'
import { collectTrainingCounts, type TrainingCounts } from '../../lib/prep/training-counts.ts'
import { matrixInMemory, poissonRows, type Rows } from './cells-in-memory.ts'

const place = 'cells:X'

type Entries = [gene: number, count: number][]

/** A slab of rows whose entries are as given: in any order, with zeros, twice. */
function slabOf(rows: readonly Entries[], { start = 0, columns = 10 } = {}): RowSlab {
  const entries = rows.flat()
  const ends = rows.map((_, row) => rows.slice(0, row + 1).flat().length)
  return {
    start,
    rows: rows.length,
    columns,
    indptr: Int32Array.of(0, ...ends),
    indices: Int32Array.from(entries, ([gene]) => gene),
    values: Float64Array.from(entries, ([, count]) => count),
  }
}

async function* slabsOf(...slabs: RowSlab[]): AsyncGenerator<RowSlab> {
  yield* slabs
}

const collect = (rows: readonly Entries[], columns = 10): Promise<TrainingCounts> =>
  collectTrainingCounts(slabsOf(slabOf(rows, { columns })), { place, cells: rows.length, genes: columns })

/** Cells with their numbers, dense. */
const dense = ({ cells, genes, indptr, indices, counts, rows }: TrainingCounts): Map<number, number[]> =>
  new Map(
    Array.from({ length: cells }, (_, cell) => {
      const row = new Array<number>(genes).fill(0)
      for (let i = indptr[cell]!; i < indptr[cell + 1]!; i++) row[indices[i]!] = counts[i]!
      return [rows[cell]!, row]
    }),
  )

describe('counts to learn from', () => {
  it('are the counts of the slabs, genes ascending, each cell with its sum', async () => {
    const found = await collect([
      [
        [7, 2],
        [1, 5],
        [3, 0],
        [4, 1],
      ],
      [
        [0, 3],
        [9, 4],
      ],
    ])
    expect(found).toMatchObject({ cells: 2, genes: 10, notices: [] })
    expect([...found.indptr]).toEqual([0, 3, 5])
    expect([...found.indices]).toEqual([1, 4, 7, 0, 9])
    expect([...found.counts]).toEqual([5, 1, 2, 3, 4])
    expect([...found.library]).toEqual([8, 7])
    expect([...found.rows]).toEqual([0, 1])
    expect(found.empty.length).toBe(0)
  })

  it('are the same in whatever order entries come, and however rows come in slabs (law)', async () => {
    const rows = poissonRows(40, { columns: 30, mean: 0.7 })
    const draw = random(3)
    const shuffled = rows.map((row) =>
      draw.shuffle([...row.entries()]).filter(([, count]) => count > 0 || draw.uniform() < 0.5),
    )
    const plain = await collectTrainingCounts(matrixInMemory(rows).slabs({ transient: true }), {
      place,
      cells: 40,
      genes: 30,
    })
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 40 }), async (height) => {
        const slabs: RowSlab[] = []
        for (let start = 0; start < 40; start += height)
          slabs.push(slabOf(shuffled.slice(start, start + height), { start, columns: 30 }))
        expect(await collectTrainingCounts(slabsOf(...slabs), { place, cells: 40, genes: 30 })).toEqual(plain)
      }),
      { numRuns: 20 },
    )
    for (const [cell, row] of dense(plain)) expect(row).toEqual(rows[cell])
  })

  it('are what training takes: nothing is left for its own check to refuse', async () => {
    const rows: Rows = poissonRows(30, { columns: 20, mean: 0.05 })
    const found = await collectTrainingCounts(matrixInMemory(rows).slabs(), { place, cells: 30, genes: 20 })
    expect(found.empty.length).toBeGreaterThan(0)
    const cells = { ...found, categories: [new Int32Array(found.cells)], continuous: null, labels: null }
    const shape = { categories: [1] } as unknown as Parameters<typeof checkTrainingCells>[1]
    expect(() => checkTrainingCells(cells, shape, { place, nameOf: String })).not.toThrow()
    expect([...found.library]).toEqual([...sumsOf(found)])
  })

  it('leave out cells without counts, list them and say how many', async () => {
    const found = await collect([[[2, 0]], [[1, 4]], [], [[5, 6]]])
    expect([...found.rows]).toEqual([1, 3])
    expect([...found.empty]).toEqual([0, 2])
    expect([...found.indptr]).toEqual([0, 1, 2])
    expect(found.notices.map(({ code, problem }) => [code, problem.slice(0, 20)])).toEqual([
      ['CELLS_WITHOUT_COUNTS', '2 of 4 cells (50.0 %'],
    ])
    await expect(collect([[], [[2, 0]]])).rejects.toMatchObject({ code: 'CELLS_EMPTY' })
  })

  it.each([
    ['VALUES_NOT_COUNTS', -3, 'cell 2 holds the value -3'],
    ['VALUES_NOT_COUNTS', Number.NaN, 'cell 2 holds the value NaN'],
    ['VALUES_NOT_COUNTS', Number.POSITIVE_INFINITY, 'cell 2 holds the value Infinity'],
    ['COUNTS_NOT_WHOLE', 1.5, 'cell 2 holds the value 1.5 (and 1 more)'],
  ])('refuse with %s a value of %s, with its cell', async (code, value, problem) => {
    const rows: Entries[] = [
      [[1, 1]],
      [
        [0, 2],
        [3, value],
      ],
      [[4, 2.5]],
    ]
    await expect(collect(rows)).rejects.toMatchObject({
      code,
      place,
      problem: expect.stringContaining(problem),
    })
  })

  it('refuse a gene that a cell stores twice, in any order', async () => {
    const first: Entries = [[1, 1]]
    for (const second of [
      [
        [3, 1],
        [3, 2],
      ],
      [
        [3, 1],
        [0, 1],
        [3, 2],
      ],
      Array.from({ length: 11 }, (_, i) => [i % 10, 1]),
    ] as Entries[])
      await expect(collect([first, second])).rejects.toMatchObject({
        code: 'DUPLICATE_ENTRY',
        problem: 'cell 2 stores a gene more than once',
      })
  })

  it('refuse more than there is memory for, and other rows than were told', async () => {
    const slab = slabOf([
      [
        [1, 1],
        [2, 1],
      ],
      [[3, 1]],
    ])
    const of = (cells: number, mostBytes = 2 ** 20) =>
      collectTrainingCounts(slabsOf(slab), { place, cells, genes: 10, mostBytes })
    await expect(of(2, 2 * 16 + 2 * 8)).rejects.toMatchObject({ code: 'CELLS_TOO_MANY' })
    expect((await of(2, 2 * 16 + 3 * 8)).cells).toBe(2)
    await expect(of(2, 10)).rejects.toMatchObject({ code: 'CELLS_TOO_MANY' })
    await expect(of(1)).rejects.toThrow(RangeError)
    await expect(of(3)).rejects.toThrow(RangeError)
  })

  it('lie in shared memory, which a worker has without a copy', async () => {
    const found = await collect([[[1, 4]], [[5, 6]]])
    const { indptr, indices, counts, library, rows } = found
    for (const array of [indptr, indices, counts, library, rows])
      expect(array.buffer).toBeInstanceOf(SharedArrayBuffer)
    const code = `const { parentPort, workerData } = require('node:worker_threads')
      workerData.counts[1] += 100
      parentPort.postMessage([...workerData.indices])`
    const worker = new Worker(code, { eval: true, workerData: { indices, counts } })
    const [seen] = (await once(worker, 'message')) as [number[]]
    await worker.terminate()
    expect(seen).toEqual([1, 5])
    expect(counts[1]).toBe(106)
  })
})

describe('an array that grows', () => {
  it('keeps what is in it, and has no room beyond the most', () => {
    const array = growing('int32', 200_000)
    expect(array.makeRoom(3)).toBe(true)
    array.values.set([1, 2, 3])
    expect(array.makeRoom(150_000)).toBe(true)
    expect([...array.taken(3)]).toEqual([1, 2, 3])
    array.values[149_999] = 7
    expect(array.makeRoom(200_000)).toBe(true)
    expect(array.taken(150_000).at(-1)).toBe(7)
    expect(array.makeRoom(200_001)).toBe(false)
  })
})
