import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { RowSlab } from '../../lib/data/cells.ts'
import { planGenes } from '../../lib/knowledge/gene-plan.ts'
import { binEdges, binnedRows, binRows } from '../../lib/prep/bin-counts.ts'
import { zeroFilledNotices } from '../../lib/prep/zero-filled.ts'
import { denseOf, matrixInMemory, poissonRows, type Rows } from './cells-in-memory.ts'

const place = 'cells:layers/counts'
const all = (columns: number) => ({
  target: Int32Array.from({ length: columns }, (_, i) => i),
  genes: columns,
})

function binned(
  rows: Rows,
  { bins, slabRows = 7 }: { bins?: number; slabRows?: number } = {},
): Promise<Rows> {
  const matrix = matrixInMemory(rows, { slabRows })
  const genes = all(matrix.columns)
  return denseOf(
    binnedRows(matrix.slabs({ transient: true }), { genes, place, ...(bins !== undefined && { bins }) }),
  )
}

describe('binned counts', () => {
  it('are the edges that each count reaches, by the quantiles of the cell (worked by hand)', async () => {
    // four bins are three edges: the least, the middle and the largest
    expect(await binned([[0, 1, 5, 2, 9, 0]], { bins: 4 })).toEqual([[0, 1, 2, 1, 3, 0]])
    expect([...binEdges(Float64Array.of(5, 1, 2, 9), 4)]).toEqual([1, 3.5, 9])
    // equal counts reach every edge
    expect(await binned([[0, 3, 3, 0]], {})).toEqual([[0, 49, 49, 0]])
    expect(await binned([[0, 7, 0]], {})).toEqual([[0, 49, 0]])
    expect(await binned([[4, 8, 2]], { bins: 2 })).toEqual([[1, 1, 1]])
  })

  it('are whole, from 1 to 49, the largest count always 49, in the order of the counts (law)', async () => {
    const cell = fc.array(fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 4000 })), {
      minLength: 1,
      maxLength: 80,
    })
    await fc.assert(
      fc.asyncProperty(cell, async (counts) => {
        const [bins] = await binned([counts])
        const largest = Math.max(...counts)
        for (const [i, count] of counts.entries()) {
          const bin = bins![i]!
          expect(Number.isInteger(bin) && bin <= 49 && bin > 0 === count > 0).toBe(true)
          if (count > 0 && count === largest) expect(bin).toBe(49)
          for (const [j, other] of counts.entries())
            if (other > count) expect(bins![j]!).toBeGreaterThanOrEqual(bin)
        }
      }),
    )
  })

  it('do not change when every count of a cell is doubled (law)', async () => {
    const rows = poissonRows(20, { columns: 70, mean: 3 })
    const doubled = rows.map((row) => row.map((count) => 2 * count))
    expect(await binned(doubled)).toEqual(await binned(rows))
  })

  it('are the same however the rows come in slabs; a cell without counts stays empty', async () => {
    const rows = poissonRows(15, { columns: 40 }).map((row, cell) => (cell === 4 ? row.map(() => 0) : row))
    const found = await binned(rows, { slabRows: 1 })
    expect(found).toEqual(await binned(rows, { slabRows: 15 }))
    expect(found[4]).toEqual(rows[4])
  })

  it('leave stored zeros out before there are quantiles, and entries in the order that they came', () => {
    const slab: RowSlab = {
      start: 0,
      rows: 1,
      columns: 6,
      indptr: Int32Array.of(0, 5),
      indices: Int32Array.of(5, 0, 3, 1, 2),
      values: Float32Array.of(9, 0, 1, 5, 2),
    }
    const found = binRows(slab, { place, bins: 4 })
    expect([...found.indices]).toEqual([5, 3, 1, 2])
    expect([...found.values]).toEqual([3, 1, 2, 1])
    expect([...found.indptr]).toEqual([0, 4])
    expect(slab.values[0]).toBe(9)
  })

  it('may be more than a byte holds', async () => {
    const counts = Array.from({ length: 1000 }, (_, i) => i + 1)
    const [found] = await binned([counts], { bins: 1001 })
    // edges that rounding lifts above their count are not reached by it, as in numpy
    for (const [i, bin] of found!.entries()) expect(counts[i]! - bin).toBeOneOf([0, 1])
    expect(found!.at(-1)).toBe(1000)
  })

  it.each([-2, Number.NaN, Number.POSITIVE_INFINITY])('refuse the value %s with its cell', async (value) => {
    await expect(
      binned([
        [1, 2],
        [0, value],
      ]),
    ).rejects.toMatchObject({
      code: 'VALUES_NOT_COUNTS',
      problem: expect.stringContaining('cell 2'),
    })
  })

  it('refuse what is no number of bins', async () => {
    for (const bins of [1, 2.5, Number.NaN, 70_000])
      await expect(binned([[1]], { bins })).rejects.toThrow(RangeError)
  })
})

describe('genes of a panel that a file has not', () => {
  const panel = ['ACTB', 'CD3E', 'EPCAM', 'KRT19', 'LYZ', 'MS4A1', 'NKG7', 'PTPRC', 'TP53']
  const genes = ['NKG7', 'CD3E', 'ACTB', 'XIST', 'LYZ', 'TP53', 'PTPRC', 'MS4A1']
  const plan = (names: readonly string[]) =>
    planGenes({
      query: { candidates: [{ column: null, names }] },
      model: { genes: panel, type: 'symbol', species: 'Homo sapiens' },
      matching: 'exact',
    })

  it('are zero, and the counts of the others where they belong', async () => {
    const { target } = await plan(genes)
    const matrix = matrixInMemory([[10, 20, 30, 40, 50, 60, 70, 80]])
    const aligned = { target: Int32Array.from(target), genes: panel.length }
    const [found] = await denseOf(binnedRows(matrix.slabs(), { genes: aligned, place, bins: 8 }))
    // XIST is not of the panel: the quantiles are of the seven others
    expect(found).toEqual([3, 2, 0, 0, 4, 7, 1, 6, 5])
  })

  it('are told with their number and share, and nothing where none is missing', async () => {
    const whose = 'the panel'
    expect(zeroFilledNotices(await plan(genes), { place, whose })).toEqual([
      {
        code: 'GENES_ZERO_FILLED',
        place,
        problem:
          '2 of the 9 genes of the panel (22.2 %) are not in the file and count as zero in every cell: "EPCAM", "KRT19"',
        remedy: expect.any(String),
      },
    ])
    expect(zeroFilledNotices(await plan(panel), { place, whose })).toEqual([])
  })
})
