/** Law: counts that go into shards come out for those cells that are wanted, with their own codes; what is no count is refused with its cell. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Matrix } from '../../lib/data/cells.ts'
import { openFolderStore } from '../../lib/job/folder-store.ts'
import { openStep } from '../../lib/job/steps.ts'
import { categoriesOf } from '../../lib/workflows/parts/category-column.ts'
import {
  leftOutCells,
  readCellCodes,
  readTrainingCells,
  writeCellCodes,
  writeCountShards,
} from '../../lib/workflows/parts/count-shards.ts'
import type { StepContext } from '../../lib/workflows/workflow.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

function matrixOf(rows: readonly (readonly number[])[]): Matrix {
  const columns = rows[0]?.length ?? 0
  return {
    ...{
      name: 'X',
      rows: rows.length,
      columns,
      encoding: 'csr',
      type: 'float32',
      stored: rows.length * columns,
    },
    async *slabs() {
      // two slabs, zeros stored
      for (const [from, to] of [
        [0, rows.length >> 1],
        [rows.length >> 1, rows.length],
      ] as const) {
        if (from === to) continue
        yield {
          start: from,
          rows: to - from,
          columns,
          indptr: Int32Array.from({ length: to - from + 1 }, (_, row) => row * columns),
          indices: Int32Array.from({ length: (to - from) * columns }, (_, i) => i % columns),
          values: Float32Array.from(rows.slice(from, to).flat()),
        }
      }
    },
  }
}

async function contextIn(path: string, shards: number): Promise<StepContext> {
  const store = await openFolderStore(path)
  const step = openStep(store, { state: 'Prepare', code: 'test', dependsOn: [] })
  return {
    road: { shards, inputs: [{ facts: { inspection: { place: 'q.h5ad' } } }] },
    ...{ step, before: () => step, signal: new AbortController().signal, progress: () => {} },
  } as unknown as StepContext
}

const row = fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 5, maxLength: 5 })
const cell = fc.record({ counts: row, batch: fc.integer({ min: -1, max: 2 }), isWanted: fc.boolean() })

describe('counts in shards', () => {
  it('come back as they were, for the cells that take part and are wanted', async () => {
    const input = fc.tuple(fc.array(cell, { minLength: 3, maxLength: 20 }), fc.integer({ min: 2, max: 4 }))
    await fc.assert(
      fc.asyncProperty(input, async ([cells, shards]) => {
        await using folder = await temporaryFolder()
        const context = await contextIn(folder.path, shards)
        // gene 4 is no gene of the model, and columns 0 and 3 are one
        const target = Int32Array.from([1, 2, 0, 1, -1])
        const expected = cells.map(({ counts: [a, b, c, d] }) => [c!, a! + d!, b!])
        const cut = cells.length >> 1
        const sources = [cells.slice(0, cut), cells.slice(cut)].map((part) => ({
          ...{ matrix: matrixOf(part.map(({ counts }) => counts)), place: 'q.h5ad', target },
        }))
        const counted = await writeCountShards(context, { sources, genes: 3, bins: 0 })
        const categories = [Int32Array.from(cells, ({ batch }) => batch)]
        const continuous = Float32Array.from(cells, (_, i) => i / 2)
        const labels = Int32Array.from(cells, (_, i) => i)
        const leftOut = leftOutCells(counted, { categories, continuous })
        await writeCellCodes(context.step, { categories, continuous, labels, leftOut })
        await context.step.finish({ value: null, notices: [], seconds: 0, peakMemory: 0 })
        const codes = await readCellCodes(context.step)
        const isWanted = (at: number) => cells[at]!.isWanted
        const wanted = [...cells.keys()].filter(
          (at) => isWanted(at) && cells[at]!.batch >= 0 && expected[at]!.some((count) => count > 0),
        )
        if (wanted.length === 0) {
          await expect(readTrainingCells(context, { codes, genes: 3, isWanted })).rejects.toMatchObject({
            code: 'CELLS_EMPTY',
          })
          return
        }
        const { data, rows } = await readTrainingCells(context, { codes, genes: 3, isWanted })
        expect([...rows]).toEqual(wanted)
        const dense = [...rows.keys()].map((at) => {
          const own = [0, 0, 0]
          for (let i = data.indptr[at]!; i < data.indptr[at + 1]!; i++)
            own[data.indices[i]!] = data.counts[i]!
          return own
        })
        expect(dense).toEqual(wanted.map((at) => expected[at]))
        expect([...data.library]).toEqual(wanted.map((at) => expected[at]!.reduce((a, b) => a + b)))
        expect([...data.categories[0]!]).toEqual(wanted.map((at) => cells[at]!.batch))
        expect([...data.labels!]).toEqual(wanted)
        expect([...data.continuous!]).toEqual(wanted.map((at) => at / 2))
      }),
      { numRuns: 40 },
    )
  })

  it.each([
    [-1, 'VALUES_NOT_COUNTS'],
    [Number.NaN, 'VALUES_NOT_COUNTS'],
    [Number.POSITIVE_INFINITY, 'VALUES_NOT_COUNTS'],
    [1.5, 'COUNTS_NOT_WHOLE'],
  ])('are refused where a cell holds %d', async (value, code) => {
    await using folder = await temporaryFolder()
    const context = await contextIn(folder.path, 2)
    const rows = [
      [1, 0],
      [2, 1],
      [0, value],
      [1, 1],
    ]
    const source = { matrix: matrixOf(rows), place: 'q.h5ad', target: Int32Array.from([0, 1]) }
    await expect(writeCountShards(context, { sources: [source], genes: 2, bins: 0 })).rejects.toMatchObject({
      code,
      problem: expect.stringContaining('cell 3'),
    })
  })
})

describe('a column of categories', () => {
  const obs = (columns: [string, Parameters<Map<string, never>['set']>[1]][]) =>
    ({ rows: 3, indexName: '_index', index: ['a', 'b', 'c'], columns: new Map(columns) }) as never
  const of = (column: unknown) =>
    categoriesOf(obs([['x', column as never]]), { column: 'x', setting: 'batch_key', place: 'q' })

  it('is sorted as scvi-tools sorts it, and keeps what it is in Python', () => {
    const numbers = { kind: 'number', type: 'int64', values: BigInt64Array.from([10n, 9n, 10n]) }
    expect(of(numbers)).toMatchObject({ categories: ['9', '10'], type: 'integer' })
    expect([...of(numbers).codes]).toEqual([1, 0, 1])
    const floats = { kind: 'number', type: 'float64', values: Float64Array.from([2, Number.NaN, 0.5]) }
    expect(of(floats)).toMatchObject({ categories: ['0.5', '2'], type: 'float' })
    expect([...of(floats).codes]).toEqual([1, -1, 0])
    const flags = { kind: 'boolean', values: Uint8Array.from([1, 0, 1]), mask: Uint8Array.from([0, 0, 1]) }
    expect(of(flags)).toMatchObject({ categories: ['False', 'True'], type: 'boolean' })
    expect([...of(flags).codes]).toEqual([1, 0, -1])
    const words = { kind: 'string', values: ['b', null, '__proto__'] }
    expect(of(words)).toMatchObject({ categories: ['__proto__', 'b'], type: 'text' })
  })

  it('that is not there is refused with those that are', () => {
    expect(() => categoriesOf(obs([]), { column: 'x', setting: 'batch_key', place: 'q' })).toThrow(
      expect.objectContaining({ code: 'COLUMN_MISSING' }),
    )
  })
})
