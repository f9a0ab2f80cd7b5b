/**
 * Twin: what the states ask of S3, and what their roles may. A job of each workflow goes down the whole road over S3's protocol; every
 * request is compared with the table that the roles are made of (grants.test.ts compares the roles with the table).
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { type AnnDataToWrite, writeH5ad } from '../../lib/data/write-h5ad.ts'
import { openStore } from '../../lib/job/open-store.ts'
import type { BatchState, RoadState, Upload } from '../../lib/job/road.ts'
import { openStores } from '../../lib/job/stores.ts'
import { startOf } from '../../lib/job/uploads.ts'
import { access, type FunctionState, type StoreName, sourceReaders } from '../../lib/stacks/access.ts'
import { bucketSources } from '../../lib/stacks/sources.ts'
import { inspectInput } from '../../lib/workflows/road/inspect-input.ts'
import { mapGenes } from '../../lib/workflows/road/map-genes.ts'
import { matchOntology } from '../../lib/workflows/road/match-ontology.ts'
import { planCompute } from '../../lib/workflows/road/plan-compute.ts'
import { reportFailure } from '../../lib/workflows/road/report-failure.ts'
import { retryElsewhere } from '../../lib/workflows/road/retry-elsewhere.ts'
import { runStep } from '../../lib/workflows/road/run-step.ts'
import { validateJob } from '../../lib/workflows/road/validate-job.ts'
import { type S3Double, startS3Double } from '../support/s3-double/server.ts'
import { saveSimulatedModel, simulatedQuery } from '../support/simulated-cells.ts'
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.ts'

type State = FunctionState | BatchState
type Right = 'list' | 'read' | 'write' | 'remove'
interface Request {
  state: State
  store: StoreName | 'atlas'
  right: Right
  /** of a listing its prefix */
  key: string
}

let double: S3Double
let folder: TemporaryFolder
const requests: Request[] = []
let current: State | undefined
const environment: Record<string, string> = {
  CELLDROP_INBOX: 's3://celldrop-inbox',
  CELLDROP_WORK: 's3://celldrop-work',
  CELLDROP_MODELS: 's3://celldrop-models',
  CELLDROP_REFERENCES: 's3://celldrop-references',
  CELLDROP_OUTBOX: 's3://celldrop-outbox',
  CELLDROP_CODE: 'test',
  CELLDROP_DEFAULT_MODEL: 'blood',
  CELLDROP_SOURCES: 's3://celldrop-atlas/refs',
  CELLDROP_QUEUES: JSON.stringify({ cpuSpot: 'a', cpuOnDemand: 'b', gpuSpot: 'c', gpuOnDemand: 'd' }),
}

/** Runs one state and notes what it asks for. */
async function as<T>(state: State, work: () => Promise<T>): Promise<T> {
  current = state
  try {
    return await work()
  } finally {
    current = undefined
  }
}

beforeAll(async () => {
  double = await startS3Double()
  folder = await temporaryFolder()
  for (const name of ['inbox', 'work', 'models', 'references', 'outbox', 'atlas'])
    double.addBucket(`celldrop-${name}`, { versioned: true })
  vi.stubEnv('AWS_ENDPOINT_URL_S3', double.endpoint)
  vi.stubEnv('AWS_REGION', 'us-east-1')
  vi.stubEnv('AWS_ACCESS_KEY_ID', double.credentials.accessKeyId)
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', double.credentials.secretAccessKey)
  double.onCall = ({ method, bucket, key, parameters }) => {
    if (current === undefined) return undefined
    const isRead = method === 'GET' || method === 'HEAD'
    const isAbort = method === 'DELETE' && parameters.has('uploadId')
    const right = key === '' ? 'list' : isRead ? 'read' : method === 'DELETE' && !isAbort ? 'remove' : 'write'
    const store = bucket.slice('celldrop-'.length) as Request['store']
    requests.push({ state: current, store, right, key: key === '' ? (parameters.get('prefix') ?? '') : key })
    return undefined
  }
  await saveSimulatedModel(await openStores(environment))
  await annotateCells()
  await acquireCells()
  await typeCells()
}, 120_000)
afterAll(async () => {
  vi.unstubAllEnvs()
  await double[Symbol.asyncDispose]()
  await folder[Symbol.asyncDispose]()
})

