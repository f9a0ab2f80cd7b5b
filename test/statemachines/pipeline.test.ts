import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import * as errors from '../../lib/job/errors.ts'
import { batchStates, functionStates } from '../../lib/stacks/access.ts'
import { allStates, type StateDefinition } from '../../lib/stacks/definition.ts'

const root = join(import.meta.dirname, '../..')
const definition = readFileSync(join(root, 'statemachines/pipeline.asl.json'), 'utf8')
const states = [...allStates(definition)]
const tasks = states.filter(([, { Type }]) => Type === 'Task')

/** A CommonJS package without types. It writes into what it is given. */
const validate = createRequire(import.meta.url)('asl-validator') as (definition: unknown) => {
  isValid: boolean
  errors: { 'Error code': string; Message: string }[]
}

/** Errors that AWS gives to state machines, by the service's prefix: exceptions of its API, and those of the SDK inside of Step Functions. */
const serviceErrors: Record<string, readonly string[]> = {
  Lambda: ['ServiceException', 'AWSLambdaException', 'SdkClientException', 'TooManyRequestsException'],
  Batch: [
    'BatchException',
    'AWSBatchException',
    'ServerException',
    'SdkClientException',
    'TooManyRequestsException',
  ],
  SNS: ['InternalErrorException', 'ThrottledException', 'SdkClientException'],
}
const statesErrors = ['States.ALL', 'States.Timeout', 'States.TaskFailed']

describe('a job of as many inputs as there may be', () => {
  /** What Step Functions takes for the input or output of a state. */
  const mostBytes = 256 * 1024
  const place = `gs://${'b'.repeat(222)}`
  const inputs = Array.from({ length: 51 }, (_, at) => ({
    ...{ role: at === 0 ? 'query' : `reference-${at}`, place, size: 1e12 },
    // as long as a key may be, of characters that JSON writes as two
    ...{ key: '"'.repeat(1024), etag: `"${'e'.repeat(64)}"`, versionId: 'v'.repeat(64) },
  }))
  const start = {
    ...{ jobId: 'j'.repeat(80), attempt: 1, created: '2026-11-21T10:00:00.000Z' },
    upload: { key: '"'.repeat(1024), etag: 'e'.repeat(64), versionId: 'v'.repeat(64), size: 1e6 },
    output: `jobs/${'j'.repeat(80)}/attempt-1/`,
  }
  const announcement = { jobId: start.jobId, results: 'r'.repeat(300) }
  const job = { workflow: 'type-cells', name: 'n'.repeat(200), key: 'k'.repeat(200), inputs, announcement }
  const bytes = (value: unknown) => Buffer.byteLength(JSON.stringify(value))

  it('stays below what a state may hold, all of it and one item of the Map', () => {
    const facts = inputs.map(({ role }) => ({ role, key: `steps/InspectInput/${'h'.repeat(64)}/facts.json` }))
    const step = {
      queue: 'q'.repeat(200),
      resources: [{}, {}, {}].map(() => ({ Type: 'MEMORY', Value: '245760' })),
    }
    const steps = Object.fromEntries(batchStates.map((state) => [state, step]))
    const plan = { road: 'r'.repeat(100), afterPrepare: 'Publish', shards: 10_000, steps, retries: 1 }
    expect(bytes({ start, job, facts, genes: { key: 'k' }, ontology: { key: 'k' }, plan })).toBeLessThan(
      mostBytes,
    )
    expect(bytes({ start, job, input: inputs[0] })).toBeLessThan(mostBytes)
  })

  it('looks at some inputs at once, and at the others after them', () => {
    const map = states.map(([, state]) => state).find(({ Type }) => Type === 'Map') as StateDefinition & {
      MaxConcurrency: number
    }
    expect(map.MaxConcurrency).toBe(10)
    // an execution's history ends at 25,000 events: each item has its start and end, and each try three events
    const [[, task] = []] = Object.entries(map.ItemProcessor!.States)
    const tries = 1 + (task!.Retry as { MaxAttempts?: number }[])[0]!.MaxAttempts!
    expect(inputs.length * (4 + 3 * tries)).toBeLessThan(25_000 / 2)
  })
})

