/**
 * Oracle and contract: `import-model --reference-cells`. Cells lie where scvi-tools placed them; what they are labelled by comes from their file; what
 * no model could place, or no column label, is refused or told.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { columnTexts } from '../../lib/data/column-texts.ts'
import { openCells } from '../../lib/data/open-cells.ts'
import { type AnnDataToWrite, writeH5ad } from '../../lib/data/write-h5ad.ts'
import type { ErrorReport } from '../../lib/job/errors.ts'
import { openFolderStore } from '../../lib/job/folder-store.ts'
import { importModelCommand, modelsCommand } from '../../lib/local/model-commands.ts'
import { loadNetworkCard, loadReferenceCells, loadStoredModel, saveModel } from '../../lib/models/bundle.ts'
import type { ReferenceCells } from '../../lib/models/reference-cells.ts'
import { exportScvi } from '../../lib/models/scvi-export.ts'
import { scviInference } from '../../lib/models/scvi-inference.ts'
import { goldenRows, worst } from '../models/golden-scvi.ts'
import { toyModel } from '../models/toy-model.ts'
import { networkGenes, toyScanvi, toyScvi } from '../models/toy-network.ts'
import { cellsOf } from '../support/installation.ts'
import { hasShared, sharedPath } from '../support/shared.ts'
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.ts'

let folder: TemporaryFolder
let models: string
const at = (...parts: string[]) => join(folder.path, ...parts)

const none = () => {}

async function run(command: typeof importModelCommand, positionals: string[], flags = {}, json = true) {
  const printed: string[] = []
  await command.run({
    positionals,
    flags: { models, ...flags },
    options: { json, open: {} },
    environment: {},
    print: (line) => printed.push(line),
    ...{ progress: none, stderr: { write: none } },
    listenForStop: () => new AbortController().signal,
    clock: () => 0,
  })
  return printed.join('')
}

async function imported(path: string, flags: Record<string, unknown>) {
  const answer = JSON.parse(await run(importModelCommand, [path], flags)) as {
    referenceCells: number
    notices: ErrorReport[]
  }
  return { ...answer, codes: answer.notices.map(({ code }) => code) }
}

const store = () => openFolderStore(models)
const keptOf = async (name: string) => loadReferenceCells(await store(), name)
const labelsOf = (kept: ReferenceCells, column: string) => {
  const { codes, categories } = kept.columns.find((one) => one.column === column)!
  return Array.from(codes, (code) => categories[code])
}

const counts = [
  [9, 0, 1, 10, 0],
  [0, 8, 1, 0, 11],
  [0, 0, 0, 0, 0],
  [1, 2, 3, 4, 5],
  [2, 0, 7, 0, 1],
  [5, 5, 5, 5, 0],
]
const text = (...values: string[]) => ({
  kind: 'string' as const,
  values: values.map((value) => value || null),
})

function atlas(change: (made: AnnDataToWrite) => void = none): AnnDataToWrite {
  const made = cellsOf(counts, { genes: networkGenes })
  const { columns } = made.obs
  columns.set('donor', text('a', 'b', 'a', 'b', '', 'a'))
  columns.set('cell_type', text('T cell', 'Unknown', 'monocyte', '__proto__', 'T cell', ''))
  columns.set('lineage', text('x', 'x', 'only here', 'constructor', 'only here', 'x'))
  columns.set('age', { kind: 'number', type: 'int32', values: Int32Array.of(1, 2, 3, 4, 5, 6) })
  columns.set('nothing', text('', '', '', '', '', ''))
  change(made)
  return made
}

let files = 0
async function file(name: string, change?: (made: AnnDataToWrite) => void): Promise<string> {
  const path = at(`${files++}-${name}`)
  await writeH5ad(path, atlas(change))
  return path
}

beforeAll(async () => {
  folder = await temporaryFolder()
  models = at('models')
  for (const [name, model] of [
    ['scanvi', toyScanvi()],
    ['scvi', toyScvi()],
  ] as const) {
    mkdirSync(at(name))
    writeFileSync(at(name, 'model.pt'), exportScvi(model))
  }
})
afterAll(() => folder[Symbol.asyncDispose]())

const usual = { organism: 'Homo sapiens', 'label-columns': 'lineage,cell_type' }

describe('cells of a file', () => {
  it('are kept where the model places them, with their labels, what it was taught first', async () => {
    const cells = await file('atlas.h5ad')
    const { codes, referenceCells } = await imported(at('scanvi'), {
      ...{ ...usual, name: 'kept', 'reference-cells': cells },
    })
    // of six, one has no counts and one no batch; this encoder does not know of batches, and takes the latter
    expect(referenceCells).toBe(5)
    expect(codes).toContain('CELLS_LEFT_OUT')
    const kept = await keptOf('kept')
    expect(kept.columns.map(({ column }) => column)).toEqual(['cell_type', 'lineage'])
    expect(labelsOf(kept, 'cell_type')).toEqual(['T cell', undefined, '__proto__', 'T cell', undefined])
    expect(labelsOf(kept, 'lineage')).toEqual(['x', 'x', 'constructor', 'only here', 'x'])
    expect(kept.columns[0]!.categories).toEqual(['T cell', '__proto__'])
    const inference = scviInference(toyScanvi(), { place: 'test', notices: [] })
    const full = counts.filter((_, cell) => cell !== 2)
    const { mean } = await inference.posterior(
      {
        ...{ start: 0, rows: 5, columns: 5, indptr: Float64Array.of(0, 5, 10, 15, 20, 25) },
        indices: Int32Array.from({ length: 25 }, (_, i) => i % 5),
        values: Float32Array.from(full.flat()),
      },
      { categories: [new Int32Array(5)] },
    )
    await inference.close()
    expect(kept.latent.every((value, i) => Math.abs(value - mean[i]!) < 1e-6)).toBe(true)
  })

  it('are told of where models are listed', async () => {
    await saveModel(await store(), toyModel())
    const told = await run(modelsCommand, [], {}, false)
    expect(told).toMatch(/^kept .* 5 genes, 5 reference cells, Homo sapiens/m)
    expect(told).toMatch(/^toy .* 4 genes, Homo sapiens/m)
  })

  it('without a batch, where the encoder wants one, are left out; of a batch that it does not know, are told', async () => {
    const cells = await file('batches.h5ad', ({ obs }) => {
      obs.columns.set('donor', text('a', '__proto__', 'a', 'new', '', 'a'))
    })
    const found = await imported(at('scvi'), { ...usual, name: 'batches', 'reference-cells': cells })
    expect(found.referenceCells).toBe(4)
    const unknown = found.notices.find(({ code }) => code === 'BATCH_UNKNOWN')
    expect(unknown?.problem).toContain('"new"')
    expect(labelsOf(await keptOf('batches'), 'lineage')).toEqual(['x', 'x', 'constructor', 'x'])
  })

  it('have the batch of the column that is named', async () => {
    const cells = await file('elsewhere.h5ad', ({ obs }) => {
      obs.columns.set('sample', obs.columns.get('donor')!)
      obs.columns.delete('donor')
    })
    const flags = { ...usual, name: 'elsewhere', 'reference-cells': cells }
    await expect(imported(at('scvi'), flags)).rejects.toMatchObject({
      ...{ code: 'COLUMN_MISSING', remedy: expect.stringContaining('--batch-column') },
    })
    const named = await imported(at('scvi'), { ...flags, 'batch-column': 'sample' })
    expect(named.referenceCells).toBe(4)
    // an encoder that knows no batches asks for none
    expect((await imported(at('scanvi'), { ...flags, name: 'unasked' })).referenceCells).toBe(5)
  })

  it('are put into bins where the model wants bins', async () => {
    const cells = await file('binned.h5ad')
    const flags = { ...usual, 'reference-cells': cells }
    await imported(at('scanvi'), { ...flags, name: 'binned', bins: '4' })
    await imported(at('scanvi'), { ...flags, name: 'counted' })
    expect((await keptOf('binned')).latent).not.toEqual((await keptOf('counted')).latent)
  })

  it('lie in the layer that is named', async () => {
    const cells = await file('layers.h5ad', (made) => {
      made.layers = new Map([['spare', made.x!]])
      made.x = {
        ...cellsOf(
          counts.map((row) => row.map((count) => 2 * count)),
          { genes: networkGenes },
        ).x!,
      }
    })
    const flags = { ...usual, 'reference-cells': cells }
    await imported(at('scanvi'), { ...flags, name: 'layered', 'counts-layer': 'spare' })
    expect((await keptOf('layered')).latent).toEqual((await keptOf('counted')).latent)
  })

  it('of a model that is in a store can be given later, and others in their place', async () => {
    const cells = await file('later.h5ad')
    await imported(at('scanvi'), { name: 'later', organism: 'Homo sapiens' })
    const { card } = await loadStoredModel(await store(), 'later')
    const own = join(models, 'later', card.id)
    const flags = { name: 'later', 'reference-cells': cells, replace: true }
    await imported(own, { ...flags, 'label-columns': 'cell_type' })
    const first = await loadNetworkCard(await store(), 'later')
    expect([first.reference!.cells, first.blobs.weights, first.ontology.length]).toEqual([
      ...[5, card.kind === 'linear' ? 0 : card.blobs.weights, 2],
    ])
    await imported(join(models, 'later', first.id), { ...flags, 'label-columns': 'lineage' })
    expect((await keptOf('later')).columns.map(({ column }) => column)).toEqual(['lineage'])
    // without saying otherwise the column that it was taught
    await imported(own, flags)
    expect((await loadNetworkCard(await store(), 'later')).id).toBe(first.id)
  })

  it.each([
    ['a column that is not there', { 'label-columns': 'celltype' }, 'COLUMN_MISSING'],
    ['a column of numbers', { 'label-columns': 'age' }, 'COLUMN_NUMBERS'],
    ['a column without any label', { 'label-columns': 'nothing' }, 'LABELS_NONE'],
    ['a layer that is not there', { 'counts-layer': 'none' }, 'COUNTS_LAYER_MISSING'],
    ['a column of genes that is not there', { 'gene-column': 'none' }, 'GENE_COLUMN_MISSING'],
    ['no columns', { 'label-columns': ' , ' }, 'USAGE'],
    [
      'columns beyond number',
      { 'label-columns': Array.from({ length: 22 }, (_, i) => `c${i}`).join() },
      'USAGE',
    ],
    ['no file', { 'reference-cells': undefined }, 'USAGE'],
    ['a file that is not there', { 'reference-cells': '/nowhere.h5ad' }, 'FILE_MISSING'],
  ])('are refused with %s, and the model is not stored', async (_, flags, code) => {
    const cells = await file('refused.h5ad')
    const all = { ...usual, name: 'refused', 'reference-cells': cells, ...flags }
    await expect(imported(at('scanvi'), all)).rejects.toMatchObject({ code })
    await expect(loadNetworkCard(await store(), 'refused')).rejects.toMatchObject({ code: 'MODEL_MISSING' })
  })

  it.each([
    ['logs', (row: number[]) => row.map((count) => Math.log1p((1e4 * count) / 20)), 'COUNTS_NEEDED'],
    ['counts that are not whole', (row: number[]) => row.map((count) => count + 0.5), 'COUNTS_NOT_FOUND'],
    ['negative counts', (row: number[]) => row.map((count) => -count), 'COUNTS_NOT_FOUND'],
    ['no counts at all', (row: number[]) => row.map(() => 0), 'COUNTS_NOT_FOUND'],
  ])('with %s are refused', async (_, change, code) => {
    const cells = await file('values.h5ad', (made) => {
      const full = counts.map((row) => (row.some((count) => count > 0) ? row : [4, 4, 4, 4, 4]))
      made.x = cellsOf(full.map(change), { genes: networkGenes }).x!
    })
    await expect(
      imported(at('scanvi'), { ...usual, name: 'values', 'reference-cells': cells }),
    ).rejects.toMatchObject({ code })
  })

  it('are nothing to a linear model', async () => {
    const cells = await file('linear.h5ad')
    const toy = await saveModel(await store(), toyModel(), { replace: true })
    await expect(
      imported(join(models, 'toy', toy.id), { name: 'toy', 'reference-cells': cells }),
    ).rejects.toMatchObject({ code: 'REFERENCE_CELLS_MODEL' })
  })
})

describe.runIf(hasShared)('cells that scvi-tools placed', () => {
  const golden = (...parts: string[]) => sharedPath('golden', 'scvi', ...parts)

  it('of a scVI lie where it placed them', async () => {
    const cells = golden('kang_2000x1500_counts.h5ad')
    const found = await imported(golden('kang_scvi_seed0'), {
      ...{ name: 'kang', 'reference-cells': cells, 'label-columns': 'cell_type,coarse' },
    })
    const kept = await keptOf('kang')
    expect([found.referenceCells, kept.cells]).toEqual([2000, 2000])
    expect(worst(kept.latent, goldenRows('kang_scvi_seed0.latent_mean'))).toBeLessThan(1e-5)
    const source = await openCells(cells)
    const { columns } = await source.obs()
    await source.close()
    for (const column of ['cell_type', 'coarse'])
      expect(labelsOf(kept, column)).toEqual(columnTexts(columns.get(column)!))
    expect(found.codes).not.toContain('REFERENCE_CELLS_OTHER')
  })

  it('of a SCANVI lie where it placed them, and beside them cells of batches that it does not know', async () => {
    const cells = sharedPath('data', 'kang_ifnb', 'kang_muscat_ctrl_stim.h5ad')
    const found = await imported(golden('muscat_surgery_ref_scanvi'), {
      ...{ name: 'muscat', 'reference-cells': cells, 'batch-column': 'sample_id' },
      'label-columns': 'coarse,cell_type',
    })
    expect(found.codes).toEqual(expect.arrayContaining(['BATCH_UNKNOWN', 'REFERENCE_CELLS_OTHER']))
    const kept = await keptOf('muscat')
    expect([kept.cells, kept.columns.map(({ column }) => column)]).toEqual([1556, ['cell_type', 'coarse']])
    const source = await openCells(cells)
    const { index } = await source.obs()
    await source.close()
    const recorded = goldenRows('muscat_surgery.ref_scanvi_latent')
    const rowOf = new Map(index.map((name, row) => [name, row]))
    const ours = recorded.cells.flatMap((name) => {
      const row = rowOf.get(name)!
      return Array.from(kept.latent.subarray(10 * row, 10 * row + 10))
    })
    expect(ours.length).toBe(7500)
    expect(worst(ours, recorded)).toBeLessThan(1e-5)
  })
})
