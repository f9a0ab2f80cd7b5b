/**
 * Contract: cells that a network cannot place are told and stop nothing; a scVI labels by the cells of its reference; what a job asks of a network that
 * it cannot give is refused before any machine is started.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { AnnDataToWrite } from '../../lib/data/write-h5ad.ts'
import { random } from '../../lib/job/random.ts'
import type { ReferenceCells } from '../../lib/models/reference-cells.ts'
import { toyScvi } from '../models/toy-scvi.ts'
import { mapWith, storeNetwork, toyAtlasModel } from '../support/atlas-mapping.ts'
import { cellsOf, type Installation, makeInstallation, saveToyModel } from '../support/installation.ts'
import { arrayOf, numbersOf, textsOf } from '../support/read-h5ad.ts'
import { simulateCells, simulatedGenes, simulatedQuery } from '../support/simulated-cells.ts'

const labels = ['B cell', '__proto__', 'toString']
const predicted = 'cxg_cell_type_predicted'

/** 40 cells about three places; every fifth has no label of the second column. */
function toyReference(latent: number): ReferenceCells {
  const draw = random(9)
  const codes = Int32Array.from({ length: 40 }, (_, cell) => cell % 3)
  return {
    cells: 40,
    latent: Float32Array.from(
      { length: 40 * latent },
      (_, i) => (Math.floor(i / latent) % 3) + 0.1 * draw.normal(),
    ),
    columns: [
      { column: 'cell_type', categories: labels, codes },
      {
        column: 'broad/type',
        categories: ['one', 'other'],
        codes: codes.map((code, i) => (i % 5 === 0 ? -1 : Number(code > 0))),
      },
    ],
  }
}

let lab: Installation
beforeAll(async () => {
  lab = await makeInstallation()
  const scanvi = toyAtlasModel({ genes: simulatedGenes, labels })
  const drawn = toyScvi(
    { genes: simulatedGenes.length, encodeCovariates: true, batchNorm: 'none', layerNorm: 'both' },
    { seed: 4 },
  )
  const scvi = { ...drawn, genes: simulatedGenes }
  await saveToyModel(lab.stores)
  await storeNetwork(lab, 'toy-scanvi', scanvi, { reference: toyReference(scanvi.shape.latent) })
  await storeNetwork(lab, 'bare', scanvi)
  await storeNetwork(lab, 'toy-scvi', scvi, { reference: toyReference(scvi.shape.latent) })
  await storeNetwork(lab, 'unlabelled', scvi, {
    reference: { ...toyReference(scvi.shape.latent), columns: [] },
  })
})
afterAll(() => lab?.folder[Symbol.asyncDispose]())

async function annotate(
  name: string,
  { query, ...settings }: { query: AnnDataToWrite } & Record<string, unknown>,
) {
  await lab.upload(`jobs/${name}/q.h5ad`, query)
  return mapWith(lab, name, { workflow: 'annotate', query: 'q.h5ad', model: 'toy-scanvi', ...settings })
}

describe('cells that cannot be placed', () => {
  it.each(['default', 'knn', 'logistic'])(
    'have neither place nor label by %s, and the others theirs',
    async (classifier) => {
      const { counts } = simulateCells(3, 12)
      counts[4]!.fill(0)
      const query = cellsOf(counts, { genes: simulatedGenes })
      const batch = counts.map((_, cell) => (cell === 7 ? null : 'a'))
      query.obs.columns.set('sample', { kind: 'string', values: batch })
      const job = await annotate(`empty-${classifier}`, {
        ...{
          query,
          classifier,
          batch_key: 'sample',
          write_neighbours: true,
          write_second: true,
          n_neighbors: 3,
        },
        min_confidence: 0.01,
        min_counts: 1e6,
      })
      const { columns } = await job.cells.obs()
      const width = toyAtlasModel({ genes: simulatedGenes, labels }).shape.latent
      const obsm = await job.cells.mapping('obsm')
      const latent = await arrayOf(obsm, 'cxg_cell_type', [12, width])
      const umap = await arrayOf(obsm, 'X_cxg_cell_type_umap', [12, 2])
      await job.cells.close()
      const raw = textsOf(columns.get(`${predicted}_raw`))
      const ids = textsOf(columns.get(`${predicted}_ontology_term_id`))
      const unsure = numbersOf(columns.get(`${predicted}_uncertainty`))
      for (let cell = 0; cell < 12; cell++) {
        const isOut = cell === 4 || cell === 7
        expect(raw[cell] === undefined).toBe(isOut)
        expect(textsOf(columns.get(predicted))[cell] === 'Unassigned').toBe(isOut)
        expect(Number.isNaN(latent[width * cell])).toBe(isOut)
        expect(Number.isNaN(umap[2 * cell])).toBe(isOut)
        expect(unsure[cell] === 1).toBe(isOut)
        expect(ids[cell]).toMatch(/^(unknown|CL:\d{7})$/)
      }
      const codes = job.result.notices.map(({ code }) => code)
      expect(codes).toEqual(
        expect.arrayContaining(['CELLS_LEFT_OUT', 'NEIGHBOURS_NOT_STORED', 'CELLS_LOW_COUNTS']),
      )
    },
  )

  it('get the label of their cluster where it votes', async () => {
    const { counts } = simulateCells(3, 60)
    counts[4]!.fill(0)
    const query = cellsOf(counts, { genes: simulatedGenes })
    const clusters = counts.map((_, cell) => (cell < 30 ? 'x' : 'y'))
    query.obs.columns.set('cluster', { kind: 'string', values: clusters })
    const job = await annotate('voting', { query, majority_voting: true, over_clustering: 'cluster' })
    const { columns } = await job.cells.obs()
    await job.cells.close()
    const voted = textsOf(columns.get(predicted))
    expect(voted[4]).toBe(voted[5])
    expect(textsOf(columns.get(`${predicted}_by_cell`))[4]).toBeUndefined()
    expect(numbersOf(columns.get(`${predicted}_uncertainty`))[4]).toBe(1)
  })

  it('may be all but one', async () => {
    const job = await annotate('single', { query: simulatedQuery(3, 1) })
    await job.cells.close()
    expect(job.result.outputs).not.toHaveProperty('umap')
    expect(job.result.notices.map(({ code }) => code)).toContain('MAP_NOT_MADE')
  })
})

