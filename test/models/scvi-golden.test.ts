/**
 * Oracle: what scvi-tools 1.4.3 computed from models that are read here from its own files. Latent places to 1e-5, what the decoder gives to
 * 1e-4 of the value, probabilities of labels to 1e-4.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ScviInference, scviInference } from '../../lib/models/scvi-inference.ts'
import { predictedLabels, type ScviModel } from '../../lib/models/scvi-model.ts'
import type { CellCovariates } from '../../lib/models/slab-feeds.ts'
import { hasShared } from '../support/shared.ts'
import {
  type GoldenCells,
  goldenCells,
  goldenModel,
  goldenRows,
  goldenScanvi,
  partOf,
  worst,
} from './golden-scvi.ts'

const options = { place: 'X', threads: 1, notices: [] }

async function batchesOf(model: ScviModel, cells: GoldenCells, column: string): Promise<CellCovariates> {
  const names = await cells.texts(column)
  const { categories } = model.setup.batch
  return { categories: [Int32Array.from(names, (name) => categories.indexOf(name ?? ''))] }
}

function softmax(logits: Float32Array, classes: number): Float64Array {
  const soft = new Float64Array(logits.length)
  for (let row = 0; row < logits.length; row += classes) {
    const powers = Array.from(logits.subarray(row, row + classes), Math.exp)
    const sum = powers.reduce((all, one) => all + one, 0)
    for (const [label, power] of powers.entries()) soft[row + label] = power / sum
  }
  return soft
}

describe.runIf(hasShared)('scVI on 2,000 cells, as scvi-tools trained it', () => {
  const latent = hasShared ? goldenRows('kang_scvi_seed0.latent_mean') : undefined
  let model: ScviModel
  let cells: GoldenCells
  let covariates: CellCovariates
  let inference: ScviInference

  beforeAll(async () => {
    model = await goldenModel('kang_scvi_seed0')
    cells = await goldenCells('kang', { genes: model.genes, cells: latent!.cells })
    covariates = await batchesOf(model, cells, 'condition')
    inference = scviInference(model, options)
  })
  afterAll(() => inference.close())

  it('embeds cells where scvi-tools does', async () => {
    const { mean, variance, logits } = await inference.posterior(cells.slab, covariates)
    expect(worst(mean, latent!)).toBeLessThan(1e-5)
    expect(worst(variance.map(Math.sqrt), goldenRows('kang_scvi_seed0.latent_sd'))).toBeLessThan(1e-5)
    expect(logits).toBeNull()
  })

  it('gives the expression, zero inflation and losses of every tenth cell', async () => {
    const told = goldenRows('kang_scvi_seed0.normalized_at_posterior_mean_1e4')
    const some = await goldenCells('kang', { genes: model.genes, cells: told.cells })
    const own = await batchesOf(model, some, 'condition')
    const genes = Int32Array.from(told.columns, (gene) => model.genes.indexOf(gene))
    const given = { genes, librarySize: 1e4 }
    const relative = { relative: true }
    const close = 1e-4
    const at = async (how: object) => inference.expression(some.slab, own, { ...given, ...how })
    expect(worst(await at({}), told, relative)).toBeLessThan(close)
    const stim = goldenRows('kang_scvi_seed0.normalized_to_batch_stim_1e4')
    expect(worst(await at({ batches: [1] }), stim, relative)).toBeLessThan(close)
    const { mean } = await inference.posterior(some.slab, own)
    const { dropout } = await inference.decode(mean, { covariates: own, start: 0 })
    const chosen = told.cells.flatMap((_, row) =>
      [...genes].map((gene) => dropout![row * model.genes.length + gene]!),
    )
    const logits = goldenRows('kang_scvi_seed0.zi_logits_at_posterior_mean')
    expect(worst(chosen, logits)).toBeLessThan(close)
    // the mean of a zero-inflated count: what is left of mu
    const mu = await at({ librarySize: 'own' })
    const means = mu.map((value, i) => value / (1 + Math.exp(chosen[i]!)))
    expect(worst(means, goldenRows('kang_scvi_seed0.px_mean_at_posterior_mean'), relative)).toBeLessThan(
      close,
    )

    const losses = await inference.losses(some.slab, own)
    const expected = goldenRows('kang_scvi_seed0.per_cell_loss_at_posterior_mean')
    expect(worst(losses.reconstruction, expected, { relative: true, column: 0 })).toBeLessThan(close)
    expect(worst(losses.divergence, expected, { relative: true, column: 1 })).toBeLessThan(close)
  })

  it('in two batches at once gives the mean of both', async () => {
    const slab = partOf(cells.slab, { from: 990, to: 1010 })
    const [ctrl, stim, both] = await Promise.all(
      [[0], [1], [0, 1]].map((batches) => inference.expression(slab, covariates, { batches })),
    )
    for (const [i, value] of both!.entries()) expect(value).toBeCloseTo((ctrl![i]! + stim![i]!) / 2, 7)
  })

  it('over 50 draws has the expression that scvi-tools has over its own 50, but for chance', async () => {
    const told = goldenRows('kang_scvi_seed0.normalized_sampled_n50_1e4')
    const some = await goldenCells('kang', { genes: model.genes, cells: told.cells })
    const own = await batchesOf(model, some, 'condition')
    const genes = Int32Array.from(told.columns, (gene) => model.genes.indexOf(gene))
    const drawn = (seed: number) =>
      inference.expression(some.slab, own, { genes, librarySize: 1e4, draws: { count: 50, seed } })
    const theirs = told.fields.flat().map(Number)
    const [one, other] = [await drawn(3), await drawn(4)]
    const distance = (ours: ArrayLike<number>) =>
      one.reduce((sum, value, i) => sum + Math.abs(Math.log(ours[i]! / value)), 0) / one.length
    // as far from theirs as from other draws of our own
    expect(distance(other)).toBeGreaterThan(0.01)
    expect(Math.abs(distance(theirs) / distance(other) - 1)).toBeLessThan(0.15)
  })

  it('explains all cells as well as scvi-tools says', async () => {
    const losses = await inference.losses(cells.slab, covariates, { seed: 0 })
    const mean = (values: Float64Array) => values.reduce((sum, value) => sum + value, 0) / 2000
    const reconstruction = mean(losses.reconstruction)
    // one draw a cell here and there: 376.08 and 354.53
    expect(Math.abs(reconstruction + mean(losses.divergence) - 376.08)).toBeLessThan(0.6)
    expect(Math.abs(reconstruction - 354.53)).toBeLessThan(0.6)
  })

  it('gives a cell the same draws however slabs are cut', async () => {
    const draws = { count: 3, seed: 7 }
    const whole = await inference.expression(partOf(cells.slab, { from: 0, to: 40 }), covariates, { draws })
    const first = await inference.expression(partOf(cells.slab, { from: 0, to: 13 }), covariates, { draws })
    const rest = await inference.expression(partOf(cells.slab, { from: 13, to: 40 }), covariates, { draws })
    const parts = [...first, ...rest]
    for (const [i, value] of whole.entries()) expect(Math.abs(parts[i]! / value - 1)).toBeLessThan(1e-5)
    const losses = await inference.losses(partOf(cells.slab, { from: 0, to: 40 }), covariates, { seed: 7 })
    const part = await inference.losses(partOf(cells.slab, { from: 13, to: 40 }), covariates, { seed: 7 })
    for (const [i, value] of part.reconstruction.entries())
      expect(value).toBeCloseTo(losses.reconstruction[i + 13]!, 2)
  })
})

interface Surgery {
  of: 'kang' | 'muscat'
  column: string
}

describe.runIf(hasShared).each<Surgery>([
  { of: 'kang', column: 'condition' },
  { of: 'muscat', column: 'sample_id' },
])('SCANVI and its surgery on $of', ({ of, column }) => {
  const look = async (name: string, rows: string) => {
    const model = await goldenScanvi(`${of}_surgery_${name}`)
    const told = goldenRows(`${of}_surgery.${rows}`)
    const cells = await goldenCells(of, { genes: model.genes, cells: told.cells })
    const inference = scviInference(model, options)
    const got = await inference.posterior(cells.slab, await batchesOf(model, cells, column))
    await inference.close()
    return { model, told, ...got }
  }

  it('the reference lies where scvi-tools puts it, with its probabilities', async () => {
    const { model, told, mean, logits } = await look('ref_scanvi', 'ref_scanvi_latent')
    expect(worst(mean, told)).toBeLessThan(1e-5)
    const soft = goldenRows(`${of}_surgery.ref_scanvi_soft`)
    expect(predictedLabels(model)).toEqual(soft.columns)
    expect(worst(softmax(logits!, model.shape.classes), soft)).toBeLessThan(1e-4)
  })

  it('the query lies where scvi-tools puts it after surgery, with its probabilities and predictions', async () => {
    const { model, told, mean, logits } = await look('query_scanvi', 'query_latent_after')
    expect(worst(mean, told)).toBeLessThan(1e-5)
    const soft = softmax(logits!, model.shape.classes)
    expect(worst(soft, goldenRows(`${of}_surgery.query_soft_after`))).toBeLessThan(1e-4)
    const labels = predictedLabels(model)
    const predicted = told.cells.map((_, row) => {
      const own = soft.subarray(row * labels.length, (row + 1) * labels.length)
      return labels[own.indexOf(Math.max(...own))]!
    })
    expect(predicted).toEqual(goldenRows(`${of}_surgery.query_predictions`).fields.map((fields) => fields[1]))
  })

  it('the reference lies after surgery where scvi-tools puts it', async () => {
    const { told, mean } = await look('query_scanvi', 'ref_latent_after')
    expect(worst(mean, told)).toBeLessThan(1e-5)
  })
})

describe.runIf(hasShared)('the scVI reference of the muscat surgery', () => {
  it('embeds its cells where scvi-tools does', async () => {
    const model = await goldenModel('muscat_surgery_ref_scvi')
    const told = goldenRows('muscat_surgery.ref_scvi_latent')
    const cells = await goldenCells('muscat', { genes: model.genes, cells: told.cells })
    const inference = scviInference(model, options)
    const { mean } = await inference.posterior(cells.slab, await batchesOf(model, cells, 'sample_id'))
    await inference.close()
    expect(worst(mean, told)).toBeLessThan(1e-5)
  })
})
