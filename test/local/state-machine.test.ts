/** Law and contract: what the state machine's file promises, run by the library that runs it on a laptop. */
import { describe, expect, it } from 'vitest'
import type { AfterPrepare, BatchState, RoadState } from '../../lib/job/road.ts'
import { JobFailed } from '../../lib/local/job-failed.ts'
import { definition, handlers, report, runFakeRoad, start, thrown } from './fake-road.ts'

const lambdas = ['ValidateJob', 'InspectInput', 'InspectInput', 'MapGenes', 'MatchOntology', 'PlanCompute']
const steps = ['Prepare', 'Embed', 'Label', 'Publish']
const done = `Announce: Celldrop: ${start.jobId} is done`
const failed = `Announce: Celldrop: ${start.jobId} failed`

describe('the road', () => {
  it('goes from upload to announcement, and leaves out Fit where nothing is trained', async () => {
    const { calls, state, error } = await runFakeRoad()
    expect(error).toBeUndefined()
    expect(calls).toEqual([...lambdas, ...steps, done])
    expect(state?.facts).toEqual([
      { role: 'query', key: 'facts.json' },
      { role: 'other', key: 'facts.json' },
    ])
  })

  it('passes Fit where something is trained', async () => {
    const { calls } = await runFakeRoad({
      handlers: {
        MatchOntology: async (state) => ({ ...(state as RoadState), ontology: { key: 'o' } }),
        PlanCompute: async (state) => ({ ...(state as RoadState), plan: await planAfter('Fit') }),
      },
    })
    expect(calls.slice(lambdas.length)).toEqual(['Prepare', 'Fit', 'Embed', 'Label', 'Publish', done])
  })

  it('goes from Prepare to Publish where there is nothing to label, and looks at no input where there is none', async () => {
    const { calls, state } = await runFakeRoad({
      handlers: {
        ValidateJob: async (given) => {
          const made = handlers.ValidateJob!(given as never) as RoadState
          return { ...made, job: { ...made.job!, workflow: 'acquire' as const, inputs: [] } }
        },
        PlanCompute: async (given) => ({ ...(given as RoadState), plan: await planAfter('Publish') }),
      },
    })
    expect(calls).toEqual([
      ...['ValidateJob', 'MapGenes', 'MatchOntology', 'PlanCompute'],
      ...['Prepare', 'Publish', done],
    ])
    expect(state?.facts).toEqual([])
  })

  it('hands Batch the job, the attempt, the road and the resources of the plan, and Embed as an array', async () => {
    const { requests } = await runFakeRoad()
    expect(requests[0]).toEqual({
      JobName: `${start.jobId}-Prepare`,
      JobQueue: 'spot',
      JobDefinition: 'PrepareJob',
      ContainerOverrides: {
        Environment: [
          { Name: 'CELLDROP_JOB', Value: start.jobId },
          { Name: 'CELLDROP_ATTEMPT', Value: '1' },
          { Name: 'CELLDROP_ROAD', Value: 'roads/0.json' },
        ],
        ResourceRequirements: [{ Type: 'VCPU', Value: '1' }],
      },
      Tags: { 'celldrop:job': start.jobId },
    })
    expect(requests.map(({ ArrayProperties }) => ArrayProperties?.Size)).toEqual([
      undefined,
      2,
      undefined,
      undefined,
    ])
  })

  it('tells of every step when it begins and when it ends', async () => {
    const { events } = await runFakeRoad()
    const told = events.flatMap((event) => (event.event === 'step' ? [`${event.step} ${event.status}`] : []))
    expect(told.filter((line) => line.startsWith('Embed'))).toEqual(['Embed started', 'Embed done'])
    expect(events).toContainEqual({ event: 'step', step: 'Embed', status: 'started', shards: 2 })
  })

  it('gives every task a time limit, without which the library would end it after a minute', () => {
    const tasks = taskStates(JSON.parse(definition))
    expect(tasks.length).toBe(14)
    expect(tasks.filter(({ TimeoutSeconds }) => !(Number(TimeoutSeconds) > 0))).toEqual([])
  })

  it('refuses to run a task that has none', async () => {
    const without = JSON.parse(definition)
    delete without.States.Embed.TimeoutSeconds
    const { error, calls } = await runFakeRoad({ definition: JSON.stringify(without) })
    expect(error).toMatchObject({ message: 'Embed has no TimeoutSeconds' })
    expect(calls).toEqual([])
  })
})

