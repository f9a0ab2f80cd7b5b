/**
 * Oracle: the table of SpatialCore's detector (spec annotate-and-type-cells, O8), run with spatialcore 0.3.0 over 200 x 100
 * Poisson(2) counts. Ours are other draws of the same law: numbers that depend on the draw are compared within 3 %.
 */
import { describe, expect, it } from 'vitest'
import { random } from '../../lib/job/random.ts'
import { chooseCounts } from '../../lib/prep/choose-counts.ts'
import { detectCounts } from '../../lib/prep/counts-state.ts'
import { cellsInMemory, each, linear, logged, poissonRows, type Rows } from './cells-in-memory.ts'

const counts = poissonRows(200, { columns: 100 })
const zeros = each(counts, () => 0)

/** Every gene to mean 0 and standard deviation 1. */
function scaled(rows: Rows): Rows {
  const mean = rows[0]!.map((_, gene) => rows.reduce((sum, row) => sum + row[gene]!, 0) / rows.length)
  const deviation = mean.map((centre, gene) =>
    Math.sqrt(rows.reduce((sum, row) => sum + (row[gene]! - centre) ** 2, 0) / rows.length),
  )
  return each(rows, (value, _, gene) => (value - mean[gene]!) / deviation[gene]!)
}

/** A share of the non-zero values made half-integers, at random. */
function withHalves(rows: Rows, share: number): Rows {
  const generator = random(3)
  return each(rows, (value) => (value > 0 && generator.uniform() < share ? value + 0.5 : value))
}

interface Case {
  what: string
  matrices: Record<string, Rows>
  where: string | null
  state: string
  target?: number
  /** what is worked from; null = refused */
  chosen: string | null
}

const log10k = logged(counts)
const z = scaled(log10k)
const cases: Case[] = [
  { what: 'raw counts', matrices: { X: counts }, where: 'X', state: 'raw', chosen: 'X counts' },
  {
    what: 'logs of 10,000',
    matrices: { X: log10k },
    where: null,
    state: 'log1p_10k',
    target: 10_000,
    chosen: 'X log1p_10k',
  },
  {
    what: 'logs of a million',
    matrices: { X: logged(counts, 1e6) },
    where: null,
    state: 'log1p_cpm',
    target: 1e6,
    chosen: null,
  },
  {
    what: 'logs of 5,000',
    matrices: { X: logged(counts, 5000) },
    where: null,
    state: 'log1p_other',
    target: 5000,
    chosen: null,
  },
  {
    what: 'logs of 12,500',
    matrices: { X: logged(counts, 12_500) },
    where: null,
    state: 'log1p_other',
    target: 12_500,
    chosen: null,
  },
  {
    what: 'logs of 10,751',
    matrices: { X: logged(counts, 10_751) },
    where: null,
    state: 'log1p_10k',
    target: 10_751,
    chosen: 'X log1p_10k',
  },
  { what: 'linear 10,000', matrices: { X: linear(counts, 1e4) }, where: null, state: 'linear', chosen: null },
  { what: 'linear 1,000', matrices: { X: linear(counts, 1e3) }, where: null, state: 'linear', chosen: null },
  { what: 'scaled values', matrices: { X: z }, where: null, state: 'negative', chosen: null },
  {
    what: 'logs of a million beside counts',
    matrices: { X: logged(counts, 1e6), 'layers/counts': counts },
    where: 'layers/counts',
    state: 'log1p_cpm',
    target: 1e6,
    chosen: 'layers/counts counts',
  },
  {
    what: 'scaled values beside raw_counts',
    matrices: { X: z, 'layers/raw_counts': counts },
    where: 'layers/raw_counts',
    state: 'negative',
    chosen: 'layers/raw_counts counts',
  },
  {
    what: 'counts times 1.37 in a layer',
    matrices: { X: log10k, 'layers/counts': each(counts, (value) => value * 1.37) },
    where: null,
    state: 'log1p_10k',
    target: 10_000,
    chosen: 'X log1p_10k',
  },
  { what: 'nothing but zeros', matrices: { X: zeros }, where: null, state: 'unknown', chosen: null },
  {
    what: 'counts with noise of 1e-8',
    matrices: { X: each(counts, (value) => value + 1e-8) },
    where: 'X',
    state: 'raw',
    chosen: 'X counts',
  },
  {
    what: '4 % half-integers',
    matrices: { X: withHalves(counts, 0.04) },
    where: 'X',
    state: 'raw',
    chosen: 'X counts',
  },
  {
    what: '6 % half-integers',
    matrices: { X: withHalves(counts, 0.06) },
    where: null,
    state: 'log1p_other',
    target: 2503.7,
    chosen: null,
  },
  {
    what: 'zeros and ones',
    matrices: { X: each(counts, (value) => Number(value > 0)) },
    where: 'X',
    state: 'raw',
    chosen: 'X counts',
  },
  {
    what: 'logs cut to 40 genes',
    matrices: { X: log10k.map((row) => row.slice(0, 40)) },
    where: null,
    state: 'log1p_other',
    target: 3933.9,
    chosen: null,
  },
  {
    what: 'logs to base 2',
    matrices: { X: each(linear(counts, 1e4), (value) => Math.log2(value + 1)) },
    where: null,
    state: 'log1p_other',
    target: 89_970,
    chosen: null,
  },
]

