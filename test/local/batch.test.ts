/** Contract: a Batch job on a laptop is a process with AWS's environment, exit codes and way of being stopped. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { watch } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { localBatch } from '../../lib/local/batch.ts'
import type { BatchRequest, RoadEvent } from '../../lib/local/state-machine.ts'
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.ts'

interface Trial {
  /** source of the step's program; `folder` is a variable in it */
  program: string
  size?: number
  cores?: number
  vcpus?: number
  memory?: number
  signal?: AbortSignal
  graceMs?: number
  /** called with every name that appears in the folder */
  onFile?(name: string): void
}

async function submit(folder: TemporaryFolder, trial: Trial) {
  const program = join(folder.path, 'main.ts')
  writeFileSync(
    program,
    `import { writeFileSync, readdirSync, existsSync } from 'node:fs'
const folder: string = ${JSON.stringify(folder.path)}
${trial.program}`,
  )
  const events: RoadEvent[] = []
  const request: BatchRequest = {
    JobName: 'job-Embed',
    JobQueue: 'spot',
    JobDefinition: 'EmbedJob',
    ...(trial.size !== undefined && { ArrayProperties: { Size: trial.size } }),
    ContainerOverrides: {
      Environment: [{ Name: 'CELLDROP_JOB', Value: 'job' }],
      ResourceRequirements: [
        { Type: 'VCPU', Value: String(trial.vcpus ?? 1) },
        { Type: 'MEMORY', Value: String(trial.memory ?? 256) },
      ],
    },
  }
  const batch = localBatch({
    containerOf: () => program,
    environment: { CELLDROP_WORK: '/stores/work' },
    logs: join(folder.path, 'logs'),
    cores: trial.cores ?? 1,
    graceMs: trial.graceMs ?? 60_000,
  })
  const looking = new AbortController()
  const seen = look(folder, trial.onFile, looking.signal)
  const ended = await batch(request, {
    state: 'Embed',
    signal: trial.signal ?? new AbortController().signal,
    onEvent: (event) => events.push(event),
  }).then(
    (answer) => ({ answer, error: undefined }),
    (error: Error) => ({ answer: undefined, error }),
  )
  looking.abort()
  await seen
  const log = (name: string) => readFileSync(join(folder.path, 'logs', name), 'utf8')
  return { ...ended, cause: ended.error && JSON.parse(ended.error.message), events, log }
}

async function look({ path }: TemporaryFolder, onFile: Trial['onFile'], signal: AbortSignal): Promise<void> {
  try {
    for await (const { filename } of watch(path, { signal })) onFile?.(filename ?? '')
  } catch (error) {
    if (!signal.aborted) throw error
  }
}

describe('a Batch job', () => {
  it('has the environment of the store, of the job and of this process, and nothing on its input', async () => {
    await using folder = await temporaryFolder()
    const { answer } = await submit(folder, {
      program: `writeFileSync(folder + '/environment.json', JSON.stringify(process.env))`,
    })
    expect(answer).toMatchObject({ JobName: 'job-Embed', Status: 'SUCCEEDED' })
    const environment = JSON.parse(readFileSync(join(folder.path, 'environment.json'), 'utf8'))
    expect(environment).toMatchObject({
      CELLDROP_WORK: '/stores/work',
      CELLDROP_JOB: 'job',
      PATH: process.env.PATH,
    })
    expect(environment).not.toHaveProperty('AWS_BATCH_JOB_ARRAY_INDEX')
  })

  it('tells its progress, and whatever else it says stands in its log', async () => {
    await using folder = await temporaryFolder()
    const line = {
      celldrop: 'progress',
      state: 'Embed',
      shard: 3,
      done: 5,
      total: 9,
      unit: 'cells',
      note: 'a\u001bb',
    }
    const { events, log } = await submit(folder, {
      program: `console.log('hello')
console.log(${JSON.stringify(JSON.stringify(line))})
console.log('{"celldrop":"progress","done":"many"}')
console.error('oh dear')`,
    })
    expect(events).toEqual([
      { event: 'progress', step: 'Embed', shard: 3, done: 5, total: 9, unit: 'cells', note: 'a\\u001bb' },
    ])
    expect(log('job-Embed.log').split('\n').sort()).toEqual(
      ['', 'hello', 'oh dear', '{"celldrop":"progress","done":"many"}'].sort(),
    )
  })

  it.each([
    ['process.exit(10)', 10],
    ['process.exit(30)', 30],
    ['throw new Error("boom")', 1],
    [`process.kill(process.pid, 'SIGKILL')`, 137],
    ['const all: number[][] = []; for (;;) all.push(new Array(100_000).fill(all.length))', 134],
  ])('that ends by %s fails as Batch tells it, with exit code %i', async (program, exitCode) => {
    await using folder = await temporaryFolder()
    const { error, cause } = await submit(folder, { program, memory: 64 })
    expect(error).toMatchObject({ name: 'States.TaskFailed', exitCode })
    expect(cause).toMatchObject({
      JobName: 'job-Embed',
      JobQueue: 'spot',
      Status: 'FAILED',
      StatusReason: 'Essential container in task exited',
      Container: {
        ExitCode: exitCode,
        Environment: [{ Name: 'CELLDROP_JOB', Value: 'job' }],
        LogStreamName: join(folder.path, 'logs', 'job-Embed.log'),
      },
    })
  })

  it('that is no program at all fails too', async () => {
    await using folder = await temporaryFolder()
    const { cause, log } = await submit(folder, { program: 'this is not TypeScript' })
    expect(cause.Container.ExitCode).toBe(1)
    expect(log('job-Embed.log')).toContain('main.ts')
  })
})

