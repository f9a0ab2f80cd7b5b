/** Contract: `celldrop acquire` and `celldrop references` as a user types them, each a process of its own, against CELLxGENE on loopback. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openS3Store } from '../../lib/job/s3-store.ts'
import { availableDatasets } from '../../lib/references/datasets.ts'
import { atlas, type CensusLab, other, startCensusLab } from '../support/census-lab.ts'
import { startGcsDouble } from '../support/gcs-double.ts'
import { startS3Double } from '../support/s3-double/server.ts'
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.ts'

const main = resolve(import.meta.dirname, '../../lib/local/main.ts')
const source = `cellxgene://${atlas}`

let census: CensusLab
let folder: TemporaryFolder
beforeAll(async () => {
  census = await startCensusLab()
  folder = await temporaryFolder()
})
afterAll(async () => {
  await folder[Symbol.asyncDispose]()
  await census[Symbol.asyncDispose]()
})

interface Run {
  environment?: Record<string, string>
  onStep?(child: ChildProcess, step: string): void
}

async function celldrop(argv: string[], { environment, onStep }: Run = {}) {
  const env = {
    ...process.env,
    ...census.environment,
    CELLDROP_CACHE_BYTES: '0',
    SYNAPSE_AUTH_TOKEN: '',
    ...environment,
  }
  const child = spawn(process.execPath, [main, ...argv], { cwd: folder.path, env })
  const lines: string[] = []
  createInterface({ input: child.stderr }).on('line', (line) => {
    lines.push(line)
    if (line.startsWith('{"event":"step"') && line.includes('started')) onStep?.(child, JSON.parse(line).step)
  })
  const [stdout] = await Promise.all([text(child.stdout), once(child, 'close')])
  return { status: child.exitCode, stdout, stderr: lines.join('\n') }
}

const at = (...names: string[]): string => join(folder.path, ...names)
const bytesAt = (...names: string[]): Buffer => readFileSync(at(...names))

async function acquire(argv: string[], run: Run = {}) {
  const answer = await celldrop(['acquire', ...argv, '--json'], run)
  return { ...answer, told: answer.stdout === '' ? undefined : JSON.parse(answer.stdout) }
}

describe('celldrop acquire', () => {
  it('fetches into the store of references, and tells where', async () => {
    const { status, told } = await acquire([source, '--name', 'lungs'])
    expect(status).toBe(0)
    expect(told).toMatchObject({
      results: at('results', 'lungs'),
      summary: { output: at('references', 'lungs.h5ad'), cells: 40, kept: false },
    })
    expect(bytesAt('references', 'lungs.h5ad')).toEqual(census.bytes.get(atlas))
    expect(readdirSync(at('results', 'lungs')).sort()).toEqual([
      ...['cells_by_label.csv', 'datasets.csv', 'report.html', 'result.json'],
    ])
  })

  it('finds that it was done before while the file is there, and fetches it again where it is not', async () => {
    const before = statSync(at('references', 'lungs.h5ad')).mtimeMs
    const again = await acquire([source, '--name', 'lungs'])
    expect(again).toMatchObject({ status: 0, stderr: expect.stringContaining('done before') })
    const { stdout } = await celldrop(['acquire', source, '--name', 'lungs'])
    expect(stdout.trimEnd().split('\n').at(-1)).toBe('  references/lungs.h5ad')
    expect(statSync(at('references', 'lungs.h5ad')).mtimeMs).toBe(before)
    rmSync(at('references', 'lungs.h5ad'))
    const { status, told } = await acquire([source, '--name', 'lungs'])
    expect({ status, told }).toMatchObject({ status: 0, told: { summary: { kept: false } } })
    expect(bytesAt('references', 'lungs.h5ad')).toEqual(census.bytes.get(atlas))
  })

  it('fetches again whenever it is told to, and afterwards keeps what is there', async () => {
    for (let time = 0; time < 2; time++) {
      writeFileSync(at('references', 'lungs.h5ad'), 'old')
      const { status, told } = await acquire([source, '--name', 'lungs', '--force'])
      expect({ status, told }).toMatchObject({ status: 0, told: { summary: { kept: false, cells: 40 } } })
      expect(bytesAt('references', 'lungs.h5ad')).toEqual(census.bytes.get(atlas))
    }
    writeFileSync(at('references', 'lungs.h5ad'), 'mine')
    const { status, told } = await acquire([source, '--name', 'lungs'])
    expect({ status, told }).toMatchObject({
      status: 0,
      told: { summary: { kept: true }, notices: [{ code: 'OUTPUT_KEPT' }] },
    })
    expect(bytesAt('references', 'lungs.h5ad').toString()).toBe('mine')
  }, 30_000)

  it('names a query by its values, and takes every setting as a flag', async () => {
    const query = 'cellxgene://?tissue=lung&disease=lung%20adenocarcinoma'
    const { status, told } = await acquire([query, '--max-cells', '5', '--output', 'tumour.h5ad'])
    expect({ status, told }).toMatchObject({
      status: 0,
      told: {
        results: at('results', 'lung-lung-adenocarcinoma'),
        summary: { output: at('tumour.h5ad'), cells: 5, labels: expect.any(Object) },
      },
    })
    expect(existsSync(at('tumour.h5ad'))).toBe(true)
  })

  it('writes into a bucket, and keeps what is there too', async () => {
    await using double = await startS3Double()
    double.addBucket('lab')
    const environment = {
      AWS_ENDPOINT_URL_S3: double.endpoint,
      AWS_ACCESS_KEY_ID: double.credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: double.credentials.secretAccessKey,
      AWS_REGION: 'us-east-1',
    }
    const store = openS3Store({ bucket: 'lab', client: double.client() })
    const argv = [source, '--name', 'bucket', '--output', 's3://lab/refs/lungs.h5ad']
    expect((await acquire(argv, { environment })).told).toMatchObject({
      summary: { output: 's3://lab/refs/lungs.h5ad', kept: false },
    })
    const read = async () => Buffer.from(await store.read('refs/lungs.h5ad', { maxBytes: 1 << 24 }))
    expect(await read()).toEqual(census.bytes.get(atlas))
    await store.write('refs/lungs.h5ad', Buffer.from('theirs'))
    const kept = await acquire([...argv, '--out', 'others'], { environment })
    expect(kept.told).toMatchObject({ summary: { kept: true } })
    expect((await read()).toString()).toBe('theirs')
    const listed = await celldrop(['references', 's3://lab', '--recursive', '--json'], { environment })
    expect(JSON.parse(listed.stdout)).toMatchObject([
      { path: 's3://lab/refs/lungs.h5ad', bytes: 6, storage: 's3' },
    ])
  }, 30_000)

  it('writes to Google Cloud Storage, and keeps what is there too', async () => {
    await using double = await startGcsDouble()
    const bucket = { objects: new Map(), isPublic: true, isOpen: true }
    double.buckets.set('lab-pool', bucket)
    const environment = { STORAGE_EMULATOR_HOST: double.address }
    const argv = [source, '--name', 'google', '--output', 'gs://lab-pool/refs/lungs.h5ad']
    const { status, told } = await acquire(argv, { environment })
    expect({ status, told }).toMatchObject({ status: 0, told: { summary: { kept: false, cells: 40 } } })
    expect(double.buckets.get('lab-pool')!.objects.get('refs/lungs.h5ad')!.bytes).toEqual(
      census.bytes.get(atlas),
    )
    const kept = await acquire([...argv, '--out', 'google-again'], { environment })
    expect(kept.told).toMatchObject({ summary: { kept: true }, notices: [{ code: 'OUTPUT_KEPT' }] })
  }, 30_000)

  it.each([['SIGINT', 130] as const, ['SIGKILL', null] as const])(
    'stopped by %s while it publishes leaves no part of a file, and given again goes on',
    async (signal, code) => {
      const argv = [`cellxgene://${other}`, '--name', `stopped-${signal}`]
      const stopped = await acquire(argv, {
        onStep: (child, step) => {
          if (step === 'Publish') child.kill(signal)
        },
      })
      expect(stopped.status).toBe(code)
      const name = `stopped-${signal}.h5ad`
      if (existsSync(at('references', name)))
        expect(bytesAt('references', name)).toEqual(census.bytes.get(other))
      expect((await acquire(argv)).told).toMatchObject({ summary: { kept: false, cells: 24 } })
      expect(bytesAt('references', name)).toEqual(census.bytes.get(other))
    },
    30_000,
  )

  it('is run by a job file, whose output is relative to it', async () => {
    mkdirSync(at('study'))
    writeFileSync(at('study', 'job.yaml'), `workflow: acquire\nsource: ${source}\noutput: refs/lungs.h5ad\n`)
    const { status, stdout } = await celldrop(['run', 'study/job.yaml', '--json'])
    expect(status).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ summary: { output: at('study', 'refs', 'lungs.h5ad') } })
    writeFileSync(at('study', 'secret.yaml'), `workflow: acquire\nsource: synapse://syn1\nauth_token: abc\n`)
    expect(await celldrop(['run', 'study/secret.yaml'])).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(/^SECRET_IN_JOB: .*auth_token\n.*SYNAPSE_AUTH_TOKEN/s),
    })
  })

  it.each([
    [['cellxgene://human_lung'], 'SOURCE_KEY'],
    [['synapse://syn1'], 'SYNAPSE_TOKEN'],
    [['nowhere.h5ad'], 'FILE_MISSING'],
    [['cellxgene://?tissue=lugn'], 'QUERY_VALUE'],
    [[source, '--output', 'a.zip'], 'OUTPUT_NAME'],
    [[source, '--label-column', 'none'], 'LABEL_COLUMN'],
    [[], 'USAGE'],
  ])('ends with 2 for %j: %s', async (argv, code) => {
    const { status, told } = await acquire([...argv, ...(argv.length > 0 ? ['--name', `bad-${code}`] : [])])
    expect({ status, told }).toMatchObject({ status: 2, told: { error: { code } } })
    expect(existsSync(at('references', `bad-${code}.h5ad`))).toBe(false)
  })
})

describe('celldrop references', () => {
  it('lists what has a name, for a person and as JSON', async () => {
    const { status, stdout } = await celldrop(['references'])
    expect(status).toBe(0)
    for (const { key } of availableDatasets()) expect(stdout).toContain(`cellxgene://${key}\n`)
    expect(JSON.parse((await celldrop(['references', '--json'])).stdout)).toEqual(availableDatasets())
  })

  it('lists the files at a location, by pattern and below it on request', async () => {
    mkdirSync(at('shelf', 'below'), { recursive: true })
    for (const name of ['a.h5ad', 'b.txt', 'below/c.h5ad']) writeFileSync(at('shelf', name), 'x'.repeat(2048))
    const names = async (...argv: string[]) =>
      (
        JSON.parse((await celldrop(['references', 'shelf', '--json', ...argv])).stdout) as { path: string }[]
      ).map(({ path }) => path)
    expect(await names()).toEqual([at('shelf', 'a.h5ad')])
    expect(await names('--recursive')).toEqual([at('shelf', 'a.h5ad'), at('shelf', 'below/c.h5ad')])
    expect(await names('--pattern', '*.txt')).toEqual([at('shelf', 'b.txt')])
    expect((await celldrop(['references', 'shelf'])).stdout).toMatch(/a\.h5ad {2}2\.0 KB, local, \d{4}-/)
  })

  it.each([
    [['a', 'b'], 'USAGE'],
    [['--recursive'], 'USAGE'],
    [['nowhere'], 'FOLDER_MISSING'],
  ])('ends with 2 for %j: %s', async (argv, code) => {
    const { status, stderr } = await celldrop(['references', ...argv])
    expect({ status, stderr }).toMatchObject({ status: 2, stderr: expect.stringContaining(code) })
  })
})
