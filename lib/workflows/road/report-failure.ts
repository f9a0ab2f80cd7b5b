/** ReportFailure: whatever went wrong becomes error.json beside where the results would have been, and the text of the notification. */
import type { ErrorReport } from '../../job/errors.ts'
import type { RoadState } from '../../job/road.ts'
import { type Environment, openStores, setting } from '../../job/stores.ts'
import { lambdaReport, machineReport, stepFailures } from './failure.ts'
import { identityOf, unfinishedState } from './road-steps.ts'

export async function reportFailure(state: RoadState, environment: Environment): Promise<RoadState> {
  const { work, outbox } = await openStores(environment)
  const found = await findReport(state, { work, code: setting(environment, 'CELLDROP_CODE') })
  const { code, place, problem, remedy } = found
  const failure: ErrorReport = { code, place, problem, remedy }
  // whose fault it was decides the exit code of whoever waits for the job
  const refused = found.name === 'BadInput' || found.name === 'AlreadyExists'
  const told = { jobId: state.start.jobId, ...failure, refused }
  const body = new TextEncoder().encode(`${JSON.stringify(told, null, 2)}\n`)
  await outbox.write(`${state.start.output}error.json`, body, { contentType: 'application/json' })
  return { ...state, failure }
}

async function findReport(
  state: RoadState,
  { work, code }: { work: Parameters<typeof stepFailures>[0]; code: string },
): Promise<ErrorReport & { name?: string }> {
  const said = lambdaReport(state.error?.Cause)
  if (said !== undefined) return said
  const { start, job, plan } = state
  if (job === undefined || plan === undefined) return machineReport(undefined, state.error)
  const failed = await unfinishedState(work, { plan, job: identityOf(start, job.name), code })
  const [first] = await stepFailures(work, state, failed)
  return first ?? machineReport(failed, state.error)
}
