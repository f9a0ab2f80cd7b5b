/** submit, status and results over a double of S3 on loopback and mocked Step Functions: the stack is a file of names. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  DescribeExecutionCommand,
  ExecutionDoesNotExist,
  GetExecutionHistoryCommand,
  ListExecutionsCommand,
  SFNClient,
} from '@aws-sdk/client-sfn'
import { mockClient } from 'aws-sdk-client-mock'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Execution, Executions } from '../../lib/job/executions.ts'
import { executionName, startOf, uploadOf } from '../../lib/job/uploads.ts'
import type { Command, Flags, Invocation } from '../../lib/local/command.ts'
import { followJob, remoteStatus, resultsCommand, submitCommand } from '../../lib/local/remote.ts'
import { currentObject } from '../support/s3-double/objects.ts'
import { type S3Double, startS3Double } from '../support/s3-double/server.ts'
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.ts'

const stateMachine = 'arn:aws:states:us-east-1:111122223333:stateMachine:PipelineStateMachine'
const states = mockClient(SFNClient)
let double: S3Double
let folder: TemporaryFolder
let printed: string[]
let told: string[]

beforeEach(async () => {
  double = await startS3Double()
  double.addBucket('the-inbox', { versioned: true })
  double.addBucket('the-outbox', { versioned: true })
  folder = await temporaryFolder()
  vi.stubEnv('AWS_ENDPOINT_URL_S3', double.endpoint)
  vi.stubEnv('AWS_REGION', 'us-east-1')
  vi.stubEnv('AWS_ACCESS_KEY_ID', double.credentials.accessKeyId)
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', double.credentials.secretAccessKey)
  const outputs = {
    Inbox: 's3://the-inbox',
    Outbox: 's3://the-outbox',
    StateMachine: stateMachine,
    UserPolicy: 'arn',
  }
  writeFileSync(at('stack.json'), JSON.stringify({ Celldrop: outputs, Other: {} }))
  printed = []
  told = []
  states.reset()
  states.on(DescribeExecutionCommand).rejects(new ExecutionDoesNotExist({ message: '', $metadata: {} }))
  states.on(ListExecutionsCommand).resolves({ executions: [] })
  states.on(GetExecutionHistoryCommand).resolves({
    events: [
      {
        id: 1,
        timestamp: new Date(0),
        type: 'TaskStateEntered',
        stateEnteredEventDetails: { name: 'Embed' },
      },
    ],
  })
})
afterEach(async () => {
  vi.unstubAllEnvs()
  await double[Symbol.asyncDispose]()
  await folder[Symbol.asyncDispose]()
})

const at = (name: string) => join(folder.path, name)

function invocation(positionals: string[], flags: Flags = {}, json = false): Invocation {
  return {
    positionals,
    flags: { 'stack-file': at('stack.json'), ...flags },
    options: { json, open: {} },
    environment: {},
    print: (text) => printed.push(text),
    progress: (text) => told.push(text),
    stderr: { write: () => {} },
    listenForStop: () => new AbortController().signal,
    clock: () => Date.UTC(2026, 10, 21),
  }
}

const run = (command: Command, ...rest: Parameters<typeof invocation>) => command.run(invocation(...rest))

const inbox = () => [...double.buckets.get('the-inbox')!.objects.keys()]
const stored = (bucket: string, key: string) => currentObject(double.buckets.get(bucket)!, key)!

function jobOnDisk(text = 'workflow: annotate\nquery: data/cells.h5ad\nmodel: m\n'): string {
  mkdirSync(at('data'), { recursive: true })
  writeFileSync(at('data/cells.h5ad'), 'cells')
  writeFileSync(at('liver.yaml'), text)
  return at('liver.yaml')
}

/** What StartJob would call the execution, from the event that S3 sends for the job file. */
function startedName(key: string): string {
  const { etag, versionId, bytes } = stored('the-inbox', key)
  const object = { key, size: bytes.length, etag: etag.replaceAll('"', ''), 'version-id': versionId }
  const event = {
    source: 'aws.s3',
    'detail-type': 'Object Created',
    time: '2026-11-21T00:00:03Z',
    detail: { bucket: { name: 'the-inbox' }, object },
  }
  const arrived = uploadOf(event)!
  return executionName(startOf(arrived.upload, { inbox: 's3://the-inbox', created: arrived.time }))
}

function execution(name: string, status: 'RUNNING' | 'SUCCEEDED' | 'FAILED', more: object = {}): void {
  const executionArn = `${stateMachine.replace(':stateMachine:', ':execution:')}:${name}`
  const answer = {
    executionArn,
    stateMachineArn: stateMachine,
    name,
    status,
    startDate: new Date(0),
    ...more,
  }
  states.on(DescribeExecutionCommand, { executionArn }).resolves(answer)
}

