/**
 * Twin: the whole road, Lambdas and containers unchanged, with inbox, work, models and outbox as buckets of OpenStack Swift, gives the same
 * bytes as with folders. Swift knows no conditional writes; a proxy in front of it answers those alone (conditional-proxy.ts).
 */
import { readFileSync } from 'node:fs'
import { CreateBucketCommand } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, it, test, vi } from 'vitest'
import type { Start } from '../../lib/job/road.ts'
import { openStores } from '../../lib/job/stores.ts'
import { startOf, uploadOf } from '../../lib/job/uploads.ts'
import { findModel } from '../../lib/models/bundle.ts'
import type { JobResult } from '../../lib/workflows/parts/results.ts'
import { type Installation, makeInstallation } from '../support/installation.ts'
import { importRealModel } from '../support/real-models.ts'
import { filesUnder, runRoadOf, sha256 } from '../support/road-run.ts'
import { hasShared, sharedPath } from '../support/shared.ts'
import { saveSimulatedModel, simulatedQuery } from '../support/simulated-cells.ts'
import { type ConditionalProxy, startConditionalProxy } from './conditional-proxy.ts'
import { missingProgram, type Swift, startSwift, swiftCredentials } from './swift.ts'

const missing = await missingProgram()

if (missing !== undefined)
  test('the road over OpenStack Swift', ({ skip }) =>
    skip(`${missing} is not installed (Debian packages swift-*)`))

