/**
 * Law and contract: the joint file has every column of both files and the genes that both have; where surgery has nothing to do, nothing is
 * trained and that is told; batches keep their meaning. On a small model by hand.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Column } from '../../../lib/data/cells.ts'
import type { AnnDataToWrite } from '../../../lib/data/write-h5ad.ts'
import { findModel } from '../../../lib/models/bundle.ts'
import { mapWith, storeNetwork, toyAtlasModel } from '../../support/atlas-mapping.ts'
import { cellsOf, type Installation, makeInstallation, saveToyModel } from '../../support/installation.ts'
import { arrayOf, numbersOf, textsOf } from '../../support/read-h5ad.ts'
import { simulateCells, simulatedGenes } from '../../support/simulated-cells.ts'

const labels = ['B cell', 'monocyte', 'T cell']
const extend = { mode: 'extend', query: 'q.h5ad', atlas: 'atlas.h5ad', max_epochs: 2, umap: false }

const texts = (values: (string | null)[]): Column => ({ kind: 'string', values })
const numbers = (values: number[]): Column => ({
  kind: 'number',
  type: 'float64',
  values: Float64Array.from(values),
})

interface Told {
  seed: number
  cells: number
  batch: string
  names: string
  columns?: Record<string, Column>
  genes?: readonly string[]
}

function cells({ seed, cells: count, batch, names, columns = {}, genes }: Told): AnnDataToWrite {
  const { counts } = simulateCells(seed, count)
  const own =
    genes === undefined
      ? counts
      : counts.map((row) => genes.map((gene) => row[simulatedGenes.indexOf(gene)] ?? 1))
  const made = cellsOf(own, {
    genes: genes ?? simulatedGenes,
    names: Array.from({ length: count }, (_, i) => `${names}${i}`),
  })
  made.obs.columns.set('Sample_ID', texts(new Array<string>(count).fill(batch)))
  for (const [name, column] of Object.entries(columns)) made.obs.columns.set(name, column)
  return made
}

let lab: Installation
beforeAll(async () => {
  lab = await makeInstallation()
  await storeNetwork(lab, 'toy', toyAtlasModel({ genes: simulatedGenes, labels }))
  await storeNetwork(
    lab,
    'blind',
    toyAtlasModel({ genes: simulatedGenes, labels }, { encodeCovariates: false }),
  )
})
afterAll(() => lab?.folder[Symbol.asyncDispose]())

async function mapped(name: string, files: { query: AnnDataToWrite; atlas: AnnDataToWrite }, settings = {}) {
  await lab.upload(`jobs/${name}/q.h5ad`, files.query)
  await lab.upload(`jobs/${name}/atlas.h5ad`, files.atlas)
  const job = await mapWith(lab, name, { ...extend, model: 'toy', ...settings })
  const obs = await job.cells.obs()
  const genes = await job.cells.var()
  const latent = arrayOf(await job.cells.mapping('obsm'), 'X_scANVI_emb', [obs.rows, 3])
  await job.cells.close()
  const codes = job.result.notices.map(({ code }) => code)
  return { ...job, obs, genes, latent, codes }
}

describe('the joint file', () => {
  it('has what only the query says, what only the atlas says, and both where they mean two things', async () => {
    const atlas = cells({
      ...{ seed: 1, cells: 20, batch: 'a', names: 'x' },
      columns: {
        tissue: texts(new Array<string>(20).fill('blood')),
        age: numbers(new Array<number>(20).fill(3)),
      },
    })
    const query = cells({
      ...{ seed: 2, cells: 10, batch: 'new', names: 'x' },
      columns: {
        patient: texts(new Array<string>(10).fill('p1')),
        age: texts(new Array<string>(10).fill('old')),
      },
    })
    const { obs, codes } = await mapped('outer', { query, atlas })
    expect(textsOf(asCategorical(obs.columns.get('tissue')))).toEqual([
      ...new Array(20).fill('blood'),
      ...new Array(10).fill(undefined),
    ])
    expect(textsOf(asCategorical(obs.columns.get('patient'))).slice(20)).toEqual(new Array(10).fill('p1'))
    expect(numbersOf(obs.columns.get('age_atlas')).slice(0, 20)).toEqual(new Array(20).fill(3))
    expect(textsOf(asCategorical(obs.columns.get('age_query'))).slice(20)).toEqual(new Array(10).fill('old'))
    expect(obs.columns.has('age')).toBe(false)
    expect(codes).toContain('COLUMNS_APART')
    expect(obs.index[0]).toBe('x0-atlas')
    expect(obs.index[20]).toBe('x0-query')
    expect(codes).toContain('CELLS_RENAMED')
  })

  it('keeps names of cells that are all different', async () => {
    const atlas = cells({ seed: 1, cells: 6, batch: 'a', names: 'atlas-' })
    const query = cells({ seed: 2, cells: 4, batch: 'new', names: 'query-' })
    const { obs, codes } = await mapped('names', { query, atlas })
    expect(obs.index).toEqual([...atlas.obs.index, ...query.obs.index])
    expect(codes).not.toContain('CELLS_RENAMED')
  })

  it('has the genes of both in the order of the atlas, lists those it drops, and tells what the model lacks of either', async () => {
    const [first, last] = [simulatedGenes.slice(0, 60), simulatedGenes.slice(4).reverse()]
    const atlas = cells({ seed: 1, cells: 8, batch: 'a', names: 'a', genes: first })
    const query = cells({ seed: 2, cells: 8, batch: 'new', names: 'q', genes: last })
    const { genes, files, codes, result } = await mapped('genes', { query, atlas })
    expect(genes.index).toEqual(simulatedGenes.slice(4, 60))
    const lines = files.get('dropped_genes.csv')!.toString().trimEnd().split('\r\n')
    expect(lines[0]).toBe('gene,only_in')
    expect(lines).toContain('MS4A1,atlas')
    expect(lines).toHaveLength(1 + 4 + (simulatedGenes.length - 60))
    expect(codes).toEqual(expect.arrayContaining(['GENES_DROPPED', 'ATLAS_GENES_DIFFER']))
    expect(result.notices.find(({ code }) => code === 'ATLAS_GENES_DIFFER')?.problem).toContain(
      '4 are in the atlas and not in the query',
    )
  })
})

describe('a surgery', () => {
  const files = () => ({
    atlas: cells({ seed: 1, cells: 30, batch: 'a', names: 'a' }),
    query: cells({ seed: 2, cells: 30, batch: 'new', names: 'q' }),
  })

  it('of a model whose encoder knows no batches is left out, and the cells lie where the frozen model has them', async () => {
    const { codes, latent, result } = await mapped('blind', files(), { model: 'blind' })
    expect(codes).toContain('SURGERY_MOVES_NOTHING')
    expect(result.outputs).not.toHaveProperty('model')
    expect(result.outputs).not.toHaveProperty('elbo')
    await expect(findModel(lab.stores.models, 'blind-job')).rejects.toMatchObject({ code: 'MODEL_MISSING' })
    await lab.upload('jobs/blind-frozen/q.h5ad', files().query)
    const frozen = await mapWith(lab, 'blind-frozen', { query: 'q.h5ad', model: 'blind', umap: false })
    const alone = arrayOf(await frozen.cells.mapping('obsm'), 'X_scANVI_emb', [30, 3])
    await frozen.cells.close()
    expect(latent.slice(90)).toEqual(alone)
  })

  it('on batches that the reference has is left out too', async () => {
    const { query, atlas } = files()
    query.obs.columns.set('Sample_ID', texts(new Array<string>(30).fill('b')))
    const { codes, result } = await mapped('known', { query, atlas })
    expect(codes).toContain('SURGERY_NO_NEW_BATCH')
    expect(result.outputs).not.toHaveProperty('model')
  })

  it('tells of a batch of two cells, of one that the reference has, and of batches of the atlas that the model does not know', async () => {
    const { query, atlas } = files()
    const batches = [...new Array<string>(20).fill('new'), ...new Array<string>(8).fill('a'), 'tiny', 'tiny']
    query.obs.columns.set('Sample_ID', texts(batches))
    atlas.obs.columns.set('Sample_ID', texts(new Array<string>(30).fill('strange')))
    const { codes, result } = await mapped('told', { query, atlas })
    expect(codes).toEqual(expect.arrayContaining(['BATCH_SMALL', 'BATCH_IN_REFERENCE', 'BATCH_UNKNOWN']))
    expect(result.summary).toMatchObject({ newBatches: ['new', 'tiny'], adaptedName: 'told' })
  })

  it('never takes the name of the reference for the adapted model', async () => {
    const before = await findModel(lab.stores.models, 'toy')
    const { result } = await mapped('renamed', files(), { model_name: 'toy' })
    expect(result.summary).toMatchObject({ adaptedName: 'toy-extended' })
    expect(await findModel(lab.stores.models, 'toy')).toEqual(before)
  })

  it('takes no name that means another model, and takes up again its own', async () => {
    await saveToyModel(lab.stores, 'linear')
    const first = await mapped('taken', files(), { model_name: 'linear' })
    expect(first.codes).toContain('MODEL_NAME_TAKEN')
    expect(first.result.summary).toMatchObject({ adaptedName: 'linear-extended' })
    expect(await findModel(lab.stores.models, 'linear')).toMatchObject({ kind: 'linear' })
    const second = await mapped('again', files(), { model_name: 'linear', seed: 3 })
    expect(second.result.summary).toMatchObject({ adaptedName: 'linear-extended' })
  })

  it('gives the same places again from the same seed, and others from another', async () => {
    const run = async (name: string, seed: number) => (await mapped(name, files(), { seed })).latent
    const once = await run('seed-1', 1)
    expect(await run('seed-1-again', 1)).toEqual(once)
    expect(await run('seed-2', 2)).not.toEqual(once)
  })
})

/** Texts come back as categories where few values repeat. */
function asCategorical(column: Column | undefined): Column {
  if (column?.kind !== 'string') return column!
  const categories = [...new Set(column.values.filter((value) => value !== null))]
  return {
    kind: 'categorical',
    codes: Int32Array.from(column.values, (value) => (value === null ? -1 : categories.indexOf(value))),
    categories: { kind: 'string', values: categories },
    ordered: false,
  }
}
