/** Contract: the whole road as a user goes it, each command a process of its own, with the repository's own functions and containers. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startS3Double } from '../support/s3-double/server.ts'
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.ts'
import { saveKinds, writeQuery } from './small-study.ts'

const main = resolve(import.meta.dirname, '../../lib/local/main.ts')

interface Answer {
  status: number | null
  stdout: string
  stderr: string
}

interface Run {
  cwd: string
  environment?: Record<string, string>
  /** called with the process and every step that begins */
  onStep?(child: ChildProcess, step: string): void
}

async function celldrop(argv: string[], { cwd, environment, onStep }: Run): Promise<Answer> {
  const child = spawn(process.execPath, [main, ...argv], { cwd, env: { ...process.env, ...environment } })
  const lines: string[] = []
  createInterface({ input: child.stderr }).on('line', (line) => {
    lines.push(line)
    if (line.startsWith('{"event":"step"') && line.includes('started')) onStep?.(child, JSON.parse(line).step)
  })
  const [stdout] = await Promise.all([text(child.stdout), once(child, 'close')])
  return { status: child.exitCode, stdout, stderr: lines.join('\n') }
}

const outputs = ['predictions.csv', 'q.annotated.h5ad', 'report.html', 'result.json', 'umap.png']

describe('celldrop annotate', () => {
  let folder: TemporaryFolder
  let truth: string[]
  beforeAll(async () => {
    folder = await temporaryFolder()
    truth = await writeQuery(join(folder.path, 'q.h5ad'))
    await saveKinds(join(folder.path, 'models'))
  })
  afterAll(() => folder[Symbol.asyncDispose]())
  const annotate = (more: string[], run: Partial<Run> = {}) =>
    celldrop(['annotate', 'q.h5ad', '--model', 'kinds', '--json', ...more], { cwd: folder.path, ...run })
  const labels = (results: string) =>
    readFileSync(join(folder.path, results, 'predictions.csv'), 'utf8')
      .trimEnd()
      .split('\n')
      .slice(1)
      .map((line) => line.split(',')[1])

  it('labels the cells, prints one JSON document and nothing else, and leaves whole results only', async () => {
    const { status, stdout, stderr } = await annotate([])
    expect(status).toBe(0)
    const answer = JSON.parse(stdout)
    expect(answer).toMatchObject({ status: 'succeeded', results: join(folder.path, 'results/q') })
    expect(Object.values(answer.outputs).sort()).toEqual(outputs.filter((name) => name !== 'result.json'))
    expect(readdirSync(join(folder.path, 'results/q')).sort()).toEqual(outputs)
    expect(labels('results/q')).toEqual(truth)
    for (const line of stderr.split('\n')) expect(JSON.parse(line)).toHaveProperty('event')
  })

  it('finds that it was done before, and touches nothing', async () => {
    const before = outputs.map((name) => statSync(join(folder.path, 'results/q', name), { bigint: true }))
    const { status, stdout, stderr } = await annotate([])
    expect({ status, stderr }).toMatchObject({ status: 0, stderr: expect.stringContaining('done before') })
    expect(JSON.parse(stdout)).toMatchObject({ status: 'succeeded' })
    const after = outputs.map((name) => statSync(join(folder.path, 'results/q', name), { bigint: true }))
    expect(after.map(({ ino, mtimeNs }) => [ino, mtimeNs])).toEqual(
      before.map(({ ino, mtimeNs }) => [ino, mtimeNs]),
    )
  })

  it('makes the same results again where they were removed, and where they are wanted in another place', async () => {
    const before = readFileSync(join(folder.path, 'results/q/predictions.csv'), 'utf8')
    rmSync(join(folder.path, 'results/q'), { recursive: true })
    for (const [place, argv] of [
      ['results/q', []],
      ['elsewhere', ['--out', 'elsewhere']],
    ] as const) {
      expect((await annotate([...argv])).status).toBe(0)
      expect(readdirSync(join(folder.path, place)).sort()).toEqual(outputs)
      expect(readFileSync(join(folder.path, place, 'predictions.csv'), 'utf8')).toBe(before)
    }
  })

  it.each([
    ['SIGINT', 'Embed', 130],
    ['SIGTERM', 'Publish', 130],
    ['SIGKILL', 'Prepare', null],
  ] as const)(
    'stopped by %s in %s shows no results, and given again goes on to the same',
    async (signal, step, code) => {
      const out = ['--out', `stopped-${step}`, '--seed', String(step.length)]
      const stopped = await annotate(out, {
        onStep: (child, begun) => {
          if (begun === step) child.kill(signal)
        },
      })
      expect(stopped.status).toBe(code)
      if (code !== null) expect(JSON.parse(stopped.stdout).error.code).toBe('INTERRUPTED')
      const there = join(folder.path, `stopped-${step}`)
      const shown = existsSync(there) ? readdirSync(there).filter((name) => !name.startsWith('.')) : []
      expect(shown).toEqual([])
      const [latest] = JSON.parse((await celldrop(['status', '--json'], { cwd: folder.path })).stdout)
      expect(latest).toMatchObject({ state: 'interrupted', error: null, ...(code !== null && { step }) })

      const { status, stdout, stderr } = await annotate(out)
      expect({ status, told: status === 0 ? '' : stdout + stderr }).toEqual({ status: 0, told: '' })
      expect(JSON.parse(stdout).jobId).toBe(latest.jobId)
      expect(readdirSync(there).sort()).toEqual(outputs)
      expect(labels(`stopped-${step}`)).toEqual(truth)
    },
  )

  it('leaves error.json and no result where the job is refused, and takes it away when it succeeds', async () => {
    const out = ['--out', 'second']
    const refused = await annotate([...out, '--counts-layer', 'nowhere'])
    expect(refused.status).toBe(2)
    const { error } = JSON.parse(refused.stdout)
    expect(Object.keys(error)).toEqual(['code', 'place', 'problem', 'remedy'])
    expect(readdirSync(join(folder.path, 'second'))).toEqual(['error.json'])
    expect(JSON.parse(readFileSync(join(folder.path, 'second/error.json'), 'utf8'))).toMatchObject(error)
    expect((await annotate(out)).status).toBe(0)
    expect(readdirSync(join(folder.path, 'second')).sort()).toEqual(outputs)
  })

  it.each([
    [['--model', 'nobody'], 2, 'MODEL_MISSING'],
    [['--min-counts', 'few'], 2, 'SETTING_INVALID'],
    [['--mode', 'guess'], 2, 'SETTING_INVALID'],
    [['--umapp'], 2, 'USAGE'],
    [['--name', '..'], 2, 'KEY_UNSUPPORTED'],
    [['--work', '/dev/null/store'], 3, 'WRITE_FAILED'],
  ])('ends %j with %i and %s', async (more, status, code) => {
    const answer = await annotate(['--out', 'refused', ...more])
    expect(answer.status).toBe(status)
    expect(JSON.parse(answer.stdout).error.code).toBe(code)
  })
})