describe.skipIf(missing !== undefined)('the whole road over buckets', () => {
  let swift: Swift
  let proxy: ConditionalProxy
  let folders: Installation
  let buckets: Installation

  beforeAll(async () => {
    swift = await startSwift()
    proxy = await startConditionalProxy({
      host: '127.0.0.1',
      port: Number(new URL(swift.endpoint).port),
      region: 'us-east-1',
      ...swiftCredentials,
    })
    // of this process, where the Lambdas run, and of its children, the containers
    vi.stubEnv('AWS_ENDPOINT_URL_S3', proxy.endpoint)
    vi.stubEnv('AWS_REGION', 'us-east-1')
    vi.stubEnv('AWS_ACCESS_KEY_ID', swiftCredentials.accessKeyId)
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', swiftCredentials.secretAccessKey)
    folders = await makeInstallation({ CELLDROP_DEFAULT_MODEL: 'blood' })
    const names = ['INBOX', 'WORK', 'MODELS', 'OUTBOX']
    const places = Object.fromEntries(
      names.map((name) => [`CELLDROP_${name}`, `s3://cells-${name.toLowerCase()}`]),
    )
    const environment = { ...folders.environment, ...places }
    const client = swift.client()
    for (const name of names)
      await client.send(new CreateBucketCommand({ Bucket: `cells-${name.toLowerCase()}` }))
    buckets = { ...folders, environment, stores: await openStores(environment) }
    for (const { stores } of [folders, buckets]) {
      await saveSimulatedModel(stores)
      if (hasShared) await importRealModel(stores, 'pbmc-sorted')
    }
  })
  afterAll(async () => {
    vi.unstubAllEnvs()
    await proxy?.[Symbol.asyncDispose]()
    await swift?.[Symbol.asyncDispose]()
    await folders?.folder[Symbol.asyncDispose]()
  })

  /** As StartJob makes it of the event of an upload; twins have one name, for the name is in the results. */
  async function startIn({ stores }: Installation, key: string, twin?: Start): Promise<Start> {
    const { etag, size } = (await stores.inbox.head(key))!
    const time = '2026-11-21T10:00:00Z'
    const bucket = { name: 'cells-inbox' }
    const object = { key, size, etag: etag.replaceAll('"', ''), sequencer: '0055AED6DCD90281E5' }
    const event = { source: 'aws.s3', 'detail-type': 'Object Created', time, detail: { bucket, object } }
    const arrived = uploadOf(event)
    if (arrived === undefined) throw new Error(`${key} begins no job`)
    const start = startOf(arrived.upload, { inbox: 's3://cells-inbox', created: arrived.time })
    return twin === undefined ? start : { ...twin, upload: start.upload }
  }

  async function resultOf(lab: Installation, start: Start): Promise<Map<string, Buffer>> {
    await runRoadOf(lab, start)
    return filesUnder(lab.stores.outbox, start.output)
  }

  const marks = (files: Map<string, Buffer>) => {
    const { summary } = JSON.parse(files.get('result.json')!.toString()) as JobResult
    // a trained model is named by its content, which tells its references by what their store calls their content
    const isTrained = files.has('training_cells.csv')
    const unnamed = (bytes: Buffer) =>
      isTrained ? bytes.toString('latin1').replaceAll(String(summary.model), 'model') : bytes
    return Object.fromEntries(
      [...files]
        .filter(([name]) => /\.(h5ad|csv|png|pkl)$/.test(name))
        .map(([name, bytes]) => [name, sha256(unnamed(bytes))]),
    )
  }

  /** Runs the same job in both, and compares. */
  async function expectTwins(
    key: string,
    beside: [string, Uint8Array][],
    marked = 3,
  ): Promise<Map<string, Buffer>> {
    for (const { stores } of [folders, buckets])
      for (const [name, bytes] of beside) await stores.inbox.write(name, bytes)
    const start = await startIn(buckets, key)
    const remote = await resultOf(buckets, start)
    const local = await resultOf(folders, await startIn(folders, key, start))
    expect([...remote.keys()].sort()).toEqual([...local.keys()].sort())
    expect(Object.keys(marks(remote)).length).toBeGreaterThanOrEqual(marked)
    expect(marks(remote)).toEqual(marks(local))
    const { notices } = JSON.parse(remote.get('result.json')!.toString()) as JobResult
    // what a user reads names the bucket, not a scratch folder of a machine that is gone
    expect(JSON.stringify(notices)).not.toContain(folders.folder.path)
    return remote
  }

  let count = 0
  const simulated = async (seed = 31): Promise<Uint8Array> => {
    const key = `made/${count++}.h5ad`
    await folders.upload(key, simulatedQuery(seed, 120))
    return folders.stores.inbox.read(key, { maxBytes: 1 << 24 })
  }

  it('annotates a job file with its query beside it', async () => {
    const job = `workflow: annotate\nquery: q.h5ad\nmodel: blood\nmajority_voting: true\nmin_counts: 300\nseed: 5\n`
    await expectTwins('jobs/blood/job.yaml', [
      ['jobs/blood/job.yaml', Buffer.from(job)],
      ['jobs/blood/q.h5ad', await simulated()],
    ])
    expect(proxy.refused()).toBe(0)
  })

  it('annotates a bare file, also one whose name is long and odd', async () => {
    const key = `annotate/${'a very long name '.repeat(14)}ü+%20 & co.h5ad`
    await expectTwins(key, [[key, await simulated()]])
  })

  it('types cells by a model of two references that it trains, and leaves the model in its store', async () => {
    const job = {
      workflow: 'type-cells',
      query: 'q.h5ad',
      references: ['r1.h5ad', 'r2.h5ad'],
      label_columns: ['truth', 'truth'],
      model_name: 'trained',
      min_cells_per_type: 10,
      calibration_folds: 2,
    }
    const files = await expectTwins(
      'jobs/types/job.json',
      [
        ['jobs/types/job.json', Buffer.from(JSON.stringify(job))],
        ['jobs/types/q.h5ad', await simulated(41)],
        ['jobs/types/r1.h5ad', await simulated(42)],
        ['jobs/types/r2.h5ad', await simulated(43)],
      ],
      8,
    )
    expect([...files.keys()]).toContain('trained.pkl')
    const { summary } = JSON.parse(files.get('result.json')!.toString()) as JobResult
    expect((await findModel(buckets.stores.models, 'trained')).id).toBe(summary.model)
  })

  it.runIf(hasShared)('annotates real cells', async () => {
    const query = readFileSync(sharedPath('data/pbmc4k_query/pbmc4k_soupx_labelled.h5ad'))
    const job = JSON.stringify({ workflow: 'annotate', query: 'query.h5ad', model: 'pbmc-sorted' })
    await expectTwins('jobs/pbmc/job.json', [
      ['jobs/pbmc/job.json', Buffer.from(job)],
      ['jobs/pbmc/query.h5ad', query],
    ])
  })

  it('writes nothing twice: a second run finds what the first has left, and a result is never replaced', async () => {
    const start = await startIn(buckets, 'jobs/blood/job.yaml')
    const before = await filesUnder(buckets.stores.outbox, start.output)
    expect(await resultOf(buckets, start)).toEqual(before)
    const again = buckets.stores.outbox.write(`${start.output}result.json`, Buffer.from('{}'), {
      onlyIfAbsent: true,
    })
    await expect(again).rejects.toMatchObject({ name: 'AlreadyExists' })
    expect(proxy.refused()).toBeGreaterThan(0)
  })

  it('refuses a bad query with error.json in the outbox', async () => {
    await buckets.stores.inbox.write('annotate/text.h5ad', Buffer.from('no cells at all'))
    const start = await startIn(buckets, 'annotate/text.h5ad')
    await expect(runRoadOf(buckets, start)).rejects.toMatchObject({ report: { code: 'FORMAT_UNKNOWN' } })
    const files = await filesUnder(buckets.stores.outbox, start.output)
    expect([...files.keys()]).toEqual(['error.json'])
    expect(JSON.parse(files.get('error.json')!.toString())).toMatchObject({
      code: 'FORMAT_UNKNOWN',
      refused: true,
    })
  })
})