describe('data on the road', () => {
  it('travel as JSON: what a handler keeps and changes is not what the next one gets', async () => {
    const kept: RoadState[] = []
    const { state } = await runFakeRoad({
      handlers: {
        MapGenes: async (event) => {
          const answer = { ...(event as RoadState), genes: { key: 'first' }, nothing: undefined }
          kept.push(answer)
          return answer
        },
        MatchOntology: async (event) => {
          kept[0]!.genes!.key = 'changed afterwards'
          return { ...(event as RoadState), ontology: { key: 'o' } }
        },
      },
    })
    expect(state?.genes).toEqual({ key: 'first' })
    expect(state).not.toHaveProperty('nothing')
  })

  it.each([
    ['just fits', 0, undefined],
    ['is one byte too large', 1, 'States.DataLimitExceeded'],
  ])('end the execution where the state %s', async (_, excess, name) => {
    const bare = JSON.stringify({ start, filler: '' }).length
    const { error, calls } = await runFakeRoad({
      handlers: {
        ValidateJob: async (event) => ({
          ...(event as RoadState),
          filler: 'x'.repeat(256 * 1024 - bare + excess),
        }),
      },
    })
    const told = error instanceof JobFailed ? error.report.problem : ''
    if (name === undefined) expect(told).not.toContain('more than 262144 bytes')
    else expect(told).toContain('ValidateJob')
    // neither Retry nor Catch may take it: as in AWS, nothing runs after it
    if (name !== undefined) expect(calls).toEqual(['ValidateJob'])
  })
})

describe('errors on the road', () => {
  it('are tried again where a store did not answer, six times in all', async () => {
    let left = 3
    const works = await runFakeRoad({
      handlers: { MapGenes: async (state) => (left-- > 0 ? thrown('StoreUnavailable') : state) },
    })
    expect(works.calls.filter((name) => name === 'MapGenes')).toHaveLength(4)
    expect(works.error).toBeUndefined()
    const never = await runFakeRoad({ handlers: { MapGenes: async () => thrown('StoreUnavailable') } })
    expect(never.calls.filter((name) => name === 'MapGenes')).toHaveLength(6)
    expect(never.calls.slice(-2)).toEqual(['ReportFailure', failed])
  })

  it.each(['BadInput', 'StoreFailure', 'TypeError'])(
    'are not tried again when they are a %s',
    async (name) => {
      const { calls, error } = await runFakeRoad({ handlers: { MapGenes: async () => thrown(name) } })
      expect(calls).toEqual([...lambdas.slice(0, 4), 'ReportFailure', failed])
      expect(error).toMatchObject({ name: 'JobFailed', report, isRefused: name === 'BadInput' })
    },
  )

  it('reach ReportFailure as Lambda tells them, from inside the Map too', async () => {
    let seen: RoadState | undefined
    await runFakeRoad({
      handlers: {
        InspectInput: async () => thrown('BadInput'),
        ReportFailure: async (state) => {
          seen = state as RoadState
          return { ...seen, failure: report }
        },
      },
    })
    expect(seen?.error?.Error).toBe('BadInput')
    expect(JSON.parse(seen?.error?.Cause ?? '')).toMatchObject({
      errorType: 'BadInput',
      errorMessage: JSON.stringify(report),
      trace: expect.arrayContaining([expect.stringContaining('thrown')]),
    })
  })

  it('of a Batch step go to RetryElsewhere, which may send the step back', async () => {
    let left = 2
    const { calls, error } = await runFakeRoad({
      batch: async (_, { state }) =>
        state === 'Embed' && left-- > 0 ? thrown('States.TaskFailed', '{}') : {},
      handlers: {
        RetryElsewhere: async (state) => ({
          ...(state as RoadState),
          retry: { state: 'Embed' satisfies BatchState },
        }),
      },
    })
    expect(error).toBeUndefined()
    expect(calls.slice(lambdas.length)).toEqual([
      'Prepare',
      'Embed',
      'RetryElsewhere',
      'Embed',
      'RetryElsewhere',
      'Embed',
      'Label',
      'Publish',
      done,
    ])
  })

  it('of a Batch step fail the job where RetryElsewhere says so', async () => {
    const refused = Object.assign(new Error('{}'), { name: 'States.TaskFailed', exitCode: 10 })
    const { calls, error } = await runFakeRoad({ batch: () => Promise.reject(refused) })
    expect(calls.slice(lambdas.length)).toEqual(['Prepare', 'RetryElsewhere', 'ReportFailure', failed])
    expect(error).toMatchObject({ report, isRefused: true })
  })

  it('of the announcement change nothing', async () => {
    const { error, state } = await runFakeRoad({ announce: async () => thrown('SNS.Unknown') })
    expect(error).toBeUndefined()
    expect(state?.plan).toBeDefined()
  })

  it('are told even where error.json cannot be written', async () => {
    const { error } = await runFakeRoad({
      handlers: {
        MapGenes: async () => thrown('BadInput'),
        ReportFailure: async () => thrown('StoreFailure'),
      },
    })
    expect(error).toMatchObject({ report: { code: 'ROAD_FAILED' } })
  })
})

