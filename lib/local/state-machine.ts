/**
 * Runs the state machine's own file on this machine, with aws-local-stepfunctions: Lambdas in this process, Batch jobs as a function that
 * is handed in. What AWS does around a task and the library does not is done here: data travel as JSON, 256 KiB at most, errors have the
 * shape that Lambda and Batch give them, and a task that has run out of its time is stopped.
 *
 * Traps of the library (3.0.0): a task without a handler would call AWS; one without TimeoutSeconds ends after 60 s; States.JsonToString in
 * CausePath is not evaluated, so the reason of a failure is taken from what ReportFailure answered, not from the Fail state.
 */
import { StateMachine, type StateMachineDefinition } from 'aws-local-stepfunctions'
import type { ErrorReport } from '../job/errors.ts'
import type { RoadState } from '../job/road.ts'
import { JobFailed } from './job-failed.ts'
import { invokeLambda, type LambdaRequest } from './lambda-call.ts'

type Json = Parameters<StateMachine['run']>[0]

/** What travels to a task that runs as an AWS Batch job: SubmitJob's parameters, as the state machine gives them. */
export interface BatchRequest {
  JobName: string
  JobQueue: string
  JobDefinition: string
  ArrayProperties?: { Size: number }
  ContainerOverrides: {
    Environment: { Name: string; Value: string }[]
    ResourceRequirements: { Type: string; Value: string }[]
  }
}

export type Handler = (event: unknown) => Promise<unknown>
export type RunBatchJob = (
  request: BatchRequest,
  task: { state: string; signal: AbortSignal; onEvent(event: RoadEvent): void },
) => Promise<unknown>

export interface Announcement {
  Subject: string
  Message: string
}

/** What is going on; `shards` where a step runs as several processes. */
export type RoadEvent =
  | { event: 'step'; step: string; status: 'started' | 'done' | 'failed'; shards?: number }
  | {
      event: 'progress'
      step: string
      shard: number | null
      done: number
      total: number
      unit: string
      note: string
    }

export interface RoadOptions {
  /** text of the state machine's file */
  definition: string
  input: RoadState
  /** by the name that stands in the file's `${...}` */
  handlers: Readonly<Record<string, Handler>>
  batch: RunBatchJob
  announce(announcement: Announcement): Promise<void>
  signal: AbortSignal
  onEvent(event: RoadEvent): void
  /** milliseconds before a state is tried again, in place of the file's own intervals */
  retryWaitMs?: number
}

const announcing = 'arn:aws:states:::sns:publish'

/**
 * @returns the state in which the execution ended
 * @throws JobFailed with ReportFailure's report; the signal's reason when it was aborted. No task is running any more then.
 */
export async function runRoad(options: RoadOptions): Promise<RoadState> {
  const { signal, input, retryWaitMs } = options
  signal.throwIfAborted()
  const definition = readDefinition(options.definition)
  const tasks = tasksOf(definition.States)
  const run: RoadRun = { options, running: new Set(), ended: new AbortController() }
  const machine = new StateMachine(definition)
  const execution = machine.run(input as unknown as Json, {
    overrides: {
      taskResourceLocalHandlers: Object.fromEntries(
        tasks.map((task) => [task.name, (given: Json) => track(run, task, given)]),
      ),
      ...(retryWaitMs !== undefined && {
        retryIntervalOverrides: Object.fromEntries(tasks.map(({ name }) => [name, retryWaitMs])),
      }),
    },
  })
  signal.addEventListener('abort', execution.abort, { once: true })
  try {
    return (await execution.result) as unknown as RoadState
  } catch (error) {
    signal.throwIfAborted()
    throw failureOf(run, error)
  } finally {
    signal.removeEventListener('abort', execution.abort)
    run.ended.abort()
    await Promise.allSettled(run.running)
  }
}

interface RoadRun {
  options: RoadOptions
  running: Set<Promise<unknown>>
  ended: AbortController
  /** the last error of a task, and what ReportFailure made of it */
  failed?: unknown
  failure?: ErrorReport
}

interface TaskState {
  name: string
  Resource: string
  TimeoutSeconds: number
}

/** `${Name}` stands for an ARN in an account; here it is the name alone. */
function readDefinition(text: string): StateMachineDefinition {
  return JSON.parse(text.replace(/\$\{(\w+)\}/g, '$1')) as StateMachineDefinition
}

function tasksOf(states: StateMachineDefinition['States']): TaskState[] {
  return Object.entries(states).flatMap(([name, state]) => {
    if (state.Type === 'Map') return tasksOf(state.ItemProcessor?.States ?? {})
    if (state.Type !== 'Task') return []
    if (state.TimeoutSeconds === undefined) throw new Error(`${name} has no TimeoutSeconds`)
    return [{ name, Resource: state.Resource, TimeoutSeconds: state.TimeoutSeconds }]
  })
}

/** The library drops a task that timed out or was aborted and goes on; here it is waited for before the road is left. */
async function track(run: RoadRun, task: TaskState, given: Json): Promise<Json> {
  const { signal } = run.options
  signal.throwIfAborted()
  // what is announced is no step of the work
  const onEvent = task.Resource === announcing ? () => {} : run.options.onEvent
  const request = given as unknown as Partial<BatchRequest>
  const shards = request.ArrayProperties?.Size
  const step = task.name
  onEvent({ event: 'step', step, status: 'started', ...(shards !== undefined && { shards }) })
  const work = perform(run, task, given)
  run.running.add(work)
  try {
    const answer = await work
    onEvent({ event: 'step', step, status: 'done' })
    return answer as Json
  } catch (error) {
    run.failed = error
    if (!signal.aborted) onEvent({ event: 'step', step, status: 'failed' })
    throw error
  } finally {
    run.running.delete(work)
  }
}

async function perform(run: RoadRun, task: TaskState, given: Json): Promise<unknown> {
  const { options, ended } = run
  const { signal, onEvent } = options
  const stop = AbortSignal.any([signal, ended.signal, AbortSignal.timeout(task.TimeoutSeconds * 1000)])
  switch (task.Resource) {
    case 'arn:aws:states:::lambda:invoke':
      return invokeLambda(given as unknown as LambdaRequest, { ...options, stop }).then((answer) => {
        if (isFailureState(answer.Payload)) run.failure = answer.Payload.failure
        return answer
      })
    case 'arn:aws:states:::batch:submitJob.sync':
      return options.batch(given as unknown as BatchRequest, { state: task.name, signal: stop, onEvent })
    case announcing:
      return options.announce(given as unknown as Announcement).then(() => ({}))
    default:
      throw new Error(`${task.name}: ${task.Resource} is not run here`)
  }
}

/** Names and exit code of errors that are the user's to mend, as Lambdas and Batch steps give them. */
const refusals = ['BadInput', 'AlreadyExists']
const refusalExit = 10

function failureOf({ failure, failed }: RoadRun, error: unknown): JobFailed {
  const isRefused =
    failed instanceof Error &&
    (refusals.includes(failed.name) || ('exitCode' in failed && failed.exitCode === refusalExit))
  if (failure !== undefined) return new JobFailed(failure, { isRefused, cause: error })
  const problem = error instanceof Error ? error.message : String(error)
  const remedy = 'This is a fault of Celldrop: please report it'
  const report = { code: 'ROAD_FAILED', place: 'state machine', problem, remedy }
  return new JobFailed(report, { isRefused: false, cause: error })
}

function isFailureState(value: unknown): value is { failure: ErrorReport } {
  return typeof value === 'object' && value !== null && 'failure' in value && value.failure !== undefined
}
