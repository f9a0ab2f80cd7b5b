/**
 * Oracle and twin: expression and how well cells are explained, along the whole road, are what scvi-tools recorded and what the model gives in
 * one go, whatever shards and blocks did; cells that take no part are NaN, and names are those of the mapped file.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { AnnDataToWrite } from '../../../lib/data/write-h5ad.ts'
import { withAverageBatch } from '../../../lib/models/adapt-model.ts'
import { loadNetwork } from '../../../lib/models/bundle.ts'
import type { ScanviModel } from '../../../lib/models/scvi-model.ts'
import { goldenModel, goldenRows, worst } from '../../models/golden-scvi.ts'
import { toyScvi } from '../../models/toy-scvi.ts'
import { copyToInbox, mapWith, storeNetwork, toyAtlasModel } from '../../support/atlas-mapping.ts'
import { decodedBy, denseSlab, farthest, readExpression } from '../../support/expression-file.ts'
import { cellsOf, type Installation, makeInstallation } from '../../support/installation.ts'
import { numbersOf } from '../../support/read-h5ad.ts'
import { hasShared, sharedPath } from '../../support/shared.ts'
import { simulateCells, simulatedGenes } from '../../support/simulated-cells.ts'

const all = { mode: 'frozen', query: 'q.h5ad', umap: false, normalized_expression: true }
const width = simulatedGenes.length
const errorKey = 'predicted_celltype_reconstruction_error'

let lab: Installation
beforeAll(async () => {
  lab = await makeInstallation()
})
afterAll(() => lab?.folder[Symbol.asyncDispose]())

/** The scVI of shared/golden with a classifier that was drawn: encoder and decoder of a SCANVI are the same. */
async function goldenWithClassifier(): Promise<ScanviModel> {
  const model = await goldenModel('kang_scvi_seed0')
  const drawn = toyScvi({ ...model.shape, classes: 2 })
  if (drawn.kind !== 'scanvi') throw new Error('a SCANVI was asked for')
  const { labels } = drawn.setup
  return {
    ...drawn,
    genes: model.genes,
    weights: new Map([...drawn.weights, ...model.weights]),
    setup: { ...model.setup, labels },
  }
}

describe.skipIf(!hasShared)('cells that scvi-tools decoded', () => {
  beforeAll(async () => {
    await storeNetwork(lab, 'golden', await goldenWithClassifier())
  })

  it.each([
    ['in their own batches', {}, 'normalized_at_posterior_mean_1e4'],
    ['as if all were stimulated', { transform_batch: 'stim' }, 'normalized_to_batch_stim_1e4'],
  ])('%s have its expression', async (name, settings, rows) => {
    const told = goldenRows(`kang_scvi_seed0.${rows}`)
    const folder = name.replaceAll(' ', '-')
    const counts = sharedPath('golden', 'scvi', 'kang_2000x1500_counts.h5ad')
    await copyToInbox(lab, counts, `jobs/${folder}/q.h5ad`)
    const job = await mapWith(lab, folder, {
      ...{ ...all, ...settings, elbo: false, library_size: 1e4 },
      ...{ model: 'golden', batch_key: 'condition', expression_genes: told.columns },
    })
    await job.cells.close()
    const { cells, genes, values, uns } = await readExpression(job.pathOf('normalized_expression.h5ad'))
    expect(cells).toHaveLength(2000)
    expect([...genes].sort()).toEqual([...told.columns].sort())
    const rowOf = new Map(cells.map((cell, row) => [cell, row]))
    const place = told.columns.map((gene) => genes.indexOf(gene))
    const ours = told.cells.flatMap((cell) => place.map((gene) => values[rowOf.get(cell)! * 20 + gene]!))
    expect(worst(ours, told, { relative: true })).toBeLessThan(1e-4)
    expect(uns).toMatchObject({ library_size: 10_000n, n_samples: 1n })
  })
})

/** 40 cells; cell 4 has no counts. */
function query(batch: (cell: number) => string | null = () => 'a', seed = 3): AnnDataToWrite {
  const { counts } = cellsWithout(seed)
  const made = cellsOf(counts, { genes: simulatedGenes })
  made.obs.columns.set('Sample_ID', { kind: 'string', values: counts.map((_, cell) => batch(cell)) })
  return made
}

function cellsWithout(seed = 3) {
  const simulated = simulateCells(seed, 40)
  simulated.counts[4]!.fill(0)
  return simulated
}

