/**
 * AWS Batch on this machine: a job is a child process, an array job one for each index, as many at a time as there are cores for.
 * A failure is told as Step Functions tells it of `batch:submitJob.sync`: States.TaskFailed, with DescribeJobs' answer as its cause.
 */
import { createWriteStream, type WriteStream } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { finished } from 'node:stream/promises'
import { z } from 'zod'
import { printable } from '../job/object-key.ts'
import { runChild } from './child.ts'
import type { BatchRequest, RoadEvent, RunBatchJob } from './state-machine.ts'

export interface LocalBatch {
  /** the program of a step */
  containerOf(state: string): string
  /** stores and version of the code; what else this process has in its environment is handed on too */
  environment: Readonly<Record<string, string>>
  /** folder for the logs of the children */
  logs: string
  /** processors of this machine */
  cores: number
  /** milliseconds between SIGTERM and SIGKILL */
  graceMs?: number
}

/** for a step to come to where it can go on from, as `graceMs` */
export const patienceMs = 20_000

const progressLine = z.object({
  celldrop: z.literal('progress'),
  shard: z.int().nonnegative().nullable(),
  done: z.number().nonnegative(),
  total: z.number().nonnegative(),
  unit: z.string().max(40),
  note: z.string().max(200),
})

export function localBatch(options: LocalBatch): RunBatchJob {
  return async (request, { state, signal, onEvent }) => {
    const size = request.ArrayProperties?.Size
    const ended: Ended[] = []
    let next = 0
    const runNext = async (): Promise<void> => {
      // after a failure nothing new is begun; what is finished is kept and found by the next run
      while (next < (size ?? 1) && !signal.aborted && ended.every(({ exitCode }) => exitCode === 0)) {
        const index = next++
        ended.push(
          await runShard(request, { options, state, signal, onEvent, ...(size !== undefined && { index }) }),
        )
      }
    }
    const slots = Math.max(1, Math.floor(options.cores / resource(request, 'VCPU', 1)))
    await mkdir(options.logs, { recursive: true })
    await Promise.all(Array.from({ length: Math.min(slots, size ?? 1) }, runNext))
    const failed = ended.find(({ exitCode }) => exitCode !== 0)
    if (failed === undefined && ended.length === (size ?? 1)) return description(request, 'SUCCEEDED')
    throw failure(request, failed, ended)
  }
}

interface Ended {
  exitCode: number
  log: string
}

interface Shard {
  options: LocalBatch
  state: string
  signal: AbortSignal
  onEvent(event: RoadEvent): void
  /** of an array job */
  index?: number
}

async function runShard(
  request: BatchRequest,
  { options, state, signal, onEvent, index }: Shard,
): Promise<Ended> {
  const path = join(options.logs, `${request.JobName}${index === undefined ? '' : `-${index}`}.log`)
  const log = createWriteStream(path, { flags: 'a' })
  const onLine = (line: string) => {
    const progress = readProgress(line, state)
    if (progress === undefined) log.write(`${line}\n`)
    else onEvent(progress)
  }
  try {
    const exitCode = await runChild(options.containerOf(state), {
      environment: {
        ...process.env,
        ...options.environment,
        ...Object.fromEntries(request.ContainerOverrides.Environment.map(({ Name, Value }) => [Name, Value])),
        ...(index !== undefined && { AWS_BATCH_JOB_ARRAY_INDEX: String(index) }),
      },
      memory: resource(request, 'MEMORY', 2048),
      log,
      onLine,
      signal,
      graceMs: options.graceMs ?? patienceMs,
    })
    return { exitCode, log: path }
  } finally {
    await close(log)
  }
}

async function close(log: WriteStream): Promise<void> {
  log.end()
  await finished(log)
}

function resource({ ContainerOverrides }: BatchRequest, type: string, otherwise: number): number {
  const need = ContainerOverrides.ResourceRequirements.find(({ Type }) => Type === type)
  return need === undefined ? otherwise : Number(need.Value)
}

function readProgress(line: string, step: string): RoadEvent | undefined {
  if (!line.startsWith('{"celldrop"')) return undefined
  try {
    const { shard, done, total, unit, note } = progressLine.parse(JSON.parse(line))
    return {
      event: 'progress',
      step,
      shard,
      done,
      total,
      unit: printable(unit),
      note: printable(note),
    }
  } catch {
    return undefined
  }
}

/** What Step Functions hands on of DescribeJobs: names begin with capitals. */
function description(request: BatchRequest, Status: 'SUCCEEDED' | 'FAILED') {
  const { JobName, JobQueue, JobDefinition, ArrayProperties } = request
  const { Environment, ResourceRequirements } = request.ContainerOverrides
  return {
    JobName,
    JobId: `local-${JobName}`,
    JobQueue,
    JobDefinition,
    Status,
    Container: { Environment, ResourceRequirements },
    ...(ArrayProperties !== undefined && { ArrayProperties }),
  }
}

/** Of an array job only its children have an exit code: the state machine may not go by more than AWS gives it. */
function failure(request: BatchRequest, failed: Ended | undefined, ended: readonly Ended[]): Error {
  const job = description(request, 'FAILED')
  const isArray = request.ArrayProperties !== undefined
  const succeeded = ended.filter(({ exitCode }) => exitCode === 0).length
  const reason = failed === undefined ? 'stopped' : `exit code ${failed.exitCode}, its log is ${failed.log}`
  const cause = {
    ...job,
    StatusReason: isArray ? 'Array Child Job failed' : 'Essential container in task exited',
    Container: {
      ...job.Container,
      Reason: reason,
      ...(failed !== undefined && { LogStreamName: failed.log }),
      ...(failed !== undefined && !isArray && { ExitCode: failed.exitCode }),
    },
    ...(isArray && {
      ArrayProperties: {
        ...request.ArrayProperties,
        StatusSummary: { SUCCEEDED: succeeded, FAILED: ended.length - succeeded },
      },
    }),
  }
  const error = new Error(JSON.stringify(cause))
  error.name = 'States.TaskFailed'
  return Object.assign(error, { exitCode: failed?.exitCode })
}
