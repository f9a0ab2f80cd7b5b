/** The Batch steps of one road: where each keeps its outputs, and which is the first that has not been finished. */
import type { BatchState, PlanPart, Start } from '../../job/road.ts'
import { openStep, type Step } from '../../job/steps.ts'
import type { ObjectStore } from '../../job/store.ts'
import type { JobIdentity } from '../workflow.ts'

const order = ['Prepare', 'Fit', 'Embed', 'Label', 'Publish'] as const satisfies readonly BatchState[]

export function identityOf({ jobId, attempt, created, output }: Start, name: string): JobIdentity {
  return { jobId, attempt, created, output, name }
}

/** Publish belongs to one job; what comes before it is shared by all jobs that ask for the same. */
export function openRoadStep(work: ObjectStore, { state, code, roadKey, job, part }: RoadStepName): Step {
  const dependsOn = state === 'Publish' ? [roadKey, job] : [roadKey]
  return openStep(work, { state, code, dependsOn, ...(part !== undefined && { part }) })
}

export interface RoadStepName {
  state: BatchState
  code: string
  roadKey: string
  job: JobIdentity
  /** shard of Embed */
  part?: number | undefined
}

/** @returns undefined when all are done */
export async function unfinishedState(
  work: ObjectStore,
  { plan, job, code }: { plan: PlanPart; job: JobIdentity; code: string },
): Promise<BatchState | undefined> {
  for (const state of order) {
    if (state === 'Fit' && !plan.trains) continue
    const step = openRoadStep(work, { state, code, roadKey: plan.road, job })
    const isDone =
      state === 'Embed'
        ? (await recordsUnder(work, step.prefix)) >= plan.shards
        : (await step.record()) !== undefined
    if (!isDone) return state
  }
  return undefined
}

/** Of an array job one a shard; there may be thousands, too many to be asked for one by one within a Lambda's time. */
async function recordsUnder(work: ObjectStore, prefix: string): Promise<number> {
  let records = 0
  for await (const { key } of work.list(prefix)) if (key.endsWith('/record.json')) records++
  return records
}
