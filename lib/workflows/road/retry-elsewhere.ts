/**
 * RetryElsewhere: after a Batch step failed. A step whose Spot machine was taken goes back, on demand. One that was killed without a word
 * had too little memory: it goes back with twice as much, as does one that said so. Whatever failed by itself has failed.
 */
import type { BatchState, PlanPart, RoadState, StepPlan } from '../../job/road.ts'
import { type Environment, openStores, setting } from '../../job/stores.ts'
import { isMisfit, missingPart, stepFailures } from './failure.ts'
import { mostMemory, type Queues } from './machines.ts'
import { identityOf, unfinishedState } from './road-steps.ts'

const mostRetries = 4

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
  const memory = isReclaimed(error?.Cause) ? 1 : 2
  return { ...state, plan: grown(plan, failed, { queues, memory }), retry: { state: failed } }
}

/** A person who ends a job wants it ended. */
function isInterrupted(cause: string | undefined): boolean {
  return /terminated by user|cancell?ed by user/i.test(cause ?? '')
}

/** What Batch says of a job whose machine was taken from under it. */
function isReclaimed(cause: string | undefined): boolean {
  return /Host EC2 \(instance [^)]*\) terminated/.test(cause ?? '')
}

function grown(
  plan: PlanPart,
  failed: BatchState,
  { queues, memory }: { queues: Queues; memory: number },
): PlanPart {
  const { queue, resources } = plan.steps[failed]
  const larger: StepPlan = {
    queue: onDemand(queue, queues),
    resources: resources.map((need) =>
      need.Type === 'MEMORY'
        ? { ...need, Value: String(Math.min(mostMemory, memory * Number(need.Value))) }
        : need,
    ),
  }
  return { ...plan, steps: { ...plan.steps, [failed]: larger }, retries: plan.retries + 1 }
}

function onDemand(queue: string, queues: Queues): string {
  if (queue === queues.cpuSpot) return queues.cpuOnDemand
  return queue === queues.gpuSpot ? (queues.gpuOnDemand ?? queue) : queue
}
