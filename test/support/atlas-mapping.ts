/** Jobs that map a query onto an atlas with models of scvi-tools from shared/golden/scvi, and what came of them as plain values. */
import { copyFile, mkdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { AnnDataFile } from '../../lib/data/anndata/file.ts'
import { openCells } from '../../lib/data/open-cells.ts'
import { tableRows } from '../../lib/data/table-rows.ts'
import { writeH5ad } from '../../lib/data/write-h5ad.ts'
import { BadInput, type ErrorReport } from '../../lib/job/errors.ts'
import type { BatchState, RoadState } from '../../lib/job/road.ts'
import { resultsPrefix } from '../../lib/job/uploads.ts'
import { saveModel } from '../../lib/models/bundle.ts'
import { makeNetworkModel } from '../../lib/models/network-model.ts'
import type { ReferenceCells } from '../../lib/models/reference-cells.ts'
import type { ScanviShape } from '../../lib/models/scanvi-network.ts'
import type { CategoryColumn, ScanviModel, ScviModel } from '../../lib/models/scvi-model.ts'
import type { JobResult } from '../../lib/workflows/parts/results.ts'
import { toyScvi } from '../models/toy-scvi.ts'
import type { Installation } from './installation.ts'
import { filesUnder, runStepOf } from './road-run.ts'
import { jobFile, readObject, walk } from './walk.ts'

/** @returns its content id */
export async function storeNetwork(
  { stores }: Installation,
  name: string,
  model: ScviModel,
  { bins = null, reference }: { bins?: { count: number } | null; reference?: ReferenceCells } = {},
): Promise<string> {
  const made = makeNetworkModel(
    {
      name,
      version: '1',
      organism: 'Homo sapiens',
      geneIds: 'symbol',
      ontology: new Map(),
      bins,
      evaluation: null,
      licence: '',
      source: 'shared/golden/scvi',
      details: '',
      created: '2026-11-21T00:00:00Z',
      training: { epochs: null, settings: {}, versions: {}, sources: [] },
    },
    model,
    reference === undefined ? {} : { reference },
  )
  return (await saveModel(stores.models, made)).id
}

export async function copyToInbox({ folder }: Installation, from: string, key: string): Promise<void> {
  const path = join(folder.path, 'inbox', key)
  await mkdir(dirname(path), { recursive: true })
  await copyFile(from, path)
}

/** Some cells of a file as a file of the inbox. */
export async function cellsToInbox(
  { folder }: Installation,
  key: string,
  { from, isWanted }: { from: string; isWanted(row: number, text: (column: string) => string): boolean },
): Promise<void> {
  const file = await openCells(from)
  try {
    const obs = await file.obs()
    const text = (row: number) => (column: string) => {
      const content = obs.columns.get(column)
      if (content?.kind !== 'categorical') throw new Error(`${column} is not categorical`)
      return String(content.categories.values[content.codes[row]!])
    }
    const rows = Int32Array.from(Array.from(obs.index.keys()).filter((row) => isWanted(row, text(row))))
    const place = new Map(Array.from(rows, (row, at) => [row, at]))
    const matrix = await file.matrix('X')
    const path = join(folder.path, 'inbox', key)
    await mkdir(dirname(path), { recursive: true })
    await writeH5ad(path, {
      obs: tableRows(obs, rows),
      var: await file.var(),
      x: {
        rows: rows.length,
        columns: matrix.columns,
        type: 'float32',
        stored: matrix.stored,
        async *slabs() {
          for await (const slab of matrix.slabs())
            for (let row = 0; row < slab.rows; row++) {
              const start = place.get(slab.start + row)
              if (start === undefined) continue
              const [first, end] = [slab.indptr[row]!, slab.indptr[row + 1]!]
              yield {
                start,
                rows: 1,
                columns: slab.columns,
                indptr: Int32Array.of(0, end - first),
                indices: slab.indices.slice(first, end),
                values: Float32Array.from(slab.values.slice(first, end) as Float32Array),
              }
            }
        },
      },
    })
  } finally {
    await file.close()
  }
}

export interface MappedJob {
  result: JobResult
  page: string
  table: string[]
  files: Map<string, Buffer>
  /** of a file of the results */
  pathOf(name: string): string
  /** to be closed by who asked */
  cells: AnnDataFile
}

/** A whole job in this process; its inputs lie beside it, under `jobs/NAME/`. */
export async function mapWith(
  lab: Installation,
  name: string,
  settings: Record<string, unknown>,
): Promise<MappedJob> {
  const job = jobFile({ workflow: 'map-atlas', name, min_counts: 0, ...settings })
  const state = await walk(await lab.upload(`jobs/${name}/job.json`, job), lab.environment, 'PlanCompute')
  await runOrTell(lab, state)
  const files = await filesUnder(lab.stores.outbox, state.start.output)
  const result = JSON.parse(files.get('result.json')!.toString()) as JobResult
  const pathOf = (file: string) => join(lab.folder.path, 'outbox', state.start.output, file)
  return {
    result,
    pathOf,
    page: files.get('report.html')!.toString(),
    table: files.get('predictions.csv')!.toString().trimEnd().split('\r\n'),
    files,
    cells: (await openCells(pathOf(result.outputs.h5ad!))) as AnnDataFile,
  }
}

/** All steps of a planned job, up to the first that fails. @throws what it left of its failure */
async function runOrTell(lab: Installation, state: RoadState): Promise<void> {
  const { afterPrepare, shards } = state.plan!
  const { jobId, attempt } = state.start
  const steps: { step: BatchState; shard?: number }[] = [
    { step: 'Prepare' },
    ...(afterPrepare === 'Fit' ? [{ step: 'Fit' as const }] : []),
    ...Array.from({ length: shards }, (_, shard) => ({ step: 'Embed' as const, shard })),
    { step: 'Label' },
    { step: 'Publish' },
  ]
  for (const { step, shard } of steps) {
    if ((await runStepOf(lab, step, { state, ...(shard !== undefined && { shard }) })) === 0) continue
    const name = shard === undefined ? step : `${step}-${shard}`
    const key = `${resultsPrefix(jobId, attempt)}failures/${name}.json`
    const { code, place, problem, remedy } = await readObject<ErrorReport>(lab, key)
    throw new BadInput(code, place, problem, remedy)
  }
}

/** A SCANVI of drawn weights over these genes: batches 'a' and 'b' of Sample_ID, and these labels. */
export function toyAtlasModel(
  { genes, labels }: { genes: readonly string[]; labels: readonly string[] },
  shape: Partial<ScanviShape> = {},
): ScanviModel {
  const setup: CategoryColumn = { column: 'cell_type', categories: [...labels, 'Unknown'], type: 'text' }
  const drawn = toyScvi(
    {
      ...{ genes: genes.length, classes: labels.length, encodeCovariates: true },
      ...{ batchNorm: 'none', layerNorm: 'both', ...shape },
    },
    { seed: 5, labels: setup },
  )
  if (drawn.kind !== 'scanvi') throw new Error('a SCANVI was asked for')
  const batch: CategoryColumn = { column: 'Sample_ID', categories: ['a', 'b'], type: 'text' }
  return { ...drawn, genes, setup: { ...drawn.setup, batch } }
}
