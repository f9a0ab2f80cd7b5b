/**
 * Oracle: surgery along the whole road, on the models and cells that scvi-tools did it with (shared/golden/scvi). Reference cells stay where
 * they were, query cells get labels about as right as there; and the joint file has all that both files said of their cells.
 */
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { AnnDataFile } from '../../../lib/data/anndata/file.ts'
import { openFileSource } from '../../../lib/data/file-source.ts'
import { loadNetwork } from '../../../lib/models/bundle.ts'
import { importScvi } from '../../../lib/models/scvi-import.ts'
import { goldenModel, goldenRows, worst } from '../../models/golden-scvi.ts'
import {
  cellsToInbox,
  copyToInbox,
  type MappedJob,
  mapWith,
  storeNetwork,
} from '../../support/atlas-mapping.ts'
import { type Installation, makeInstallation } from '../../support/installation.ts'
import { arrayOf, numbersOf, plain, textsOf } from '../../support/read-h5ad.ts'
import { hasShared, sharedPath } from '../../support/shared.ts'

const kang = (name: string) => sharedPath('data', 'kang_ifnb', `${name}.h5ad`)

async function latentOf(cells: AnnDataFile): Promise<number[]> {
  const { rows } = await cells.obs()
  return arrayOf(await cells.mapping('obsm'), 'X_scANVI_emb', [rows, 10])
}

