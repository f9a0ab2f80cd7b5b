import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { RowSlab } from '../../lib/data/cells.ts'
import { alignRows } from '../../lib/prep/align-genes.ts'
import { denseRows, matrixOf } from '../support/cells-to-write.ts'
import { denseOf, matrixInMemory, type Rows } from './cells-in-memory.ts'

async function aligned(
  rows: Rows,
  options: { target: number[]; genes: number; values?: 'counts' | 'log1p' },
): Promise<Rows> {
  const { target, ...rest } = options
  const slabs = matrixInMemory(rows, { columns: target.length }).slabs()
  const out = async function* () {
    for await (const slab of slabs) {
      const result = alignRows(slab, { target: Int32Array.from(target), ...rest })
      for (let row = 0; row < result.rows; row++) {
        const indices = result.indices.subarray(result.indptr[row], result.indptr[row + 1])
        expect([...indices]).toEqual([...new Set(indices)].sort((a, b) => a - b))
      }
      yield result
    }
  }
  return denseOf(out())
}

function entriesOf({ indptr, indices, values }: RowSlab, row: number): [number, number][] {
  const entries: [number, number][] = []
  for (let i = indptr[row]!; i < indptr[row + 1]!; i++) entries.push([indices[i]!, values[i]!])
  return entries.sort((a, b) => a[0] - b[0])
}

describe('alignment of genes', () => {
  it('moves columns, drops those without a gene and sums those that are one gene', async () => {
    const rows = [
      [1, 2, 4, 8],
      [0, 0, 3, 5],
      [0, 0, 0, 0],
    ]
    expect(await aligned(rows, { target: [33, 0, -1, 33], genes: 35 })).toEqual(
      [
        [9, 2],
        [5, 0],
        [0, 0],
      ].map(([last, first]) => Object.assign(new Array(35).fill(0), { 33: last, 0: first })),
    )
  })

  it('sums logs below the logarithm', async () => {
    const [row] = await aligned([[Math.log1p(3), Math.log1p(5), Math.log1p(7)]], {
      target: [0, 0, 1],
      genes: 2,
      values: 'log1p',
    })
    expect(row![0]).toBeCloseTo(Math.log1p(8), 12)
    expect(row![1]).toBe(Math.log1p(7))
  })

  it('is what a table of sums gives, whatever the rows and the targets (law)', async () => {
    const job = fc.integer({ min: 1, max: 80 }).chain((columns) =>
      fc.record({
        rows: denseRows(9, columns),
        target: fc.array(fc.integer({ min: -1, max: 69 }), { minLength: columns, maxLength: columns }),
      }),
    )
    await fc.assert(
      fc.asyncProperty(job, async ({ rows, target }) => {
        const expected = rows.map((row) => {
          const sums = new Array<number>(70).fill(0)
          for (const [column, value] of row.entries())
            if (target[column]! >= 0) sums[target[column]!]! += value
          return sums
        })
        expect(await aligned(rows, { target, genes: 70 })).toEqual(expected)
      }),
      { numRuns: 100 },
    )
  })

  it('in any order has the same entries, whether or not columns are one gene (twin)', async () => {
    const job = fc.integer({ min: 1, max: 40 }).chain((columns) =>
      fc.record({
        rows: denseRows(6, columns),
        target: fc.oneof(
          fc.array(fc.integer({ min: -1, max: 60 }), { minLength: columns, maxLength: columns }),
          fc.shuffledSubarray([...Array(61).keys()], { minLength: columns, maxLength: columns }),
        ),
      }),
    )
    await fc.assert(
      fc.asyncProperty(job, async ({ rows, target }) => {
        const options = { target: Int32Array.from(target), genes: 61 }
        for await (const slab of matrixInMemory(rows, { columns: target.length }).slabs()) {
          const [rising, any] = [alignRows(slab, options), alignRows(slab, { ...options, order: 'any' })]
          expect(any.indptr).toEqual(rising.indptr)
          for (let row = 0; row < slab.rows; row++)
            expect(entriesOf(any, row)).toEqual(entriesOf(rising, row))
        }
      }),
      { numRuns: 60 },
    )
  })

  it('holds sums that the stored type does not', async () => {
    const bytes = matrixOf([[200, 200]], { columns: 2, type: 'uint8' })
    for await (const slab of bytes.slabs()) {
      const stored = { ...slab, values: Uint8Array.from(slab.values) }
      expect([...alignRows(stored, { target: Int32Array.of(0, 0), genes: 1 }).values]).toEqual([400])
    }
  })

  it('refuses a target that does not fit the columns or the model', async () => {
    await expect(aligned([[1, 2]], { target: [0, 5], genes: 5 })).rejects.toThrow(
      'column 1 goes to gene 5 of 5',
    )
    const slab = {
      start: 0,
      rows: 0,
      columns: 3,
      indptr: Int32Array.of(0),
      indices: new Int32Array(),
      values: new Float32Array(),
    }
    expect(() => alignRows(slab, { target: Int32Array.of(0), genes: 1 })).toThrow('1 targets for 3 columns')
  })
})
