import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Matrix } from '../../lib/data/cells.ts'
import { openCells } from '../../lib/data/open-cells.ts'
import { writeH5ad } from '../../lib/data/write-h5ad.ts'
import { type NormaliseOptions, normalisedRows } from '../../lib/prep/normalise.ts'
import { gatherQuality, mitochondrialGenes } from '../../lib/prep/quality.ts'
import { denseRows, matrixOf, tableOf } from '../support/cells-to-write.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { denseOf, each, logged, matrixInMemory, poissonRows, type Rows } from './cells-in-memory.ts'

const rowsOf = (matrix: Matrix, options: Partial<NormaliseOptions> = {}): Promise<Rows> =>
  denseOf(normalisedRows(matrix, { from: 'counts', type: 'float64', ...options }))

function expectClose(found: Rows, expected: Rows, digits = 12): void {
  expect(found.map((row) => row.length)).toEqual(expected.map((row) => row.length))
  for (const [i, row] of expected.entries())
    for (const [j, value] of row.entries()) expect(found[i]![j]).toBeCloseTo(value, digits)
}

describe('normalised rows', () => {
  const toy = [
    [9, 0, 1, 10],
    [0, 8, 1, 11],
    [0, 0, 0, 0],
    [1, 0, 9, 10],
    [200, 0, 63, 64],
  ]

  it('are log1p of counts scaled to 10,000 a cell; a cell without counts stays empty', async () => {
    const expected = logged(toy)
    expectClose(await rowsOf(matrixInMemory(toy)), expected)
    expect(expected[0]![0]).toBe(Math.log1p(4500))
    expectClose(await rowsOf(matrixInMemory(toy), { type: 'float32' }), expected, 5)
    expectClose(await rowsOf(matrixInMemory(toy), { target: 1e6 }), logged(toy, 1e6))
  })

  it('scale by all genes of the matrix, also those that the model does not have', async () => {
    const genes = { target: Int32Array.of(1, -1, -1, 0), genes: 3 }
    const expected = logged(toy).map((row) => [row[3]!, row[0]!, 0])
    expectClose(await rowsOf(matrixInMemory(toy), { genes }), expected)
  })

  it('add up duplicates of a gene as counts, before the logarithm', async () => {
    const genes = { target: Int32Array.of(0, 1, 1, 1), genes: 2 }
    const summed = logged(toy.map((row) => [row[0]!, row[1]! + row[2]! + row[3]!]))
    expectClose(await rowsOf(matrixInMemory(toy), { genes }), summed)
    expectClose(await rowsOf(matrixInMemory(logged(toy)), { genes, from: 'log1p_10k' }), summed)
  })

  it('of logs are these logs, or undone and scaled anew', async () => {
    expect(await rowsOf(matrixInMemory(logged(toy)), { from: 'log1p_10k' })).toEqual(logged(toy))
    expectClose(await rowsOf(matrixInMemory(logged(toy, 2500)), { from: 'log1p' }), logged(toy), 9)
  })

  it.each([-1, Number.NaN, Number.POSITIVE_INFINITY])('refuse %d, naming the cell', async (bad) => {
    const rows = each(toy, (value, row, gene) => (row === 3 && gene === 2 ? bad : value))
    await expect(rowsOf(matrixInMemory(rows), { place: 'cells.h5ad' })).rejects.toMatchObject({
      code: 'VALUES_NOT_COUNTS',
      place: 'cells.h5ad:X',
      problem: expect.stringContaining('cell 4 '),
    })
  })

  const job = fc.integer({ min: 1, max: 30 }).chain((columns) => denseRows(12, columns))

  it('do not change when the counts of a cell are multiplied (law)', async () => {
    await fc.assert(
      fc.asyncProperty(job, fc.integer({ min: 2, max: 50 }), async (rows, factor) => {
        expectClose(await rowsOf(matrixInMemory(each(rows, (value) => value * factor))), logged(rows))
      }),
      { numRuns: 50 },
    )
  })

  it('are permuted as the genes are (law)', async () => {
    await fc.assert(
      fc.asyncProperty(job, fc.infiniteStream(fc.nat()), async (rows, keys) => {
        const order = rows[0]!.map((_, gene) => gene)
        const rank = order.map(() => keys.next().value as number)
        order.sort((a, b) => rank[a]! - rank[b]! || a - b)
        const permute = (table: Rows): Rows => table.map((row) => order.map((gene) => row[gene]!))
        // totals are sums in another order: equal for whole numbers
        expect(await rowsOf(matrixInMemory(permute(rows)))).toEqual(
          permute(await rowsOf(matrixInMemory(rows))),
        )
      }),
      { numRuns: 50 },
    )
  })

  it('do not depend on how the rows come in slabs', async () => {
    const counts = poissonRows(40, { columns: 25 })
    expect(await rowsOf(matrixInMemory(counts, { slabRows: 1 }))).toEqual(
      await rowsOf(matrixInMemory(counts, { slabRows: 40 })),
    )
  })

  it('are the same of a sparse and a dense matrix in a file (twin)', async () => {
    await using folder = await temporaryFolder()
    const counts = poissonRows(40, { columns: 25, mean: 1 })
    const found: Rows[] = []
    for (const layout of ['csr', 'dense'] as const) {
      const path = join(folder.path, `${layout}.h5ad`)
      const x = matrixOf(counts, { columns: 25, type: 'float32', layout })
      await writeH5ad(path, { x, obs: tableOf(40, { prefix: 'cell' }), var: tableOf(25, { prefix: 'gene' }) })
      const file = await openCells(path)
      found.push(await rowsOf(await file.matrix('X'), { slabBytes: 500 }))
      await file.close()
    }
    expect(found[0]).toEqual(found[1])
    expectClose(found[0]!, logged(counts))
  })

  it('of no cell, and of one, are none and one', async () => {
    expect(await rowsOf(matrixInMemory([], { columns: 4 }))).toEqual([])
    expectClose(await rowsOf(matrixInMemory([[5, 0]])), [[Math.log1p(1e4), 0]])
  })
})

