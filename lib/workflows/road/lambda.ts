/**
 * The shell around each Lambda: a failure leaves it under the name that the state machine matches, its report as JSON in the message,
 * because name and message are all that Step Functions keeps of an error.
 */
import { type ErrorReport, isCoded } from '../../job/errors.ts'
import type { Environment } from '../../job/stores.ts'

export function makeHandler<State, Answer>(
  work: (state: State, environment: Environment) => Promise<Answer>,
): (event: State) => Promise<Answer> {
  return async (event) => {
    try {
      return await work(event, process.env)
    } catch (error) {
      throw reportable(error)
    }
  }
}

/** An error whose message is its report, and whose name stays. */
export function reportable(error: unknown): Error {
  const name = error instanceof Error ? error.name : 'Error'
  const told = new Error(JSON.stringify(reportOf(error)), { cause: error })
  told.name = name
  return told
}

export function reportOf(error: unknown): ErrorReport {
  if (isCoded(error))
    return { code: error.code, place: error.place, problem: error.problem, remedy: error.remedy }
  const problem = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
  const remedy = 'This is a fault of Celldrop: please report it with the log of this step'
  return { code: 'INTERNAL', place: 'celldrop', problem: problem.slice(0, 2000), remedy }
}