describe('the state machine', () => {
  it('is valid', () => {
    expect(validate(JSON.parse(definition)).errors).toEqual([])
  })

  it.each([
    ['a target that is not there', '"Next": "MapGenes"', '"Next": "MapGens"'],
    ['a field that there is not', '"TimeoutSeconds": 900', '"TimeoutSecond": 900'],
    ['a path that is none', '"$.plan.shards"', '"$.plan.["'],
  ])('would be refused for %s', (_, text, wrong) => {
    expect(definition).toContain(text)
    expect(validate(JSON.parse(definition.replace(text, wrong))).isValid).toBe(false)
  })

  it('has a time limit, and each of its tasks has one that is shorter', () => {
    const { TimeoutSeconds } = JSON.parse(definition) as { TimeoutSeconds: number }
    expect(tasks.length).toBe(functionStates.length + batchStates.length + 2)
    for (const [name, task] of tasks) {
      expect([name, task.TimeoutSeconds]).toEqual([name, expect.any(Number)])
      expect(task.TimeoutSeconds).toBeLessThan(TimeoutSeconds)
    }
  })

  it('names in ErrorEquals only our error classes and errors of AWS', () => {
    const own = Object.keys(errors).filter((name) => /^[A-Z]/.test(name))
    const named = states.flatMap(([, { Retry = [], Catch = [] }]) =>
      [...Retry, ...Catch].flatMap(({ ErrorEquals }) => ErrorEquals),
    )
    expect(named.length).toBeGreaterThan(20)
    const unknown = named.filter((name) => {
      const [service = '', error] = name.split('.')
      if (error === undefined) return !own.includes(name)
      return !statesErrors.includes(name) && !serviceErrors[service]?.includes(error)
    })
    expect(unknown).toEqual([])
  })

  it('names every own error by the name that instances carry', () => {
    const named = states.flatMap(([, { Retry = [] }]) =>
      Retry.flatMap(({ ErrorEquals }) => ErrorEquals.filter((name) => !name.includes('.'))),
    )
    for (const name of new Set(named)) {
      const Class = (errors as unknown as Record<string, new (...parts: string[]) => Error>)[name]!
      expect(new Class('CODE', 'place', 'problem', 'remedy').name).toBe(name)
    }
  })

  it('tries again only what passes: never a bad input, a time limit or everything', () => {
    const again = states.flatMap(([, { Retry = [] }]) => Retry.flatMap(({ ErrorEquals }) => ErrorEquals))
    expect(new Set(again.filter((name) => !/^(?:Lambda|Batch|SNS)\./.test(name)))).toEqual(
      new Set(['StoreUnavailable']),
    )
  })

  it('catches States.ALL alone and last', () => {
    for (const [, { Catch = [] }] of states) {
      const all = Catch.filter(({ ErrorEquals }) => ErrorEquals.includes('States.ALL'))
      expect(all.length).toBeLessThanOrEqual(1)
      for (const one of all) {
        expect(one.ErrorEquals).toEqual(['States.ALL'])
        expect(Catch.at(-1)).toBe(one)
      }
    }
  })

  it('lets no error of a step pass: each is reported, or tried elsewhere first', () => {
    const targets = (name: string): unknown =>
      (states.find(([one]) => one === name)![1].Catch ?? []).map(({ Next }) => Next)
    for (const name of batchStates) expect(targets(name)).toEqual(['RetryElsewhere'])
    const inMap = ['InspectInput']
    for (const name of functionStates.filter((one) => !inMap.includes(one) && one !== 'ReportFailure'))
      expect(targets(name)).toEqual(['ReportFailure'])
    expect(targets('InspectInputs')).toEqual(['ReportFailure'])
  })

  it('ends as failed whenever something was reported', () => {
    const from = (name: string): StateDefinition & { Next?: string } =>
      states.find(([one]) => one === name)![1]
    const ends = (name: string): string[] => {
      const { Type, Next, Catch = [] } = from(name)
      if (Next === undefined) return [Type]
      return [...ends(Next), ...Catch.flatMap((one) => ends(one.Next))]
    }
    expect(new Set(ends('ReportFailure'))).toEqual(new Set(['Fail']))
  })
})

describe('a name of a state', () => {
  it.each(functionStates)('%s is that of its function', (state) => {
    const { Resource, Parameters } = Object.fromEntries(tasks)[state]!
    expect(Resource).toBe('arn:aws:states:::lambda:invoke')
    expect(Parameters).toEqual({ FunctionName: `\${${state}}`, 'Payload.$': '$' })
    const folder = state.replace(/(?!^)[A-Z]/g, '-$&').toLowerCase()
    expect(existsSync(join(root, 'functions', folder, 'handler.ts'))).toBe(true)
  })

  it.each(batchStates)('%s is that of its container and its job definition', (state) => {
    const { Resource, Parameters } = Object.fromEntries(tasks)[state]!
    expect(Resource).toBe('arn:aws:states:::batch:submitJob.sync')
    expect(Parameters).toMatchObject({
      JobDefinition: `\${${state}Job}`,
      'JobQueue.$': `$.plan.steps.${state}.queue`,
    })
    expect(existsSync(join(root, 'containers', state.toLowerCase(), 'main.ts'))).toBe(true)
  })
})