async function put(bucket: string, key: string, cells: AnnDataToWrite | string): Promise<Upload> {
  const store = await openStore(`s3://celldrop-${bucket}`)
  const path = join(folder.path, 'made.h5ad')
  if (typeof cells === 'string') writeFileSync(path, cells)
  else await writeH5ad(path, cells)
  const { etag, versionId, size } = await store.write(key, readFileSync(path))
  rmSync(path)
  return { key, etag, size, ...(versionId !== undefined && { versionId }) }
}

async function annotateCells(): Promise<void> {
  const state = await decide(await put('inbox', 'annotate/q.h5ad', simulatedQuery(1, 60)))
  const lost = { ...state, error: { Error: 'Batch.JobFailed', Cause: '{}' } }
  await failOnce(state)
  await as('RetryElsewhere', () => retryElsewhere(lost, environment))
  await as('ReportFailure', () => reportFailure(lost, environment))
  for (const name of ['Prepare', 'Embed', 'Label', 'Publish'] as const)
    await as(name, () => runShards(name, state))
}

/** A file of the installation's sources, into the store of references. */
async function acquireCells(): Promise<void> {
  await put('atlas', 'refs/spleen.h5ad', simulatedQuery(5, 80))
  const job = { workflow: 'acquire', source: 's3://celldrop-atlas/refs/spleen.h5ad', output: 'spleen.h5ad' }
  const state = await decide(await put('inbox', 'jobs/spleen/job.json', JSON.stringify(job)))
  expect(state.plan?.afterPrepare).toBe('Publish')
  for (const name of ['Prepare', 'Publish'] as const) await as(name, () => runShards(name, state))
}

/** One reference beside the job file, one that was acquired, another in a bucket that the installation's sources name. */
async function typeCells(): Promise<void> {
  await put('inbox', 'jobs/tissue/q.h5ad', simulatedQuery(2, 60))
  await put('inbox', 'jobs/tissue/r.h5ad', simulatedQuery(3, 80))
  await put('atlas', 'refs/blood.h5ad', simulatedQuery(4, 80))
  const job = {
    workflow: 'type-cells',
    query: 'q.h5ad',
    references: ['r.h5ad', 's3://celldrop-references/spleen.h5ad', 's3://celldrop-atlas/refs/blood.h5ad'],
    label_columns: ['truth', 'truth', 'truth'],
    min_cells_per_type: 10,
    calibration_folds: 2,
  }
  const state = await decide(await put('inbox', 'jobs/tissue/job.json', JSON.stringify(job)))
  expect(state.plan?.afterPrepare).toBe('Fit')
  for (const name of ['Prepare', 'Fit', 'Embed', 'Label', 'Publish'] as const)
    await as(name, () => runShards(name, state))
}

/** What the functions do, from an upload to a plan. */
async function decide(upload: Upload): Promise<RoadState> {
  const functions = { MapGenes: mapGenes, MatchOntology: matchOntology, PlanCompute: planCompute }
  const start = startOf(upload, { inbox: 's3://celldrop-inbox', created: '2026-11-21T10:00:00Z' })
  let state: RoadState = await as('ValidateJob', () => validateJob({ start }, environment))
  const job = state.job!
  const facts = []
  for (const input of job.inputs)
    facts.push(await as('InspectInput', () => inspectInput({ start, job, input }, environment)))
  state = { ...state, facts }
  for (const [name, work] of Object.entries(functions))
    state = await as(name as State, () => work(state, environment))
  return state
}

