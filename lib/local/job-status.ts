/** How the jobs of this machine stand: a small file for each, written by who runs it, read by `celldrop status`. */
import { join } from 'node:path'
import { z } from 'zod'
import type { ErrorReport } from '../job/errors.ts'
import { printable } from '../job/object-key.ts'
import { openStore } from '../job/open-store.ts'
import type { Start } from '../job/road.ts'
import { readJson } from '../job/steps.ts'
import type { ObjectStore } from '../job/store.ts'
import { isRunning } from './scratch.ts'
import type { RoadEvent } from './state-machine.ts'

const statusFile = z.object({
  jobId: z.string(),
  state: z.enum(['running', 'succeeded', 'failed', 'interrupted']),
  process: z.int(),
  /** the step that it is at, or was at last */
  step: z.string().nullable(),
  /** share of this step */
  progress: z.number().nullable(),
  results: z.string(),
  error: z
    .object({ code: z.string(), place: z.string(), problem: z.string(), remedy: z.string() })
    .nullable(),
  begun: z.string(),
  updated: z.string(),
})

export type JobStatus = z.infer<typeof statusFile>

export interface StatusWriter {
  note(event: RoadEvent): void
  end(state: 'succeeded' | 'failed' | 'interrupted', error?: ErrorReport): Promise<void>
}

const pauseMs = 1000

export async function openStatus(
  start: Start,
  { home, results, clock }: { home: string; results: string; clock(): number },
): Promise<StatusWriter> {
  const store = await statusStore(home)
  const now = () => new Date(clock()).toISOString()
  const status: JobStatus = {
    jobId: start.jobId,
    state: 'running',
    process: process.pid,
    step: null,
    progress: null,
    results,
    error: null,
    begun: now(),
    updated: now(),
  }
  let failed: string | undefined
  let last = Number.NEGATIVE_INFINITY
  let written = Promise.resolve()
  const write = () => {
    last = clock()
    const body = new TextEncoder().encode(`${JSON.stringify({ ...status, updated: now() })}\n`)
    // one after the other, or an older one could be the last
    written = written.then(async () => {
      await store.write(`${start.jobId}.json`, body).catch(() => undefined)
    })
    return written
  }
  await write()
  return {
    note(event) {
      if (event.event === 'step' && event.status === 'failed') failed = event.step
      if (event.event === 'step' && event.status !== 'started') return
      if (status.step !== event.step) Object.assign(status, { step: event.step, progress: null })
      if (event.event === 'progress') {
        status.progress = event.total > 0 ? Math.min(1, event.done / event.total) : null
        if (clock() - last < pauseMs) return
      }
      void write()
    },
    async end(state, error) {
      // after the step that failed came those that tell of it
      const step = state === 'failed' ? (failed ?? status.step) : status.step
      Object.assign(status, { state, step, progress: null, error: error ?? null })
      await write()
    },
  }
}

/** All that ever ran here and in this folder, the latest first. A job whose process is gone was interrupted. */
export async function readStatuses(home: string): Promise<JobStatus[]> {
  const store = await statusStore(home)
  const all: JobStatus[] = []
  for await (const { key } of store.list('')) {
    const found = statusFile.safeParse(await readJson(store, key, 1 << 20).catch(() => undefined))
    if (found.success) all.push(isLost(found.data) ? { ...found.data, state: 'interrupted' } : found.data)
  }
  return all.sort((a, b) => (a.begun < b.begun ? 1 : -1))
}

function isLost({ state, process: id }: JobStatus): boolean {
  return state === 'running' && !isRunning(id)
}

function statusStore(home: string): Promise<ObjectStore> {
  return openStore(join(home, 'jobs'))
}

export function describeStatus({ jobId, state, step, progress, results, error }: JobStatus): string {
  const at = step === null ? '' : `, ${step}${progress === null ? '' : ` ${Math.floor(100 * progress)} %`}`
  const lines = [`${jobId}: ${state}${state === 'succeeded' ? '' : at}`]
  if (state === 'succeeded') lines.push(`  ${results}`)
  if (state === 'interrupted') lines.push('  the same command goes on from there')
  if (error !== null) lines.push(`  ${error.code}: ${error.place}`, `  ${error.problem}`, `  ${error.remedy}`)
  return lines.map(printable).join('\n')
}
