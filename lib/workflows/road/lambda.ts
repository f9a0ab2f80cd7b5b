/**
 * The shell around each Lambda: a failure leaves it under the name that the state machine matches, its report as JSON in the message,
 * because name and message are all that Step Functions keeps of an error.
 */
import { type ErrorReport, isCoded } from '../../job/errors.ts'
import { printable } from '../../job/object-key.ts'
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

/**
 * Step Functions cuts a cause off at 32,768 characters, and what is cut off is no JSON any more. Names out of a hostile file may be of
 * any length; quotation marks in them take four characters by then.
 */
const longestText = 2000
const mostFrames = 10

/** An error whose message is its report, and whose name stays. */
export function reportable(error: unknown): Error {
  const name = error instanceof Error ? error.name : 'Error'
  const told = new Error(JSON.stringify(reportOf(error)), { cause: error })
  told.name = name
  // Lambda sends the stack along, which would hold the message once more
  const frames = error instanceof Error ? (error.stack ?? '').split('\n').filter(isFrame) : []
  told.stack = [name, ...frames.slice(0, mostFrames)].join('\n')
  return told
}

function isFrame(line: string): boolean {
  return /^ {4}at /.test(line) && line.length < 300
}

/** As short as a notification can be, and with nothing that a terminal would act on. */
export function reportOf(error: unknown): ErrorReport {
  if (isCoded(error)) {
    const { code, place, problem, remedy } = error
    return { code, place: shortened(place), problem: shortened(problem), remedy: shortened(remedy) }
  }
  const problem = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
  const remedy = 'This is a fault of Celldrop: please report it with the log of this step'
  return { code: 'INTERNAL', place: 'celldrop', problem: shortened(problem), remedy }
}

function shortened(text: string): string {
  const lines = text.slice(0, longestText).split('\n').map(printable).join('\n')
  return lines.length <= longestText && text.length <= longestText
    ? lines
    : `${lines.slice(0, longestText - 3).toWellFormed()}...`
}