const job = 'liver-0123456789ab-1'
const prefix = 'jobs/liver-0123456789ab/attempt-1/'
const result = {
  jobId: 'liver-0123456789ab',
  workflow: 'annotate',
  status: 'succeeded',
  outputs: { h5ad: 'cells.h5ad' },
}

function publish(): void {
  double.put('the-outbox', `${prefix}cells.h5ad`, 'annotated')
  double.put('the-outbox', `${prefix}plots/umap.png`, 'png')
  double.put('the-outbox', `${prefix}result.json`, JSON.stringify(result))
}

describe('celldrop submit', () => {
  it('uploads inputs and then the job file, whose name for the job is that of the execution to come', async () => {
    await run(submitCommand, [jobOnDisk()], { follow: false }, true)
    expect(inbox()).toEqual(['jobs/liver/cells.h5ad', 'jobs/liver/job.json'])
    const writes = double.calls.filter((call) => call.startsWith('PUT')).map((call) => call.split('/').at(-1))
    expect(writes).toEqual(['cells.h5ad', 'job.json'])
    expect(JSON.parse(stored('the-inbox', 'jobs/liver/job.json').bytes.toString())).toEqual({
      workflow: 'annotate',
      query: 'cells.h5ad',
      model: 'm',
    })
    const { job: named, state } = JSON.parse(printed[0]!)
    expect(state).toBe('submitted')
    expect(named).toBe(startedName('jobs/liver/job.json'))
  })

  it('uploads a folder file by file, and leaves inputs in buckets where they are', async () => {
    mkdirSync(at('mtx/outs'), { recursive: true })
    for (const name of ['matrix.mtx', 'outs/features.tsv']) writeFileSync(at(`mtx/${name}`), name)
    await run(submitCommand, [jobOnDisk('workflow: annotate\nquery: mtx\nname: other\nmodel: m\n')], {
      follow: false,
    })
    expect(inbox()).toEqual([
      'jobs/other/mtx/matrix.mtx',
      'jobs/other/mtx/outs/features.tsv',
      'jobs/other/job.json',
    ])
    await run(submitCommand, [jobOnDisk('{workflow: annotate, query: s3://the-inbox/x.h5ad, name: third}')], {
      follow: false,
    })
    expect(inbox().slice(3)).toEqual(['jobs/third/job.json'])
  })

  it.each([
    ['SETTING_UNKNOWN', '{workflow: annotate, query: data/cells.h5ad, modell: m}'],
    ['INPUT_NOT_FOUND', '{workflow: annotate, query: data/none.h5ad}'],
  ])('uploads nothing of a job that is refused with %s', async (code, text) => {
    await expect(run(submitCommand, [jobOnDisk(text)])).rejects.toMatchObject({ name: 'BadInput', code })
    expect(double.calls).toEqual([])
  })

  it('follows the job, then fetches its results', async () => {
    // whatever the execution is called, it is done: the job's id is not known before
    states.on(DescribeExecutionCommand).callsFake(({ executionArn }: { executionArn: string }) => {
      const name = executionArn.split(':').at(-1)!
      const id = name.replace(/-1$/, '')
      double.put('the-outbox', `jobs/${id}/attempt-1/result.json`, JSON.stringify({ ...result, jobId: id }))
      return {
        executionArn,
        stateMachineArn: stateMachine,
        name,
        status: 'SUCCEEDED',
        startDate: new Date(0),
      }
    })
    await run(submitCommand, [jobOnDisk()], { out: at('out') })
    expect(printed.join()).toMatch(/^liver-[0-9a-f]{12}: done/)
    expect(existsSync(at('out/result.json'))).toBe(true)
  })
})

describe('following a job', () => {
  const fake = (answers: (Execution['status'] | undefined)[]): Executions => ({
    start: () => Promise.reject(new Error('not asked')),
    find: () => Promise.resolve(undefined),
    currentState: () => Promise.resolve('Prepare'),
    describe: () => {
      const status = answers.length > 1 ? answers.shift() : answers[0]
      return Promise.resolve(status && { name: job, status, started: '' })
    },
  })
  const follow = (answers: (Execution['status'] | undefined)[], signal = new AbortController().signal) => {
    let pauses = 0
    const pause = async () => {
      pauses++
      signal.throwIfAborted()
    }
    const done = followJob(job, {
      executions: fake(answers),
      signal,
      progress: (text) => told.push(text),
      pause,
    })
    return done.then(() => pauses)
  }

  it('waits until the upload has become an execution and the execution has ended, and tells each state once', async () => {
    await expect(follow([undefined, undefined, 'RUNNING', 'RUNNING', 'SUCCEEDED'])).resolves.toBe(4)
    expect(told).toEqual([`${job}: Prepare`])
  })

  it('gives up on an upload that never becomes one', async () => {
    await expect(follow([undefined])).rejects.toMatchObject({ code: 'JOB_NOT_STARTED' })
  })

  it('can be left, and says that the job goes on', async () => {
    const stopped = AbortSignal.abort()
    await expect(follow(['RUNNING'], stopped)).rejects.toMatchObject({
      name: 'Interrupted',
      remedy: expect.stringContaining(`celldrop results ${job}`),
    })
  })
})

