import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readJob, validateJob } from '../../lib/workflows/road/validate-job.ts'
import {
  cellsOf,
  type Installation,
  makeInstallation,
  saveToyModel,
  toyCounts,
} from '../support/installation.ts'

let lab: Installation
let modelId: string
beforeAll(async () => {
  lab = await makeInstallation({ CELLDROP_DEFAULT_MODEL: 'toy' })
  modelId = await saveToyModel(lab.stores)
})
afterAll(() => lab.folder[Symbol.asyncDispose]())

const job = (lines: Record<string, unknown>) => JSON.stringify({ workflow: 'annotate', ...lines })

describe('ValidateJob', () => {
  it('makes a job of a bare file, with the default model', async () => {
    const state = await validateJob(
      await lab.upload('annotate/My sample.h5ad', cellsOf(toyCounts)),
      lab.environment,
    )
    const made = await readJob(lab.stores.work, state.job!)
    expect(made).toMatchObject({
      workflow: 'annotate',
      name: 'my-sample',
      models: [modelId],
      settings: { query: 'My sample.h5ad', mode: 'best_match' },
      inputs: [{ role: 'query', place: 'inbox', key: 'annotate/My sample.h5ad' }],
    })
  })

  it('makes a job of a job file, with inputs beside it', async () => {
    await lab.upload('jobs/liver/q.h5ad', cellsOf(toyCounts))
    const start = await lab.upload(
      'jobs/liver/job.yaml',
      'workflow: annotate\nquery: q.h5ad\nmodel: toy\nseed: 7\n',
    )
    const { job: part } = await validateJob(start, lab.environment)
    expect(part).toMatchObject({ name: 'liver', inputs: [{ key: 'jobs/liver/q.h5ad' }] })
    expect((await readJob(lab.stores.work, part!)).settings).toMatchObject({ seed: 7 })
  })

  it('pins what it sees: a second run of the same job keeps the first pins', async () => {
    await lab.upload('jobs/pinned/q.h5ad', cellsOf(toyCounts))
    const start = await lab.upload('jobs/pinned/job.json', job({ query: 'q.h5ad' }))
    const first = await validateJob(start, lab.environment)
    await rm(join(lab.folder.path, 'inbox/jobs/pinned/q.h5ad'))
    const second = await validateJob(start, lab.environment)
    expect(second.job).toEqual(first.job)
  })

  it('takes a folder of several files as one input', async () => {
    for (const name of ['matrix.mtx', 'barcodes.tsv', 'genes.tsv'])
      await lab.upload(`jobs/mtx/run/${name}`, `${name}\n`)
    const start = await lab.upload('jobs/mtx/job.json', job({ query: 'run' }))
    const { job: part } = await validateJob(start, lab.environment)
    expect(part!.inputs[0]).toMatchObject({ key: 'jobs/mtx/run', folder: true, size: 34 })
  })

  it.each([
    ['a file that is not there', { query: 'absent.h5ad' }, 'INPUT_NOT_FOUND', 'absent.h5ad'],
    ['another bucket', { query: 's3://elsewhere/q.h5ad' }, 'INPUT_NOT_ALLOWED', 'elsewhere'],
    ['a path of the machine', { query: '/etc/passwd' }, 'INPUT_NOT_ALLOWED', '/etc/passwd'],
    ['another scheme', { query: 'http://169.254.169.254/latest' }, 'INPUT_NOT_ALLOWED', '169.254'],
    ['a way out of the inbox', { query: '../../outside.h5ad' }, 'KEY_UNSUPPORTED', 'outside'],
    ['a model that is not there', { query: 'q.h5ad', model: 'unknown' }, 'MODEL_MISSING', 'models'],
    ['an empty file', { query: 'empty.h5ad' }, 'INPUT_EMPTY', 'empty.h5ad'],
  ])('refuses %s', async (_, settings, code, place) => {
    await lab.upload('jobs/bad/q.h5ad', cellsOf(toyCounts)).catch(() => {})
    await lab.upload('jobs/bad/empty.h5ad', '')
    const start = await lab.upload('jobs/bad/job.json', job(settings))
    const refused = await validateJob(start, lab.environment).catch((error: unknown) => error)
    expect(refused).toMatchObject({ name: 'BadInput', code, place: expect.stringContaining(place) })
  })

  it('asks for a model where the job names none and there is no default', async () => {
    const start = await lab.upload('annotate/other.h5ad', cellsOf(toyCounts))
    const { CELLDROP_DEFAULT_MODEL: _, ...without } = lab.environment
    await expect(validateJob(start, without)).rejects.toMatchObject({ code: 'MODEL_REQUIRED' })
  })

  it('tells a late event of an upload that was replaced from one that stands', async () => {
    const start = await lab.upload('annotate/late.h5ad', cellsOf(toyCounts))
    await writeFile(join(lab.folder.path, 'inbox/annotate/late.h5ad'), 'something else')
    await expect(validateJob(start, lab.environment)).rejects.toMatchObject({ code: 'UPLOAD_REPLACED' })
  })
})
