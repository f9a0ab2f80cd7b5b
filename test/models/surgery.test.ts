import { describe, expect, it } from 'vitest'
import type { RowSlab } from '../../lib/data/cells.ts'
import { wholeFeeds } from '../../lib/graph/feeds.ts'
import { float32 } from '../../lib/graph/tensor.ts'
import { random } from '../../lib/job/random.ts'
import { fitNetwork } from '../../lib/models/fit-network.ts'
import { builder } from '../../lib/models/network.ts'
import type { ScanviShape } from '../../lib/models/scanvi-network.ts'
import { encode } from '../../lib/models/scvi-encoder.ts'
import { scviInference } from '../../lib/models/scvi-inference.ts'
import { predictedLabels, type ScanviModel, type ScviModel } from '../../lib/models/scvi-model.ts'
import { cellsOf } from '../../lib/models/scvi-network.ts'
import { networkWeights } from '../../lib/models/scvi-tensors.ts'
import { entryFeeds } from '../../lib/models/slab-feeds.ts'
import { joinWeights, splitWeights, type Weight } from '../../lib/models/state-dict.ts'
import { defaultFlags, extendModel, type Surgery, settleColumns } from '../../lib/models/surgery.ts'
import { sumsOf } from '../../lib/models/training-cells.ts'
import { compute, numbersOf } from '../graph/compute.ts'
import { readNpz } from '../support/npz.ts'
import { hasShared, sharedPath } from '../support/shared.ts'
import { goldenCells, goldenRows, goldenScanvi, slabOf, worst } from './golden-scvi.ts'
import { toyScvi } from './toy-scvi.ts'

const schedule = {
  epochs: 30,
  batchSize: 128,
  rate: 1e-3,
  warmUp: { over: 400, least: 0, most: 1 },
  validateEvery: null,
  earlyStopping: null,
  plateau: null,
  labelledPerClass: null,
  seed: 0,
} as const

function operate<Model extends ScviModel>(model: Model, more: readonly number[], flags = defaultFlags) {
  const weights = splitWeights(model.weights, networkWeights(model))
  return extendModel(
    { shape: model.shape as Model['shape'], weights },
    { flags, more, random: random(0), place: 'model' },
  )
}

/** The model that these weights make, its new columns settled. */
function settled<Model extends ScviModel>(
  model: Model,
  { shape }: Surgery<Model['shape']>,
  weights: ReadonlyMap<string, Weight>,
): Model {
  const made = settleColumns(shape, weights)
  const joined = new Map([...model.weights, ...joinWeights(made.weights)])
  return { ...model, shape: made.shape, weights: joined }
}

async function posteriorOf(model: ScviModel, slab: RowSlab, categories: Int32Array[]) {
  const inference = scviInference(model, { place: 'cells', notices: [], threads: 1 })
  const found = await inference.posterior(slab, { categories })
  await inference.close()
  return found
}

function largestDifference(a: Float32Array, b: Float32Array): number {
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0)
}

async function train(model: ScanviModel, surgery: Surgery<ScanviShape>, slab: RowSlab, batches: Int32Array) {
  const { indptr, indices, values } = slab
  const counts = Float32Array.from(values)
  const data = {
    cells: slab.rows,
    genes: slab.columns,
    indptr: Float64Array.from(indptr),
    indices,
    counts,
    library: sumsOf({ cells: slab.rows, indptr: Float64Array.from(indptr), counts }),
    categories: [batches],
    continuous: null,
    labels: null,
  }
  const fit = await fitNetwork({
    task: { kind: 'scanvi', shape: surgery.shape, classificationRatio: 50, hasLabels: false },
    data,
    weights: surgery.weights,
    schedule,
    optimiser: { epsilon: 0.01 },
    trainShare: null,
    only: surgery.only,
    fixed: surgery.fixed,
    threads: 2,
  })
  return { fit, model: settled(model, surgery, fit.weights) }
}

function accuracy(model: ScanviModel, logits: Float32Array, truth: readonly (string | null)[]): number {
  const labels = predictedLabels(model)
  const right = truth.map((label, cell) => {
    const row = logits.subarray(cell * labels.length, (cell + 1) * labels.length)
    return labels[row.indexOf(Math.max(...row))] === label
  })
  const known = truth.map((label) => labels.includes(label ?? ''))
  return right.filter((is, i) => is && known[i]).length / known.filter(Boolean).length
}

