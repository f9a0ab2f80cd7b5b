/**
 * Publish of `annotate`: the query with its annotations beside what was there, the page, the picture and the table; result.json last.
 * Every file is written once and whole: a Publish that was killed goes on with the file it had come to.
 */
import { createReadStream } from 'node:fs'
import { basename, join } from 'node:path'
import { Readable } from 'node:stream'
import { addToCells } from '../../data/add-to-cells.ts'
import { AlreadyExists, type ErrorReport } from '../../job/errors.ts'
import { product } from '../../job/product.ts'
import { readJson } from '../../job/steps.ts'
import { resultsPrefix } from '../../job/uploads.ts'
import { writeCsv } from '../../report/csv.ts'
import { renderPage } from '../../report/page.ts'
import { renderScatter } from '../../report/scatter-png.ts'
import { localInput } from '../road/inputs.ts'
import type { StepContext, StepResult } from '../workflow.ts'
import { type Annotated, readAnnotated, readScores } from './annotated.ts'
import { annotations } from './annotations.ts'
import { predictionColumns } from './predictions.ts'
import { reportContent, scatterOf } from './report.ts'

/** What a script that started the job reads. */
export interface JobResult {
  jobId: string
  workflow: string
  name: string
  status: 'succeeded'
  created: string
  /** relative to this file */
  outputs: Record<string, string>
  summary: Record<string, unknown>
  notices: ErrorReport[]
  timings: { step: string; seconds: number; peakMemoryMiB: number }[]
  versions: Record<string, string>
}

export async function publish(context: StepContext): Promise<StepResult> {
  const { job, road, stores } = context
  const { outbox } = stores
  if ((await outbox.head(`${job.output}result.json`)) !== undefined) return { value: null, notices: [] }
  await clearOtherVersion(context)
  const annotated = await readAnnotated(context)
  const outputs = {
    h5ad: `${stem(road.inputs[0]!.pin.key)}.annotated.h5ad`,
    report: 'report.html',
    ...(annotated.layout !== null && { umap: 'umap.png' }),
    predictions: 'predictions.csv',
  }
  const leftOut = await writeCells(context, annotated, outputs.h5ad)
  const notices = [...annotated.notices, ...leftOut.map((line) => notCarried(line, outputs.h5ad))]
  await writeViews(context, { ...annotated, notices }, outputs)
  const result: JobResult = {
    jobId: job.jobId,
    workflow: road.workflow,
    name: job.name,
    status: 'succeeded',
    created: job.created,
    outputs,
    summary: annotated.summary,
    notices,
    timings: annotated.timings,
    versions: { [product.name.toLowerCase()]: product.version, node: process.version.slice(1) },
  }
  await outbox.remove(`${job.output}error.json`)
  await once(context, 'result.json', async () => textBytes(`${JSON.stringify(result, null, 2)}\n`))
  context.progress(4, 4, 'files', 'done')
  return { value: { outputs }, notices }
}

/** @returns what the input held and an h5ad has no form for */
async function writeCells(context: StepContext, annotated: Annotated, name: string): Promise<string[]> {
  const { road, step, stores, scratch } = context
  const source = await localInput(road.inputs[0]!.pin, { stores, scratch })
  context.progress(0, 4, 'files', 'writing the h5ad')
  await once(context, name, async () => {
    const path = join(scratch, 'annotated.h5ad')
    const size = { cells: annotated.prepared.cells, classes: annotated.labelled.classes.length }
    const additions = await annotations(annotated, { context, scores: await readScores(context, size) })
    const written = await addToCells(source.path, path, additions)
    await step.write('left-out.json', textBytes(JSON.stringify(written.leftOut)))
    return createReadStream(path)
  })
  await source.check()
  return (await readJson<string[]>(stores.work, `${step.prefix}left-out.json`)) ?? []
}

/** The table, the picture and the page. */
async function writeViews(
  context: StepContext,
  annotated: Annotated,
  outputs: { report: string; umap?: string; predictions: string } & Record<string, string>,
): Promise<void> {
  context.progress(1, 4, 'files', 'writing the table')
  await once(context, outputs.predictions, async () =>
    Readable.from(writeCsv(predictionColumns(annotated, context))),
  )
  context.progress(2, 4, 'files', 'drawing the map')
  const scatter = scatterOf(annotated, context)
  if (scatter !== null && outputs.umap !== undefined)
    await once(context, outputs.umap, () => renderScatter(scatter))
  context.progress(3, 4, 'files', 'writing the report')
  const content = reportContent(annotated, { context, outputs })
  await once(context, outputs.report, async () => textBytes(renderPage(content)))
}

/** What an earlier version of the code began to write here, and did not finish, is no part of this result. */
async function clearOtherVersion({ job, step, stores }: StepContext): Promise<void> {
  const { work, outbox } = stores
  const key = `${resultsPrefix(job.jobId, job.attempt)}publishing.json`
  const before = await readJson<{ prefix: string }>(work, key)
  if (before !== undefined && before.prefix !== step.prefix)
    for await (const { key: begun } of outbox.list(job.output)) if (isOurs(begun)) await outbox.remove(begun)
  await work.write(key, textBytes(JSON.stringify({ prefix: step.prefix })))
}

function isOurs(key: string): boolean {
  return /(?:^|\/)(?:[^/]+\.annotated\.h5ad|report\.html|umap\.png|predictions\.csv)$/.test(key)
}

/**
 * A file that is there was written whole, by an earlier run of the same job or by one that runs beside it: its content would be the same.
 */
async function once(
  { job, stores }: StepContext,
  name: string,
  make: () => Promise<Uint8Array | Readable>,
): Promise<void> {
  const key = `${job.output}${name}`
  if ((await stores.outbox.head(key)) !== undefined) return
  try {
    await stores.outbox.write(key, await make(), { onlyIfAbsent: true })
  } catch (error) {
    if (!(error instanceof AlreadyExists)) throw error
  }
}

function textBytes(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

/** Name of the input without its ending; a key may hold what a file name may not. */
function stem(key: string): string {
  const name = basename(key).replace(/\.(?:h5ad|h5|zarr\.zip|zarr|zip)$/i, '')
  const plain = name.replace(/[^\p{L}\p{N}._ -]+/gu, '_').slice(0, 100)
  return plain === '' || plain.startsWith('.') ? `query${plain}` : plain
}

function notCarried(line: string, place: string): ErrorReport {
  const remedy = 'It is still in the input'
  return { code: 'NOT_CARRIED_OVER', place, problem: line, remedy }
}