describe('an array job', () => {
  it('is one process for each index, as many at a time as there are cores for', async () => {
    await using folder = await temporaryFolder()
    const program = `
const index = process.env.AWS_BATCH_JOB_ARRAY_INDEX
writeFileSync(folder + '/running-' + index, '')
// the two of a pair end only when they have seen each other: a runner that begins one at a time would hang here
const partner = folder + '/running-' + (Number(index) ^ 1)
const look = () => existsSync(partner) ? writeFileSync(folder + '/done-' + index, '') : setTimeout(look, 5)
look()`
    const { answer } = await submit(folder, { program, size: 4, cores: 5, vcpus: 2 })
    expect(answer).toMatchObject({ Status: 'SUCCEEDED', ArrayProperties: { Size: 4 } })
    expect(readdirSync(folder.path).filter((name) => name.startsWith('done-'))).toHaveLength(4)
    expect(readdirSync(join(folder.path, 'logs')).sort()).toEqual(
      [0, 1, 2, 3].map((i) => `job-Embed-${i}.log`),
    )
  })

  it('runs one at a time where a process wants more cores than there are', async () => {
    await using folder = await temporaryFolder()
    const program = `
const index = Number(process.env.AWS_BATCH_JOB_ARRAY_INDEX)
if (index > 0 && !existsSync(folder + '/done-' + (index - 1))) process.exit(1)
writeFileSync(folder + '/done-' + index, '')`
    const { error } = await submit(folder, { program, size: 3, cores: 1, vcpus: 2 })
    expect(error).toBeUndefined()
  })

  it('begins nothing more after a failure, and tells no exit code, as Batch does not', async () => {
    await using folder = await temporaryFolder()
    const program = `
writeFileSync(folder + '/ran-' + process.env.AWS_BATCH_JOB_ARRAY_INDEX, '')
process.exit(process.env.AWS_BATCH_JOB_ARRAY_INDEX === '1' ? 10 : 0)`
    const { error, cause } = await submit(folder, { program, size: 5 })
    expect(readdirSync(folder.path).filter((name) => name.startsWith('ran-'))).toEqual(['ran-0', 'ran-1'])
    expect(cause).toMatchObject({
      StatusReason: 'Array Child Job failed',
      ArrayProperties: { Size: 5, StatusSummary: { SUCCEEDED: 1, FAILED: 1 } },
    })
    expect(cause.Container).not.toHaveProperty('ExitCode')
    // the command line tells a refusal from a failure by it
    expect(error).toMatchObject({ exitCode: 10 })
  })
})

describe('a Batch job that is stopped', () => {
  const cleans = `
process.on('SIGTERM', () => { writeFileSync(folder + '/cleaned', ''); process.exit(143) })
setInterval(() => {}, 1000)
writeFileSync(folder + '/ready', '')`

  it('gets SIGTERM once and may clean up', async () => {
    await using folder = await temporaryFolder()
    const controller = new AbortController()
    const { error } = await submit(folder, {
      program: cleans,
      signal: controller.signal,
      onFile: (name) => name === 'ready' && controller.abort(),
    })
    expect(error).toMatchObject({ exitCode: 143 })
    expect(existsSync(join(folder.path, 'cleaned'))).toBe(true)
  })

  it('is killed where it does not end', async () => {
    await using folder = await temporaryFolder()
    const controller = new AbortController()
    const { error } = await submit(folder, {
      program: `process.on('SIGTERM', () => {}); setInterval(() => {}, 1000); writeFileSync(folder + '/ready', '')`,
      signal: controller.signal,
      graceMs: 50,
      onFile: (name) => name === 'ready' && controller.abort(),
    })
    expect(error).toMatchObject({ exitCode: 137 })
  })

  it('is not even begun where the signal came first', async () => {
    await using folder = await temporaryFolder()
    const { error } = await submit(folder, { program: cleans, signal: AbortSignal.abort(), size: 2 })
    expect(error).toMatchObject({ name: 'States.TaskFailed' })
    expect(existsSync(join(folder.path, 'ready'))).toBe(false)
  })

  it('cleans up and ends when the runner itself is killed', async () => {
    await using folder = await temporaryFolder()
    const program = join(folder.path, 'main.ts')
    writeFileSync(
      program,
      `import { writeFileSync } from 'node:fs'\nconst folder: string = ${JSON.stringify(folder.path)}\n${cleans}`,
    )
    const runner = join(folder.path, 'runner.ts')
    writeFileSync(
      runner,
      `import { localBatch } from ${JSON.stringify(resolve(import.meta.dirname, '../../lib/local/batch.ts'))}
const batch = localBatch({ containerOf: () => ${JSON.stringify(program)}, environment: {}, logs: ${JSON.stringify(folder.path)}, cores: 1 })
const request = { JobName: 'j', JobQueue: 'q', JobDefinition: 'd', ContainerOverrides: { Environment: [], ResourceRequirements: [] } }
await batch(request, { state: 'Embed', signal: new AbortController().signal, onEvent() {} })`,
    )
    const looking = new AbortController()
    const cleaned = look(
      folder,
      (name) => {
        if (name === 'ready') parent.kill('SIGKILL')
        if (name === 'cleaned') looking.abort()
      },
      looking.signal,
    )
    const parent = spawn(process.execPath, [runner])
    await once(parent, 'exit')
    await cleaned
    expect(existsSync(join(folder.path, 'cleaned'))).toBe(true)
  })
})