describe('a model by hand', () => {
  const labels = ['B cell', '__proto__', 'toString']
  const model = toyAtlasModel({ genes: simulatedGenes, labels })
  const { counts } = cellsWithout()
  const slab = denseSlab(counts)
  beforeAll(async () => {
    await storeNetwork(lab, 'toy', model)
  })

  async function mapped(name: string, settings: object, of = query()) {
    await lab.upload(`jobs/${name}/q.h5ad`, of)
    const job = await mapWith(lab, name, { ...all, model: 'toy', ...settings })
    const { columns, index } = await job.cells.obs()
    await job.cells.close()
    const path = job.pathOf('normalized_expression.h5ad')
    const file = job.result.outputs.normalizedExpression === undefined ? null : await readExpression(path)
    return { job, columns, index, file }
  }

  const without4 = (values: Float32Array, columns = width) =>
    values.filter((_, i) => Math.floor(i / columns) !== 4)

  it('gives all genes of all cells in their own batches, and NaN for a cell that takes no part', async () => {
    const { job, file } = await mapped(
      'own',
      {},
      query((cell) => 'ab'[cell % 2]!),
    )
    expect(job.result.outputs).toMatchObject({ normalizedExpression: 'normalized_expression.h5ad' })
    expect(file!.cells).toEqual(query().obs.index)
    expect(file!.genes).toEqual(simulatedGenes)
    const batches = counts.map((_, cell) => cell % 2)
    const { expression } = await decodedBy(model, { slab, batches })
    expect(file!.values.subarray(4 * width, 5 * width).every(Number.isNaN)).toBe(true)
    expect(farthest(without4(file!.values), without4(expression))).toBeLessThan(1e-5)
    expect(file!.uns).toMatchObject({
      ...{ model_name: 'toy', transform_batch: 'own', library_size: 1n, n_samples: 1n, bins: 0n },
      model_id: job.result.summary.model,
    })
  })

  it('gives some genes in the order of the model, in the mean over batches and draws, by the size of each cell', async () => {
    const genes = [7, 2]
    const { job, file } = await mapped('some', {
      ...{ transform_batch: ['b', 'a'], library_size: 'latent', n_samples: 3, seed: 5 },
      expression_genes: [...genes.map((gene) => simulatedGenes[gene]!), 'NOT-A-GENE'],
    })
    expect(file!.genes).toEqual([simulatedGenes[2], simulatedGenes[7]])
    const batches = counts.map(() => 0)
    const { expression } = await decodedBy(
      model,
      { slab, batches },
      {
        ...{ genes: Int32Array.of(2, 7), batches: [0, 1], librarySize: 'latent' },
        draws: { count: 3, seed: 5 },
      },
    )
    expect(farthest(without4(file!.values, 2), without4(expression, 2))).toBeLessThan(1e-5)
    expect(file!.uns).toMatchObject({ transform_batch: ['b', 'a'], library_size: 'latent', seed: 5n })
    const told = job.result.notices.find(({ code }) => code === 'GENE_UNKNOWN')
    expect(told?.problem).toContain('"NOT-A-GENE"')
  })

  it('explains cells of batches that it does not know as those of an average one, and says how well', async () => {
    const { job, columns, file } = await mapped(
      'average',
      {},
      query(() => 'new'),
    )
    const average = withAverageBatch(model, { name: 'any' })
    const found = await decodedBy(average, { slab, batches: counts.map(() => 2) })
    expect(farthest(without4(file!.values), without4(found.expression))).toBeLessThan(1e-5)
    const detected = counts.map((row) => row.filter((count) => count > 0).length)
    const errors = numbersOf(columns.get(errorKey))
    expect(errors[4]).toBeNaN()
    const wanted = [...found.reconstruction].map((error, cell) => error / detected[cell]!)
    const taking = counts.flatMap((_, cell) => (cell === 4 ? [] : [cell]))
    expect(
      farthest(
        taking.map((cell) => errors[cell]!),
        taking.map((cell) => wanted[cell]!),
      ),
    ).toBeLessThan(1e-5)
    const mean = (values: ArrayLike<number>) => taking.reduce((sum, cell) => sum + values[cell]!, 0) / 39
    const { query: told } = job.result.summary.explained as { query: Record<string, number> }
    expect(told!.cells).toBe(39)
    expect(told!.reconstruction).toBeCloseTo(mean(found.reconstruction), 3)
    expect(told!.divergence).toBeCloseTo(mean(found.divergence), 4)
    expect(told!.elbo).toBeCloseTo(told!.reconstruction! + told!.divergence!, 6)
    expect(told!.perGene).toBeCloseTo(mean(wanted), 5)
    expect(job.page).toContain('How well the model explains the cells')
  })

  it('decodes as an average batch what an encoder without batches can place all the same', async () => {
    const plainEncoder = toyAtlasModel({ genes: simulatedGenes, labels }, { encodeCovariates: false })
    await storeNetwork(lab, 'plain-encoder', plainEncoder)
    const batch = (cell: number) => (cell === 6 ? null : cell < 20 ? 'b' : 'new')
    const { job, file } = await mapped('plain', { model: 'plain-encoder' }, query(batch))
    const average = withAverageBatch(plainEncoder, { name: 'any' })
    const batches = counts.map((_, cell) => (cell === 6 || cell >= 20 ? 2 : 1))
    const { expression } = await decodedBy(average, { slab, batches })
    expect(farthest(without4(file!.values), without4(expression))).toBeLessThan(1e-5)
    const told = job.result.notices.find(({ code }) => code === 'BATCH_UNKNOWN')
    expect(told?.problem).toMatch(/"new".*decoded as those of an average batch/)
  })

  it('writes the query alone beside an atlas where nothing is adapted, with the same numbers as without one', async () => {
    await lab.upload(
      'jobs/both/atlas.h5ad',
      query(() => 'a', 8),
    )
    const draws = { n_samples: 2, seed: 1 }
    const both = await mapped(
      'both',
      { ...draws, atlas: 'atlas.h5ad' },
      query(() => 'b'),
    )
    expect(both.file!.cells).toEqual(query().obs.index)
    const cells = Int32Array.from(counts.keys(), (cell) => 40 + cell)
    const found = await decodedBy(
      model,
      { slab, batches: counts.map(() => 1) },
      { draws: { count: 2, seed: 1, cells } },
    )
    expect(farthest(without4(both.file!.values), without4(found.expression))).toBeLessThan(1e-5)
    const { explained } = both.job.result.summary as { explained: Record<string, { cells: number }> }
    expect(explained).toMatchObject({ query: { cells: 39 }, atlas: { cells: 39 } })
  })

  it('writes atlas and query as the joint file names them, by the adapted model, in batches that it learnt', async () => {
    await lab.upload(
      'jobs/joint/atlas.h5ad',
      query(() => 'a', 8),
    )
    const settings = { mode: 'extend', atlas: 'atlas.h5ad', max_epochs: 1, transform_batch: 'new' }
    const { file, index } = await mapped(
      'joint',
      settings,
      query(() => 'new'),
    )
    expect(file!.cells).toHaveLength(80)
    expect(file!.cells[0]).toMatch(/-atlas$/)
    expect(file!.cells).toEqual(index)
    const { model: adapted, card } = await loadNetwork(lab.stores.models, 'joint')
    expect(file!.uns).toMatchObject({ model_id: card.id, transform_batch: ['new'] })
    const batches = counts.map(() => 2)
    const { expression } = await decodedBy(adapted, { slab, batches }, { batches: [2] })
    expect(farthest(without4(file!.values.subarray(40 * width)), without4(expression))).toBeLessThan(1e-5)
  })

  it('decodes as an average batch where there was nothing to adapt, and does not pretend to know the new one', async () => {
    const plainEncoder = toyAtlasModel({ genes: simulatedGenes, labels }, { encodeCovariates: false })
    await storeNetwork(lab, 'unmoved', plainEncoder)
    const settings = { mode: 'extend', atlas: 'atlas.h5ad', model: 'unmoved' }
    await lab.upload(
      'jobs/unmoved/atlas.h5ad',
      query(() => 'a', 8),
    )
    const { file } = await mapped(
      'unmoved',
      settings,
      query(() => 'new'),
    )
    const average = withAverageBatch(plainEncoder, { name: 'any' })
    const { expression } = await decodedBy(average, { slab, batches: counts.map(() => 2) })
    expect(farthest(without4(file!.values.subarray(40 * width)), without4(expression))).toBeLessThan(1e-5)
    await lab.upload(
      'jobs/unknown/atlas.h5ad',
      query(() => 'a', 8),
    )
    const asNew = mapped(
      'unknown',
      { ...settings, transform_batch: 'new' },
      query(() => 'new'),
    )
    await expect(asNew).rejects.toMatchObject({ code: 'TRANSFORM_BATCH_UNKNOWN' })
  })

  it('tells that it was not assessed where the decoder is not computed, and places cells all the same', async () => {
    await storeNetwork(lab, 'encoder-alone', { ...model, decoder: 'not-computed' })
    const settings = { model: 'encoder-alone', normalized_expression: false }
    const { job, columns, file } = await mapped('alone', settings)
    expect(file).toBeNull()
    expect(columns.has(errorKey)).toBe(false)
    expect(columns.has('predicted_celltype')).toBe(true)
    expect(job.result.summary.explained).toEqual({ query: null })
    const told = job.result.notices.filter(({ code }) => code === 'ELBO_NOT_ASSESSED')
    expect(told).toHaveLength(1)
    await expect(mapped('none', { model: 'encoder-alone' })).rejects.toMatchObject({ code: 'MODEL_DECODER' })
  })

  it('leaves out what the job does not ask for', async () => {
    const { job, columns, file } = await mapped('neither', { normalized_expression: false, elbo: false })
    expect(file).toBeNull()
    expect(columns.has(errorKey)).toBe(false)
    expect([...job.files.keys()]).not.toContain('normalized_expression.h5ad')
    expect(job.page).not.toContain('How well the model explains the cells')
  })

  it.each([
    ['TRANSFORM_BATCH_UNKNOWN', { transform_batch: ['a', 'c'] }, /"c"; its batches are "a", "b"/],
    ['GENE_UNKNOWN', { expression_genes: ['ms4a1'] }, /"ms4a1"; most like "ms4a1": "MS4A1"/],
    ['SETTING_INVALID', { normalized_expression: false, n_samples: 2 }, /does not ask for that/],
    ['SETTING_INVALID', { library_size: 0 }, /./],
    ['SETTING_INVALID', { transform_batch: ['a', 'a'] }, /twice/],
  ])('refuses with %s before cells are looked at: %j', async (code, settings, problem) => {
    await expect(
      mapped(`refused-${code}-${Object.keys(settings).join('-')}`, settings),
    ).rejects.toMatchObject({
      code,
      problem: expect.stringMatching(problem),
    })
  })
})
