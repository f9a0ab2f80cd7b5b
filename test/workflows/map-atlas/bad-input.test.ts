/** Contract: what is refused of a `map-atlas` job, where, and what is said. Nothing here starts a machine but where the cells themselves are at fault. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { AnnDataToWrite } from '../../../lib/data/write-h5ad.ts'
import { saveModel } from '../../../lib/models/bundle.ts'
import { toyNetwork, toyScvi } from '../../models/toy-network.ts'
import { mapWith, storeNetwork, toyAtlasModel } from '../../support/atlas-mapping.ts'
import { cellsOf, type Installation, makeInstallation, saveToyModel } from '../../support/installation.ts'
import { simulateCells, simulatedGenes } from '../../support/simulated-cells.ts'

const labels = ['B cell', 'monocyte', 'T cell']
let lab: Installation
let number = 0

beforeAll(async () => {
  lab = await makeInstallation()
  await storeNetwork(lab, 'toy', toyAtlasModel({ genes: simulatedGenes, labels }))
  const withCovariate = toyAtlasModel(
    { genes: simulatedGenes, labels },
    { categories: [2, 2], continuous: 1 },
  )
  await storeNetwork(lab, 'covariates', withCovariate)
  await saveModel(lab.stores.models, toyNetwork(toyScvi(), 'plain'))
  await saveToyModel(lab.stores, 'linear')
})
afterAll(() => lab?.folder[Symbol.asyncDispose]())

function cells(
  change: (counts: number[][]) => void = () => {},
  batch: (string | null)[] = [],
): AnnDataToWrite {
  const { counts } = simulateCells(3, 12)
  change(counts)
  const made = cellsOf(counts, { genes: simulatedGenes })
  made.obs.columns.set('Sample_ID', { kind: 'string', values: counts.map((_, i) => batch[i] ?? 'new') })
  return made
}

interface Given {
  settings?: Record<string, unknown>
  query?: AnnDataToWrite
  atlas?: AnnDataToWrite
}

async function run({ settings = {}, query = cells(), atlas }: Given) {
  const name = `job-${number++}`
  await lab.upload(`jobs/${name}/q.h5ad`, query)
  if (atlas !== undefined) await lab.upload(`jobs/${name}/atlas.h5ad`, atlas)
  const job = await mapWith(lab, name, { query: 'q.h5ad', model: 'toy', umap: false, ...settings })
  await job.cells.close()
  return job
}

const extend = { mode: 'extend', atlas: 'atlas.h5ad', max_epochs: 1 }

describe('what is refused before a machine starts', () => {
  it.each<[string, Given, string, RegExp]>([
    ['extend without an atlas', { settings: { mode: 'extend' } }, 'SETTING_INVALID', /names no atlas/],
    [
      'drift of a classifier that learns',
      { settings: { classifier_drift: true, freeze_classifier: false } },
      'SETTING_INVALID',
      /frozen/,
    ],
    ['two columns of one name', { settings: { label_key: 'source' } }, 'SETTING_INVALID', /three columns/],
    ['a key that is a path', { settings: { label_key: 'a/b' } }, 'SETTING_INVALID', /label_key|"\/"/],
    ['a setting that there is not', { settings: { epochs: 3 } }, 'SETTING_UNKNOWN', /no such setting/],
    [
      'a batch column that is not there',
      { settings: { batch_key: 'donor' } },
      'BATCH_COLUMN',
      /"donor".*obs has: Sample_ID/,
    ],
    ['a model that is not there', { settings: { model: 'nothing' } }, 'MODEL_MISSING', /nothing/],
    ['a linear model', { settings: { model: 'linear' } }, 'MODEL_KIND', /linear/],
    ['a model without labels', { settings: { model: 'plain' } }, 'MODEL_KIND', /scVI/],
    [
      'covariates that the file lacks',
      { settings: { model: 'covariates' } },
      'COVARIATE_COLUMN',
      /covariate_0, age_0/,
    ],
    [
      'an ontology id for a label that there is not',
      { settings: { ontology: { Tcell: 'CL:0000084' } } },
      'ONTOLOGY_LABEL',
      /no such label/,
    ],
  ])('%s', async (_, given, code, told) => {
    const failure = run(given)
    await expect(failure).rejects.toMatchObject({ code })
    await expect(failure).rejects.toSatisfy((error: Error) => told.test(error.message))
  })

  it('genes of another kind, with what the file and the model have', async () => {
    const query = cellsOf(
      [
        [1, 2],
        [3, 4],
      ],
      { genes: ['NOWHERE1', 'NOWHERE2'] },
    )
    query.obs.columns.set('Sample_ID', { kind: 'string', values: ['a', 'a'] })
    await expect(run({ query })).rejects.toMatchObject({ code: 'GENES_NO_OVERLAP' })
  })

  it('too few of the genes of the model', async () => {
    const { counts } = simulateCells(3, 6)
    const query = cellsOf(
      counts.map((row) => row.slice(0, 10)),
      { genes: simulatedGenes.slice(0, 10) },
    )
    query.obs.columns.set('Sample_ID', { kind: 'string', values: new Array<string>(6).fill('a') })
    await expect(run({ query })).rejects.toMatchObject({ code: 'GENES_TOO_FEW' })
  })

  it('values that are no counts', async () => {
    const query = cells((counts) => {
      for (const row of counts) for (const [i, count] of row.entries()) row[i] = Math.log1p(count)
    })
    await expect(run({ query, settings: { unsafe_force: true } })).rejects.toThrow(/counts/)
  })
})

describe('what the steps refuse', () => {
  it('cells of few counts where the job is strict, and flags them where it is not', async () => {
    const query = cells((counts) => counts[2]!.fill(0, 1))
    await expect(run({ query, settings: { min_counts: 50, strict: true } })).rejects.toMatchObject({
      code: 'CELLS_LOW_COUNTS',
    })
    const { result } = await run({ query, settings: { min_counts: 50 } })
    expect(result.notices.find(({ code }) => code === 'CELLS_LOW_COUNTS')?.problem).toContain('1 of 12 cells')
  })

  it('a column of labels that no file has, where the job names it', async () => {
    const failure = run({ settings: { label_column: 'cel_type' } })
    await expect(failure).rejects.toMatchObject({ code: 'COLUMN_MISSING' })
  })

  it('an array of the same name, unless it may be replaced', async () => {
    const values = new Float32Array(24)
    const taken = { kind: 'array' as const, type: 'float32' as const, shape: [12, 2], values }
    const query = { ...cells(), obsm: new Map([['X_scANVI_emb', taken]]) }
    await expect(run({ query })).rejects.toMatchObject({ code: 'OUTPUT_EXISTS' })
    await run({ query, settings: { overwrite: true } })
  })

  it('a query of which no cell can be placed', async () => {
    const query = cells()
    query.obs.columns.set('Sample_ID', { kind: 'string', values: new Array<string | null>(12).fill(null) })
    await expect(run({ query })).rejects.toMatchObject({ code: 'CELLS_NONE_LEFT' })
  })

  it('a category of a covariate that the model does not know, but for surgery', async () => {
    const query = cells()
    query.obs.columns.set('covariate_0', { kind: 'string', values: new Array<string>(12).fill('other') })
    query.obs.columns.set('age_0', { kind: 'number', type: 'float64', values: new Float64Array(12) })
    await expect(run({ query, settings: { model: 'covariates' } })).rejects.toMatchObject({
      code: 'COVARIATE_UNKNOWN',
    })
    const atlas = cells(() => {}, new Array(12).fill('a'))
    atlas.obs.columns.set('covariate_0', {
      kind: 'string',
      values: new Array<string>(12).fill('covariate_0 1'),
    })
    atlas.obs.columns.set('age_0', { kind: 'number', type: 'float64', values: new Float64Array(12).fill(1) })
    const { result } = await run({ query, atlas, settings: { ...extend, model: 'covariates' } })
    expect(result.outputs).toHaveProperty('model')
  })
})
