/**
 * What went wrong, from what a state machine and a dead process leave: the error it caught and the failure files of the steps.
 * A step that ends by itself leaves a failure file; one without was killed: its machine was taken, or its memory was not enough.
 */
import { type ErrorReport, StoreFailure } from '../../job/errors.ts'
import type { BatchState, RoadState } from '../../job/road.ts'
import { readJson } from '../../job/steps.ts'
import type { ObjectStore } from '../../job/store.ts'
import { resultsPrefix } from '../../job/uploads.ts'

export interface StepFailure extends ErrorReport {
  /** class of the error */
  name: string
  state: BatchState
  key: string
}

export function failurePrefix({ start }: Pick<RoadState, 'start'>): string {
  return `${resultsPrefix(start.jobId, start.attempt)}failures/`
}

/** @param failed of which step; what an earlier one said and overcame explains nothing */
export async function stepFailures(
  work: ObjectStore,
  state: RoadState,
  failed: BatchState | undefined,
): Promise<StepFailure[]> {
  const failures: StepFailure[] = []
  for await (const { key } of work.list(failurePrefix(state))) {
    const failure = await readJson<StepFailure>(work, key, 1 << 20)
    if (failure !== undefined && failure.state === failed) failures.push({ ...failure, key })
    if (failures.length >= 1000) break
  }
  // the user's own mistake explains more than what followed from it
  return failures.sort((a, b) => Number(b.name === 'BadInput') - Number(a.name === 'BadInput'))
}

/** Of a Lambda: {errorType, errorMessage}, where the message is our report. */
export function lambdaReport(cause: string | undefined): (ErrorReport & { name: string }) | undefined {
  const answer = parsed(cause)
  if (typeof answer !== 'object' || answer === null || !('errorMessage' in answer)) return undefined
  const report = parsed(answer.errorMessage)
  const name = 'errorType' in answer ? String(answer.errorType) : 'Error'
  if (isReport(report)) return { ...report, name }
  const problem = String(answer.errorMessage).slice(0, 2000)
  return { code: 'INTERNAL', place: 'celldrop', problem, remedy: 'Look at the log of the function', name }
}

/** Of anything else that a state machine catches: a time limit, a service that refused, a killed job. */
export function machineReport(state: BatchState | undefined, error: RoadState['error']): ErrorReport {
  const place = state ?? 'state machine'
  if (error?.Error === 'States.Timeout') {
    const remedy = 'Give it as smaller files, or raise the time limit of this step in the stack'
    return { code: 'STEP_TIMEOUT', place, problem: 'the step took longer than its time limit', remedy }
  }
  if (isMisfit(error?.Cause)) {
    const problem = 'there is no machine in this account that is large enough for the step'
    const remedy = 'Give it as smaller files, or allow larger machines in the stack'
    return { code: 'MACHINE_MISSING', place, problem, remedy }
  }
  const reason = batchReason(error?.Cause) || error?.Cause || error?.Error || 'no reason was given'
  const remedy =
    'Run the job again: what is finished is kept. If it fails again, look at the log of this step'
  return {
    code: 'STEP_LOST',
    place,
    problem: `the step ended without a result: ${reason.slice(0, 1000)}`,
    remedy,
  }
}

/** The queue gave a job up that waited for a machine of a size that it has none of. */
export function isMisfit(cause: string | undefined): boolean {
  return batchReason(cause)?.includes('MISCONFIGURATION:') ?? false
}

/** The reason in a Batch job's description. */
function batchReason(cause: string | undefined): string | undefined {
  const job = parsed(cause)
  if (typeof job !== 'object' || job === null) return undefined
  const reason = 'StatusReason' in job ? String(job.StatusReason) : undefined
  const container = 'Container' in job && typeof job.Container === 'object' ? job.Container : null
  const exit = container !== null && 'ExitCode' in container ? `exit code ${container.ExitCode}` : undefined
  const detail = container !== null && 'Reason' in container ? String(container.Reason) : undefined
  return [reason, exit, detail].filter((part) => part !== undefined).join(', ') || undefined
}

function parsed(text: unknown): unknown {
  if (typeof text !== 'string') return undefined
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function isReport(value: unknown): value is ErrorReport {
  return (
    typeof value === 'object' &&
    value !== null &&
    ['code', 'place', 'problem', 'remedy'].every(
      (name) => typeof (value as Record<string, unknown>)[name] === 'string',
    )
  )
}

export function missingPart(part: string): StoreFailure {
  const problem = `the state of the execution lacks its part "${part}"`
  return new StoreFailure('STATE_INCOMPLETE', 'state machine', problem, 'Start the job again')
}
