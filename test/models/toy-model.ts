/** Models for tests: the toy of three blood cell types whose optimum was computed to 1e-15, and models of any size by seed. */
import type { RowSlab } from '../../lib/data/cells.ts'
import { random } from '../../lib/job/random.ts'
import { type LinearModel, type ModelFacts, makeLinearModel } from '../../lib/models/linear-model.ts'

export function factsFor(genes: string[], labels: string[]): ModelFacts {
  return {
    name: 'toy',
    version: '1',
    organism: 'Homo sapiens',
    geneIds: 'symbol',
    genes,
    labels,
    ontology: Object.fromEntries(labels.map((label) => [label, null])),
    labelsSource: '',
    loss: 'ovr',
    clip: 10,
    centred: true,
    classifiers: ['default'],
    licence: 'CC0-1.0',
    source: 'a test',
    details: '',
    url: '',
    trained: { how: 'by hand', estimator: 'LogisticRegression', date: '', cells: 12, parameters: { C: 1 } },
    metrics: {},
    created: '2026-01-01T00:00:00Z',
  }
}

export function toyModel(): LinearModel {
  return makeLinearModel(factsFor(['CD3D', 'MS4A1', 'LYZ', 'ACTB'], ['B', 'M', 'T']), {
    weights: Float64Array.of(
      ...[-0.59936, 1.133206, -0.6286, -0.055566],
      ...[-0.677917, -0.481981, 1.161901, 0.204023],
      ...[1.175467, -0.686843, -0.51851, -0.102422],
    ),
    intercept: Float64Array.of(-1.172165, -1.078893, -1.217752),
    mean: Float64Array.of(3.818147, 4.393877, 4.969606, 8.551022),
    scale: Float64Array.of(3.88433, 3.786514, 3.595056, 0.175455),
  })
}

/** The four query cells of the toy, log1p of counts scaled to 10,000. */
export const toyQuery = [
  [5, 0, 1, 14],
  [0, 5, 1, 14],
  [1, 1, 1, 17],
  [3, 3, 0, 14],
].map((counts) => counts.map((count) => Math.log1p((count / 20) * 1e4)))

/** Dense rows as a slab; zeros are left out unless `keepZeros`. */
export function slabOf(rows: readonly (readonly number[])[], columns: number, keepZeros = false): RowSlab {
  const indptr = new Int32Array(rows.length + 1)
  const indices: number[] = []
  const values: number[] = []
  rows.forEach((row, r) => {
    row.forEach((value, column) => {
      if (value === 0 && !keepZeros) return
      indices.push(column)
      values.push(value)
    })
    indptr[r + 1] = indices.length
  })
  return {
    start: 0,
    rows: rows.length,
    columns,
    indptr,
    indices: Int32Array.from(indices),
    values: Float64Array.from(values),
  }
}

/** A model of any size: some scales are 0, some means negative and far out, so that zeros are clipped too. */
export function seededModel(seed: number, { genes, labels }: { genes: number; labels: number }): LinearModel {
  const draw = random(seed)
  const normals = (count: number): Float64Array => Float64Array.from({ length: count }, () => draw.normal())
  const rows = labels === 2 ? 1 : labels
  const named = (prefix: string, count: number) => Array.from({ length: count }, (_, i) => `${prefix}${i}`)
  return makeLinearModel(factsFor(named('gene', genes), named('label', labels)), {
    weights: normals(rows * genes),
    intercept: normals(rows),
    mean: normals(genes).map((value) => (draw.uniform() < 0.1 ? -20 : value)),
    scale: normals(genes).map((value) => (draw.uniform() < 0.1 ? 0 : Math.abs(value) + 0.05)),
  })
}
