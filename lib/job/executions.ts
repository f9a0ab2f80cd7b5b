/**
 * Executions of the state machine in an account: started once for each job however often its upload is told of, looked up and followed.
 *
 * Step Functions answers StartExecution for a name that runs already with the same input as if it had just been started; once it has
 * ended, or with another input, it answers ExecutionAlreadyExists, for 90 days. Both mean that the job has been taken on.
 */
import {
  DescribeExecutionCommand,
  ExecutionAlreadyExists,
  ExecutionDoesNotExist,
  GetExecutionHistoryCommand,
  type HistoryEvent,
  paginateListExecutions,
  SFNClient,
  StartExecutionCommand,
} from '@aws-sdk/client-sfn'
import { isCoded, StoreFailure, StoreUnavailable } from './errors.ts'
import type { Start } from './road.ts'
import { executionName } from './uploads.ts'

export type ExecutionStatus = 'RUNNING' | 'SUCCEEDED' | 'FAILED' | 'TIMED_OUT' | 'ABORTED' | 'PENDING_REDRIVE'

export interface Execution {
  /** `<jobId>-<attempt>` */
  name: string
  status: ExecutionStatus
  /** ISO 8601 */
  started: string
  stopped?: string
  /** code and text of the failure, as the state machine ended with them */
  error?: string
  cause?: string
}

export interface Executions {
  start(start: Start): Promise<'started' | 'taken on already'>
  /** undefined where there is none of this name, or not yet */
  describe(name: string): Promise<Execution | undefined>
  /** the latest execution of a job, by the job's name, its id or the execution's own name */
  find(job: string): Promise<Execution | undefined>
  /** the state that was entered last */
  currentState(name: string): Promise<string | undefined>
}

const mostListed = 5000

/** @param stateMachine its ARN; no request is made yet */
export function openExecutions(
  stateMachine: string,
  {
    client = new SFNClient({ maxAttempts: 8, region: stateMachine.split(':')[3] ?? '' }),
  }: { client?: SFNClient } = {},
): Executions {
  const arnOf = (name: string) => `${stateMachine.replace(':stateMachine:', ':execution:')}:${name}`
  const describe = async (name: string): Promise<Execution | undefined> => {
    try {
      const command = new DescribeExecutionCommand({ executionArn: arnOf(name) })
      return executionOf(await client.send(command))
    } catch (error) {
      if (error instanceof ExecutionDoesNotExist) return undefined
      throw failure(error, stateMachine)
    }
  }
  return {
    describe,
    async start(start) {
      const input = JSON.stringify({ start })
      const name = executionName(start)
      try {
        await client.send(new StartExecutionCommand({ stateMachineArn: stateMachine, name, input }))
        return 'started'
      } catch (error) {
        if (error instanceof ExecutionAlreadyExists) return 'taken on already'
        throw failure(error, stateMachine)
      }
    },
    async find(job) {
      const exact = await describe(job)
      if (exact !== undefined) return exact
      const name = await latestName(job, { client, stateMachine })
      return name === undefined ? undefined : describe(name)
    },
    async currentState(name) {
      try {
        const command = new GetExecutionHistoryCommand({
          executionArn: arnOf(name),
          reverseOrder: true,
          maxResults: 100,
          includeExecutionData: false,
        })
        return enteredState((await client.send(command)).events ?? [])
      } catch (error) {
        if (error instanceof ExecutionDoesNotExist) return undefined
        throw failure(error, stateMachine)
      }
    },
  }
}

/** Executions are listed latest first. */
async function latestName(
  job: string,
  { client, stateMachine }: { client: SFNClient; stateMachine: string },
): Promise<string | undefined> {
  let seen = 0
  try {
    for await (const { executions = [] } of paginateListExecutions(
      { client, pageSize: 1000 },
      { stateMachineArn: stateMachine },
    )) {
      const found = executions.find(({ name = '' }) => isExecutionOf(name, job))
      if (found !== undefined) return found.name
      seen += executions.length
      if (seen >= mostListed) return undefined
    }
  } catch (error) {
    throw failure(error, stateMachine)
  }
  return undefined
}

/** `<slug>-<12 hex>-<attempt>`: what stands before the attempt is the id of the job, before the digits its name. */
function isExecutionOf(name: string, job: string): boolean {
  const [, id, slug] = /^((.+)-[0-9a-f]{12})-\d+$/.exec(name) ?? []
  return id === job || slug === job
}

function executionOf(answer: {
  name?: string | undefined
  status?: string | undefined
  startDate?: Date | undefined
  stopDate?: Date | undefined
  error?: string | undefined
  cause?: string | undefined
}): Execution {
  const { name = '', status = 'RUNNING', startDate, stopDate, error, cause } = answer
  return {
    name,
    status: status as ExecutionStatus,
    started: startDate?.toISOString() ?? '',
    ...(stopDate !== undefined && { stopped: stopDate.toISOString() }),
    ...(error !== undefined && { error }),
    ...(cause !== undefined && { cause }),
  }
}

function enteredState(latestFirst: readonly HistoryEvent[]): string | undefined {
  for (const { stateEnteredEventDetails } of latestFirst)
    if (stateEnteredEventDetails?.name !== undefined) return stateEnteredEventDetails.name
  return undefined
}

function failure(error: unknown, place: string): Error {
  if (isCoded(error)) return error
  const { name, message } = error instanceof Error ? error : new Error(String(error))
  const told = `${name}: ${message}`
  if (/AccessDenied|Unrecognized|InvalidSignature|Expired|Credentials|Token/.test(name)) {
    const remedy =
      'Sign in to AWS with a role that may use this installation (docs/deploy.md, "Who can do what")'
    return new StoreFailure('ACCESS_DENIED', place, told, remedy, { cause: error })
  }
  if (name === 'StateMachineDoesNotExist' || name === 'InvalidArn') {
    const remedy = 'Check the name of the stack, the account and the region'
    return new StoreFailure('STATE_MACHINE_MISSING', place, told, remedy, { cause: error })
  }
  return new StoreUnavailable('EXECUTIONS_UNREACHABLE', place, told, 'Check the network and try again', {
    cause: error,
  })
}
