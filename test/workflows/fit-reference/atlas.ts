/** Small atlases with batches and labels, and jobs of `fit-reference` on them in this process, step by step. */
import { join } from 'node:path'
import type { AnnDataFile } from '../../../lib/data/anndata/file.ts'
import type { Column } from '../../../lib/data/cells.ts'
import { openCells } from '../../../lib/data/open-cells.ts'
import type { AnnDataToWrite } from '../../../lib/data/write-h5ad.ts'
import { random } from '../../../lib/job/random.ts'
import type { RoadState } from '../../../lib/job/road.ts'
import { resultsPrefix } from '../../../lib/job/uploads.ts'
import type { JobResult } from '../../../lib/workflows/parts/results.ts'
import { cellsOf, type Installation } from '../../support/installation.ts'
import { filesUnder, runStepOf, runStepsOf } from '../../support/road-run.ts'
import { simulateCells, simulatedGenes } from '../../support/simulated-cells.ts'
import { walk } from '../../support/walk.ts'

export interface AtlasParts {
  counts: number[][]
  types: string[]
  /** '' for none */
  batches: string[]
}

/** Four types in two batches; the second has other counts of every third gene. */
export function simulatedParts(seed: number, cells: number): AtlasParts {
  const { counts, types } = simulateCells(seed, cells)
  const draw = random(seed + 1)
  const batches = types.map(() => (draw.uniform() < 0.5 ? 'one' : 'two'))
  const shifted = counts.map((row, cell) =>
    batches[cell] === 'one' ? row : row.map((count, gene) => (gene % 3 === 0 ? 2 * count + 1 : count)),
  )
  return { counts: shifted, types, batches }
}

export function atlasOf(
  { counts, types, batches }: AtlasParts,
  more: Record<string, Column> = {},
): AnnDataToWrite {
  const made = cellsOf(counts, { genes: simulatedGenes.slice(0, counts[0]!.length) })
  made.obs.columns.set('sample', texts(batches))
  made.obs.columns.set('type', texts(types))
  for (const [name, column] of Object.entries(more)) made.obs.columns.set(name, column)
  return made
}

/** '' is missing */
export function texts(values: readonly string[]): Column {
  const categories = [...new Set(values)].filter((value) => value !== '').sort()
  return {
    kind: 'categorical',
    codes: Int32Array.from(values, (value) => categories.indexOf(value)),
    categories: { kind: 'string', values: categories },
    ordered: false,
  }
}

/** As small as a network can be and still tell four types apart. */
export const small = {
  workflow: 'fit-reference',
  atlas: 'atlas.h5ad',
  name: 'mine',
  batch_key: 'sample',
  label_column: 'type',
  genes: 'all',
  n_hidden: 16,
  n_latent: 4,
  n_layers: 1,
  max_epochs: 25,
  scanvi_epochs: 12,
  batch_size: 32,
  lr: 0.01,
}

let count = 0

export async function uploadAtlas(
  lab: Installation,
  atlas: AnnDataToWrite,
  settings: Record<string, unknown> = {},
  files: Record<string, string> = {},
): Promise<RoadState> {
  const folder = `jobs/fit-${count++}`
  await lab.upload(`${folder}/atlas.h5ad`, atlas)
  for (const [name, content] of Object.entries(files)) await lab.upload(`${folder}/${name}`, content)
  return lab.upload(`${folder}/job.json`, JSON.stringify({ ...small, ...settings }))
}

export interface Made {
  state: RoadState
  files: Map<string, Buffer>
  result: JobResult
  file: AnnDataFile
}

export async function fitted(lab: Installation, start: RoadState): Promise<Made> {
  const state = await walk(start, lab.environment, 'PlanCompute')
  const codes = await runStepsOf(lab, state)
  if (codes.some((code) => code !== 0)) throw new Error(`steps ended with ${codes.join(', ')}`)
  return gathered(lab, state)
}

export async function gathered(lab: Installation, state: RoadState): Promise<Made> {
  const { output } = state.start
  const files = await filesUnder(lab.stores.outbox, output)
  const result = JSON.parse(files.get('result.json')!.toString()) as JobResult
  const path = join(lab.folder.path, 'outbox', output, result.outputs.h5ad!)
  return { state, files, result, file: (await openCells(path)) as AnnDataFile }
}

/** What Prepare refuses, as its failure says it. */
export async function refusal(
  lab: Installation,
  start: RoadState,
): Promise<{ code: string; problem: string }> {
  const state = await walk(start, lab.environment, 'PlanCompute')
  const ended = await runStepOf(lab, 'Prepare', { state })
  if (ended === 0) throw new Error('Prepare refused nothing')
  const { jobId, attempt } = state.start
  const key = `${resultsPrefix(jobId, attempt)}failures/Prepare.json`
  return JSON.parse(Buffer.from(await lab.stores.work.read(key, { maxBytes: 1 << 20 })).toString())
}
