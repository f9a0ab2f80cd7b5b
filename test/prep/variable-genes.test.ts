import { describe, expect, it } from 'vitest'
import { collectGenes } from '../../lib/prep/collect-genes.ts'
import { geneMoments } from '../../lib/prep/gene-moments.ts'
import { normalisedRows } from '../../lib/prep/normalise.ts'
import { selectVariableGenes } from '../../lib/prep/variable-genes.ts'
import { denseOf, each, logged, matrixInMemory, poissonRows, type Rows } from './cells-in-memory.ts'

const place = 'cells:X'
const moments = (rows: Rows, options: { columns?: number; slabRows?: number } = {}) => {
  const matrix = matrixInMemory(rows, options)
  return geneMoments(matrix.slabs(), { columns: matrix.columns })
}

describe('the moments of genes', () => {
  it('are mean and variance (n - 1) of what the logs stand for, and the cells a gene is seen in', async () => {
    const found = await moments([
      [Math.log1p(2), 0, Math.log1p(7)],
      [Math.log1p(4), 0, Math.log1p(7)],
      [0, 0, Math.log1p(7)],
    ])
    expect(found.cells).toBe(3)
    expect([...found.detected]).toEqual([2, 0, 3])
    expect(found.means[0]).toBeCloseTo(2, 12)
    expect(found.variances[0]).toBeCloseTo(4, 12)
    expect([found.means[1], found.variances[1]]).toEqual([0, 0])
    // the same in every cell: no rounding may make it vary
    expect(found.variances[2]).toBe(0)
  })

  it('are the same however the rows come in slabs', async () => {
    const rows = logged(poissonRows(60, { columns: 30 }))
    expect(await moments(rows, { slabRows: 1 })).toEqual(await moments(rows, { slabRows: 60 }))
  })
})

describe('variable genes', () => {
  /** Logs without a generator, so that the oracle can be made anywhere: 23 cells x 30 genes, bins of 1 to 11 genes. */
  const rows = Array.from({ length: 23 }, (_, cell) =>
    Array.from({ length: 30 }, (_, gene) => {
      if (gene === 28) return cell < 4 ? 1 : 0
      if (gene === 29) return 1.5
      const step = (cell * cell * (gene + 3) + cell * 5 + gene * 7) % 17
      return step < 6 ? 0 : (step * (gene + 4)) / 90
    }),
  )
  const oracle = [
    -1.1646425524369208,
    -1.0998137665918324,
    -1.0572096655620238,
    -0.00918114371350256,
    -0.38628733146127286,
    0.4197050414551548,
    0.7361558325736524,
    0.9900477282842832,
    1.5712258574524622,
    -0.8448249515605127,
    -1.2636764506383407,
    -0.9050864784093603,
    0.5360799405550877,
    0.001530077229982794,
    0.8637863258063425,
    1.6827711529743994,
    -0.07057961595759753,
    -0.6859803887550933,
    -0.34954767872313053,
    -1.7784342174852876,
    0.5464441888199006,
    0.3637618865185839,
    0.9778708557121731,
    0.9258853539128489,
    -1.293929276994787,
    0.9738769844082426,
    0.5638168782205351,
    -0.24376458563398795,
    null,
    null,
  ]

  it('have the standardised dispersions that pandas 1.5.3 gives by the recipe of scanpy (oracle)', async () => {
    const { dispersions, ranked } = selectVariableGenes(await moments(rows), { place, bins: 4 })
    for (const [gene, value] of oracle.entries()) {
      if (value === null) expect(dispersions[gene]).toBeNaN()
      else expect(dispersions[gene]).toBeCloseTo(value, 10)
    }
    const order = [...oracle.keys()].filter((gene) => oracle[gene] !== null)
    expect([...ranked]).toEqual(order.sort((a, b) => oracle[b]! - oracle[a]! || a - b))
  })

  it('find the genes that differ between groups of cells', async () => {
    const groups = poissonRows(200, { columns: 60, mean: 4 }).map((row, cell) =>
      row.map((value, gene) => (gene < 6 ? (cell % 2 === gene % 2 ? value * 2 : 0) : value)),
    )
    const { ranked } = selectVariableGenes(await moments(logged(groups)), { place, top: 6, bins: 3 })
    expect([...ranked].sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5])
  })

  it('are `top` at most, of those seen in 5 cells, ties in the order of the genes', async () => {
    const base = logged(poissonRows(50, { columns: 20 }))
    const twins = base.map((row, cell) => [...row, ...row, cell < 4 ? 3 : 0])
    const { ranked, dispersions } = selectVariableGenes(await moments(twins), { place, top: 10 })
    expect(ranked.length).toBe(10)
    expect(dispersions[40]).toBeNaN()
    for (let i = 0; i < 10; i += 2) expect(ranked[i + 1]).toBe(ranked[i]! + 20)
  })

  it('follow the genes when these are permuted (law)', async () => {
    const base = logged(poissonRows(50, { columns: 20 }))
    const order = base[0]!.map((_, i) => (i * 7) % 20)
    const permuted = base.map((row) => order.map((gene) => row[gene]!))
    const plain = selectVariableGenes(await moments(base), { place })
    const other = selectVariableGenes(await moments(permuted), { place })
    expect([...other.dispersions]).toEqual(order.map((gene) => plain.dispersions[gene]))
  })

  it.each([
    ['no cell', [] as Rows],
    ['one cell', [[1, 2, 0, 3]]],
    ['empty cells', Array.from({ length: 9 }, () => [0, 0, 0, 0])],
    ['equal cells', Array.from({ length: 9 }, () => [1, 2, 0, 3])],
  ])('are none, with a notice, among %s', async (_, cells) => {
    const { ranked, notices } = selectVariableGenes(await moments(cells, { columns: 4 }), { place })
    expect(ranked.length).toBe(0)
    expect(notices.map(({ code }) => code)).toEqual(['VARIABLE_GENES_NONE'])
  })
})

describe('collected genes', () => {
  const counts = each(poissonRows(30, { columns: 12, mean: 1 }), (value, row) => (row === 5 ? 0 : value))
  const slabs = () => normalisedRows(matrixInMemory(counts), { from: 'counts' })

  async function collected(ranked: number[], mostBytes?: number) {
    const { detected } = await geneMoments(slabs(), { columns: 12 })
    const options = { cells: 30, ranked: Int32Array.from(ranked), detected, place }
    return collectGenes(slabs(), { ...options, ...(mostBytes !== undefined && { mostBytes }) })
  }

  it('are the columns of the chosen genes, ascending, of all cells', async () => {
    const found = await collected([7, 2, 11])
    expect([...found.genes]).toEqual([2, 7, 11])
    const dense = await denseOf(
      (async function* () {
        yield { ...found, start: 0 }
      })(),
    )
    const whole = await denseOf(slabs())
    expect(dense).toEqual(whole.map((row) => [row[2], row[7], row[11]]))
    expect(found).toMatchObject({ rows: 30, columns: 3, notices: [] })
  })

  it('are fewer, the best first, when all do not fit, and a notice says so', async () => {
    const { detected } = await geneMoments(slabs(), { columns: 12 })
    const room = 31 * 8 + (detected[7]! + detected[2]!) * 8
    const found = await collected([7, 2, 11], room)
    expect([...found.genes]).toEqual([2, 7])
    expect(found.notices.map(({ code }) => code)).toEqual(['VARIABLE_GENES_FEWER'])
    await expect(collected([7, 2, 11], 31 * 8)).rejects.toMatchObject({ code: 'CELLS_TOO_MANY' })
  })
})