describe('the quality of cells', () => {
  const rows = [
    [150, 0, 40, 10],
    [100, 50, 25, 24],
    [0, 0, 0, 0],
  ]
  const genes = ['CD3D', 'MTOR', 'MT-ND1', 'mt-Co1']

  async function qualityOf(from: 'counts' | 'log1p_10k', table: Rows, symbols = genes) {
    const isMitochondrial = mitochondrialGenes(symbols)
    const gathering = gatherQuality({ cells: table.length, place: 'cells:X', from })
    for await (const slab of normalisedRows(matrixInMemory(table, { slabRows: 2 }), {
      from,
      isMitochondrial,
    }))
      gathering.add(slab)
    return gathering.finish()
  }

  it('is total counts, genes detected and the mitochondrial share; few counts are flagged, not dropped', async () => {
    const quality = await qualityOf('counts', rows)
    expect([...quality.totals]).toEqual([200, 199, 0])
    expect([...quality.detected]).toEqual([3, 4, 0])
    expect([...quality.mitochondrial!]).toEqual([0.25, 49 / 199, Number.NaN])
    expect([...quality.hasFewCounts!]).toEqual([0, 1, 1])
    expect(quality.notices).toMatchObject([
      { code: 'CELLS_LOW_COUNTS', problem: expect.stringMatching(/^2 of 3 cells have fewer than 200/) },
    ])
  })

  it('of logs keeps the mitochondrial share, and says that the depth is not known', async () => {
    const quality = await qualityOf('log1p_10k', logged(rows))
    expect(quality.mitochondrial![0]).toBeCloseTo(0.25, 9)
    expect(quality.hasFewCounts).toBeUndefined()
    expect(quality.notices.map(({ code }) => code)).toEqual(['DEPTH_UNKNOWN'])
  })

  it('has no mitochondrial share where no such gene is known', async () => {
    expect(mitochondrialGenes(['ENSG00000198888', 'MTOR'])).toBeUndefined()
    expect((await qualityOf('counts', rows, ['MTOR'])).mitochondrial).toBeUndefined()
  })
})
