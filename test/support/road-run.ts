/**
 * Jobs along the whole road as `celldrop` runs them: the state machine's own file, the functions in this process, the containers as
 * child processes; and what they left, with the wall-clock times of this very run taken out.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { join, resolve } from 'node:path'
import type { BatchState, RoadState, Start } from '../../lib/job/road.ts'
import type { ObjectStore } from '../../lib/job/store.ts'
import { type LocalRun, runLocally } from '../../lib/local/local-road.ts'
import { runStep } from '../../lib/workflows/road/run-step.ts'
import type { Installation } from './installation.ts'
import type { RoadTask } from './road-process.ts'

export type RunOptions = Partial<Pick<LocalRun, 'signal' | 'onEvent' | 'mayReadAll' | 'defaultModel'>>

/** @throws JobFailed, Interrupted */
export async function runRoadOf(lab: Installation, start: Start, options: RunOptions = {}): Promise<void> {
  await runLocally(start, {
    places: placesOf(lab),
    mayReadAll: false,
    defaultModel: lab.environment.CELLDROP_DEFAULT_MODEL,
    signal: new AbortController().signal,
    onEvent: () => {},
    ...options,
  })
}

/** One step in this process, without the state machine. @returns its exit code */
export function runStepOf(
  lab: Installation,
  step: BatchState,
  { state, shard }: { state: RoadState; shard?: number },
): Promise<number> {
  const environment = {
    ...lab.environment,
    CELLDROP_SCRATCH: join(lab.folder.path, 'scratch'),
    CELLDROP_JOB: state.start.jobId,
    CELLDROP_ATTEMPT: String(state.start.attempt),
    CELLDROP_ROAD: state.plan!.road,
    ...(shard !== undefined && { AWS_BATCH_JOB_ARRAY_INDEX: String(shard) }),
  }
  return runStep(step, { environment, signal: new AbortController().signal, print: () => {} })
}

/** All steps of a planned job in this process, one after another. @returns their exit codes */
export async function runStepsOf(lab: Installation, state: RoadState): Promise<number[]> {
  const { afterPrepare, shards } = state.plan!
  const codes = [await runStepOf(lab, 'Prepare', { state })]
  if (afterPrepare === 'Publish') return [...codes, await runStepOf(lab, 'Publish', { state })]
  if (afterPrepare === 'Fit') codes.push(await runStepOf(lab, 'Fit', { state }))
  for (let shard = 0; shard < shards; shard++) codes.push(await runStepOf(lab, 'Embed', { state, shard }))
  for (const step of ['Label', 'Publish'] as const) codes.push(await runStepOf(lab, step, { state }))
  return codes
}

/** A whole job in a process of its own, which a test may end. */
export function spawnRoad(lab: Installation, start: Start): ChildProcess {
  const { CELLDROP_DEFAULT_MODEL: defaultModel } = lab.environment
  const task: RoadTask = { start, places: placesOf(lab), defaultModel }
  const program = resolve(import.meta.dirname, 'road-process.ts')
  return spawn(process.execPath, [program, JSON.stringify(task)], { stdio: ['ignore', 'pipe', 'pipe'] })
}

export function placesOf({ folder, environment }: Installation): LocalRun['places'] {
  const place = (name: string): string => environment[`CELLDROP_${name}`]!
  return {
    home: folder.path,
    inbox: place('INBOX'),
    work: place('WORK'),
    models: place('MODELS'),
    references: place('REFERENCES'),
    outbox: place('OUTBOX'),
  }
}

/** Everything under a prefix of a store, by name. */
export async function filesUnder(store: ObjectStore, prefix: string): Promise<Map<string, Buffer>> {
  const files = new Map<string, Buffer>()
  for await (const { key } of store.list(prefix)) {
    const bytes = await store.read(key, { maxBytes: 1 << 30 })
    files.set(key.slice(prefix.length), Buffer.from(bytes))
  }
  return files
}

/** By file a hash of its content; of the report and result.json without the times, which no two runs share. */
export function fingerprints(files: ReadonlyMap<string, Buffer>): Record<string, string> {
  const marks: Record<string, string> = {}
  for (const [name, bytes] of files) {
    const content = name === 'result.json' ? untimedResult(bytes) : bytes
    marks[name] = sha256(name === 'report.html' ? untimedPage(bytes) : content)
  }
  return marks
}

function untimedResult(bytes: Buffer): string {
  return JSON.stringify(JSON.parse(bytes.toString()), (key, value: unknown) =>
    key === 'timings' ? [] : value,
  )
}

/** The page has its times in one section and nowhere else. */
export function untimedPage(bytes: Buffer): string {
  const [before, section, ...rest] = bytes.toString().split(/(?=<section[^>]* id="timings")/)
  if (section === undefined || rest.length > 0) throw new Error('the page has not one section of times')
  return before + section.replace(/^.*?<\/section>/s, '')
}

export function sha256(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex')
}