describe('interruption', () => {
  it('begins nothing new, waits for what runs and throws the reason of the signal', async () => {
    const controller = new AbortController()
    let ended = false
    const { calls, error } = await runFakeRoad({
      signal: controller.signal,
      batch: async (_, { signal }) => {
        const stopped = new Promise((resolve) => signal.addEventListener('abort', resolve))
        controller.abort(new Error('Ctrl-C'))
        await stopped
        await new Promise(setImmediate)
        ended = true
        throw new Error('stopped')
      },
    })
    expect(error).toMatchObject({ message: 'Ctrl-C' })
    expect(ended).toBe(true)
    expect(calls).toEqual([...lambdas, 'Prepare'])
  })

  it('before the start runs nothing', async () => {
    const { calls, error } = await runFakeRoad({ signal: AbortSignal.abort(new Error('early')) })
    expect({ calls, error }).toMatchObject({ calls: [], error: { message: 'early' } })
  })

  it('of one task by its time limit stops that task and fails the job', async () => {
    const quick = JSON.parse(definition)
    quick.States.Prepare.TimeoutSeconds = 1
    let stopped = false
    const { calls, error } = await runFakeRoad({
      definition: JSON.stringify(quick),
      batch: async (_, { signal }) => {
        await new Promise((resolve) => signal.addEventListener('abort', resolve))
        stopped = true
        throw new Error('stopped')
      },
    })
    expect(stopped).toBe(true)
    expect(calls.slice(lambdas.length)).toEqual(['Prepare', 'RetryElsewhere', 'ReportFailure', failed])
    expect(error).toBeInstanceOf(JobFailed)
  })
})

async function planAfter(afterPrepare: AfterPrepare) {
  const { state } = await runFakeRoad()
  return { ...state!.plan!, afterPrepare }
}

function taskStates(machine: { States: Record<string, unknown> }): { TimeoutSeconds?: number }[] {
  return Object.values(machine.States).flatMap((state) => {
    const { Type, ItemProcessor } = state as { Type: string; ItemProcessor?: never }
    if (Type === 'Map') return taskStates(ItemProcessor!)
    return Type === 'Task' ? [state as { TimeoutSeconds?: number }] : []
  })
}
