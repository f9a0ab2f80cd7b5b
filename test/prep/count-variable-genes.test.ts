import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { CellFile, RowSlab } from '../../lib/data/cells.ts'
import { columnTexts } from '../../lib/data/column-texts.ts'
import { openCells } from '../../lib/data/open-cells.ts'
import type { BatchCodes } from '../../lib/prep/batch-moments.ts'
import { type CountVariableOptions, selectCountVariableGenes } from '../../lib/prep/count-variable-genes.ts'
import { selectRows } from '../../lib/prep/select-rows.ts'
import { goldenColumn, goldenTable } from '../support/golden-table.ts'
import { hasShared, sharedPath } from '../support/shared.ts'
import { each, matrixInMemory, poissonRows, type Rows } from './cells-in-memory.ts'

const place = 'cells:X'

function choose(rows: Rows, options: Partial<CountVariableOptions> & { slabRows?: number } = {}) {
  const { slabRows, ...others } = options
  const matrix = matrixInMemory(rows, {
    columns: rows[0]?.length ?? 4,
    ...(slabRows !== undefined && { slabRows }),
  })
  return selectCountVariableGenes(() => matrix.slabs({ transient: true }), {
    place,
    columns: matrix.columns,
    batches: null,
    ...others,
  })
}

const batchesOf = (names: readonly string[], codes: readonly number[]): BatchCodes => ({
  names,
  codes: Int32Array.from(codes),
})
const codesOf = ({ notices }: { notices: { code: string }[] }): string[] => notices.map(({ code }) => code)

/** 120 cells of two batches, 200 genes of nine means; the first six differ between two groups of cells in both batches. */
const grouped = each(poissonRows(120, { columns: 200, mean: 3 }), (count, cell, gene) =>
  gene < 6 ? (cell % 4 < 2 ? count * 5 : 0) : count * (1 + (gene % 9)),
)
const twoBatches = batchesOf(
  ['one', 'two'],
  grouped.map((_, cell) => cell % 2),
)