async function runShards(name: BatchState, { start, plan }: RoadState): Promise<void> {
  const shards = name === 'Embed' ? plan!.shards : 1
  for (let shard = 0; shard < shards; shard++) {
    const code = await runStep(name, {
      environment: {
        ...environment,
        CELLDROP_SCRATCH: folder.path,
        CELLDROP_JOB: start.jobId,
        CELLDROP_ATTEMPT: '1',
        CELLDROP_ROAD: plan!.road,
        ...(name === 'Embed' && { AWS_BATCH_JOB_ARRAY_INDEX: String(shard) }),
      },
      signal: new AbortController().signal,
      print: () => {},
    })
    expect({ name, shard, code }).toEqual({ name, shard, code: 0 })
  }
}

/** A step that cannot go on leaves a failure: Label before there is anything to label. */
async function failOnce(state: RoadState): Promise<void> {
  vi.spyOn(process.stderr, 'write').mockImplementation(() => true)
  await as('Label', () => expect(runShards('Label', state)).rejects.toThrow())
  vi.restoreAllMocks()
  const failures = [...double.buckets.get('celldrop-work')!.objects.keys()].filter((key) =>
    key.includes('/failures/'),
  )
  expect(failures).toEqual([expect.stringMatching(/^jobs\/.*\/failures\/Label\.json$/)])
  // of the step that is next: one that can be tried again, so that RetryElsewhere takes it away
  const key = failures[0]!.replace('Label.json', 'Prepare.json')
  double.put('celldrop-work', key, JSON.stringify({ name: 'StoreUnavailable', state: 'Prepare' }))
}

function isGranted({ state, store, right, key }: Request): boolean {
  if (store === 'atlas') return isGrantedBySources({ state, right, key })
  const rights = access[state][store]
  if (rights === undefined) return false
  if (right === 'list') return true
  const { read = [], write = [], remove = [] } = rights
  const prefixes = { read: [...read, ...write], write, remove }[right]
  return prefixes.some((prefix) => new RegExp(`^${prefix.replaceAll('*', '.*')}$`, 's').test(key))
}

function isGrantedBySources({ state, right, key }: Pick<Request, 'state' | 'right' | 'key'>): boolean {
  const [{ prefix } = { prefix: '' }] = bucketSources([environment.CELLDROP_SOURCES!])
  const isBelow = key === prefix || key.startsWith(`${prefix}/`)
  return sourceReaders.has(state) && isBelow && (right === 'read' || right === 'list')
}

describe('a job on its way', () => {
  it('asks for something in every state', () => {
    expect(new Set(requests.map(({ state }) => state))).toEqual(new Set(Object.keys(access)))
    expect(requests.length).toBeGreaterThan(100)
  })

  it('asks for nothing that the role of its state may not do', () => {
    const denied = requests.filter((request) => !isGranted(request))
    expect([
      ...new Set(denied.map(({ state, store, right, key }) => `${state} ${right} ${store} ${key}`)),
    ]).toEqual([])
  })

  it('leaves nothing in its folder that a later version of the code could not clear away', () => {
    const left = [...double.buckets.get('celldrop-outbox')!.objects.keys()].filter(
      (key) => !key.endsWith('/result.json'),
    )
    expect(left.length).toBeGreaterThan(15)
    const stuck = left.filter(
      (key) => !isGranted({ state: 'Publish', store: 'outbox', right: 'remove', key }),
    )
    expect(stuck).toEqual([])
  })

  it('reads what lies in a source with the roles of the states that open inputs', () => {
    const readers = requests.filter(({ store }) => store === 'atlas').map(({ state }) => state)
    // Publish fetches what is acquired
    expect(new Set(readers)).toEqual(new Set(['ValidateJob', 'InspectInput', 'Prepare', 'Publish']))
  })

  it('uses every store that its states may reach', () => {
    const used = new Set(
      requests.map(({ state, store, right }) => `${state} ${store} ${right === 'list' ? 'read' : right}`),
    )
    const granted = Object.entries(access).flatMap(([state, stores]) =>
      Object.entries(stores).flatMap(([store, rights]) =>
        Object.keys(rights).map((right) => `${state} ${store} ${right}`),
      ),
    )
    expect(granted.filter((one) => !used.has(one))).toEqual([])
  })
})
