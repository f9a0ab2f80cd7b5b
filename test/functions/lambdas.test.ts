/** Contract: what Step Functions is told by each Lambda: errors under the names that the state machine matches, reports as JSON. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { HeadObjectCommand, S3Client, S3ServiceException } from '@aws-sdk/client-s3'
import { mockClient } from 'aws-sdk-client-mock'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { handler as inspectInput } from '../../functions/inspect-input/handler.ts'
import { handler as mapGenes } from '../../functions/map-genes/handler.ts'
import { handler as reportFailure } from '../../functions/report-failure/handler.ts'
import { handler as validateJob } from '../../functions/validate-job/handler.ts'
import { openStore } from '../../lib/job/open-store.ts'
import type { RoadState } from '../../lib/job/road.ts'
import { type Handler, runRoad } from '../../lib/local/state-machine.ts'
import { bundleFunction } from '../../lib/stacks/bundle-function.ts'
import {
  cellsOf,
  type Installation,
  makeInstallation,
  saveToyModel,
  toyCounts,
} from '../support/installation.ts'
import { type S3Double, startS3Double } from '../support/s3-double/server.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const root = resolve(import.meta.dirname, '../..')
const definition = readFileSync(join(root, 'statemachines/pipeline.asl.json'), 'utf8')
const created = '2026-11-21T10:00:00.000Z'

let lab: Installation
beforeAll(async () => {
  lab = await makeInstallation({ CELLDROP_DEFAULT_MODEL: 'toy' })
  await saveToyModel(lab.stores)
  await lab.upload('jobs/source/q.h5ad', cellsOf(toyCounts))
})
afterAll(() => lab.folder[Symbol.asyncDispose]())
afterEach(() => vi.unstubAllEnvs())

function use(environment: Record<string, string | undefined>): void {
  for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value)
}

function startOf(key: string, etag = 'absent'): RoadState {
  const upload = { key, etag, size: 10 }
  return { start: { jobId: key.replace(/\W/g, '-'), attempt: 1, created, upload, output: 'out/' } }
}

const thrown = (work: Promise<unknown>): Promise<Error> =>
  work.then(
    () => Promise.reject(new Error('nothing was thrown')),
    (error: Error) => error,
  )

const folderOf = (state: string): string =>
  state.replace(/(?<=[a-z])[A-Z]/g, (letter) => `-${letter}`).toLowerCase()

describe('a state of the state machine', () => {
  const lambdas = [
    ...new Set([...definition.matchAll(/"FunctionName": "\$\{(\w+)\}"/g)].map(([, name]) => name!)),
  ]
  const steps = [...definition.matchAll(/"JobDefinition": "\$\{(\w+)Job\}"/g)].map(([, name]) => name!)

  it.each(lambdas)('%s has a function of its name', async (state) => {
    const path = join(root, 'functions', folderOf(state), 'handler.ts')
    const module = (await import(pathToFileURL(path).href)) as { handler: unknown }
    expect(module.handler).toBeTypeOf('function')
  })

  it.each(steps)('%s has a container of its name', (state) => {
    expect(existsSync(join(root, 'containers', folderOf(state), 'main.ts'))).toBe(true)
  })

  it('is behind every function and container but the one that starts the machine', () => {
    const folders = (path: string) =>
      readdirSync(join(root, path), { withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .map(({ name }) => name)
        .sort()
    expect(folders('functions')).toEqual([...lambdas.map(folderOf), 'start-job'].sort())
    expect(folders('containers')).toEqual(steps.map(folderOf).sort())
  })
})

describe('an error of a Lambda', () => {
  it('keeps its name, and its report is the message', async () => {
    use(lab.environment)
    const error = await thrown(validateJob(startOf('annotate/gone.h5ad')))
    expect(error.name).toBe('BadInput')
    expect(JSON.parse(error.message)).toEqual({
      code: 'UPLOAD_REPLACED',
      place: `${lab.stores.inbox.place}/annotate/gone.h5ad`,
      problem: expect.stringContaining('replaced or removed'),
      remedy: expect.stringContaining('upload the file again'),
    })
  })

  it.each([
    ['an unset variable', { CELLDROP_WORK: '' }, startOf('annotate/q.h5ad'), 'BadInput', 'CONFIGURATION'],
    ['a state without its parts', {}, startOf('annotate/q.h5ad'), 'StoreFailure', 'STATE_INCOMPLETE'],
    ['no state at all', {}, undefined, 'TypeError', 'INTERNAL'],
  ])('is a report also for %s', async (_, environment, state, name, code) => {
    use({ ...lab.environment, ...environment })
    const error = await thrown((code === 'CONFIGURATION' ? validateJob : mapGenes)(state as RoadState))
    expect(error.name).toBe(name)
    expect(JSON.parse(error.message)).toMatchObject({ code, remedy: expect.stringMatching(/\w/) })
  })

  it('has its name in a minified bundle too', async () => {
    await using folder = await temporaryFolder()
    bundleFunction('functions/validate-job/handler.ts', { root, folder: folder.path })
    const bundle = (await import(pathToFileURL(join(folder.path, 'index.mjs')).href)) as {
      handler: typeof validateJob
    }
    use(lab.environment)
    const error = await thrown(bundle.handler(startOf('annotate/gone.h5ad')))
    expect(error.name).toBe('BadInput')
    expect(JSON.parse(error.message)).toMatchObject({ code: 'UPLOAD_REPLACED' })
    expect(error.stack).not.toContain('UPLOAD_REPLACED')
  })
})

describe('a bucket that fails', () => {
  let double: S3Double
  beforeAll(async () => {
    double = await startS3Double()
  })
  afterAll(() => double[Symbol.asyncDispose]())
  afterEach(() => {
    double.onCall = undefined
  })

  /** The job of a bare upload, with everything but the inbox in folders. */
  async function uploaded(): Promise<RoadState> {
    use({
      ...lab.environment,
      CELLDROP_INBOX: 's3://inbox',
      AWS_ENDPOINT_URL_S3: double.endpoint,
      AWS_REGION: 'us-east-1',
      AWS_ACCESS_KEY_ID: double.credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: double.credentials.secretAccessKey,
    })
    double.addBucket('inbox')
    const bytes = await lab.stores.inbox.read('jobs/source/q.h5ad', { maxBytes: 1 << 20 })
    const key = `annotate/q-${count++}.h5ad`
    const { etag } = await (await openStore('s3://inbox')).write(key, bytes)
    return startOf(key, etag.replaceAll('"', ''))
  }
  let count = 0
  const inspected = ({ start, job }: RoadState) => inspectInput({ start, job: job!, input: job!.inputs[0]! })
  const fault = (name: string, status: number) =>
    new S3ServiceException({ name, $fault: 'server', $metadata: { httpStatusCode: status }, message: name })

  it.each([
    ['SlowDown', 503, 'StoreUnavailable', 'READ_FAILED'],
    ['InternalError', 500, 'StoreUnavailable', 'READ_FAILED'],
    ['RequestTimeout', 503, 'StoreUnavailable', 'READ_FAILED'],
    ['AccessDenied', 403, 'StoreFailure', 'ACCESS_DENIED'],
    ['NoSuchBucket', 404, 'StoreFailure', 'BUCKET_MISSING'],
  ])('with %s is told as %s', async (name, status, expected, code) => {
    const state = await uploaded()
    const mock = mockClient(S3Client).rejects(fault(name, status))
    try {
      // HEAD answers of a bucket that is not there have no name
      const work = name === 'NoSuchBucket' ? inspectInputOf(state) : validateJob(state)
      const error = await thrown(work)
      expect(error.name).toBe(expected)
      expect(JSON.parse(error.message)).toMatchObject({ code, place: expect.stringContaining('s3://inbox') })
    } finally {
      mock.restore()
    }
  })

  /** Looks at an input that no one has looked for yet. */
  async function inspectInputOf({ start }: RoadState): Promise<unknown> {
    const { key, etag, size } = start.upload
    const input = { role: 'query', place: 'inbox', key, etag: `"${etag}"`, size }
    const settings = { workflow: 'annotate', query: 'q.h5ad', seed: 0 }
    const part = {
      workflow: 'annotate' as const,
      name: 'q',
      key: `jobs/${start.jobId}.json`,
      inputs: [input],
    }
    await lab.stores.work.write(part.key, Buffer.from(JSON.stringify({ settings, inputs: [input] })))
    return inspectInput({ start, job: { ...part, announcement: { jobId: '', results: '' } }, input })
  }

  it('is asked again by the state machine when it was busy, and not when it refused', async () => {
    const state = await uploaded()
    const head = { ContentLength: 10, ETag: `"${state.start.upload.etag}"`, LastModified: new Date(0) }
    const run = async (error: S3ServiceException): Promise<string[]> => {
      const calls: string[] = []
      const mock = mockClient(S3Client)
      mock.on(HeadObjectCommand).rejectsOnce(error).resolves(head)
      const counted = (name: string, handler: Handler): [string, Handler] => [
        name,
        (event) => {
          calls.push(name)
          return handler(event)
        },
      ]
      const stop = async () => {
        throw Object.assign(new Error('{}'), { name: 'BadInput' })
      }
      await runRoad({
        definition,
        input: { start: { ...state.start, jobId: `busy-${error.name}` } },
        handlers: Object.fromEntries([
          counted('ValidateJob', validateJob as Handler),
          counted('InspectInput', stop),
          counted('ReportFailure', reportFailure as Handler),
        ]),
        batch: stop,
        announce: async () => {},
        signal: new AbortController().signal,
        onEvent: () => {},
        retryWaitMs: 0,
      }).catch(() => {})
      mock.restore()
      return calls
    }
    expect(await run(fault('SlowDown', 503))).toEqual([
      'ValidateJob',
      'ValidateJob',
      'InspectInput',
      'ReportFailure',
    ])
    expect(await run(fault('AccessDenied', 403))).toEqual(['ValidateJob', 'ReportFailure'])
  })

  it('whose object was replaced after the job began is an error, never a mixture', async () => {
    const state = await validateJob(await uploaded())
    double.put('inbox', state.job!.inputs[0]!.key, 'another content')
    const error = await thrown(inspected(state))
    expect(error.name).toBe('StoreFailure')
    expect(JSON.parse(error.message)).toMatchObject({ code: 'OBJECT_CHANGED' })
  })

  it('that breaks an answer off is asked again, and where it does so always the machine tries again', async () => {
    const state = await validateJob(await uploaded())
    let cuts = 0
    double.onCall = ({ method, key }) =>
      method === 'GET' && key.startsWith('annotate/') && cuts++ < 2 ? { kind: 'cut', bytes: 100 } : undefined
    await expect(inspected(state)).resolves.toMatchObject({ role: 'query' })
    expect(cuts).toBeGreaterThan(2)
    const other = await validateJob(await uploaded())
    double.onCall = ({ method, key }) =>
      method === 'GET' && key.startsWith('annotate/') ? { kind: 'cut', bytes: 100 } : undefined
    expect((await thrown(inspected(other))).name).toBe('StoreUnavailable')
  })
})