describe.runIf(hasShared)('variable genes of counts of real cells', () => {
  let files: CellFile[] = []
  beforeAll(async () => {
    const names = ['kang_ctrl', 'kang_stim', 'kang_muscat_ctrl_stim']
    files = await Promise.all(names.map((name) => openCells(sharedPath('data', 'kang_ifnb', `${name}.h5ad`))))
  })
  afterAll(() => Promise.all(files.map((file) => file.close())))

  /** Rows of both conditions, ctrl first; all, or those with a name that is wanted. */
  async function kang(wanted: (name: string) => boolean = () => true) {
    const parts = await Promise.all(
      files.slice(0, 2).map(async (file, batch) => {
        const { index } = await file.obs()
        const prefix = ['ctrl', 'stim'][batch]!
        const rows = Int32Array.from(index.keys()).filter((row) => wanted(`${prefix}_${index[row]}`))
        return selectRows(await file.matrix('X'), rows)
      }),
    )
    const slabs = async function* (): AsyncGenerator<RowSlab> {
      let start = 0
      for (const part of parts) {
        for await (const slab of part.slabs()) yield { ...slab, start: start + slab.start }
        start += part.rows
      }
    }
    const codes = parts.flatMap((part, batch) => new Array<number>(part.rows).fill(batch))
    return { slabs, batches: batchesOf(['ctrl', 'stim'], codes) }
  }

  const lines = (...parts: string[]): string[] =>
    readFileSync(sharedPath('golden', ...parts), 'utf8')
      .trim()
      .split('\n')

  /** A column that has no number in some rows: NaN there. */
  function columnWithGaps(name: string, ...parts: string[]): number[] {
    const text = gunzipSync(readFileSync(sharedPath('golden', ...parts))).toString('utf8')
    const [head, ...rows] = text
      .trimEnd()
      .split('\n')
      .map((line) => line.split(','))
    const column = head!.indexOf(name)
    return rows.map((row) => (row[column] === '' ? Number.NaN : Number(row[column])))
  }

  function expectClose(found: Float64Array, expected: Float64Array): void {
    let worst = 0
    for (const [gene, value] of expected.entries())
      worst = Math.max(worst, Math.abs(found[gene]! - value) / Math.max(Math.abs(value), 1e-12))
    expect(worst).toBeLessThan(1e-8)
  }

  it('are the 1,500 that scanpy chooses with a batch key, and every column is the same (oracle)', async () => {
    const { slabs, batches } = await kang()
    const found = await selectCountVariableGenes(slabs, { place, columns: 9015, batches, top: 1500 })
    const golden = goldenTable('scvi', 'hvg_table.csv.gz')
    expectClose(found.means, goldenColumn(golden, 'means'))
    expectClose(found.variances, goldenColumn(golden, 'variances'))
    expectClose(found.variancesNorm, goldenColumn(golden, 'variances_norm'))
    expect([...found.batchesWith]).toEqual([...goldenColumn(golden, 'highly_variable_nbatches')])
    expect([...found.ranks]).toEqual(columnWithGaps('highly_variable_rank', 'scvi', 'hvg_table.csv.gz'))
    const { index } = await files[0]!.var()
    const names = [...found.ranked].sort((a, b) => a - b).map((gene) => index[gene])
    expect(names).toEqual(lines('scvi', 'hvg_1500.txt'))
    expect(found.notices).toEqual([])
    expect(found.batchesUsed).toEqual([0, 1])
  })

  it('are the 500 that scanpy chooses over four samples (oracle)', async () => {
    const file = files[2]!
    const samples = columnTexts((await file.obs()).columns.get('sample_id')!)!
    const names = [...new Set(samples)].sort()
    const batches = batchesOf(
      names,
      samples.map((sample) => names.indexOf(sample)),
    )
    const matrix = await file.matrix('X')
    const options = { place, columns: file.columns, batches, top: 500 }
    const found = await selectCountVariableGenes(() => matrix.slabs(), options)
    const { index } = await file.var()
    const chosen = [...found.ranked].sort((a, b) => a - b).map((gene) => index[gene])
    expect(chosen).toEqual(lines('scvi', 'muscat_surgery.genes_500.txt'))
  })

  it('have the variances of each batch alone and of all cells as one, as scanpy has them (oracle)', async () => {
    const text = gunzipSync(readFileSync(sharedPath('golden', 'co-embed', 'obs_after_qc.csv.gz'))).toString()
    const kept = new Set(text.split('\n').map((line) => line.split(',')[0]))
    const golden = goldenTable('co-embed', 'hvg_var_table.csv.gz')
    const both = await kang((name) => kept.has(name))
    const chosen = await selectCountVariableGenes(both.slabs, { ...both, place, columns: 9015, top: 3000 })
    expectClose(chosen.variancesNorm, goldenColumn(golden, 'variances_norm'))
    const ranks = columnWithGaps('highly_variable_rank', 'co-embed', 'hvg_var_table.csv.gz')
    expect([...chosen.ranks]).toEqual(ranks)
    const asOne = await selectCountVariableGenes(both.slabs, {
      place,
      columns: 9015,
      batches: null,
      top: 3000,
    })
    expectClose(asOne.variancesNorm, goldenColumn(golden, 'nobatch.variances_norm'))
    for (const [prefix, of] of Object.entries({ 'target.': 'ctrl_', 'reference.': 'stim_' })) {
      const { slabs } = await kang((name) => kept.has(name) && name.startsWith(of))
      const found = await selectCountVariableGenes(slabs, { place, columns: 9015, batches: null, top: 3000 })
      for (const name of ['means', 'variances'] as const)
        expectClose(found[name], goldenColumn(golden, `${prefix}${name}`))
      expectClose(found.variancesNorm, goldenColumn(golden, `${prefix}variances_norm`))
    }
  })
})