describe('celldrop run', () => {
  let folder: TemporaryFolder
  beforeAll(async () => {
    folder = await temporaryFolder()
    await writeQuery(join(folder.path, 'q.h5ad'), { cells: 150 })
    await saveKinds(join(folder.path, 'models'))
    writeFileSync(
      join(folder.path, 'job.yaml'),
      'workflow: annotate\nquery: q.h5ad\nmodel: kinds\numap: false\n',
    )
  })
  afterAll(() => folder[Symbol.asyncDispose]())
  const run = (...more: string[]) =>
    celldrop(['run', join(folder.path, 'job.yaml'), ...more], { cwd: folder.path })
  const out = () => readdirSync(join(folder.path, 'out')).sort()

  it('takes inputs relative to the job file, and tells a person what is done and where it is', async () => {
    const { status, stdout, stderr } = await run('--out', 'out')
    expect(status).toBe(0)
    expect(stdout).toMatch(/^job-[0-9a-f]{12}: done\n {2}out\/q\.annotated\.h5ad\n/)
    expect(stderr).toMatch(/^Prepare: started\n(?:.*\n)*Prepare: done after /m)
    expect(stderr).not.toContain('\u001b')
  })

  it('refuses the folder of another job, and with --overwrite replaces its result and nothing else', async () => {
    rmSync(join(folder.path, 'q.h5ad'))
    await writeQuery(join(folder.path, 'q.h5ad'), { cells: 90, seed: 2 })
    writeFileSync(join(folder.path, 'out', 'notes.txt'), 'mine')
    const refused = await run('--out', 'out')
    expect(refused).toMatchObject({ status: 2, stderr: expect.stringContaining('OUTPUT_EXISTS') })
    const rows = () =>
      readFileSync(join(folder.path, 'out/predictions.csv'), 'utf8').trimEnd().split('\n').length
    expect(rows()).toBe(151)
    expect((await run('--out', 'out', '--overwrite')).status).toBe(0)
    expect(rows()).toBe(91)
    expect(out()).toEqual(['notes.txt', ...outputs.filter((name) => name !== 'umap.png')].sort())
  })

  it('is another job when the model of that name is another one', async () => {
    const before = JSON.parse(readFileSync(join(folder.path, 'out/result.json'), 'utf8'))
    await saveKinds(join(folder.path, 'models'), { version: '2', replace: true })
    expect(await run('--out', 'out')).toMatchObject({
      status: 2,
      stderr: expect.stringContaining(before.jobId),
    })
  })

  it('says what is wrong with a job file', async () => {
    writeFileSync(join(folder.path, 'bad.yaml'), 'workflow: annotate\nquery: q.h5ad\nmodle: kinds\n')
    expect(await celldrop(['run', 'bad.yaml'], { cwd: folder.path })).toMatchObject({
      status: 2,
      stdout: '',
      stderr: expect.stringContaining('SETTING_UNKNOWN: bad.yaml: modle'),
    })
    expect(await celldrop(['run', 'none.yaml', '--json'], { cwd: folder.path })).toMatchObject({
      status: 2,
      stdout: expect.stringMatching(/^\{"error":\{"code":"FILE_MISSING".*\}\}\n$/),
      stderr: '',
    })
  })
})