describe.each(['sampled', 'spatialcore'] as const)('the detector of counts, policy %s', (policy) => {
  it.each(cases)('finds $where counts and X $state in $what', async ({ matrices, where, state, target }) => {
    const found = await detectCounts(cellsInMemory(matrices), { seed: 1, policy })
    expect(found.rawCounts.where).toBe(where)
    expect(found.rawCounts.found).toBe(where !== null)
    expect(found.normalisation.state).toBe(state)
    if (target === undefined) expect(found.normalisation.targetSum).toBeNull()
    else expect(Math.abs(found.normalisation.targetSum! / target - 1)).toBeLessThan(0.03)
    expect(found.notices).toEqual([])
  })
})

describe('the choice of counts', () => {
  it.each(cases)('for $what is: $chosen', async ({ matrices, chosen }) => {
    const state = await detectCounts(cellsInMemory(matrices), { seed: 1 })
    const choose = () => chooseCounts(state, { place: 'cells' })
    if (chosen === null) {
      expect(choose).toThrowError(expect.objectContaining({ name: 'BadInput', code: 'COUNTS_NOT_FOUND' }))
      return
    }
    const { matrix, from } = choose()
    expect(`${matrix} ${from}`).toBe(chosen)
  })

  const both = { X: log10k, 'layers/counts': counts }

  it('prefers raw counts to logs and says where they are, or takes X when that is asked for', async () => {
    const state = await detectCounts(cellsInMemory(both), { seed: 1 })
    expect(chooseCounts(state, { place: 'cells' })).toMatchObject({
      matrix: 'layers/counts',
      from: 'counts',
      notices: [{ code: 'COUNTS_NOT_IN_X' }],
    })
    expect(chooseCounts(state, { place: 'cells', prefer: 'x' })).toMatchObject({
      matrix: 'X',
      from: 'log1p_10k',
      notices: [{ code: 'COUNTS_LOGS_USED' }],
    })
  })

  it('asking for X does not help where X is no known logs', async () => {
    const state = await detectCounts(cellsInMemory({ X: z, 'layers/counts': counts }), { seed: 1 })
    expect(chooseCounts(state, { place: 'cells', prefer: 'x' }).matrix).toBe('layers/counts')
  })

  it('takes logs from raw/X where X is scaled, as scanpy leaves it', async () => {
    const state = await detectCounts(cellsInMemory({ X: z, 'raw/X': log10k }), { seed: 1 })
    expect(chooseCounts(state, { place: 'cells' })).toMatchObject({ matrix: 'raw/X', from: 'log1p_10k' })
  })

  it('takes the layer that the user names and no other', async () => {
    const file = cellsInMemory({
      X: counts,
      'layers/umi': each(counts, (value) => 2 * value),
      'layers/soup': z,
    })
    const named = await detectCounts(file, { seed: 1, countsLayer: 'umi' })
    expect(chooseCounts(named, { place: 'cells', countsLayer: 'layers/umi' })).toEqual({
      matrix: 'layers/umi',
      from: 'counts',
      notices: [],
    })
    const wrong = await detectCounts(file, { seed: 1, countsLayer: 'soup' })
    expect(wrong.normalisation.state).toBe('raw')
    expect(() => chooseCounts(wrong, { place: 'cells', countsLayer: 'layers/soup' })).toThrowError(
      /cells:layers\/soup: these are no raw counts: layers\/soup holds negative values/,
    )
    await expect(detectCounts(file, { seed: 1, countsLayer: 'none' })).rejects.toMatchObject({
      code: 'COUNTS_LAYER_MISSING',
    })
  })

  it('is not made for a layer that was never looked at', async () => {
    const state = await detectCounts(cellsInMemory({ X: counts, 'layers/umi': counts }), { seed: 1 })
    expect(() => chooseCounts(state, { place: 'cells', countsLayer: 'layers/umi' })).toThrowError(RangeError)
  })

  it('says the state, the target sum and three remedies when it refuses', async () => {
    const state = await detectCounts(cellsInMemory({ X: logged(counts, 5000) }), { seed: 1 })
    expect(() => chooseCounts(state, { place: 'cells' })).toThrowError(
      /no raw counts were found: X holds what may be logs of counts scaled to 5000 a cell\. Put .*; or name .*; or give X as log1p/,
    )
  })

  it.each([
    ['logs of another target, undone', logged(counts, 5000), 'log1p'],
    ['linear values, as counts', linear(counts, 1e3), 'counts'],
  ])('goes on with %s, when forced, and says so', async (_, rows, from) => {
    const state = await detectCounts(cellsInMemory({ X: rows }), { seed: 1 })
    expect(chooseCounts(state, { place: 'cells', unsafeForce: true })).toMatchObject({
      matrix: 'X',
      from,
      notices: [{ code: 'NORM_UNSAFE_FORCED' }],
    })
  })

  it.each([
    ['negative values', z],
    ['zeros', zeros],
  ])('cannot be forced to take %s', async (_, rows) => {
    const state = await detectCounts(cellsInMemory({ X: rows }), { seed: 1 })
    expect(() => chooseCounts(state, { place: 'cells', unsafeForce: true })).toThrowError(/no raw counts/)
  })

  it('is refused for a file without a matrix', async () => {
    const state = await detectCounts(cellsInMemory({}), { seed: 1 })
    expect(state).toMatchObject({ rawCounts: { found: false, where: null }, checked: [] })
    expect(() => chooseCounts(state, { place: 'cells' })).toThrowError(/there is no matrix in it/)
  })
})