describe.skipIf(!hasShared)('a query of a new batch on an atlas of one batch', () => {
  let lab: Installation
  let job: MappedJob
  beforeAll(async () => {
    lab = await makeInstallation()
    await storeNetwork(lab, 'kang-reference', await goldenModel('kang_surgery_ref_scanvi'))
    await copyToInbox(lab, kang('kang_ctrl'), 'jobs/kang/atlas.h5ad')
    await copyToInbox(lab, kang('kang_stim'), 'jobs/kang/q.h5ad')
    job = await mapWith(lab, 'kang', {
      mode: 'extend',
      query: 'q.h5ad',
      atlas: 'atlas.h5ad',
      model: 'kang-reference',
      batch_key: 'condition',
      label_column: 'cell_type',
      max_epochs: 30,
    })
  }, 600_000)
  afterAll(async () => {
    await job?.cells.close()
    await lab?.folder[Symbol.asyncDispose]()
  })

  it('gives query cells whose type the reference has a label as right as that of scvi-tools, within .06', async () => {
    const { columns } = await job.cells.obs()
    const predicted = textsOf(columns.get('predicted_celltype')).slice(1000)
    const truth = textsOf(columns.get('cell_type')).slice(1000)
    const { fields } = goldenRows('kang_surgery.query_predictions')
    const known = new Set(goldenRows('kang_surgery.ref_scanvi_soft').columns)
    const cells = truth.flatMap((label, cell) => (known.has(label!) ? [cell] : []))
    expect(cells).toHaveLength(953)
    const ours = cells.filter((cell) => predicted[cell] === truth[cell]).length / cells.length
    const theirs = cells.filter((cell) => fields[cell]![1] === fields[cell]![0]).length / cells.length
    expect(theirs).toBeCloseTo(0.847, 3)
    expect(ours).toBeGreaterThan(theirs - 0.06)
    const { agreement } = job.result.summary as { agreement: { query: { cells: number; share: number } } }
    expect(agreement.query).toEqual({ cells: 953, share: ours })
  })

  it('leaves the cells of the atlas where the reference has them, which the original moves by up to 0.14', async () => {
    const latent = await latentOf(job.cells)
    expect(worst(latent.slice(0, 10_000), goldenRows('kang_surgery.ref_scanvi_latent'))).toBeLessThan(2e-5)
  })

  it('writes source, label, probability, entropy, ontology id and two maps of all cells', async () => {
    const { columns, rows } = await job.cells.obs()
    expect(rows).toBe(2000)
    const source = textsOf(columns.get('source'))
    expect(source.slice(0, 1000).every((one) => one === 'atlas')).toBe(true)
    expect(source.slice(1000).every((one) => one === 'query')).toBe(true)
    const probability = numbersOf(columns.get('predicted_celltype_probability'))
    const entropy = numbersOf(columns.get('predicted_celltype_entropy'))
    expect(probability.every((value) => value > 0 && value <= 1)).toBe(true)
    expect(entropy.every((value) => value >= 0 && value <= 1)).toBe(true)
    expect(textsOf(columns.get('predicted_celltype_ontology_term_id'))).toContain('CL:0000236')
    const obsm = await job.cells.mapping('obsm')
    const umap = arrayOf(obsm, 'X_umap', [2000, 2])
    expect(umap).toEqual(arrayOf(obsm, 'X_scANVI_emb_umap', [2000, 2]))
    expect(umap.every(Number.isFinite)).toBe(true)
    expect(plain(await job.cells.unstructured('predicted_celltype_mapping'))).toMatchObject({
      mode: 'extend',
      model_name: 'kang-reference',
      adapted_model_name: 'kang',
      batches_learnt: ['stim'],
      n_epochs: 30n,
    })
  })

  it('keeps every column of both files, all shared genes, the counts and their logs', async () => {
    const { columns } = await job.cells.obs()
    for (const name of ['condition', 'risc_label', 'cell_type', 'coarse'])
      expect(columns.has(name)).toBe(true)
    expect(job.cells.columns).toBe(9015)
    expect(job.cells.matrices).toEqual(expect.arrayContaining(['X', 'layers/counts']))
    const totals = new Float64Array(2000)
    for await (const slab of (await job.cells.matrix('layers/counts')).slabs())
      for (let row = 0; row < slab.rows; row++)
        for (let i = slab.indptr[row]!; i < slab.indptr[row + 1]!; i++)
          totals[slab.start + row]! += slab.values[i]!
    expect([...totals.slice(0, 3), ...totals.slice(1000, 1003)]).toEqual([2762, 674, 988, 1070, 2664, 743])
    const sums = new Float64Array(2000)
    for await (const slab of (await job.cells.matrix('X')).slabs())
      for (let row = 0; row < slab.rows; row++)
        for (let i = slab.indptr[row]!; i < slab.indptr[row + 1]!; i++)
          sums[slab.start + row]! += Math.expm1(Number(slab.values[i]))
    expect(Math.max(...sums.map((sum) => Math.abs(sum - 10_000)))).toBeLessThan(0.1)
  })

  it('stores the adapted model under the name of the job, and beside the results in the form of scvi-tools', async () => {
    const { card, model } = await loadNetwork(lab.stores.models, 'kang')
    expect(card.setup.batch).toEqual({ column: 'batch', categories: ['ctrl', 'stim'], type: 'text' })
    expect(card.training.epochs).toBe(30)
    expect(card.source).toContain('kang-reference')
    const source = await openFileSource(job.pathOf('model.pt'))
    const again = await importScvi(source)
    await source.close()
    expect(again.model.setup.batch.categories).toEqual(['ctrl', 'stim'])
    for (const [name, { data }] of again.model.weights)
      if (!name.startsWith('l_encoder')) expect(data).toEqual(model.weights.get(name)!.data)
    expect(again.model.weights.get('z_encoder.encoder.fc_layers.Layer 0.0.weight')!.shape).toEqual([
      128, 1502,
    ])
  })

  it('changes no weight of the reference, and of new columns only those of the new batch', async () => {
    const before = await goldenModel('kang_surgery_ref_scanvi')
    const { model } = await loadNetwork(lab.stores.models, 'kang')
    const grown: string[] = []
    for (const [name, { data, shape }] of before.weights) {
      const after = model.weights.get(name)!
      if (String(after.shape) === String(shape)) {
        expect(after.data).toEqual(data)
        continue
      }
      grown.push(name)
      const [rows, width] = shape as [number, number]
      const wide = after.shape[1]!
      let moved = 0
      for (let row = 0; row < rows; row++) {
        expect(after.data.slice(row * wide, row * wide + width)).toEqual(
          data.slice(row * width, (row + 1) * width),
        )
        expect(after.data[row * wide + width]).toBe(0)
        moved += Number(after.data[row * wide + width + 1] !== 0)
      }
      expect(moved).toBe(rows)
    }
    expect(grown.filter((name) => !name.startsWith('l_encoder')).sort()).toEqual([
      'decoder.px_decoder.fc_layers.Layer 0.0.weight',
      'z_encoder.encoder.fc_layers.Layer 0.0.weight',
    ])
  })

  it('comes to the ELBO of scvi-tools, within 1 %, and leaves no checkpoint behind', async () => {
    const { model } = await loadNetwork(lab.stores.models, 'kang')
    const ours = model.training.history.get('elbo_train')!.values
    const lines = readFileSync(sharedPath('golden', 'scvi', 'kang_surgery.history_surgery.csv'), 'utf8')
      .trim()
      .split('\n')
    const column = lines[0]!.split(',').indexOf('elbo_train')
    const theirs = lines.slice(1).map((line) => Number(line.split(',')[column]))
    expect(ours).toHaveLength(30)
    expect(Math.abs(ours.at(-1)! / theirs.at(-1)! - 1)).toBeLessThan(0.01)
    const left: string[] = []
    for await (const { key } of lab.stores.work.list('steps/Fit/'))
      if (/\.(?:checkpoint|trained)$/.test(key)) left.push(key)
    expect(left).toEqual([])
  })

  it('tells the course of the training, the labels that the reference lacks, and draws curve, maps and distribution', () => {
    const codes = job.result.notices.map(({ code }) => code)
    expect(codes).toContain('LABELS_UNKNOWN')
    expect(codes).not.toContain('SURGERY_MOVES_NOTHING')
    expect(Object.values(job.result.outputs)).toEqual(
      expect.arrayContaining([
        'q.extended.h5ad',
        'model.pt',
        'elbo.png',
        'label_distribution.png',
        'umap.png',
        'umap_source.png',
        'umap_probability.png',
        'umap_batch.png',
      ]),
    )
    for (const name of Object.values(job.result.outputs)) expect(job.files.has(name)).toBe(true)
    expect(job.page).toContain('scArches surgery')
    expect(job.table).toHaveLength(1001)
  })
})

