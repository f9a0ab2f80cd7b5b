/** A query of a few hundred cells and a model that knows their three kinds, for trials of the whole road. */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { type AnnDataToWrite, writeH5ad } from '../../lib/data/write-h5ad.ts'
import { openFolderStore } from '../../lib/job/folder-store.ts'
import { random } from '../../lib/job/random.ts'
import { saveModel } from '../../lib/models/bundle.ts'
import { makeLinearModel } from '../../lib/models/linear-model.ts'

export const kinds = ['B cell', 'monocyte', 'T cell']
const genes = Array.from({ length: 120 }, (_, i) => `GENE${i + 1}`)
const markersEach = 20

/** @returns the kind of each cell */
export async function writeQuery(path: string, { cells = 300, seed = 1 } = {}): Promise<string[]> {
  const truth = Array.from({ length: cells }, (_, cell) => cell % kinds.length)
  const { uniform } = random(seed)
  const rows = truth.map((kind) =>
    genes.map((_, gene) => {
      const mean = Math.floor(gene / markersEach) === kind ? 12 : 1.5
      return Math.floor(-mean * Math.log(1 - uniform()) * 0.9 + 0.2)
    }),
  )
  await writeH5ad(path, anndata(rows))
  return truth.map((kind) => kinds[kind]!)
}

function anndata(rows: readonly number[][]): AnnDataToWrite {
  const indptr = [0]
  const indices: number[] = []
  const values: number[] = []
  for (const row of rows) {
    row.forEach((count, gene) => {
      if (count === 0) return
      indices.push(gene)
      values.push(count)
    })
    indptr.push(indices.length)
  }
  const slab = {
    start: 0,
    rows: rows.length,
    columns: genes.length,
    indptr: Int32Array.from(indptr),
    indices: Int32Array.from(indices),
    values: Float32Array.from(values),
  }
  const table = (index: string[]) => ({ rows: index.length, indexName: '_index', index, columns: new Map() })
  return {
    x: {
      rows: rows.length,
      columns: genes.length,
      type: 'float32',
      stored: indices.length,
      slabs: async function* () {
        yield slab
      },
    },
    obs: table(rows.map((_, cell) => `cell${cell}`)),
    var: table([...genes]),
  }
}

/** Saved as `kinds`. @param version two versions are two models of one name */
export async function saveKinds(folder: string, { version = '1', replace = false } = {}): Promise<void> {
  await mkdir(folder, { recursive: true })
  const weights = new Float64Array(kinds.length * genes.length)
  kinds.forEach((_, kind) => {
    weights.fill(
      0.6,
      kind * genes.length + kind * markersEach,
      kind * genes.length + (kind + 1) * markersEach,
    )
  })
  const model = makeLinearModel(
    {
      name: 'kinds',
      version,
      organism: 'Homo sapiens',
      geneIds: 'symbol',
      genes,
      labels: kinds,
      ontology: {},
      labelsSource: '',
      loss: 'ovr',
      clip: 10,
      centred: true,
      classifiers: ['default'],
      licence: 'CC0-1.0',
      source: 'made up',
      details: '',
      url: '',
      trained: { how: 'by hand', estimator: 'LogisticRegression', date: '', cells: null, parameters: {} },
      metrics: {},
      created: '2026-11-21T00:00:00.000Z',
    },
    {
      weights,
      intercept: new Float64Array(kinds.length).fill(-2),
      mean: new Float64Array(genes.length).fill(3),
      scale: new Float64Array(genes.length).fill(1),
    },
  )
  await saveModel(await openFolderStore(folder), model, { replace })
}

export const modelsIn = (folder: string): string => join(folder, 'models')
