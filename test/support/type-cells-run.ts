/** Jobs of `type-cells` in this process, step by step, and what their results hold. */
import { join } from 'node:path'
import { expect } from 'vitest'
import type { AnnDataFile } from '../../lib/data/anndata/file.ts'
import type { Table } from '../../lib/data/cells.ts'
import { openCells } from '../../lib/data/open-cells.ts'
import type { AnnDataToWrite } from '../../lib/data/write-h5ad.ts'
import type { ErrorReport } from '../../lib/job/errors.ts'
import type { RoadState } from '../../lib/job/road.ts'
import { openStep } from '../../lib/job/steps.ts'
import type { JobResult } from '../../lib/workflows/parts/results.ts'
import type { Prepared } from '../../lib/workflows/type-cells/prepare.ts'
import type { Installation } from './installation.ts'
import { textsOf } from './read-h5ad.ts'
import { filesUnder, runStepOf, runStepsOf } from './road-run.ts'
import { readObject, walk } from './walk.ts'

/** Files beside the job file by name, texts as they are; the query is q.h5ad, references are ref-1.h5ad, ref-2.h5ad ... */
export type JobFiles = Record<string, AnnDataToWrite | string | Buffer>

let count = 0

/** Uploads a job with its files. Plots and map are left out unless asked for: they take most of the time. */
export async function uploadTyping(
  lab: Installation,
  files: JobFiles,
  settings: Record<string, unknown> = {},
): Promise<RoadState> {
  const folder = `jobs/typing-${count++}`
  for (const [name, content] of Object.entries(files))
    if (Buffer.isBuffer(content)) await lab.stores.inbox.write(`${folder}/${name}`, content)
    else await lab.upload(`${folder}/${name}`, content)
  const references = Object.keys(files)
    .filter((name) => name.startsWith('ref-'))
    .sort()
  const job = {
    workflow: 'type-cells',
    query: 'q.h5ad',
    references,
    label_columns: references.map(() => 'cell_type'),
    min_cells_per_type: 10,
    umap: false,
    generate_plots: false,
    ...settings,
  }
  return lab.upload(`${folder}/job.json`, JSON.stringify(job))
}

/** Which cells a job would learn from, of each class: the road as far as Prepare, which is much faster. */
export async function learntCells(
  lab: Installation,
  files: JobFiles,
  settings: Record<string, unknown> = {},
): Promise<{ cells: Record<string, number>; notices: ErrorReport[] }> {
  const state = await walk(await uploadTyping(lab, files, settings), lab.environment, 'PlanCompute')
  expect(await runStepOf(lab, 'Prepare', { state })).toBe(0)
  const { road: key } = state.plan!
  const step = openStep(lab.stores.work, { state: 'Prepare', code: 'test', dependsOn: [key] })
  const { value, notices } = await step.finished()
  const cells = new Map<string, number>()
  for (const { group, after } of (value as Prepared).balance)
    if (after > 0) cells.set(group, (cells.get(group) ?? 0) + after)
  const road = await readObject<{ notices: ErrorReport[] }>(lab, key)
  return { cells: Object.fromEntries(cells), notices: [...road.notices, ...notices] }
}

export interface TypedRun {
  state: RoadState
  files: Map<string, Buffer>
  result: JobResult
  codes: string[]
  notices: Map<string, ErrorReport>
  obs: Table
  /** what column of obs says, one a cell */
  texts(column: string): (string | undefined)[]
  /** one a cell */
  labels: (string | undefined)[]
  predicted: (string | undefined)[]
  path: string
  /** opens the h5ad for as long as `look` takes */
  look<Found>(look: (file: AnnDataFile) => Promise<Found>): Promise<Found>
}

/** The whole road of one job. */
export async function typed(
  lab: Installation,
  files: JobFiles,
  settings: Record<string, unknown> = {},
): Promise<TypedRun> {
  const state = await walk(await uploadTyping(lab, files, settings), lab.environment, 'PlanCompute')
  expect(await runStepsOf(lab, state)).toEqual([0, 0, 0, 0, 0, 0])
  return resultOf(lab, { state, prefix: String(settings.annotation_prefix ?? 'cell_type') })
}

export async function resultOf(
  lab: Installation,
  { state, prefix = 'cell_type' }: { state: RoadState; prefix?: string },
): Promise<TypedRun> {
  const files = await filesUnder(lab.stores.outbox, state.start.output)
  const result = JSON.parse(files.get('result.json')!.toString()) as JobResult
  const path = join(lab.folder.path, 'outbox', state.start.output, result.outputs.h5ad!)
  const look = async <Found>(seen: (file: AnnDataFile) => Promise<Found>) => {
    const file = (await openCells(path)) as AnnDataFile
    try {
      return await seen(file)
    } finally {
      await file.close()
    }
  }
  const obs = await look((file) => file.obs())
  const texts = (column: string) => textsOf(obs.columns.get(column))
  const { notices } = result
  return {
    ...{ state, files, result, obs, texts, path, look },
    codes: notices.map(({ code }) => code),
    notices: new Map(notices.map((notice) => [notice.code, notice])),
    labels: texts(prefix),
    predicted: texts(`${prefix}_predicted`),
  }
}

/** The lines of a CSV without quoted line ends, as objects. */
export function csvOf(bytes: Buffer | undefined): Record<string, string>[] {
  const [head = '', ...lines] = bytes!.toString().trimEnd().split('\r\n')
  const fields = (line: string) =>
    (line.match(/(?:^|,)(?:"(?:[^"]|"")*"|[^,]*)/g) ?? []).map((field) =>
      field
        .replace(/^,/, '')
        .replace(/^"(.*)"$/s, '$1')
        .replaceAll('""', '"'),
    )
  const names = fields(head)
  return lines.map((line) => Object.fromEntries(fields(line).map((field, at) => [names[at]!, field])))
}

/** How many of all cells have it. */
export function shareOf(values: readonly (string | undefined)[], truth: readonly string[]): number {
  return values.filter((value, cell) => value === truth[cell]).length / truth.length
}
