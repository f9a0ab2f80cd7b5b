/** Oracle and law: what a surgery begins with and ends as, and a batch that stands for the average one, on models of scvi-tools. */
import { describe, expect, it } from 'vitest'
import { random } from '../../lib/job/random.ts'
import { adaptedModel, beginAdaptation, withAverageBatch } from '../../lib/models/adapt-model.ts'
import { scviInference } from '../../lib/models/scvi-inference.ts'
import type { ScviModel } from '../../lib/models/scvi-model.ts'
import { defaultFlags } from '../../lib/models/surgery.ts'
import { hasShared } from '../support/shared.ts'
import { goldenCells, goldenModel, goldenRows, worst } from './golden-scvi.ts'

const first = 'z_encoder.encoder.fc_layers.Layer 0.0.weight'
const options = { flags: defaultFlags, batchColumn: 'sample', random: random(1), place: 'model' }

async function meansOf(model: ScviModel, { batch }: { batch: number }) {
  const { cells } = goldenRows('muscat_surgery.ref_scanvi_latent')
  const own = cells.slice(0, 100)
  const { slab } = await goldenCells('muscat', { genes: model.genes, cells: own })
  const inference = scviInference(model, { place: 'test', notices: [] })
  const { mean } = await inference.posterior(slab, { categories: [new Int32Array(100).fill(batch)] })
  await inference.close()
  return mean
}

describe.skipIf(!hasShared)('a surgery', () => {
  it('that is not trained leaves the cells of the reference where they were, to the bit', async () => {
    const model = await goldenModel('muscat_surgery_ref_scanvi')
    const { surgery, setup, movesCells } = beginAdaptation(model, { ...options, more: [['new', 'newer']] })
    expect(movesCells).toBe(true)
    expect(surgery.notices).toEqual([])
    const adapted = adaptedModel(model, {
      surgery,
      setup,
      weights: surgery.weights,
      training: model.training,
    })
    expect(adapted.setup.batch.categories).toEqual(['ctrl101', 'ctrl107', 'new', 'newer'])
    expect(adapted.shape.categories).toEqual([4])
    expect(adapted.shape.added).toBeUndefined()
    expect(await meansOf(adapted, { batch: 0 })).toEqual(await meansOf(model, { batch: 0 }))
    expect(await meansOf(adapted, { batch: 2 })).not.toEqual(await meansOf(adapted, { batch: 3 }))
  })

  it('keeps the dropout of the model although training was without', async () => {
    const model = await goldenModel('muscat_surgery_ref_scanvi')
    const flags = { ...defaultFlags, freezeDropout: true }
    const { surgery, setup } = beginAdaptation(model, { ...options, flags, more: [['new']] })
    expect(surgery.shape.dropout).toBe(0)
    const { weights } = surgery
    expect(adaptedModel(model, { surgery, setup, weights, training: model.training }).shape.dropout).toBe(0.1)
  })

  it('on an encoder that knows no batches moves nothing, and says so', async () => {
    const model = await goldenModel('kang_scvi_seed0')
    const { movesCells, surgery } = beginAdaptation(model, { ...options, more: [['new']] })
    expect(movesCells).toBe(false)
    expect(surgery.notices.map(({ code }) => code)).toContain('SURGERY_MOVES_NOTHING')
  })

  it('without new batches has nothing to learn that moves a cell', async () => {
    const model = await goldenModel('muscat_surgery_ref_scanvi')
    const { movesCells, surgery } = beginAdaptation(model, { ...options, more: [[]] })
    expect(movesCells).toBe(false)
    expect(surgery.notices.map(({ code }) => code)).toContain('SURGERY_NO_NEW_BATCH')
  })

  it('makes categories text as soon as a new one is no number', async () => {
    const model = await goldenModel('muscat_surgery_ref_scanvi')
    const { batch } = model.setup
    const numbered = { ...model, setup: { ...model.setup, batch: { ...batch, type: 'integer' as const } } }
    const typeOf = (name: string) =>
      beginAdaptation(numbered, { ...options, more: [[name]] }).setup.batch.type
    expect([typeOf('7'), typeOf('seven'), typeOf('')]).toEqual(['integer', 'text', 'text'])
  })
})

describe.skipIf(!hasShared)('the average batch', () => {
  it('has the mean of the columns of the others, which stay', async () => {
    const model = await goldenModel('muscat_surgery_ref_scanvi')
    const wide = withAverageBatch(model, { name: 'average' })
    expect(wide.setup.batch.categories).toEqual(['ctrl101', 'ctrl107', 'average'])
    const [before, after] = [model.weights.get(first)!, wide.weights.get(first)!]
    const [rows, width] = before.shape as [number, number]
    expect(after.shape).toEqual([rows, width + 1])
    for (let row = 0; row < rows; row++) {
      const own = after.data.slice(row * (width + 1), (row + 1) * (width + 1))
      expect(own.slice(0, width)).toEqual(before.data.slice(row * width, (row + 1) * width))
      expect(own[width]).toBeCloseTo((own[width - 1]! + own[width - 2]!) / 2, 6)
    }
    expect(await meansOf(wide, { batch: 1 })).toEqual(await meansOf(model, { batch: 1 }))
  })

  it('places cells of no known batch nearer to where the reference has them than the random columns of the original', async () => {
    const model = await goldenModel('muscat_surgery_ref_scanvi')
    const average = await meansOf(withAverageBatch(model, { name: 'average' }), { batch: 2 })
    const { surgery, setup } = beginAdaptation(model, { ...options, more: [['new']] })
    const { weights } = surgery
    const fresh = adaptedModel(model, { surgery, setup, weights, training: model.training })
    const golden = goldenRows('muscat_surgery.ref_scanvi_latent')
    const own = { ...golden, fields: golden.fields.slice(0, 100) }
    expect(worst(average, own)).toBeLessThan(worst(await meansOf(fresh, { batch: 2 }), own))
  })

  it('of a model with one batch is that batch once more', async () => {
    const model = await goldenModel('kang_surgery_ref_scanvi')
    const wide = withAverageBatch(model, { name: 'average' })
    const { data, shape } = wide.weights.get(first)!
    expect(shape).toEqual([128, 1502])
    for (let row = 0; row < 128; row++)
      expect([data[row * 1502 + 1500], data[row * 1502 + 1501]]).toEqual([0, 0])
  })
})
