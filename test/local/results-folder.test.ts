/** Law: what a results folder shows is whole, and nobody's file is overwritten, wherever a run was stopped. */
import {
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { openResults } from '../../lib/local/results-folder.ts'
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.ts'

let folder: TemporaryFolder
let out: string
const read = (name: string) => readFileSync(join(out, name), 'utf8')
const shown = () =>
  readdirSync(out)
    .filter((name) => !name.startsWith('.'))
    .sort()

beforeEach(async () => {
  folder = await temporaryFolder()
  out = join(folder.path, 'out')
  return () => folder[Symbol.asyncDispose]()
})

/** As Publish does: the files, and result.json last. */
function publish(outbox: string, jobId: string, files: Record<string, string>): void {
  mkdirSync(outbox, { recursive: true })
  for (const [name, content] of Object.entries(files)) writeFileSync(join(outbox, name), content)
  const outputs = Object.fromEntries(Object.keys(files).map((name) => [name, name]))
  writeFileSync(join(outbox, 'result.json'), JSON.stringify({ jobId, outputs }))
}

async function finish(jobId: string, files: Record<string, string>, overwrite = false): Promise<void> {
  const results = await openResults(out, { jobId, overwrite })
  publish(results.outbox, jobId, files)
  await results.settle()
}

describe('a results folder', () => {
  it('shows nothing before the job has ended, and then all of it and nothing hidden', async () => {
    const results = await openResults(out, { jobId: 'one', overwrite: false })
    publish(results.outbox, 'one', { 'a.csv': 'a', 'b.html': 'b' })
    expect(shown()).toEqual([])
    await results.settle()
    expect(readdirSync(out).sort()).toEqual(['a.csv', 'b.html', 'result.json'])
  })

  it('keeps what a run that was stopped had written, for the same job', async () => {
    const first = await openResults(out, { jobId: 'one', overwrite: false })
    mkdirSync(first.outbox, { recursive: true })
    writeFileSync(join(first.outbox, 'a.csv'), 'half of the work')
    const second = await openResults(out, { jobId: 'one', overwrite: false })
    expect(second.outbox).toBe(first.outbox)
    expect(readFileSync(join(second.outbox, 'a.csv'), 'utf8')).toBe('half of the work')
    expect((await openResults(out, { jobId: 'two', overwrite: false })).outbox).not.toBe(first.outbox)
  })

  it('knows a job that is done, and refuses another one', async () => {
    await finish('one', { 'a.csv': 'a' })
    expect((await openResults(out, { jobId: 'one', overwrite: false })).found).toMatchObject({ jobId: 'one' })
    await expect(openResults(out, { jobId: 'two', overwrite: false })).rejects.toMatchObject({
      name: 'BadInput',
      code: 'OUTPUT_EXISTS',
    })
    expect(read('a.csv')).toBe('a')
  })

  it.each([
    ['no JSON', 'my own notes'],
    ['JSON of somebody else', '{"jobId": 3}'],
  ])('is never taken from somebody whose result.json is %s', async (_, content) => {
    mkdirSync(out)
    writeFileSync(join(out, 'result.json'), content)
    await expect(openResults(out, { jobId: 'one', overwrite: true })).rejects.toMatchObject({
      code: 'OUTPUT_EXISTS',
    })
    expect(read('result.json')).toBe(content)
  })

  it('gives up the old result only when its successor is complete', async () => {
    await finish('one', { 'a.csv': 'old a', 'gone.png': 'old' })
    writeFileSync(join(out, 'mine.txt'), 'mine')
    const results = await openResults(out, { jobId: 'two', overwrite: true })
    mkdirSync(results.outbox, { recursive: true })
    writeFileSync(join(results.outbox, 'error.json'), '{}')
    await results.settle()
    expect(shown()).toEqual(['a.csv', 'error.json', 'gone.png', 'mine.txt', 'result.json'])
    await finish('two', { 'a.csv': 'new a' }, true)
    expect(readdirSync(out).sort()).toEqual(['a.csv', 'mine.txt', 'result.json'])
    expect(read('a.csv')).toBe('new a')
    expect(JSON.parse(read('result.json')).jobId).toBe('two')
  })

  it('does not overwrite a file that is in the way, and goes on when it is gone', async () => {
    mkdirSync(out)
    writeFileSync(join(out, 'b.csv'), 'mine')
    await expect(finish('one', { 'a.csv': 'a', 'b.csv': 'b' })).rejects.toMatchObject({
      code: 'OBJECT_EXISTS',
    })
    expect(read('b.csv')).toBe('mine')
    expect(existsSync(join(out, 'result.json'))).toBe(false)
    writeFileSync(join(out, 'mine.csv'), read('b.csv'))
    rmSync(join(out, 'b.csv'))
    await (await openResults(out, { jobId: 'one', overwrite: false })).settle()
    expect(readdirSync(out).sort()).toEqual(['a.csv', 'b.csv', 'mine.csv', 'result.json'])
  })

  it('goes on where a run was killed between two steps of taking its places', async () => {
    await finish('one', { 'a.csv': 'old a', 'b.csv': 'old b' })
    const results = await openResults(out, { jobId: 'two', overwrite: true })
    publish(results.outbox, 'two', { 'a.csv': 'new a', 'b.csv': 'new b' })
    // killed when the old result was set aside and one of its files removed
    renameSync(join(out, 'result.json'), join(results.outbox, 'replaced.json'))
    rmSync(join(out, 'a.csv'))
    await (await openResults(out, { jobId: 'two', overwrite: true })).settle()
    expect([shown(), read('a.csv'), read('b.csv')]).toEqual([
      ['a.csv', 'b.csv', 'result.json'],
      'new a',
      'new b',
    ])
    // killed when a file had its new name and its old one too
    const third = await openResults(out, { jobId: 'three', overwrite: true })
    publish(third.outbox, 'three', { 'c.csv': 'c' })
    linkSync(join(third.outbox, 'c.csv'), join(out, 'c.csv'))
    await third.settle()
    expect(readdirSync(out).sort()).toEqual(['c.csv', 'result.json'])
  })

  it('removes nothing outside of it, whatever an old result.json names', async () => {
    mkdirSync(out)
    writeFileSync(join(folder.path, 'precious'), 'precious')
    const hostile = { jobId: 'one', outputs: { a: '../precious' } }
    writeFileSync(join(out, 'result.json'), JSON.stringify(hostile))
    await expect(finish('two', { 'a.csv': 'a' }, true)).rejects.toMatchObject({ code: 'KEY_UNSUPPORTED' })
    expect(readFileSync(join(folder.path, 'precious'), 'utf8')).toBe('precious')
  })

  it('loses the error of an earlier run once there is a result', async () => {
    const failed = await openResults(out, { jobId: 'one', overwrite: false })
    mkdirSync(failed.outbox, { recursive: true })
    writeFileSync(join(failed.outbox, 'error.json'), '{}')
    await failed.settle()
    expect(readdirSync(out)).toEqual(['error.json'])
    await finish('one', { 'a.csv': 'a' })
    expect(readdirSync(out).sort()).toEqual(['a.csv', 'result.json'])
  })
})