describe('celldrop results', () => {
  it('fetches all that lies under the job, result.json too, into a folder', async () => {
    execution(job, 'SUCCEEDED')
    publish()
    await run(resultsCommand, [job], { out: at('out') }, true)
    expect(JSON.parse(printed[0]!)).toEqual({ ...result, results: at('out') })
    expect(readFileSync(at('out/cells.h5ad'), 'utf8')).toBe('annotated')
    expect(readFileSync(at('out/plots/umap.png'), 'utf8')).toBe('png')
    expect(JSON.parse(readFileSync(at('out/result.json'), 'utf8'))).toEqual(result)
  })

  it('fetches nothing twice, and overwrites no other result', async () => {
    execution(job, 'SUCCEEDED')
    publish()
    await run(resultsCommand, [job], { out: at('out') })
    const before = double.calls.length
    await run(resultsCommand, [job], { out: at('out') })
    expect(double.calls.length).toBe(before)
    writeFileSync(at('out/result.json'), JSON.stringify({ ...result, jobId: 'another' }))
    await expect(run(resultsCommand, [job], { out: at('out') })).rejects.toMatchObject({
      code: 'OUTPUT_EXISTS',
    })
  })

  it('of a job that failed are its report', async () => {
    execution(job, 'FAILED', { error: 'GENES_TOO_FEW', cause: '{}' })
    const report = { code: 'GENES_TOO_FEW', place: 'p', problem: 'q', remedy: 'r' }
    double.put(
      'the-outbox',
      `${prefix}error.json`,
      JSON.stringify({ jobId: 'liver-0123456789ab', ...report }),
    )
    await expect(run(resultsCommand, [job], { out: at('out') })).rejects.toMatchObject({
      name: 'JobFailed',
      report,
    })
    expect(existsSync(at('out/error.json'))).toBe(true)
  })

  it('of a job that failed without a report are what Step Functions says', async () => {
    execution(job, 'FAILED', { error: 'States.Runtime', cause: 'a path is not there' })
    const failed = run(resultsCommand, [job], { out: at('out') })
    await expect(failed).rejects.toMatchObject({
      report: { code: 'JOB_LOST', problem: expect.stringContaining('States.Runtime') },
    })
  })

  it('are refused while the job runs, and for a job that is not known', async () => {
    execution(job, 'RUNNING')
    await expect(run(resultsCommand, [job])).rejects.toMatchObject({ code: 'JOB_RUNNING' })
    await expect(run(resultsCommand, ['kidney'])).rejects.toMatchObject({ code: 'JOB_UNKNOWN' })
  })
})

describe('celldrop status --stack', () => {
  it('tells how a job stands, for people and as JSON', async () => {
    execution(job, 'RUNNING')
    await remoteStatus(invocation([job]))
    expect(printed).toEqual([`${job}: running, Embed`])
    await remoteStatus(invocation([job], {}, true))
    expect(JSON.parse(printed[1]!)).toEqual({
      job,
      jobId: 'liver-0123456789ab',
      attempt: 1,
      state: 'running',
      step: 'Embed',
      begun: '1970-01-01T00:00:00.000Z',
      ended: null,
      results: `s3://the-outbox/${prefix}`,
      error: null,
    })
  })

  it('finds a job by its name', async () => {
    execution(job, 'SUCCEEDED', { stopDate: new Date(1000) })
    const listed = {
      executionArn: 'a',
      stateMachineArn: 's',
      name: job,
      status: 'SUCCEEDED' as const,
      startDate: new Date(0),
    }
    states.on(ListExecutionsCommand).resolves({ executions: [listed] })
    await remoteStatus(invocation(['liver']))
    expect(printed[0]).toContain(`${job}: succeeded`)
    expect(printed[0]).toContain(`s3://the-outbox/${prefix}`)
  })
})

describe('the stack', () => {
  it.each([
    ['is not in the file', { stack: 'Celldrop2' }],
    ['is another one', { stack: 'Other' }],
    ['has no file', { 'stack-file': '/no/such/file.json' }],
  ])('that %s is refused with what to do', async (_, flags) => {
    await expect(run(submitCommand, [jobOnDisk()], flags)).rejects.toMatchObject({
      code: 'STACK_UNKNOWN',
      remedy: expect.stringContaining('--outputs-file'),
    })
  })
})
