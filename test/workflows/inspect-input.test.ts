/** Contract: a file is looked at once, by ranges, and what no later step could use is refused before a machine is started for it. */
import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { type AnnDataToWrite, writeH5ad } from '../../lib/data/write-h5ad.ts'
import { openStore } from '../../lib/job/open-store.ts'
import type { ObjectStore } from '../../lib/job/store.ts'
import type { GeneNames } from '../../lib/workflows/road/facts.ts'
import type { InputFacts } from '../../lib/workflows/workflow.ts'
import { cellsOf, type Installation, makeInstallation } from '../support/installation.ts'
import { readWhole } from '../support/read-whole.ts'
import { type S3Double, startS3Double } from '../support/s3-double/server.ts'
import { hasShared, sharedPath } from '../support/shared.ts'
import {
  saveSimulatedModel,
  simulateCells,
  simulatedGenes,
  simulatedQuery,
} from '../support/simulated-cells.ts'
import { jobFile, readObject, walk } from '../support/walk.ts'

let lab: Installation
beforeAll(async () => {
  lab = await makeInstallation({ CELLDROP_DEFAULT_MODEL: 'blood' })
  await saveSimulatedModel(lab.stores)
})
afterAll(() => lab.folder[Symbol.asyncDispose]())

let count = 0
async function inspected(cells: AnnDataToWrite, settings: Record<string, unknown> = {}) {
  const name = `job-${count++}`
  await lab.upload(`jobs/${name}/q.h5ad`, cells)
  const start = await lab.upload(`jobs/${name}/job.json`, jobFile({ query: 'q.h5ad', ...settings }))
  return walk(start, lab.environment, 'InspectInput')
}

async function factsOf(cells: AnnDataToWrite, settings: Record<string, unknown> = {}) {
  const state = await inspected(cells, settings)
  return readObject<InputFacts>(lab, state.facts![0]!.key)
}

const refused = (cells: AnnDataToWrite, settings: Record<string, unknown> = {}) =>
  inspected(cells, settings).catch((error: unknown) => error)

const { counts } = simulateCells(3, 40)
const scaled = counts.map((row) => row.map((value) => (value - 5) / 3))
const logs = counts.map((row) => {
  const total = row.reduce((sum, value) => sum + value, 0)
  return row.map((value) => Math.log1p((value / total) * 1e4))
})
const query = (rows: readonly (readonly number[])[]) => cellsOf(rows, { genes: simulatedGenes })

