/** An installation in a folder: the five stores, the environment that names them, and a small model of PBMC genes. */
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { AnnDataToWrite } from '../../lib/data/write-h5ad.ts'
import { writeH5ad } from '../../lib/data/write-h5ad.ts'
import type { RoadState } from '../../lib/job/road.ts'
import { type Environment, openStores, type Stores } from '../../lib/job/stores.ts'
import { startOf } from '../../lib/job/uploads.ts'
import { saveModel } from '../../lib/models/bundle.ts'
import { trainLinear } from '../../lib/models/train-linear.ts'
import { type TemporaryFolder, temporaryFolder } from './temporary-folder.ts'

export interface Installation {
  folder: TemporaryFolder
  environment: Environment
  stores: Stores
  /** Puts a file into the inbox and gives the state in which its job begins. */
  upload(key: string, content: string | AnnDataToWrite): Promise<RoadState>
}

export async function makeInstallation(extra: Record<string, string> = {}): Promise<Installation> {
  const folder = await temporaryFolder()
  const environment: Environment = {
    CELLDROP_INBOX: join(folder.path, 'inbox'),
    CELLDROP_WORK: join(folder.path, 'work'),
    CELLDROP_MODELS: join(folder.path, 'models'),
    CELLDROP_REFERENCES: join(folder.path, 'references'),
    CELLDROP_OUTBOX: join(folder.path, 'outbox'),
    CELLDROP_CODE: 'test',
    CELLDROP_QUEUES: JSON.stringify({
      cpuSpot: 'cpu-spot',
      cpuOnDemand: 'cpu-on-demand',
      gpuSpot: 'gpu-spot',
      gpuOnDemand: 'gpu-on-demand',
    }),
    ...extra,
  }
  const stores = await openStores(environment)
  return {
    folder,
    environment,
    stores,
    async upload(key, content) {
      const path = join(folder.path, 'inbox', key)
      await mkdir(dirname(path), { recursive: true })
      if (typeof content === 'string') await writeFile(path, content)
      else await writeH5ad(path, content)
      const { etag, size } = (await stores.inbox.head(key))!
      const created = '2026-11-21T10:00:00.000Z'
      return { start: startOf({ key, etag, size }, { inbox: stores.inbox.place, created }) }
    },
  }
}

export const toyGenes = ['CD3D', 'MS4A1', 'LYZ', 'ACTB']

/** Twelve cells of three types; counts of twenty a cell. */
export const toyCounts = [
  [9, 0, 1, 10],
  [8, 1, 0, 11],
  [7, 0, 0, 13],
  [10, 0, 2, 8],
  [0, 8, 1, 11],
  [1, 9, 0, 10],
  [0, 7, 0, 13],
  [0, 10, 2, 8],
  [1, 0, 9, 10],
  [0, 1, 8, 11],
  [0, 0, 7, 13],
  [0, 2, 10, 8],
]

export async function saveToyModel({ models }: Stores, name = 'toy'): Promise<string> {
  const logs = toyCounts.map((row) => row.map((count) => Math.log1p((count / 20) * 1e4)))
  const model = await trainLinear(
    {
      rows: logs.length,
      columns: 4,
      indptr: Int32Array.from({ length: 13 }, (_, row) => 4 * row),
      indices: Int32Array.from({ length: 48 }, (_, i) => i % 4),
      values: Float64Array.from(logs.flat()),
    },
    {
      codes: Int32Array.from([2, 2, 2, 2, 0, 0, 0, 0, 1, 1, 1, 1]),
      labels: ['B cell', 'monocyte', 'T cell'],
      genes: toyGenes,
      facts: {
        name,
        version: '1',
        organism: 'Homo sapiens',
        geneIds: 'symbol',
        ontology: {},
        licence: '',
        source: '',
        details: '',
        created: '2026-11-21T00:00:00Z',
      },
    },
  )
  return (await saveModel(models, model)).id
}

/** Cells as an h5ad: counts of the given genes. */
export function cellsOf(
  counts: readonly (readonly number[])[],
  { genes = toyGenes, names }: { genes?: readonly string[]; names?: readonly string[] } = {},
): AnnDataToWrite {
  const rows = counts.length
  const columns = genes.length
  const values = Float32Array.from(counts.flat())
  return {
    obs: {
      rows,
      indexName: '_index',
      index: names === undefined ? counts.map((_, i) => `cell-${i}`) : [...names],
      columns: new Map(),
    },
    var: { rows: columns, indexName: '_index', index: [...genes], columns: new Map() },
    x: {
      rows,
      columns,
      type: 'float32',
      stored: values.length,
      async *slabs() {
        yield {
          start: 0,
          rows,
          columns,
          indptr: Int32Array.from({ length: rows + 1 }, (_, row) => row * columns),
          indices: Int32Array.from({ length: values.length }, (_, i) => i % columns),
          values,
        }
      },
    },
  }
}
