import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { openCells } from '../../lib/data/open-cells.ts'
import { standardise, type TrainingRows } from '../../lib/models/standardised-cells.ts'
import { trainLinear } from '../../lib/models/train-linear.ts'
import { normalisedRows } from '../../lib/prep/normalise.ts'
import { toyCounts } from '../support/installation.ts'
import { hasShared, sharedPath } from '../support/shared.ts'
import { fitLogistic } from './plain-logistic.ts'

const facts = {
  name: 'toy',
  version: '1',
  organism: 'Homo sapiens',
  geneIds: 'symbol' as const,
  ontology: {},
  licence: '',
  source: '',
  details: '',
  created: '2026-11-21T00:00:00Z',
}

/** O1: 12 cells of 3 types, 4 genes, counts of 20 a cell */
const counts = toyCounts
const codes = Int32Array.from([2, 2, 2, 2, 0, 0, 0, 0, 1, 1, 1, 1])

function sparse(dense: readonly (readonly number[])[]): TrainingRows {
  const indptr = [0]
  const indices: number[] = []
  const values: number[] = []
  for (const row of dense) {
    for (const [gene, value] of row.entries()) {
      if (value === 0) continue
      indices.push(gene)
      values.push(value)
    }
    indptr.push(indices.length)
  }
  return {
    rows: dense.length,
    columns: dense[0]!.length,
    indptr: Int32Array.from(indptr),
    indices: Int32Array.from(indices),
    values: Float64Array.from(values),
  }
}

const logs = sparse(counts.map((row) => row.map((count) => Math.log1p((count / 20) * 1e4))))

describe('a linear model trained on the toy cells', () => {
  const rounded = (values: Iterable<number>, digits = 6) =>
    Array.from(values, (value) => Number(value.toFixed(digits)))

  it('standardises as scikit-learn does: divisor n', () => {
    const { mean, scale } = standardise(logs)
    expect(rounded(mean)).toEqual([3.818147, 4.393877, 4.969606, 8.551022])
    expect(rounded(scale)).toEqual([3.88433, 3.786514, 3.595056, 0.175455])
  })

  it('reaches the optimum that Newton in float64 reaches: weights, intercepts and objectives', async () => {
    const model = await trainLinear(logs, {
      codes,
      labels: ['B', 'M', 'T'],
      genes: ['CD3D', 'MS4A1', 'LYZ', 'ACTB'],
      tolerance: 1e-16,
      facts,
    })
    expect(rounded(model.weights)).toEqual([
      -0.59936, 1.133206, -0.6286, -0.055566, -0.677917, -0.481981, 1.161901, 0.204023, 1.175467, -0.686843,
      -0.51851, -0.102422,
    ])
    expect(rounded(model.intercept)).toEqual([-1.172165, -1.078893, -1.217752])
    expect(model.card.metrics.objective).toBeCloseTo(4.460227 + 4.784776 + 3.902705, 5)
  })

  it('is the same every time, and whatever the order of the cells', async () => {
    const order = [5, 0, 11, 3, 8, 1, 7, 2, 10, 4, 9, 6]
    const shuffled = sparse(order.map((row) => counts[row]!.map((count) => Math.log1p((count / 20) * 1e4))))
    const options = { labels: ['B', 'M', 'T'], genes: ['a', 'b', 'c', 'd'], tolerance: 1e-18, facts }
    const [first, again, other] = [
      await trainLinear(logs, { ...options, codes }),
      await trainLinear(logs, { ...options, codes }),
      await trainLinear(shuffled, { ...options, codes: Int32Array.from(order, (row) => codes[row]!) }),
    ]
    expect(again.card.id).toBe(first.card.id)
    expect(rounded(other.weights, 8)).toEqual(rounded(first.weights, 8))
  })

  it('has one row of weights for two labels, and refuses one label', async () => {
    const two = codes.map((code) => (code === 0 ? 0 : 1))
    const options = { genes: ['a', 'b', 'c', 'd'], tolerance: 1e-16, facts }
    const model = await trainLinear(logs, { ...options, codes: two, labels: ['B', 'other'] })
    const { weights } = await fitLogistic(
      standardise(logs),
      Int8Array.from(two, (code) => (code === 1 ? 1 : -1)),
    )
    expect(rounded(model.weights)).toEqual(rounded(weights))
    await expect(
      trainLinear(logs, { ...options, codes: new Int32Array(12), labels: ['B'] }),
    ).rejects.toMatchObject({
      code: 'TRAINING_LABELS',
    })
  })

  it('drops genes that are silent', async () => {
    const silent = sparse(counts.map((row) => [...row.map((count) => Math.log1p(count)), 0]))
    const model = await trainLinear(silent, {
      codes,
      labels: ['B', 'M', 'T'],
      genes: ['a', 'b', 'c', 'd', 'silent'],
      facts,
    })
    expect(model.card.genes).toEqual(['a', 'b', 'c', 'd'])
  })
})