describe('a scVI', () => {
  it('labels by the nearest cells of its reference, also after it learnt the batches of the query', async () => {
    for (const mapping of ['frozen', 'surgery']) {
      const job = await annotate(`scvi-${mapping}`, {
        query: simulatedQuery(3, 40),
        model: 'toy-scvi',
        mapping,
        max_epochs: 2,
        knn_neighbors: 7,
        umap: false,
      })
      const { columns } = await job.cells.obs()
      await job.cells.close()
      expect(textsOf(columns.get(predicted)).every((label) => labels.includes(label!))).toBe(true)
      const broad = textsOf(columns.get(`${predicted}_broad|type`))
      expect(broad.every((label) => ['one', 'other'].includes(label!))).toBe(true)
      expect(job.page).toContain('the 7 nearest of 40 cells')
      expect(job.result.timings.some(({ step }) => step === 'Fit')).toBe(mapping === 'surgery')
    }
  })
})

describe('what a network cannot give', () => {
  it.each([
    [
      'its own classifier of a scVI',
      { model: 'toy-scvi', classifier: 'scanvi' },
      'CLASSIFIER_UNKNOWN',
      'knn',
    ],
    [
      'neighbours of a model without cells',
      { model: 'bare', classifier: 'knn' },
      'REFERENCE_CELLS_MISSING',
      'import-model',
    ],
    [
      'labels of a reference without any',
      { model: 'unlabelled' },
      'LABEL_COLUMN_UNKNOWN',
      'transfer_columns',
    ],
    [
      'a column that the reference lacks',
      { classifier: 'knn', label_columns: ['fine'] },
      'LABEL_COLUMN_UNKNOWN',
      'Name columns',
    ],
    [
      'further columns by its own classifier',
      { label_columns: ['cell_type', 'broad/type'] },
      'LABEL_COLUMN_UNKNOWN',
      'knn',
    ],
  ])('is refused: %s', async (_, settings, code, remedy) => {
    const asked = annotate(`refused-${code}-${remedy.length}`, { query: simulatedQuery(3, 5), ...settings })
    await expect(asked).rejects.toMatchObject({ code, remedy: expect.stringContaining(remedy) })
  })

  it('is refused: logs in place of counts', async () => {
    const { counts } = simulateCells(3, 5)
    const logs = counts.map((row) => {
      const total = row.reduce((sum, value) => sum + value, 0)
      return row.map((value) => Math.log1p((1e4 * value) / total))
    })
    const asked = annotate('logs', { query: cellsOf(logs, { genes: simulatedGenes }) })
    await expect(asked).rejects.toMatchObject({ code: 'COUNTS_NEEDED' })
  })

  it('is refused: cells of few counts where the job is strict', async () => {
    const asked = annotate('strict', { query: simulatedQuery(3, 5), strict: true, min_counts: 1e6 })
    await expect(asked).rejects.toMatchObject({ code: 'CELLS_LOW_COUNTS' })
  })
})

it('replaces what an earlier run wrote by other columns of a reference', async () => {
  const query = simulatedQuery(3, 12)
  for (const name of [predicted, `${predicted}_old`, `${predicted}_old_uncertainty`, `${predicted}_mine`])
    query.obs.columns.set(name, { kind: 'string', values: new Array<string>(12).fill('old') })
  const job = await annotate('again', { query, classifier: 'knn', overwrite: true, umap: false })
  const { columns } = await job.cells.obs()
  await job.cells.close()
  expect(columns.has(`${predicted}_old`)).toBe(false)
  expect(columns.has(`${predicted}_mine`)).toBe(true)
})