describe('the sample', () => {
  /** counts in the first 3000 of 5000 cells, and half of every value of the rest: half of it odd */
  const late = poissonRows(5000, { columns: 20, mean: 3 }).map((row, i) =>
    i < 3000 ? row : row.map((value) => value * 0.37),
  )

  it('sees what stands behind the first rows, where the original does not', async () => {
    const ours = await detectCounts(cellsInMemory({ X: late }), { seed: 1, sampleRows: 100 })
    const theirs = await detectCounts(cellsInMemory({ X: late }), {
      seed: 1,
      sampleRows: 100,
      policy: 'spatialcore',
    })
    expect(ours.rawCounts.found).toBe(false)
    expect(ours.checked[0]!.rows).toBe(100)
    expect(theirs.rawCounts.found).toBe(true)
  })

  it('tests ten times as many rows for whole numbers as for the rest under the original policy', async () => {
    const rows = poissonRows(2000, { columns: 20 }).map((row, i) =>
      i < 500 ? row.map((v) => v * 0.37) : row,
    )
    const found = await detectCounts(cellsInMemory({ X: rows }), {
      seed: 1,
      sampleRows: 500,
      policy: 'spatialcore',
    })
    expect(found.normalisation.fractionInteger).toBeLessThan(0.01)
    expect(found.normalisation.state).not.toBe('raw')
    const all = poissonRows(6000, { columns: 20 }).map((row, i) => (i < 100 ? row.map((v) => v + 0.5) : row))
    const most = await detectCounts(cellsInMemory({ X: all }), {
      seed: 1,
      sampleRows: 550,
      policy: 'spatialcore',
    })
    expect(most.normalisation).toMatchObject({ state: 'raw' })
    expect(most.normalisation.fractionInteger).toBeLessThan(0.95)
  })

  it('is the same for the same seed, and another for another', async () => {
    const look = (seed: number) => detectCounts(cellsInMemory({ X: late }), { seed, sampleRows: 100 })
    expect(await look(5)).toEqual(await look(5))
    expect(await look(5)).not.toEqual(await look(6))
  })

  it('is of all cells where they are few, and nothing where there is none', async () => {
    const [one] = [poissonRows(1, { columns: 30 })]
    expect(await detectCounts(cellsInMemory({ X: one }), { seed: 1 })).toMatchObject({
      rawCounts: { found: true, where: 'X', integerShare: 1 },
      checked: [{ rows: 1 }],
    })
    expect(await detectCounts(cellsInMemory({ X: [] }), { seed: 1 })).toMatchObject({
      rawCounts: { found: false, where: null, integerShare: null },
      normalisation: { state: 'unknown', targetSum: null, mean: null, max: null, min: null },
    })
  })

  it('calls nothing counts that holds NaN, and says so', async () => {
    const rows = each(counts, (value, row, column) => (row === 3 && column === 3 ? Number.NaN : value))
    const found = await detectCounts(cellsInMemory({ X: rows }), { seed: 1 })
    expect(found.normalisation.state).toBe('unknown')
    expect(found.notices.map(({ code }) => code)).toEqual(['VALUES_NOT_FINITE'])
  })
})
