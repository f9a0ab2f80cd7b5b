/**
 * What Publish of every workflow does: each file is written once and whole, so a Publish that was killed goes on with the file it had come
 * to; result.json is the last.
 */
import { createReadStream } from 'node:fs'
import { rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { Readable } from 'node:stream'
import { addToCells } from '../../data/add-to-cells.ts'
import type { Additions } from '../../data/add-to-h5ad.ts'
import { AlreadyExists, type ErrorReport } from '../../job/errors.ts'
import { product } from '../../job/product.ts'
import { readJson } from '../../job/steps.ts'
import { resultsPrefix } from '../../job/uploads.ts'
import { localInput } from '../road/inputs.ts'
import type { StepContext } from '../workflow.ts'
import type { Timing } from './records.ts'

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

export async function isPublished({ job, stores }: StepContext): Promise<boolean> {
  return (await stores.outbox.head(`${job.output}result.json`)) !== undefined
}

/**
 * A file that is there was written whole, by an earlier run of the same job or by one that runs beside it: its content would be the same.
 */
export async function once(
  { job, stores }: Pick<StepContext, 'job' | 'stores'>,
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

/**
 * The same of what needs a path to be written to. The file goes as soon as it is stored: a machine's disk need not hold all results at once.
 * @param make writes to a path where nothing is
 */
export async function onceByFile(
  context: Pick<StepContext, 'job' | 'stores' | 'scratch'>,
  name: string,
  make: (path: string) => Promise<void>,
): Promise<void> {
  const path = join(context.scratch, 'result.part')
  await once(context, name, async () => {
    await make(path)
    return createReadStream(path)
  })
  await rm(path, { force: true })
}

/**
 * The query's h5ad with what was found out beside what was there.
 * @returns a notice for each part of the input that an h5ad has no form for
 */
export async function writeCells(
  context: StepContext,
  { name, additions }: { name: string; additions: (path: string) => Promise<Additions> },
): Promise<ErrorReport[]> {
  const { road, step, stores, scratch } = context
  const source = await localInput(road.inputs[0]!.pin, { stores, scratch })
  try {
    await onceByFile(context, name, async (path) => {
      const written = await addToCells(source.path, path, await additions(source.path))
      await step.write('left-out.json', textBytes(JSON.stringify(written.leftOut)))
    })
    await source.check()
  } finally {
    await source.release()
  }
  const lines = (await readJson<string[]>(stores.work, `${step.prefix}left-out.json`)) ?? []
  return lines.map((problem) => ({
    code: 'NOT_CARRIED_OVER',
    place: name,
    problem,
    remedy: 'It is still in the input',
  }))
}

/** What an earlier version of the code began to write here, and did not finish, is no part of this result. */
export async function clearOtherVersion({ job, step, stores }: StepContext, ours: RegExp): Promise<void> {
  const { work, outbox } = stores
  const key = `${resultsPrefix(job.jobId, job.attempt)}publishing.json`
  const before = await readJson<{ prefix: string }>(work, key)
  if (before !== undefined && before.prefix !== step.prefix)
    for await (const { key: begun } of outbox.list(job.output))
      if (ours.test(basename(begun))) await outbox.remove(begun)
  await work.write(key, textBytes(JSON.stringify({ prefix: step.prefix })))
}

export async function writeResult(
  context: StepContext,
  {
    outputs,
    summary,
    notices,
    timings,
  }: Pick<JobResult, 'outputs' | 'summary' | 'notices'> & { timings: Timing[] },
): Promise<void> {
  const { job, road, stores } = context
  const result: JobResult = {
    jobId: job.jobId,
    workflow: road.workflow,
    name: job.name,
    status: 'succeeded',
    created: job.created,
    outputs,
    summary,
    notices,
    timings,
    versions: { [product.name.toLowerCase()]: product.version, node: process.version.slice(1) },
  }
  await stores.outbox.remove(`${job.output}error.json`)
  await once(context, 'result.json', async () => textBytes(`${JSON.stringify(result, null, 2)}\n`))
}

export function textBytes(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

/** Name of the input without its ending; a key may hold what a file name may not. */
export function stemOf(key: string): string {
  const name = basename(key).replace(/\.(?:h5ad|h5|zarr\.zip|zarr|zip)$/i, '')
  const plain = name.replace(/[^\p{L}\p{N}._ -]+/gu, '_').slice(0, 100)
  return plain === '' || plain.startsWith('.') ? `query${plain}` : plain
}
