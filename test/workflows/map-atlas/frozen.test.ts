/**
 * Oracle and twin: mapping without training gives the places and probabilities that the model itself gives, to whatever file they are added;
 * batches that the model does not know are placed as an average one; scPDAC's bins are made where the model's card says so.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { AnnDataFile } from '../../../lib/data/anndata/file.ts'
import type { AnnDataToWrite } from '../../../lib/data/write-h5ad.ts'
import { withAverageBatch } from '../../../lib/models/adapt-model.ts'
import { scviInference } from '../../../lib/models/scvi-inference.ts'
import { predictedLabels, type ScanviModel } from '../../../lib/models/scvi-model.ts'
import { binRows } from '../../../lib/prep/bin-counts.ts'
import { goldenCells, goldenModel, goldenRows, goldenScanvi, worst } from '../../models/golden-scvi.ts'
import {
  copyToInbox,
  type MappedJob,
  mapWith,
  storeNetwork,
  toyAtlasModel,
} from '../../support/atlas-mapping.ts'
import { cellsOf, type Installation, makeInstallation } from '../../support/installation.ts'
import { arrayOf, numbersOf, textsOf } from '../../support/read-h5ad.ts'
import { hasShared, sharedPath } from '../../support/shared.ts'
import { simulateCells, simulatedGenes, simulatedQuery } from '../../support/simulated-cells.ts'

const kang = (name: string) => sharedPath('data', 'kang_ifnb', `${name}.h5ad`)
const all = { mode: 'frozen', query: 'q.h5ad', write_probabilities: true }

async function obsmOf(cells: AnnDataFile, name: string, width: number): Promise<number[]> {
  return arrayOf(await cells.mapping('obsm'), name, [cells.rows, width])
}

describe.skipIf(!hasShared)('cells of the batch that the model was trained on', () => {
  let lab: Installation
  let job: MappedJob
  beforeAll(async () => {
    lab = await makeInstallation()
    await storeNetwork(lab, 'kang-reference', await goldenModel('kang_surgery_ref_scanvi'))
    await copyToInbox(lab, kang('kang_ctrl'), 'jobs/kang/q.h5ad')
    const settings = { ...all, model: 'kang-reference', batch_key: 'condition', label_column: 'cell_type' }
    job = await mapWith(lab, 'kang', settings)
  })
  afterAll(async () => {
    await job?.cells.close()
    await lab?.folder[Symbol.asyncDispose]()
  })

  it('lie where scvi-tools puts them, and have its probabilities', async () => {
    expect(
      worst(await obsmOf(job.cells, 'X_scANVI_emb', 10), goldenRows('kang_surgery.ref_scanvi_latent')),
    ).toBeLessThan(2e-5)
    const golden = goldenRows('kang_surgery.ref_scanvi_soft')
    const soft = await obsmOf(job.cells, 'predicted_celltype_probabilities', golden.columns.length)
    expect(worst(soft, golden)).toBeLessThan(1e-4)
  })

  it('have the label of the highest probability, and that probability', async () => {
    const { columns } = await job.cells.obs()
    const { columns: classes, fields } = goldenRows('kang_surgery.ref_scanvi_soft')
    const predicted = textsOf(columns.get('predicted_celltype'))
    const probability = numbersOf(columns.get('predicted_celltype_probability'))
    for (const [cell, row] of fields.entries()) {
      const values = row.map(Number)
      const most = Math.max(...values)
      expect(probability[cell]).toBeCloseTo(most, 3)
      if (values.filter((value) => value > most - 1e-3).length === 1)
        expect(predicted[cell]).toBe(classes[values.indexOf(most)])
    }
  })

  it('keep all that their file said of them, and train nothing', async () => {
    const { columns } = await job.cells.obs()
    for (const name of ['condition', 'risc_label', 'cell_type', 'coarse'])
      expect(columns.has(name)).toBe(true)
    expect(columns.has('source')).toBe(false)
    expect(job.cells.matrices).toEqual(['X'])
    expect(job.result.outputs).toMatchObject({ h5ad: 'q.mapped.h5ad', umap: 'umap.png' })
    expect(job.result.outputs).not.toHaveProperty('model')
    expect(job.result.timings.map(({ step }) => step)).toEqual(['Prepare', 'Embed', 'Label'])
    expect(job.result.summary).toMatchObject({ mode: 'frozen', cells: 1000 })
  })
})

describe.skipIf(!hasShared)('a query of another batch, laid out with the atlas', () => {
  let lab: Installation
  let job: MappedJob
  let model: ScanviModel
  beforeAll(async () => {
    lab = await makeInstallation()
    model = await goldenScanvi('kang_surgery_ref_scanvi')
    await storeNetwork(lab, 'kang-reference', model)
    await copyToInbox(lab, kang('kang_stim'), 'jobs/stim/q.h5ad')
    await copyToInbox(lab, kang('kang_ctrl'), 'jobs/stim/atlas.h5ad')
    job = await mapWith(lab, 'stim', {
      ...all,
      atlas: 'atlas.h5ad',
      model: 'kang-reference',
      batch_key: 'condition',
    })
  })
  afterAll(async () => {
    await job?.cells.close()
    await lab?.folder[Symbol.asyncDispose]()
  })

  it('has the labels that the imported model gives, with a note on its batch', async () => {
    const { cells } = goldenRows('kang_surgery.query_latent_after')
    const { slab } = await goldenCells('kang', { genes: model.genes, cells })
    const inference = scviInference(withAverageBatch(model, { name: 'any' }), { place: 'test', notices: [] })
    const { mean, logits } = await inference.posterior(slab, { categories: [new Int32Array(1000).fill(1)] })
    await inference.close()
    const latent = await obsmOf(job.cells, 'X_scANVI_emb', 10)
    expect(Math.max(...latent.map((value, i) => Math.abs(value - mean[i]!)))).toBeLessThan(1e-5)
    const classes = predictedLabels(model)
    const predicted = textsOf((await job.cells.obs()).columns.get('predicted_celltype'))
    const wanted = Array.from({ length: 1000 }, (_, cell) => {
      const own = [...logits!.subarray(cell * classes.length, (cell + 1) * classes.length)]
      return classes[own.indexOf(Math.max(...own))]
    })
    expect(predicted).toEqual(wanted)
    const told = job.result.notices.find(({ code }) => code === 'BATCH_UNKNOWN')
    expect(told?.problem).toContain('"stim"')
  })

  it('is written alone, and mapped together', async () => {
    expect(job.cells.rows).toBe(1000)
    expect(await obsmOf(job.cells, 'X_scANVI_emb_umap', 2)).toHaveLength(2000)
    expect(job.result.outputs).toHaveProperty('umap_source')
    expect(job.result.summary).toMatchObject({ cells: 1000, atlasCells: 1000, mixing: expect.any(Number) })
    expect(job.page).toContain('Query and atlas')
  })
})

describe('a model by hand', () => {
  let lab: Installation
  const model = toyAtlasModel({ genes: simulatedGenes, labels: ['B cell', '__proto__', 'toString'] })
  beforeAll(async () => {
    lab = await makeInstallation()
    await storeNetwork(lab, 'toy', model)
    await storeNetwork(lab, 'binned', model, { bins: { count: 50 } })
  })
  afterAll(() => lab?.folder[Symbol.asyncDispose]())

  it('sees bins where its card says so, as scPDAC makes them', async () => {
    await lab.upload('jobs/binned/q.h5ad', inBatch(simulatedQuery(3, 40), 'a'))
    const { cells } = await mapWith(lab, 'binned', { ...all, model: 'binned' })
    const { counts } = simulateCells(3, 40)
    const slab = {
      ...{ start: 0, rows: 40, columns: simulatedGenes.length },
      indptr: Int32Array.from({ length: 41 }, (_, row) => row * simulatedGenes.length),
      indices: Int32Array.from({ length: 40 * simulatedGenes.length }, (_, i) => i % simulatedGenes.length),
      values: Float32Array.from(counts.flat()),
    }
    const inference = scviInference(model, { place: 'test', notices: [] })
    const categories = [new Int32Array(40)]
    const binned = await inference.posterior(binRows(slab, { place: 'test', bins: 50 }), { categories })
    const plain = await inference.posterior(slab, { categories })
    await inference.close()
    const latent = await obsmOf(cells, 'X_scANVI_emb', 3)
    await cells.close()
    const far = (from: Float32Array) => Math.max(...latent.map((value, i) => Math.abs(value - from[i]!)))
    expect(far(binned.mean)).toBeLessThan(1e-6)
    expect(far(plain.mean)).toBeGreaterThan(0.01)
  })

  it('gives labels that are called as what every object has, with no term of theirs', async () => {
    await lab.upload('jobs/names/q.h5ad', inBatch(simulatedQuery(3, 40), 'a'))
    const { cells, table } = await mapWith(lab, 'names', { ...all, model: 'toy', umap: false })
    const { columns } = await cells.obs()
    await cells.close()
    const seen = new Set(textsOf(columns.get('predicted_celltype')))
    expect([...seen].every((label) => predictedLabels(model).includes(label!))).toBe(true)
    const ids = new Set(textsOf(columns.get('predicted_celltype_ontology_term_id')))
    expect([...ids].every((id) => id === 'unknown' || id === 'CL:0000236')).toBe(true)
    expect(table).toHaveLength(41)
  })

  it('gives a cell without counts on its genes, and one without a batch, neither place nor label, and the others theirs', async () => {
    const { counts } = simulateCells(3, 12)
    counts[4]!.fill(0)
    const query = cellsOf(counts, { genes: simulatedGenes })
    query.obs.columns.set('Sample_ID', {
      kind: 'string',
      values: counts.map((_, cell) => (cell === 7 ? null : 'a')),
    })
    await lab.upload('jobs/empty/q.h5ad', query)
    const job = await mapWith(lab, 'empty', { ...all, model: 'toy' })
    const { columns } = await job.cells.obs()
    const latent = await obsmOf(job.cells, 'X_scANVI_emb', 3)
    const umap = await obsmOf(job.cells, 'X_scANVI_emb_umap', 2)
    await job.cells.close()
    const labels = textsOf(columns.get('predicted_celltype'))
    const flags = numbersOf(columns.get('predicted_celltype_low_counts'))
    for (let cell = 0; cell < 12; cell++) {
      const isOut = cell === 4 || cell === 7
      expect(labels[cell] === undefined).toBe(isOut)
      expect(Number.isNaN(latent[3 * cell])).toBe(isOut)
      expect(Number.isNaN(umap[2 * cell])).toBe(isOut)
      expect(flags[cell]).toBe(Number(isOut))
    }
    const told = job.result.notices.find(({ code }) => code === 'CELLS_LEFT_OUT')
    expect(told?.problem).toContain('1 with no counts on the genes of the model, 1 with no batch')
  })

  it('maps a single cell, without a map', async () => {
    await lab.upload('jobs/single/q.h5ad', inBatch(simulatedQuery(3, 1), 'a'))
    const job = await mapWith(lab, 'single', { ...all, model: 'toy' })
    await job.cells.close()
    expect(job.result.outputs).not.toHaveProperty('umap')
    expect(job.result.notices.map(({ code }) => code)).toContain('MAP_NOT_MADE')
  })

  it('replaces what an earlier run wrote only where it is asked to', async () => {
    const query = inBatch(simulatedQuery(3, 12), 'a')
    query.obs.columns.set('predicted_celltype', { kind: 'string', values: new Array<string>(12).fill('old') })
    await lab.upload('jobs/again/q.h5ad', query)
    await expect(mapWith(lab, 'again', { ...all, model: 'toy' })).rejects.toMatchObject({
      code: 'OUTPUT_EXISTS',
    })
    await lab.upload('jobs/once-more/q.h5ad', query)
    const job = await mapWith(lab, 'once-more', { ...all, model: 'toy', overwrite: true })
    const { columns } = await job.cells.obs()
    await job.cells.close()
    expect(textsOf(columns.get('predicted_celltype'))).not.toContain('old')
  })
})

function inBatch(query: AnnDataToWrite, name: string): AnnDataToWrite {
  query.obs.columns.set('Sample_ID', { kind: 'string', values: new Array<string>(query.obs.rows).fill(name) })
  return query
}
