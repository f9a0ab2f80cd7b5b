/**
 * One Batch step in its own process: opens the stores, finds the road, runs the workflow's method, leaves a record or a failure file.
 * A step that was done before returns at once. SIGTERM (a Spot machine that is taken, Ctrl-C) ends it cleanly; run again, it goes on.
 */
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { type ErrorReport, Interrupted, isCoded } from '../../job/errors.ts'
import type { BatchState } from '../../job/road.ts'
import { readJson } from '../../job/steps.ts'
import type { ObjectStore } from '../../job/store.ts'
import { type Environment, openStores, type Stores, setting } from '../../job/stores.ts'
import { resultsPrefix } from '../../job/uploads.ts'
import { afterPrepareOf } from '../rules.ts'
import type { GeneMaps, Road, StepContext, StepMethod } from '../workflow.ts'
import { workflows } from '../workflows.ts'
import { missingPart } from './failure.ts'
import { errorOfInput, noticeOfInput } from './input-copies.ts'
import { reportOf } from './lambda.ts'
import { identityOf, openRoadStep } from './road-steps.ts'
import { jobKey, readJob } from './validate-job.ts'

/** What AWS Batch and the local runner tell a failure by. */
export const stepExit = {
  done: 0,
  failed: 1,
  badInput: 10,
  tooSmall: 20,
  unavailable: 30,
  stopped: 143,
} as const

export interface Progress {
  celldrop: 'progress'
  state: BatchState
  shard: number | null
  done: number
  total: number
  unit: string
  note: string
}

/** @returns the exit code */
export async function runStep(
  state: BatchState,
  {
    environment,
    signal,
    print,
  }: { environment: Environment; signal: AbortSignal; print(line: string): void },
): Promise<number> {
  const shard = Number(environment.AWS_BATCH_JOB_ARRAY_INDEX ?? 0)
  let stores: Stores | undefined
  try {
    stores = await openStores(environment)
    await workStep(state, { environment, signal, print, stores, shard })
    return stepExit.done
  } catch (thrown) {
    const error = signal.aborted ? signal.reason : thrown
    if (error instanceof Interrupted) return stepExit.stopped
    process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`)
    const name = failureName(error)
    const failure = { ...failureReport(error, name), name, state }
    await leaveFailure(stores?.work, failure, { environment, shard })
    return exitOf(name)
  }
}

interface StepRun {
  environment: Environment
  signal: AbortSignal
  print(line: string): void
  stores: Stores
  shard: number
}

async function workStep(
  state: BatchState,
  { environment, signal, print, stores, shard }: StepRun,
): Promise<void> {
  const roadKey = setting(environment, 'CELLDROP_ROAD')
  const road = await readJson<Road>(stores.work, roadKey)
  if (road === undefined) throw missingPart('plan.road')
  const jobId = setting(environment, 'CELLDROP_JOB')
  const attempt = Number(setting(environment, 'CELLDROP_ATTEMPT'))
  const { start, name } = await readJob(stores.work, { key: jobKey({ jobId, attempt }) })
  const job = identityOf(start, name)
  const code = setting(environment, 'CELLDROP_CODE')
  const afterPrepare = afterPrepareOf(road.settings)
  const stepOf = (of: BatchState, part?: number) =>
    openRoadStep(stores.work, { state: of, code, roadKey, afterPrepare, job, part })
  const step = stepOf(state, state === 'Embed' ? shard : undefined)
  if ((await step.record()) !== undefined && (await isStillThere(state, { stores, output: job.output })))
    return
  const base = setting(environment, 'CELLDROP_SCRATCH')
  await mkdir(base, { recursive: true })
  const scratch = await mkdtemp(join(base, `${state}-`))
  const method = (await workflows[road.workflow][state]()) as unknown as StepMethod
  const begun = performance.now()
  let lastProgress = Number.NEGATIVE_INFINITY
  const context: StepContext = {
    road,
    stores,
    job,
    scratch,
    step,
    before: stepOf,
    geneMaps: async () => {
      const maps = await readJson<GeneMaps>(stores.work, road.genes)
      if (maps === undefined) throw missingPart('genes')
      return maps
    },
    shard,
    signal,
    clock: () => performance.now(),
    progress(done, total, unit, note) {
      signal.throwIfAborted()
      const now = performance.now()
      if (now - lastProgress < 200 && done < total) return
      lastProgress = now
      const part = state === 'Embed' ? shard : null
      print(
        JSON.stringify({
          celldrop: 'progress',
          state,
          shard: part,
          done,
          total,
          unit,
          note,
        } satisfies Progress),
      )
    },
  }
  try {
    const result = await method(context).catch((error: unknown) => {
      throw errorOfInput(error, { road, scratch })
    })
    const notices = result.notices.map((notice) => noticeOfInput(notice, { road, scratch }))
    const seconds = Math.round(performance.now() - begun) / 1000
    const peakMemory = Math.round(process.resourceUsage().maxRSS / 1024)
    await step.finish({ value: result.value, notices, seconds, peakMemory })
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

/** Results are the user's to move or remove: then Publish makes them again. */
async function isStillThere(
  state: BatchState,
  { stores, output }: { stores: Stores; output: string },
): Promise<boolean> {
  return state !== 'Publish' || (await stores.outbox.head(`${output}result.json`)) !== undefined
}

function failureName(error: unknown): string {
  if (isOutOfSpace(error)) return 'TooSmall'
  return error instanceof Error ? error.name : 'Error'
}

/** A full disk or an allocation that failed: a larger machine may do. */
function isOutOfSpace(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const code = 'code' in error ? error.code : undefined
  if (code === 'ENOSPC' || code === 'ENOMEM' || code === 'ERR_MEMORY_ALLOCATION_FAILED') return true
  return error instanceof RangeError && /allocation failed|Array buffer/i.test(error.message)
}

function failureReport(error: unknown, name: string): ErrorReport {
  if (name !== 'TooSmall' || isCoded(error)) return reportOf(error)
  const problem = `memory or disk was not enough: ${error instanceof Error ? error.message : String(error)}`
  return { code: 'RESOURCES_EXHAUSTED', place: 'celldrop', problem, remedy: 'Run it on a larger machine' }
}

function exitOf(name: string): number {
  if (name === 'BadInput' || name === 'AlreadyExists') return stepExit.badInput
  if (name === 'TooSmall') return stepExit.tooSmall
  return name === 'StoreUnavailable' ? stepExit.unavailable : stepExit.failed
}

async function leaveFailure(
  work: ObjectStore | undefined,
  failure: ErrorReport & { name: string; state: BatchState },
  { environment, shard }: { environment: Environment; shard: number },
): Promise<void> {
  const { CELLDROP_JOB: jobId, CELLDROP_ATTEMPT: attempt } = environment
  if (work === undefined || jobId === undefined || attempt === undefined) return
  const name = failure.state === 'Embed' ? `${failure.state}-${shard}` : failure.state
  const key = `${resultsPrefix(jobId, Number(attempt))}failures/${name}.json`
  // where even this fails, the exit code is what remains
  await work.write(key, new TextEncoder().encode(JSON.stringify(failure))).catch(() => {})
}