describe.skipIf(!hasShared)(
  'a model trained on the sorted cells of Zheng 2017 (CellTypist 1.7.1 is the oracle)',
  () => {
    it.each([
      ['pbmc_sorted_lr', undefined],
      ['pbmc_sorted_lr_2class', ['B cell', 'natural killer cell']],
    ])('%s: coefficients within 1e-4 of the optimum, objective not above it', async (golden, only) => {
      const { cells, labels, genes } = await reference(only)
      const distinct = [...new Set(labels)].sort()
      const model = await trainLinear(cells, {
        codes: Int32Array.from(labels, (label) => distinct.indexOf(label)),
        labels: distinct,
        genes,
        facts,
      })
      const table = readTable(`${golden}.optimum_coef.csv.gz`)
      expect(model.card.genes).toEqual(table.slice(1, -1).map(([gene]) => gene))
      const heads = model.intercept.length
      let worst = 0
      for (const [at, [, ...row]] of table.slice(1, -1).entries())
        for (let head = 0; head < heads; head++)
          worst = Math.max(
            worst,
            Math.abs(model.weights[head * model.card.genes.length + at]! - Number(row[head])),
          )
      expect(worst).toBeLessThan(1e-4)
      const objectives = readFileSync(sharedPath(`golden/celltypist/${golden}.objective.csv`), 'utf8')
        .trim()
        .split('\n')
        .slice(1)
      const optimum = objectives.reduce(
        (sum, line) => sum + Number(/,([\d.]+),[^,]+,[^,]+,[^,]+,[^,]+$/.exec(line)![1]),
        0,
      )
      expect(model.card.metrics.objective! / optimum).toBeLessThan(1 + 1e-6)
    })
  },
)

async function reference(only: string[] | undefined) {
  const file = await openCells(sharedPath('data/pbmc_sorted_ref/pbmc_sorted_zheng.h5ad'))
  const column = (await file.obs()).columns.get('cell_type')
  if (column?.kind !== 'categorical' || column.categories.kind !== 'string') throw new Error('no labels')
  const names = column.categories.values
  const dense: { indices: Int32Array; values: Float32Array | Float64Array }[] = []
  const labels: string[] = []
  for await (const slab of normalisedRows(await file.matrix('X'), { from: 'counts' })) {
    for (let row = 0; row < slab.rows; row++) {
      const label = names[column.codes[slab.start + row]!]!
      if (only !== undefined && !only.includes(label)) continue
      labels.push(label)
      const [from, to] = [slab.indptr[row]!, slab.indptr[row + 1]!]
      dense.push({ indices: slab.indices.slice(from, to), values: slab.values.slice(from, to) })
    }
  }
  const genes = (await file.var()).index
  await file.close()
  const indptr = new Float64Array(dense.length + 1)
  for (const [row, { indices }] of dense.entries()) indptr[row + 1] = indptr[row]! + indices.length
  const cells: TrainingRows = {
    rows: dense.length,
    columns: genes.length,
    indptr,
    indices: Int32Array.from(dense.flatMap(({ indices }) => [...indices])),
    values: Float32Array.from(dense.flatMap(({ values }) => [...values])),
  }
  return { cells, labels, genes }
}

function readTable(name: string): string[][] {
  const text = gunzipSync(readFileSync(sharedPath(`golden/celltypist/${name}`))).toString()
  return text
    .trim()
    .split('\n')
    .map((line) => line.split(/,(?=(?:[^"]*"[^"]*")*[^"]*$)/))
}
