/** Lambdas that do the least that the state machine needs of them, so that its own laws can be tried. */
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import type { RoadState } from '../../lib/job/road.ts'
import {
  type BatchRequest,
  type Handler,
  type RoadEvent,
  type RoadOptions,
  runRoad,
} from '../../lib/local/state-machine.ts'

export const definition = readFileSync(
  resolve(import.meta.dirname, '../../statemachines/pipeline.asl.json'),
  'utf8',
)

export const start = {
  jobId: 'job-0123456789ab',
  attempt: 1,
  created: '2026-11-21T07:16:00.000Z',
  upload: { key: 'jobs/job/job.json', etag: 'e', size: 2 },
  output: '',
}

const step = { queue: 'spot', resources: [{ Type: 'VCPU' as const, Value: '1' }] }
const plan = {
  road: 'roads/0.json',
  afterPrepare: 'Embed' as const,
  shards: 2,
  steps: { Prepare: step, Fit: step, Embed: step, Label: step, Publish: step },
  expected: { minutes: 1, dollars: null },
  retries: 0,
}
const input = { role: 'query', place: 'inbox', key: 'q.h5ad', etag: 'e', size: 1 }
const job = {
  workflow: 'annotate' as const,
  name: 'job',
  key: 'jobs/job.json',
  inputs: [input, { ...input, role: 'other' }],
  announcement: { jobId: start.jobId, results: 'results' },
}
export const report = { code: 'CODE', place: 'place', problem: 'problem', remedy: 'remedy' }

export const handlers: Record<string, (state: RoadState & { input: { role: string } }) => unknown> = {
  ValidateJob: (state) => ({ ...state, job }),
  InspectInput: (state) => ({ role: state.input.role, key: 'facts.json' }),
  MapGenes: (state) => ({ ...state, genes: { key: 'genes.json' } }),
  MatchOntology: (state) => ({ ...state, ontology: { key: 'ontology.json' } }),
  PlanCompute: (state) => ({ ...state, plan }),
  RetryElsewhere: (state) => ({ ...state, retry: { state: 'none' } }),
  ReportFailure: (state) => ({ ...state, failure: report }),
}

export interface FakeRoad {
  /** in place of the fake of this name */
  handlers?: Record<string, Handler>
  batch?: RoadOptions['batch']
  announce?: RoadOptions['announce']
  signal?: AbortSignal
  definition?: string
}

export interface FakeRun {
  /** every call of a Lambda, Batch job or announcement, in order: `Embed`, `Announce: subject` */
  calls: string[]
  events: RoadEvent[]
  requests: BatchRequest[]
  state?: RoadState
  error?: unknown
}

export async function runFakeRoad(fake: FakeRoad = {}): Promise<FakeRun> {
  const run: FakeRun = { calls: [], events: [], requests: [] }
  const all = Object.entries({ ...handlers, ...fake.handlers }).map(([name, handler]) => [
    name,
    async (event: never) => {
      run.calls.push(name)
      return handler(event)
    },
  ])
  try {
    run.state = await runRoad({
      definition: fake.definition ?? definition,
      input: { start },
      handlers: Object.fromEntries(all),
      batch: async (request, task) => {
        run.calls.push(task.state)
        run.requests.push(request)
        return fake.batch?.(request, task)
      },
      announce: async (announcement) => {
        run.calls.push(`Announce: ${announcement.Subject}`)
        await fake.announce?.(announcement)
      },
      signal: fake.signal ?? new AbortController().signal,
      onEvent: (event) => run.events.push(event),
      retryWaitMs: 0,
    })
  } catch (error) {
    run.error = error
  }
  return run
}

/** As a handler of ours throws. */
export function thrown(name: string, message = JSON.stringify(report)): never {
  const error = new Error(message)
  error.name = name
  throw error
}