describe('InspectInput', () => {
  it('finds the counts and every name that the genes could go by', async () => {
    const cells = simulatedQuery(2, 30)
    const ids = simulatedGenes.map((_, i) => `ENSG${String(i).padStart(11, '0')}`)
    cells.var.columns.set('id', { kind: 'string', values: ids })
    cells.var.columns.set('biotype', { kind: 'string', values: simulatedGenes.map(() => 'protein_coding') })
    const state = await inspected(cells)
    const facts = await readObject<InputFacts>(lab, state.facts![0]!.key)
    expect(facts).toMatchObject({
      pin: { role: 'query', key: expect.stringMatching(/q\.h5ad$/) },
      counts: { matrix: 'X', from: 'counts' },
      inspection: { nObs: 30, nVars: simulatedGenes.length, species: 'Homo sapiens' },
    })
    const names = await readObject<GeneNames[]>(lab, state.facts![0]!.key.replace('facts', 'genes'))
    // a column of one word for all genes names none of them
    expect(names.map(({ column }) => column)).toEqual([null, 'id'])
    expect(names[0]!.names).toEqual(simulatedGenes)
  })

  it('looks once: the second time the file may be gone', async () => {
    const state = await inspected(simulatedQuery(4, 20))
    await lab.stores.inbox.remove(state.job!.inputs[0]!.key)
    expect(await walk({ start: state.start }, lab.environment, 'InspectInput')).toEqual(state)
  })

  it('takes counts from a layer where X holds logs, and says so', async () => {
    const cells = query(logs)
    cells.layers = new Map([['counts', query(counts).x!]])
    const facts = await factsOf(cells)
    expect(facts.counts).toMatchObject({ matrix: 'layers/counts', from: 'counts' })
    expect(facts.notices.map(({ code }) => code)).toContain('COUNTS_NOT_IN_X')
  })

  it('takes logs of 10,000 a cell as they are where there are no counts, or where X is preferred', async () => {
    expect((await factsOf(query(logs))).counts).toMatchObject({ matrix: 'X', from: 'log1p_10k' })
    const both = query(logs)
    both.layers = new Map([['counts', query(counts).x!]])
    expect((await factsOf(both, { prefer: 'x' })).counts).toMatchObject({ matrix: 'X', from: 'log1p_10k' })
  })

  it('goes on without counts where that is forced, and says so', async () => {
    const linear = query(counts.map((row) => row.map((value) => value * 1.37)))
    const facts = await factsOf(linear, { unsafe_force: true })
    expect(facts.notices.map(({ code }) => code)).toContain('NORM_UNSAFE_FORCED')
  })

  it.each([
    ['no cells', () => query([]), {}, 'CELLS_NONE', 'q.h5ad', 'no cells'],
    [
      'scaled values and no counts',
      () => query(scaled),
      {},
      'COUNTS_NOT_FOUND',
      'q.h5ad:X',
      'negative values',
    ],
    [
      'nothing but zeros',
      () => query(counts.map((row) => row.map(() => 0))),
      {},
      'COUNTS_NOT_FOUND',
      ':X',
      'zeros',
    ],
    [
      'a layer that is not there',
      () => query(counts),
      { counts_layer: 'raw' },
      'COUNTS_LAYER_MISSING',
      'q.h5ad',
      "'raw'",
    ],
    [
      'clusters for voting in no column',
      () => simulatedQuery(2, 60),
      { majority_voting: true, over_clustering: 'leiden' },
      'OVER_CLUSTERING_COLUMN',
      'q.h5ad:/obs',
      '"leiden"',
    ],
    [
      'batches in no column',
      () => query(counts),
      { batch_key: 'Sample_ID' },
      'BATCH_COLUMN',
      'q.h5ad:/obs',
      '"Sample_ID"',
    ],
  ])('refuses %s', async (_, cells, settings, code, place, problem) => {
    expect(await refused(cells(), settings)).toMatchObject({
      name: 'BadInput',
      code,
      place: expect.stringContaining(place),
      problem: expect.stringContaining(problem),
      remedy: expect.stringMatching(/\w/),
    })
  })

  it('refuses annotations of the same name unless they may be replaced or this run has another name', async () => {
    const cells = simulatedQuery(2, 20)
    cells.obs.columns.set('cxg_cell_type_predicted', cells.obs.columns.get('truth')!)
    expect(await refused(cells)).toMatchObject({
      code: 'OUTPUT_EXISTS',
      place: expect.stringContaining('/obs/cxg_cell_type_predicted'),
      remedy: expect.stringContaining('overwrite'),
    })
    await expect(inspected(cells, { overwrite: true })).resolves.toBeDefined()
    await expect(inspected(cells, { run_name: 'second' })).resolves.toBeDefined()
    await expect(inspected(cells, { annotation_prefix: 'lab' })).resolves.toBeDefined()
  })

  it('leaves a column of clusters unasked for where there is no vote', async () => {
    await expect(inspected(query(counts), { over_clustering: 'leiden' })).resolves.toBeDefined()
  })
})

describe('a hostile file at InspectInput', () => {
  const folder = resolve(import.meta.dirname, '../fixtures/hostile')
  /** null: what is wrong with it lies where these ranges do not come: who reads all of it refuses it */
  const outcomes: Record<string, string | null> = {
    'code-outside': 'ELEMENT_DAMAGED',
    'declares-terabytes': 'HDF5_DECLARED_SIZE',
    deep: null,
    'entry-twice': 'DUPLICATE_ENTRY',
    'external-link': 'HDF5_POINTS_OUTSIDE',
    'external-storage': 'HDF5_POINTS_OUTSIDE',
    'group-holds-itself': null,
    'gzip-twice': 'HDF5_FILTER',
    'huge-chunk': 'HDF5_CHUNK_SIZE',
    'index-outside': 'ELEMENT_DAMAGED',
    'indptr-falls': 'ELEMENT_DAMAGED',
    'soft-loop': null,
    'user-block': 'FORMAT_UNKNOWN',
    'virtual-dataset': 'HDF5_POINTS_OUTSIDE',
    'zeros-512-mib': null,
  }

  it('is known to this list', () => {
    const names = readdirSync(folder).filter((name) => name.endsWith('.h5ad'))
    expect(names.map((name) => name.replace('.h5ad', '')).sort()).toEqual(Object.keys(outcomes).sort())
  })

  it.each(Object.entries(outcomes))('%s ends with %s', async (name, code) => {
    const key = `annotate/${name}.h5ad`
    await lab.stores.inbox.write(key, readFileSync(`${folder}/${name}.h5ad`))
    const { etag, size } = (await lab.stores.inbox.head(key))!
    const start = { ...begun, jobId: name, upload: { key, etag, size } }
    const outcome = await walk({ start }, lab.environment, 'InspectInput').catch((error: unknown) => error)
    if (code === null) expect(outcome).toMatchObject({ facts: [{ role: 'query' }] })
    else expect(outcome).toMatchObject({ name: 'BadInput', code, place: expect.stringContaining(key) })
    if (code === null)
      await expect(readWhole(`${folder}/${name}.h5ad`)).rejects.toMatchObject({
        name: 'BadInput',
      })
  })
})

