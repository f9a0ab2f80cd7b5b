/**
 * RetryElsewhere: after a Batch step failed. A step that was killed without a word lost its Spot machine or its memory was not enough:
 * it goes back, on demand and with twice the memory. So does one that said it needs more. Whatever failed by itself has failed.
 */
import type { BatchState, PlanPart, RoadState, StepPlan } from '../../job/road.ts'
import { type Environment, openStores, setting } from '../../job/stores.ts'
import { isMisfit, missingPart, stepFailures } from './failure.ts'
import type { Queues } from './plan-compute.ts'
import { identityOf, unfinishedState } from './road-steps.ts'

const mostRetries = 4
const mostMemory = 240 * 1024

/** Errors of a step after which it may be tried again: a store that did not answer, and too little memory or disk. */
const passing = ['StoreUnavailable', 'TooSmall']

export async function retryElsewhere(state: RoadState, environment: Environment): Promise<RoadState> {
  const { start, job, plan, error } = state
  if (plan === undefined || job === undefined) throw missingPart('plan')
  const { work } = await openStores(environment)
  const unfinished = await unfinishedState(work, {
    plan,
    job: identityOf(start, job.name),
    code: setting(environment, 'CELLDROP_CODE'),
  })
  // the last step may be killed when it has just become done: run again it finds that, and the job has its result
  const failed = unfinished ?? 'Publish'
  const failures = await stepFailures(work, state, failed)
  const isFinal =
    failures.some(({ name }) => !passing.includes(name)) ||
    error?.Error === 'States.Timeout' ||
    isMisfit(error?.Cause) ||
    isInterrupted(error?.Cause)
  if (isFinal || plan.retries >= mostRetries) return { ...state, retry: { state: 'none' } }
  for (const { key } of failures) await work.remove(key)
  const queues = JSON.parse(setting(environment, 'CELLDROP_QUEUES')) as Queues
  return { ...state, plan: grown(plan, failed, queues), retry: { state: failed } }
}

/** A person who ends a job wants it ended. */
function isInterrupted(cause: string | undefined): boolean {
  return /terminated by user|cancell?ed by user/i.test(cause ?? '')
}

function grown(plan: PlanPart, failed: BatchState, queues: Queues): PlanPart {
  const { queue, resources } = plan.steps[failed]
  const larger: StepPlan = {
    queue: onDemand(queue, queues),
    resources: resources.map((need) =>
      need.Type === 'MEMORY'
        ? { ...need, Value: String(Math.min(mostMemory, 2 * Number(need.Value))) }
        : need,
    ),
  }
  return { ...plan, steps: { ...plan.steps, [failed]: larger }, retries: plan.retries + 1 }
}

function onDemand(queue: string, queues: Queues): string {
  if (queue === queues.cpuSpot) return queues.cpuOnDemand
  return queue === queues.gpuSpot ? (queues.gpuOnDemand ?? queue) : queue
}