describe.skipIf(!hasShared)('a query of two new batches on an atlas of two', () => {
  let lab: Installation
  let job: MappedJob
  beforeAll(async () => {
    lab = await makeInstallation()
    await storeNetwork(lab, 'muscat-reference', await goldenModel('muscat_surgery_ref_scanvi'))
    const from = kang('kang_muscat_ctrl_stim')
    const isControl = (text: (column: string) => string) => text('sample_id').startsWith('ctrl')
    await cellsToInbox(lab, 'jobs/muscat/atlas.h5ad', { from, isWanted: (_, text) => isControl(text) })
    await cellsToInbox(lab, 'jobs/muscat/q.h5ad', { from, isWanted: (_, text) => !isControl(text) })
    job = await mapWith(lab, 'muscat', {
      mode: 'extend',
      query: 'q.h5ad',
      atlas: 'atlas.h5ad',
      model: 'muscat-reference',
      batch_key: 'sample_id',
      label_column: 'cell_type',
      max_epochs: 30,
      umap: false,
    })
  }, 600_000)
  afterAll(async () => {
    await job?.cells.close()
    await lab?.folder[Symbol.asyncDispose]()
  })

  it('leaves the reference unchanged below 1e-5, and labels the query as right as scvi-tools, within .06', async () => {
    const golden = goldenRows('muscat_surgery.ref_scanvi_latent')
    const latent = await latentOf(job.cells)
    expect(worst(latent.slice(0, 10 * golden.cells.length), golden)).toBeLessThan(1e-5)
    const { agreement } = job.result.summary as {
      agreement: { query: { share: number }; atlas: { share: number } }
    }
    expect(agreement.query.share).toBeGreaterThan(0.77 - 0.06)
    expect(agreement.atlas.share).toBeGreaterThan(0.99)
  })

  it('moves the cells of the query', async () => {
    const golden = goldenRows('muscat_surgery.query_latent_before_training')
    const latent = await latentOf(job.cells)
    expect(worst(latent.slice(-10 * golden.cells.length), golden)).toBeGreaterThan(0.1)
    const { card } = await loadNetwork(lab.stores.models, 'muscat')
    expect(card.setup.batch.categories).toEqual(['ctrl101', 'ctrl107', 'stim101', 'stim107'])
  })
})
