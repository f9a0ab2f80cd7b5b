/** Law: the same job file and the same content are the same job; anything else is another one. */
import { appendFileSync, mkdirSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { codeVersion } from '../../lib/job/code-version.ts'
import { checkSettings } from '../../lib/job/manifest.ts'
import { placeJob, requestJob, stemOf } from '../../lib/local/job-request.ts'
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.ts'
import { saveKinds } from './small-study.ts'

let folder: TemporaryFolder
beforeEach(async () => {
  folder = await temporaryFolder()
  writeFileSync(join(folder.path, 'q.h5ad'), 'content')
  return () => folder[Symbol.asyncDispose]()
})

async function start(more: object = {}, now = 0) {
  const settings = checkSettings({ workflow: 'annotate', query: 'q.h5ad', model: 'kinds', ...more }, 'test')
  const request = await requestJob(settings, {
    base: folder.path,
    otherwise: 'q',
    models: join(folder.path, 'models'),
    defaultModel: undefined,
  })
  const places = { inbox: join(folder.path, 'inbox'), work: join(folder.path, 'work') }
  return (await placeJob(request, { ...places, now, output: '' })).start
}

describe('a job from the command line', () => {
  it('is the same when it is given again, and keeps the time at which it began', async () => {
    const first = await start({}, 1_000_000)
    expect(await start({}, 2_000_000)).toEqual(first)
    expect(first).toMatchObject({
      jobId: expect.stringMatching(/^q-[0-9a-f]{12}$/),
      created: '1970-01-01T00:16:40.000Z',
      attempt: 1,
      upload: { key: 'jobs/q/job.json' },
    })
  })

  it('is another one with another setting, another input, or another model of that name', async () => {
    const ids = [(await start()).jobId]
    ids.push((await start({ seed: 1 })).jobId)
    appendFileSync(join(folder.path, 'q.h5ad'), 'more')
    ids.push((await start()).jobId)
    await saveKinds(join(folder.path, 'models'))
    ids.push((await start()).jobId)
    await saveKinds(join(folder.path, 'models'), { version: '2', replace: true })
    ids.push((await start()).jobId)
    expect(new Set(ids).size).toBe(ids.length)
  })

  it('sees a change of anything in a folder that is its input', async () => {
    mkdirSync(join(folder.path, 'query.zarr/X'), { recursive: true })
    writeFileSync(join(folder.path, 'query.zarr/.zgroup'), '{}')
    const before = await start({ query: 'query.zarr' })
    expect(await start({ query: 'query.zarr/' })).toEqual(before)
    writeFileSync(join(folder.path, 'query.zarr/X/0'), 'chunk')
    const after = await start({ query: 'query.zarr' })
    expect(after.jobId).not.toBe(before.jobId)
    utimesSync(join(folder.path, 'query.zarr/X/0'), 1, 1)
    expect((await start({ query: 'query.zarr' })).jobId).not.toBe(after.jobId)
  })

  it('may have an input that is not there: the road will say so', async () => {
    expect((await start({ query: 'nothing.h5ad' })).jobId).toMatch(/^q-/)
  })

  it.each([
    ['/data/run 1/pbmc.h5ad', 'pbmc'],
    ['pbmc.zarr.zip', 'pbmc'],
    ['s3://bucket/in/pbmc.h5', 'pbmc'],
    ['.hidden', '.hidden'],
    ['folder/', 'folder'],
  ])('is called after %s', (path, name) => {
    expect(stemOf(path)).toBe(name)
  })
})

describe('the version of the code', () => {
  it('changes with every file that decides what is computed, and with no other', () => {
    for (const part of ['lib/job', 'functions/x', 'containers/y', 'test'])
      mkdirSync(join(folder.path, part), { recursive: true })
    const write = (path: string, content: string) => writeFileSync(join(folder.path, path), content)
    write('package-lock.json', '{}')
    write('lib/job/a.ts', 'a')
    const versions = [codeVersion(folder.path)]
    for (const path of [
      'lib/job/b.ts',
      'functions/x/handler.ts',
      'containers/y/main.ts',
      'package-lock.json',
    ]) {
      write(path, path)
      versions.push(codeVersion(folder.path))
    }
    write('lib/job/a.ts', 'b')
    versions.push(codeVersion(folder.path))
    expect(new Set(versions).size).toBe(6)
    write('test/a.test.ts', 'a test')
    expect(codeVersion(folder.path)).toBe(versions.at(-1))
  })
})
