/** The Batch steps of one road: where each keeps its outputs, and which is the first that has not been finished. */
import type { AfterPrepare, BatchState, PlanPart, Start } from '../../job/road.ts'
import { openStep, type Step } from '../../job/steps.ts'
import type { ObjectStore } from '../../job/store.ts'
import type { JobIdentity } from '../workflow.ts'

const order = ['Prepare', 'Fit', 'Embed', 'Label', 'Publish'] as const satisfies readonly BatchState[]

export function identityOf({ jobId, attempt, created, output }: Start, name: string): JobIdentity {
  return { jobId, attempt, created, output, name }
}

/** The steps of a road, by where it goes on after Prepare. */
const stepsFrom: Record<AfterPrepare, readonly BatchState[]> = {
  Fit: order,
  Embed: order.filter((state) => state !== 'Fit'),
  Publish: ['Prepare', 'Publish'],
}

/**
 * Publish belongs to one job; what comes before it is shared by all jobs that ask for the same. Where Prepare itself finds what the job
 * works on, nothing of that stands in the road, so that it belongs to the one job too.
 */
export function openRoadStep(work: ObjectStore, name: RoadStepName): Step {
  const { state, code, roadKey, job, part, afterPrepare } = name
  const isOfJob = state === 'Publish' || afterPrepare === 'Publish'
  const dependsOn = isOfJob ? [roadKey, job] : [roadKey]
  return openStep(work, { state, code, dependsOn, ...(part !== undefined && { part }) })
}

export interface RoadStepName {
  state: BatchState
  code: string
  roadKey: string
  afterPrepare: AfterPrepare
  job: JobIdentity
  /** shard of Embed */
  part?: number | undefined
}

/** @returns undefined when all are done */
export async function unfinishedState(
  work: ObjectStore,
  { plan, job, code }: { plan: PlanPart; job: JobIdentity; code: string },
): Promise<BatchState | undefined> {
  const { road: roadKey, afterPrepare } = plan
  for (const state of stepsFrom[afterPrepare]) {
    const step = openRoadStep(work, { state, code, roadKey, afterPrepare, job })
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