describe.runIf(hasShared)('surgery on a trained reference', () => {
  it('of one batch leaves its cells where they were, to the bit, and finds the labels of the query as often as the original', async () => {
    const model = await goldenScanvi('kang_surgery_ref_scanvi')
    const { genes } = model
    const before = goldenRows('kang_surgery.ref_scanvi_latent')
    const reference = await goldenCells('kang', { genes, cells: before.cells })
    const first = await posteriorOf(model, reference.slab, [new Int32Array(reference.slab.rows)])
    expect(worst(first.mean, before)).toBeLessThan(1e-5)

    const predictions = goldenRows('kang_surgery.query_predictions')
    const query = await goldenCells('kang', { genes, cells: predictions.cells })
    const truth = predictions.fields.map((row) => row[predictions.columns.indexOf('truth')]!)
    const surgery = operate(model, [1])
    const { model: after, fit } = await train(
      model,
      surgery,
      query.slab,
      new Int32Array(query.slab.rows).fill(1),
    )
    expect(fit.state.history).toHaveLength(30)

    for (const [name, { data }] of surgery.weights)
      if (!surgery.only.includes(name)) expect(fit.weights.get(name)!.data, name).toEqual(data)
    const again = await posteriorOf(after, reference.slab, [new Int32Array(reference.slab.rows)])
    expect(largestDifference(again.mean, first.mean)).toBeLessThan(1e-6)
    expect(largestDifference(again.logits!, first.logits!)).toBeLessThan(1e-5)
    const moved = await posteriorOf(after, query.slab, [new Int32Array(query.slab.rows).fill(1)])
    expect(accuracy(after, moved.logits!, truth)).toBeGreaterThan(0.847 - 0.06)
  })

  it('of two batches does the same, and only columns of new batches differ', async () => {
    const model = await goldenScanvi('muscat_surgery_ref_scanvi')
    const { genes } = model
    const before = goldenRows('muscat_surgery.ref_scanvi_latent')
    const reference = await goldenCells('muscat', { genes, cells: before.cells })
    const known = model.setup.batch.categories
    const codes = Int32Array.from(await reference.texts('sample_id'), (batch) => known.indexOf(batch!))
    const first = await posteriorOf(model, reference.slab, [codes])
    expect(worst(first.mean, before)).toBeLessThan(1e-5)

    const predictions = goldenRows('muscat_surgery.query_predictions')
    const query = await goldenCells('muscat', { genes, cells: predictions.cells })
    const batches = await query.texts('sample_id')
    const names = [...new Set(batches)].sort()
    const own = Int32Array.from(batches, (batch) => known.length + names.indexOf(batch))
    const truth = predictions.fields.map((row) => row[predictions.columns.indexOf('truth')]!)
    const surgery = operate(model, [names.length])
    expect(surgery.only.sort()).toEqual(
      ['decoder.px_decoder', 'z_encoder.encoder'].map(
        (network) => `${network}.fc_layers.Layer 0.0.weight#added`,
      ),
    )
    const { model: after } = await train(model, surgery, query.slab, own)
    const again = await posteriorOf(after, reference.slab, [codes])
    expect(largestDifference(again.mean, first.mean)).toBeLessThan(1e-6)
    for (const [name, { shape, data }] of model.weights) {
      const now = after.weights.get(name)!
      if (String(now.shape) === String(shape)) expect(now.data, name).toEqual(data)
      else {
        const [rows, width] = shape as [number, number]
        for (let row = 0; row < rows; row++)
          expect(now.data.subarray(row * (width + 2), row * (width + 2) + width)).toEqual(
            data.subarray(row * width, (row + 1) * width),
          )
      }
    }
    const moved = await posteriorOf(after, query.slab, [own])
    expect(accuracy(after, moved.logits!, truth)).toBeGreaterThan(0.77 - 0.06)
  })

  it('puts the query where the original puts it, given its columns', async () => {
    const model = await goldenScanvi('muscat_surgery_ref_scanvi')
    const expected = goldenRows('muscat_surgery.query_latent_before_training')
    const query = await goldenCells('muscat', { genes: model.genes, cells: expected.cells })
    const surgery = operate(model, [2])
    const columns = readNpz(sharedPath('golden', 'scvi', 'muscat_surgery.new_columns_before_training.npz'))
    const weights = new Map(surgery.weights)
    for (const [name, { shape, data }] of columns)
      if (weights.has(`${name}#added`)) weights.set(`${name}#added`, { shape, data: data as Float32Array })
    const batches = await query.texts('sample_id')
    const names = [...new Set(batches)].sort()
    const own = Int32Array.from(batches, (batch) => 2 + names.indexOf(batch))
    const { mean } = await posteriorOf(settled(model, surgery, weights), query.slab, [own])
    expect(worst(mean, expected)).toBeLessThan(1e-5)
  })
})

