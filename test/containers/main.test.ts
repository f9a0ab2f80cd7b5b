/** Contract: a step as a process: what it prints, the code it ends with, the failure it leaves, and how it stops. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { S3Client } from '@aws-sdk/client-s3'
import { mockClient } from 'aws-sdk-client-mock'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import type { BatchState, RoadState } from '../../lib/job/road.ts'
import { identityOf, openRoadStep } from '../../lib/workflows/road/road-steps.ts'
import { runStep } from '../../lib/workflows/road/run-step.ts'
import { type Installation, makeInstallation } from '../support/installation.ts'
import { saveSimulatedModel, simulatedQuery } from '../support/simulated-cells.ts'
import { jobFile, readObject, walk } from '../support/walk.ts'

const root = resolve(import.meta.dirname, '../..')

let lab: Installation
let planned: RoadState
beforeAll(async () => {
  lab = await makeInstallation()
  await saveSimulatedModel(lab.stores)
  planned = await begin('first', {})
})
afterAll(() => lab.folder[Symbol.asyncDispose]())

async function begin(name: string, settings: Record<string, unknown>): Promise<RoadState> {
  await lab.upload(`jobs/${name}/q.h5ad`, simulatedQuery(2, 80))
  const job = jobFile({ query: 'q.h5ad', model: 'blood', ...settings })
  return walk(await lab.upload(`jobs/${name}/job.json`, job), lab.environment, 'PlanCompute')
}

function start(
  step: string,
  { start: job, plan }: RoadState,
  more: Record<string, string> = {},
): ChildProcess {
  return spawn(process.execPath, [join(root, 'containers', step, 'main.ts')], {
    env: {
      PATH: process.env.PATH,
      ...lab.environment,
      CELLDROP_SCRATCH: join(lab.folder.path, 'scratch'),
      CELLDROP_JOB: job.jobId,
      CELLDROP_ATTEMPT: String(job.attempt),
      CELLDROP_ROAD: plan!.road,
      ...more,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

async function run(step: string, state: RoadState = planned, more: Record<string, string> = {}) {
  const child = start(step, state, more)
  const [stdout, stderr] = [text(child.stdout!), text(child.stderr!)]
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null]
  return { code, signal, lines: (await stdout).split('\n').filter(Boolean), stderr: await stderr }
}

const record = ({ start: job, job: part, plan }: RoadState, state: BatchState, shard?: number) =>
  openRoadStep(lab.stores.work, {
    state,
    code: 'test',
    roadKey: plan!.road,
    afterPrepare: plan!.afterPrepare,
    job: identityOf(job, part!.name),
    part: shard,
  }).record()

const failureOf = ({ start: job }: RoadState, file: string) =>
  readObject<Record<string, string>>(lab, `jobs/${job.jobId}/attempt-1/failures/${file}.json`)

describe('a step as a process', () => {
  it('prints its progress as JSON lines, ends with 0, leaves a record and nothing in its scratch folder', async () => {
    const { code, lines } = await run('prepare')
    expect(code).toBe(0)
    expect(lines.length).toBeGreaterThan(0)
    for (const line of lines)
      expect(JSON.parse(line)).toEqual({
        celldrop: 'progress',
        state: 'Prepare',
        shard: null,
        done: expect.any(Number),
        total: expect.any(Number),
        unit: expect.any(String),
        note: expect.any(String),
      })
    expect(await record(planned, 'Prepare')).toMatchObject({
      state: 'Prepare',
      value: { cells: 80 },
      seconds: expect.any(Number),
    })
    expect(await readdir(join(lab.folder.path, 'scratch'))).toEqual([])
  })

  it('that was done before says nothing and writes nothing', async () => {
    await run('prepare')
    const before = await record(planned, 'Prepare')
    const { code, lines } = await run('prepare')
    expect([code, lines]).toEqual([0, []])
    expect(await record(planned, 'Prepare')).toEqual(before)
  })

  it('of an array job does the shard that AWS Batch numbers', async () => {
    await run('prepare')
    const { code } = await run('embed', planned, { AWS_BATCH_JOB_ARRAY_INDEX: '1' })
    expect(code).toBe(0)
    expect(await record(planned, 'Embed', 0)).toBeUndefined()
    expect(await record(planned, 'Embed', 1)).toMatchObject({ value: { cells: 40 } })
  })

  it('ends with 10 for a mistake of the user, and leaves what it was', async () => {
    const strict = await begin('strict', { strict: true, min_counts: 100_000 })
    const { code, stderr } = await run('prepare', strict)
    expect(code).toBe(10)
    expect(stderr).toContain('80 cells have fewer than 100000 counts')
    expect(await failureOf(strict, 'Prepare')).toEqual({
      code: 'CELLS_LOW_COUNTS',
      place: expect.stringContaining('q.h5ad'),
      problem: '80 cells have fewer than 100000 counts, and the job is strict',
      remedy: expect.stringContaining('min_counts'),
      name: 'BadInput',
      state: 'Prepare',
    })
    expect(await record(strict, 'Prepare')).toBeUndefined()
  })

  it('ends with 1 when the input was changed under it', async () => {
    const changed = await begin('changed', {})
    await writeFile(join(lab.folder.path, 'inbox', changed.job!.inputs[0]!.key), 'another content')
    const { code } = await run('prepare', changed)
    expect(code).toBe(1)
    expect(await failureOf(changed, 'Prepare')).toMatchObject({
      name: 'StoreFailure',
      code: 'OBJECT_CHANGED',
    })
  })

  it('ends with 1 when the step before it is missing, and names it', async () => {
    const early = await begin('early', {})
    const { code } = await run('embed', early, { AWS_BATCH_JOB_ARRAY_INDEX: '0' })
    expect(code).toBe(1)
    expect(await failureOf(early, 'Embed-0')).toMatchObject({ code: 'STEP_MISSING' })
  })

  it('ends with 30 when a bucket does not answer', async () => {
    const error = Object.assign(new Error('SlowDown'), {
      name: 'SlowDown',
      $metadata: { httpStatusCode: 503 },
    })
    const mock = mockClient(S3Client).rejects(error)
    const { start: job, plan } = planned
    const environment = {
      ...lab.environment,
      CELLDROP_WORK: 's3://work',
      CELLDROP_JOB: job.jobId,
      CELLDROP_ATTEMPT: '1',
      CELLDROP_ROAD: plan!.road,
    }
    const signal = new AbortController().signal
    const written = vi.spyOn(process.stderr, 'write').mockReturnValue(true)
    try {
      expect(await runStep('Prepare', { environment, signal, print: () => {} })).toBe(30)
      expect(written.mock.calls.join('')).toContain('StoreUnavailable')
    } finally {
      written.mockRestore()
      mock.restore()
    }
  })

  it('ends with 20 when its disk is full', async () => {
    const full = await begin('full', {})
    const { code } = await run('prepare', full, {
      NODE_OPTIONS: `--import=${await moduleOf('no-space', noSpace)}`,
    })
    expect(code).toBe(20)
    expect(await failureOf(full, 'Prepare')).toMatchObject({ name: 'TooSmall', code: 'RESOURCES_EXHAUSTED' })
  })

  it('does its work to the end although nobody reads what it prints any more', async () => {
    const unheard = await begin('unheard', { seed: 77 })
    const goOn = join(lab.folder.path, 'unheard.gone')
    const child = start('prepare', unheard, {
      NODE_OPTIONS: `--import=${await moduleOf('hold-unheard', hold)}`,
      HOLD_UNTIL: goOn,
    })
    const lines = createInterface({ input: child.stdout! })
    await once(lines, 'line')
    for (const stream of [child.stdout!, child.stderr!]) stream.destroy()
    await writeFile(goOn, '')
    const [code] = (await once(child, 'exit')) as [number | null]
    expect(code).toBe(0)
    expect(await record(unheard, 'Prepare')).toBeDefined()
  })

  it('without its environment ends with 10 and says which variable', async () => {
    const { code, stderr } = await run('label', planned, { CELLDROP_ROAD: '' })
    expect(code).toBe(10)
    expect(stderr).toContain('CELLDROP_ROAD')
  })

  it.each(['SIGTERM', 'SIGINT'] as const)(
    'stops at %s with 143, leaves no failure, and does its work when it is run again',
    async (signal) => {
      const stopped = await begin(`stopped-${signal}`, { seed: signal.length })
      const goOn = join(lab.folder.path, `${signal}.sent`)
      const child = start('prepare', stopped, {
        NODE_OPTIONS: `--import=${await moduleOf('hold', hold)}`,
        HOLD_UNTIL: goOn,
      })
      const errors = text(child.stderr!)
      const lines = createInterface({ input: child.stdout! })
      await once(lines, 'line')
      child.kill(signal)
      await writeFile(goOn, '')
      const [code] = (await once(child, 'exit')) as [number | null]
      expect({ code, errors: await errors }).toEqual({ code: 143, errors: '' })
      expect(await record(stopped, 'Prepare')).toBeUndefined()
      expect(await readdir(join(lab.folder.path, 'scratch'))).toEqual([])
      await expect(failureOf(stopped, 'Prepare')).rejects.toMatchObject({ code: 'OBJECT_MISSING' })
      expect((await run('prepare', stopped)).code).toBe(0)
    },
  )
})

/** A module that is loaded before the step's own program. */
async function moduleOf(name: string, source: string): Promise<string> {
  const path = join(lab.folder.path, `${name}.mjs`)
  await writeFile(path, source)
  return path
}

/** Making a scratch folder finds no space left. */
const noSpace = `import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
fs.promises.mkdtemp = async () => {
  throw Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' })
}
syncBuiltinESMExports()
`

/** After its first line the process does nothing until a file is there, so that a signal surely comes in the middle of its work. */
const hold = `import { existsSync } from 'node:fs'
const write = process.stdout.write.bind(process.stdout)
process.stdout.write = (...given) => {
  write(...given)
  const sleeper = new Int32Array(new SharedArrayBuffer(4))
  while (!existsSync(process.env.HOLD_UNTIL)) Atomics.wait(sleeper, 0, 0, 5)
  return true
}
`