const begun = { attempt: 1, created: '2026-11-21T10:00:00Z', output: '' }

describe('InspectInput over S3', () => {
  let double: S3Double
  let inbox: ObjectStore
  beforeAll(async () => {
    double = await startS3Double()
    double.addBucket('inbox')
    vi.stubEnv('AWS_ENDPOINT_URL_S3', double.endpoint)
    vi.stubEnv('AWS_REGION', 'us-east-1')
    vi.stubEnv('AWS_ACCESS_KEY_ID', double.credentials.accessKeyId)
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', double.credentials.secretAccessKey)
    inbox = await openStore('s3://inbox')
  })
  afterAll(async () => {
    vi.unstubAllEnvs()
    await double[Symbol.asyncDispose]()
  })

  /** Facts of a file in the bucket, with what was asked for to find them. */
  async function overS3(key: string, content: Uint8Array) {
    const { etag, size } = await inbox.write(key, content)
    const asked: string[] = []
    let bytes = 0
    double.onCall = ({ method, headers }) => {
      asked.push(method)
      const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(headers.get('range') ?? '') ?? []
      if (method === 'GET') bytes += from === undefined ? Number.NaN : Number(to) - Number(from) + 1
      return undefined
    }
    const start = { ...begun, jobId: `s3-${count++}`, upload: { key, etag: etag.replaceAll('"', ''), size } }
    const environment = { ...lab.environment, CELLDROP_INBOX: 's3://inbox' }
    const state = await walk({ start }, environment, 'InspectInput')
    return { facts: await readObject<InputFacts>(lab, state.facts![0]!.key), asked, bytes, size }
  }

  it('reads a small part of a large file, and every read is a range', async () => {
    const { counts: many } = simulateCells(5, 80_000)
    const path = join(lab.folder.path, 'large.h5ad')
    await writeH5ad(path, query(many), { gzip: undefined })
    const { facts, asked, bytes, size } = await overS3('annotate/large.h5ad', readFileSync(path))
    expect(facts).toMatchObject({ counts: { matrix: 'X', from: 'counts' }, inspection: { nObs: 80_000 } })
    expect(size).toBeGreaterThan(40 << 20)
    // samples of rows, and all of obs
    expect(bytes).toBeLessThan(0.6 * size)
    expect(asked.length).toBeLessThan(60)
    expect(asked.filter((method) => method !== 'GET' && method !== 'HEAD')).toEqual([])
  })

  it.runIf(hasShared)('finds in a real file what it finds on disk', async () => {
    const content = readFileSync(sharedPath('data/pbmc4k_query/pbmc4k_soupx_labelled.h5ad'))
    const { facts, asked } = await overS3('annotate/pbmc.h5ad', content)
    const { etag, size } = await lab.stores.inbox.write('annotate/pbmc.h5ad', content)
    const start = { ...begun, jobId: 'pbmc', upload: { key: 'annotate/pbmc.h5ad', etag, size } }
    const state = await walk({ start }, lab.environment, 'InspectInput')
    const local = await readObject<InputFacts>(lab, state.facts![0]!.key)
    const bare = ({ pin: _, ...rest }: InputFacts, place: string) =>
      JSON.parse(JSON.stringify(rest).replaceAll(place, 'inbox'))
    expect(bare(facts, 's3://inbox')).toEqual(bare(local, lab.stores.inbox.place))
    expect(asked.length).toBeLessThan(60)
  })
})