describe('celldrop status', () => {
  it('knows no job where none has run', async () => {
    await using folder = await temporaryFolder()
    const none = await celldrop(['status', '--json'], { cwd: folder.path })
    expect(none).toEqual({ status: 0, stdout: '[]\n', stderr: '' })
    const unknown = await celldrop(['status', 'nothing'], { cwd: folder.path })
    expect(unknown).toMatchObject({ status: 2, stderr: expect.stringContaining('JOB_UNKNOWN') })
  })
})

describe('buckets instead of folders', () => {
  it('hold the query, the work, the models and the results of a job', async () => {
    await using folder = await temporaryFolder()
    await using double = await startS3Double()
    for (const name of ['cells', 'work', 'models', 'results']) double.addBucket(name)
    await writeQuery(join(folder.path, 'q.h5ad'), { cells: 90 })
    await saveKinds(join(folder.path, 'models'))
    const environment = {
      AWS_ENDPOINT_URL_S3: double.endpoint,
      AWS_ACCESS_KEY_ID: double.credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: double.credentials.secretAccessKey,
      AWS_REGION: 'us-east-1',
      CELLDROP_WORK: 's3://work/of/me',
      CELLDROP_INBOX: 's3://work/inbox',
      CELLDROP_OUTBOX: 's3://results',
    }
    const { openS3Store } = await import('../../lib/job/s3-store.ts')
    const cells = openS3Store({ bucket: 'cells', client: double.client() })
    await cells.write('in/q.h5ad', readFileSync(join(folder.path, 'q.h5ad')))
    const argv = ['annotate', 's3://cells/in/q.h5ad', '--model', 'kinds', '--no-umap', '--json']
    const { status, stdout } = await celldrop(argv, { cwd: folder.path, environment })
    expect(status).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ status: 'succeeded', results: 's3://results/q' })
    const results = openS3Store({ bucket: 'results', client: double.client() })
    const keys: string[] = []
    for await (const { key } of results.list('')) keys.push(key)
    expect(keys).toEqual(outputs.filter((name) => name !== 'umap.png').map((name) => `q/${name}`))
    expect(existsSync(join(folder.path, '.celldrop/work'))).toBe(false)
    const again = await celldrop(argv, { cwd: folder.path, environment })
    expect(again).toMatchObject({ status: 0, stderr: expect.stringContaining('done before') })
  })
})

describe('celldrop import-model', () => {
  it('refuses what is no model, and a name that is taken', async () => {
    await using folder = await temporaryFolder()
    await saveKinds(join(folder.path, 'models'))
    writeFileSync(join(folder.path, 'evil.pkl'), "cos\nsystem\n(S'touch pwned'\ntR.")
    const evil = await celldrop(['import-model', 'evil.pkl', '--name', 'evil', '--json'], {
      cwd: folder.path,
    })
    expect(evil.status).toBe(2)
    expect(existsSync(join(folder.path, 'pwned'))).toBe(false)
    const exported = await celldrop(['export-model', 'kinds', 'kinds.pkl'], { cwd: folder.path })
    expect(exported.status).toBe(0)
    copyFileSync(join(folder.path, 'kinds.pkl'), join(folder.path, 'copy.pkl'))
    expect((await celldrop(['export-model', 'kinds', 'kinds.pkl'], { cwd: folder.path })).status).toBe(2)
    const again = ['import-model', 'copy.pkl', '--name', 'kinds', '--organism', 'Homo sapiens']
    expect(await celldrop(again, { cwd: folder.path })).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('MODEL_EXISTS'),
    })
    expect((await celldrop([...again, '--replace', '--json'], { cwd: folder.path })).status).toBe(0)
    const { stdout } = await celldrop(['models', '--json'], { cwd: folder.path })
    expect(JSON.parse(stdout)).toMatchObject([{ name: 'kinds' }, { name: 'kinds' }])
    const unknown = await celldrop(['import-model', 'copy.pkl', '--name', 'other'], { cwd: folder.path })
    expect(unknown).toMatchObject({ status: 2, stderr: expect.stringContaining('ORGANISM_UNKNOWN') })
  })
})