describe('surgery', () => {
  const cells = slabOf(
    Array.from({ length: 9 }, (_, cell) =>
      Array.from({ length: 12 }, (_, gene) => ({ index: gene, value: ((cell + gene) % 4) + 1 })),
    ),
    12,
  )
  const covariates = [
    Int32Array.from({ length: 9 }, (_, cell) => cell % 2),
    Int32Array.from({ length: 9 }, (_, cell) => cell % 3),
  ]

  it('puts new columns behind the old ones of their own covariate, so that others keep their meaning', async () => {
    const model = toyScvi({ categories: [2, 3], encodeCovariates: true, classes: 3 })
    const before = await posteriorOf(model, cells, covariates)
    const surgery = operate(model, [2, 1])
    expect(surgery.shape.categories).toEqual([4, 4])
    expect(surgery.shape.added).toEqual([2, 3, 7])
    const after = await posteriorOf(settled(model, surgery, surgery.weights), cells, covariates)
    expect(largestDifference(after.mean, before.mean)).toBe(0)
    const elsewhere = [Int32Array.from({ length: 9 }, () => 3), covariates[1]!]
    const moved = await posteriorOf(settled(model, surgery, surgery.weights), cells, elsewhere)
    expect(largestDifference(moved.mean, before.mean)).toBeGreaterThan(1e-3)
  })

  it('tells that an encoder without covariates moves no cell, and that there is no new batch', () => {
    const codes = (more: number[], change: Parameters<typeof toyScvi>[0]) =>
      operate(toyScvi(change), more).notices.map(({ code }) => code)
    expect(codes([1], { encodeCovariates: false })).toEqual(['SURGERY_MOVES_NOTHING'])
    expect(codes([1], { encodeCovariates: true })).toEqual([])
    expect(codes([0], { encodeCovariates: true })).toEqual(['SURGERY_NO_NEW_BATCH'])
  })

  it('lets the encoder of a learned library learn whole, and begins a new batch about what is usual in the others', async () => {
    const model = toyScvi({ library: 'learned', encodeCovariates: true, classes: 3 })
    const { only, fixed, weights, shape } = operate(model, [1])
    const ofLibrary = [...weights.keys()].filter((name) => name.startsWith('l_encoder.'))
    expect(only.filter((name) => name.startsWith('l_encoder.'))).toEqual(
      ofLibrary.filter((name) => !name.includes('running_')),
    )
    expect(fixed.filter((name) => name.startsWith('l_encoder.'))).toEqual([])
    expect(weights.get('library_log_vars')!.shape).toEqual([1, 3])
    expect(only.filter((name) => name.startsWith('library_log_'))).toEqual([])
    const before = await posteriorOf(model, cells, covariates)
    const operated = { ...operate(model, [1]), shape }
    const after = await posteriorOf(settled(model, operated, weights), cells, covariates)
    expect(largestDifference(after.mean, before.mean)).toBe(0)
  })

  it('learns a new column once: what the whole weight holds in its place takes no part, trained or not', async () => {
    const model = toyScvi({ encodeCovariates: true })
    const surgery = operate(model, [1], { ...defaultFlags, unfrozen: true })
    const layer = 'z_encoder.encoder.fc_layers.Layer 0.0.weight'
    const meansOf = async (spoilt: number) => {
      const into = builder('inference', { feeds: wholeFeeds() })
      const { mean } = encode(into, cellsOf(into, surgery.shape), surgery.shape)
      const whole = surgery.weights.get(`${layer}#covariates`)!
      const data = whole.data.map((value, i) => (i % 3 === 2 ? spoilt : value))
      const weights = new Map([...surgery.weights, [`${layer}#covariates`, { ...whole, data }]])
      const fed = Object.entries(entryFeeds({ slab: cells, from: 0, to: 9 }, 'cells'))
      const batches = { type: 'int32' as const, shape: [9], data: new Int32Array(9).fill(2) }
      const values = [...weights].map(([name, one]) => [name, float32(one.data, one.shape)] as const)
      return numbersOf(
        (await compute({ mean }, Object.fromEntries([...values, ...fed, ['category 0', batches]]))).mean,
      )
    }
    expect(await meansOf(5)).toEqual(await meansOf(0))
  })

  it('lets go what each flag lets go, and keeps the statistics that it should', () => {
    const model = toyScvi({ encodeCovariates: true, classes: 3 })
    const of = (change: Partial<typeof defaultFlags>) => operate(model, [1], { ...defaultFlags, ...change })
    const usual = of({})
    expect(
      usual.only.every((name) => name.endsWith('#added') || /decoder.*Layer 0\.1\.(weight|bias)$/.test(name)),
    ).toBe(true)
    expect(usual.fixed.sort()).toEqual(
      ['classifier.classifier.0', 'encoder_z2_z1.encoder', 'z_encoder.encoder'].map(
        (name) => `${name}.fc_layers.Layer 0.1`,
      ),
    )
    expect(of({ classifierDrifts: true }).fixed).not.toContain('classifier.classifier.0.fc_layers.Layer 0.1')
    expect(of({ freezeBatchnormDecoder: true }).fixed).toHaveLength(5)
    expect(of({ freezeExpression: false }).only).toContain('z_encoder.encoder.fc_layers.Layer 0.0.weight')
    expect(of({ freezeDecoderFirstLayer: false }).only).toContain(
      'decoder.px_decoder.fc_layers.Layer 0.0.bias',
    )
    expect(of({ freezeClassifier: false }).only).toContain('classifier.classifier.1.weight')
    expect(of({ freezeDropout: true }).shape.dropout).toBe(0)
    const free = of({ unfrozen: true })
    expect(free.fixed).toEqual([])
    expect(free.only).toContain('px_r')
  })
})