describe('variable genes of counts', () => {
  it('are those that differ between groups of cells', async () => {
    const { ranked, batchesWith, detected } = await choose(grouped, { batches: twoBatches, top: 6 })
    expect([...ranked].sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5])
    expect([...batchesWith.subarray(0, 6)]).toEqual([2, 2, 2, 2, 2, 2])
    expect(detected[20]).toBe(grouped.filter((row) => row[20]! > 0).length)
  })

  it('are the same however the rows come in slabs', async () => {
    const options = { batches: twoBatches, top: 20 }
    expect(await choose(grouped, { ...options, slabRows: 1 })).toEqual(
      await choose(grouped, { ...options, slabRows: 120 }),
    )
  })

  it('are the same whichever number a batch has (law)', async () => {
    const swapped = batchesOf(
      ['two', 'one'],
      [...twoBatches.codes].map((code) => 1 - code),
    )
    const plain = await choose(grouped, { batches: twoBatches, top: 20 })
    const other = await choose(grouped, { batches: swapped, top: 20 })
    expect([...other.ranked]).toEqual([...plain.ranked])
    expect([...other.ranks]).toEqual([...plain.ranks])
  })

  it('come by the median rank, or by the number of batches in the order of the paper', async () => {
    // gene 7 stands out in the first batch alone
    const rows = each(grouped, (count, cell, gene) =>
      gene === 7 && cell % 2 === 0 ? (cell % 12 === 0 ? 140 : 0) : count,
    )
    const plain = await choose(rows, { batches: twoBatches, top: 10 })
    const paper = await choose(rows, { batches: twoBatches, top: 10, flavour: 'seurat_v3_paper' })
    expect(plain.ranks[7]).toBe(0)
    expect(plain.ranked[0]).toBe(7)
    expect(plain.batchesWith[7]).toBe(1)
    const place = [...paper.ranked].indexOf(7)
    expect(place).toBeGreaterThanOrEqual(6)
    for (const gene of paper.ranked.subarray(0, place)) expect(paper.batchesWith[gene]).toBe(2)
  })

  it('leave out batches of few cells, and name them', async () => {
    const few = batchesOf(
      ['one', '__proto__', 'two'],
      grouped.map((_, cell) => (cell < 3 ? 1 : cell % 2 === 0 ? 0 : 2)),
    )
    const found = await choose(grouped, { batches: few, top: 6 })
    expect(found.batchesUsed).toEqual([0, 2])
    expect(codesOf(found)).toEqual(['VARIABLE_GENES_BATCHES_LEFT_OUT'])
    expect(found.notices[0]!.problem).toContain('1 of 3 batches have fewer than 20 cells')
    expect(found.notices[0]!.problem).toContain('"__proto__"')
    const without = grouped.slice(3)
    const rest = batchesOf(
      ['one', 'two'],
      without.map((_, cell) => (cell + 3) % 2),
    )
    const alone = await choose(without, { batches: rest, top: 6 })
    expect([...found.ranks]).toEqual([...alone.ranks])
    expect(found.means[0]).not.toBe(alone.means[0])
  })

  it('take all cells for one batch where no batch has enough', async () => {
    const many = batchesOf(
      Array.from({ length: 30 }, (_, i) => `sample ${i}`),
      grouped.map((_, cell) => cell % 30),
    )
    const found = await choose(grouped, { batches: many, top: 6 })
    expect(codesOf(found)).toEqual(['VARIABLE_GENES_BATCHES_JOINED'])
    expect([...found.ranked]).toEqual([...(await choose(grouped, { top: 6 })).ranked])
  })

  it('do without cells that have no batch, and say how many', async () => {
    const some = batchesOf(
      ['one', 'two'],
      grouped.map((_, cell) => (cell % 10 === 9 ? -1 : cell % 2)),
    )
    const found = await choose(grouped, { batches: some, top: 6 })
    expect(found.notices.map(({ code, problem }) => [code, problem.split(' ')[0]])).toEqual([
      ['VARIABLE_GENES_CELLS_LEFT_OUT', '12'],
    ])
  })

  it('are never genes that do not vary, where upstream fills up with them', async () => {
    const rows = each(grouped, (count, _, gene) => (gene < 30 ? count : gene < 40 ? 7 : 0))
    const found = await choose(rows, { batches: twoBatches, top: 50 })
    expect(Math.max(...found.ranked)).toBeLessThan(30)
    expect(found.ranked.length).toBe(30)
    expect(codesOf(found)).toContain('VARIABLE_GENES_FEW')
    for (const values of [found.means, found.variances, found.variancesNorm])
      expect(values.every(Number.isFinite)).toBe(true)
    expect(found.variances[35]).toBe(0)
    expect(found.variancesNorm[35]).toBe(0)
  })

  it.each([
    ['no cell', [] as Rows],
    ['one cell', [[1, 2, 0, 3]]],
    ['empty cells', Array.from({ length: 30 }, () => [0, 0, 0, 0])],
    ['equal cells', Array.from({ length: 30 }, () => [1, 2, 0, 3])],
  ])('are none, with a notice, among %s', async (_, rows) => {
    for (const batches of [
      null,
      batchesOf(
        ['a'],
        rows.map(() => 0),
      ),
    ]) {
      const found = await choose(rows, { batches })
      expect(found.ranked.length).toBe(0)
      expect(codesOf(found)).toContain('VARIABLE_GENES_NONE')
    }
  })

  it('are found, finite and in order, among cells where upstream stops with near singularities (law)', async () => {
    const cells = fc.integer({ min: 2, max: 40 })
    const columns = fc.integer({ min: 1, max: 60 })
    const most = fc.constantFrom(1, 2, 5, 3000)
    await fc.assert(
      fc.asyncProperty(cells, columns, most, fc.nat(1000), async (cells, columns, most, seed) => {
        const rows = each(poissonRows(cells, { columns, mean: 0.4, seed }), (count, cell, gene) =>
          Math.min(most, gene % 7 === 3 && cell === 1 ? count * 999 : count),
        )
        const batches = batchesOf(
          ['a', 'b'],
          rows.map((_, cell) => cell % 2),
        )
        const found = await choose(rows, { batches, top: 10, minBatchCells: 2 })
        expect(found.variancesNorm.every((value) => Number.isFinite(value) && value >= 0)).toBe(true)
        const ranks = [...found.ranked].map((gene) => found.ranks[gene]!)
        expect(ranks).toEqual([...ranks].sort((a, b) => a - b))
        for (const gene of found.ranked) expect(found.variances[gene]).toBeGreaterThan(0)
      }),
      { numRuns: 60 },
    )
  })

  it('say so where too few genes of different means carry the trend', async () => {
    const rows = Array.from({ length: 40 }, (_, cell) =>
      Array.from({ length: 50 }, (_, gene) => Number(cell === gene % 40)),
    )
    const found = await choose(rows, { top: 5 })
    expect(codesOf(found)).toEqual(['VARIABLE_GENES_TREND_UNSURE'])
    expect(found.ranked.length).toBe(5)
  })

  it.each([-1, Number.NaN, Number.POSITIVE_INFINITY])('refuse the value %s with its cell', async (value) => {
    const rows = each(grouped, (count, cell, gene) => (cell === 41 && gene === 5 ? value : count))
    await expect(choose(rows)).rejects.toMatchObject({
      code: 'VALUES_NOT_COUNTS',
      problem: `cell 42 holds the value ${value}, which no count can be`,
    })
  })

  it('tell of values that are not whole, with the first', async () => {
    const rows = each(grouped, (count, cell) => (cell >= 100 && count > 0 ? count + 0.25 : count))
    const found = await choose(rows, { top: 5 })
    expect(codesOf(found)).toEqual(['COUNTS_NOT_WHOLE'])
    expect(found.notices[0]!.problem).toMatch(/^cell 101 holds the value .*25 \(and \d+ more\)/)
  })

  it('refuse more batches than there is memory for, and codes that do not fit the cells', async () => {
    await expect(choose(grouped, { batches: twoBatches, mostBytes: 3000 })).rejects.toMatchObject({
      code: 'BATCHES_TOO_MANY',
    })
    const short = batchesOf(['one'], [0, 0, 0])
    await expect(choose(grouped, { batches: short })).rejects.toThrow(RangeError)
    await expect(choose(grouped, { top: 0 })).rejects.toThrow(RangeError)
  })
})
