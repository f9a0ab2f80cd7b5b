/**
 * Drives that are not like a Linux one: without hard links (FAT, some network drives), or blind to letter case (FAT, Windows, macOS).
 * The operating system's calls are replaced by ones that answer as such a drive does.
 */
import { createHash } from 'node:crypto'
import type * as fs from 'node:fs/promises'
import { mkdir, readdir } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { openFolderStore } from '../../lib/job/folder-store.ts'
import type { ObjectStore } from '../../lib/job/store.ts'
import { bytesOf } from '../support/store-laws.ts'
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.ts'

const drive = vi.hoisted(() => ({
  linkError: '',
  /** what two names have in common when the drive takes them for one; undefined when it tells all names apart */
  fold: undefined as ((name: string) => string) | undefined,
  realpathTells: false,
}))

vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof fs>()
  /** the name under which the drive really holds a path */
  const held = async (path: string): Promise<string> => {
    const { fold } = drive
    if (!fold || dirname(path) === path) return path
    const parent = await held(dirname(path))
    const names = await real.readdir(parent).catch(() => [])
    const found = names.find((name) => fold(name) === fold(basename(path)))
    return join(parent, found ?? basename(path))
  }
  const onHeld = <T extends unknown[], R>(act: (path: string, ...more: T) => Promise<R>) => {
    return async (path: string, ...more: T) => act(await held(path), ...more)
  }
  return {
    ...real,
    lstat: onHeld(real.lstat),
    mkdir: onHeld(real.mkdir),
    open: onHeld(real.open),
    readdir: onHeld(real.readdir),
    rm: onHeld(real.rm),
    realpath: async (path: string) => {
      const told = await real.realpath(await held(path))
      return drive.realpathTells || (await real.realpath(path).catch(() => undefined)) === told ? told : path
    },
    rename: async (from: string, to: string) => real.rename(await held(from), await held(to)),
    link: async (from: string, to: string) => {
      if (drive.linkError === '') return real.link(await held(from), await held(to))
      throw Object.assign(new Error('no links here'), { code: drive.linkError })
    },
  }
})

let temporary: TemporaryFolder
let store: ObjectStore
beforeEach(async () => {
  temporary = await temporaryFolder()
  store = await openFolderStore(temporary.path)
})
afterEach(async () => {
  drive.linkError = ''
  drive.fold = undefined
  drive.realpathTells = false
  await temporary[Symbol.asyncDispose]()
})

describe.each(['EPERM', 'EOPNOTSUPP'])('a drive that answers %s to hard links', (code) => {
  beforeEach(() => {
    drive.linkError = code
  })

  test('still lets exactly one of many writers be first, and leaves nothing behind', async () => {
    const texts = Array.from({ length: 6 }, (_, writer) => `writer ${writer}`)
    const writes = texts.map((text) => store.write('a', bytesOf(text), { onlyIfAbsent: true }))
    const outcomes = await Promise.allSettled(writes)
    const winners = texts.filter((_, index) => outcomes[index]?.status === 'fulfilled')
    expect(winners).toHaveLength(1)
    expect(Buffer.from(await store.read('a', { maxBytes: 100 })).toString()).toBe(winners[0])
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'OBJECT_EXISTS' })
    }
    expect(await readdir(temporary.path)).toEqual(['a'])
  })

  test('names the lock that a crash left, and writes nothing', async () => {
    const name = createHash('sha256').update('a').digest('hex')
    const lock = join(temporary.path, `.celldrop-part-lock-${name}`)
    await mkdir(lock)
    const remedy = expect.stringContaining(lock)
    const failure = { name: 'StoreFailure', code: 'WRITE_FAILED', remedy }
    await expect(store.write('a', bytesOf('x'), { onlyIfAbsent: true })).rejects.toMatchObject(failure)
    expect(await store.head('a')).toBeUndefined()
  })
})

describe.each([
  ['Linux, which repeats the name it was asked for', false],
  ['macOS or Windows, which tell the true name', true],
])('a drive that is blind to letter case, on %s', (_, realpathTells) => {
  test.each([
    ['Data.h5ad', 'data.h5ad'],
    ['Jobs/a', 'jobs/b'],
  ])('holds %s, and refuses %s instead of putting it there', async (held, key) => {
    await store.write(held, bytesOf('old'))
    drive.fold = (name) => name.toLowerCase()
    drive.realpathTells = realpathTells
    await refusesToWrite(key)
    expect(await readdir(temporary.path)).toEqual([held.split('/')[0]])
    await store.write(held, bytesOf('newer'))
    expect(Buffer.from(await store.read(held, { maxBytes: 100 })).toString()).toBe('newer')
  })
})

describe('a drive that is blind to Unicode forms, as those of macOS are', () => {
  test.each([
    ['e\u0301.h5ad', '\u00e9.h5ad'],
    ['e\u0301/a', '\u00e9/b'],
  ])('holds %j, and refuses %j instead of putting it there', async (held, key) => {
    await store.write(held, bytesOf('old'))
    drive.fold = (name) => name.normalize()
    drive.realpathTells = true
    await refusesToWrite(key)
    expect(await readdir(temporary.path)).toEqual([held.split('/')[0]])
    expect(Buffer.from(await store.read(held, { maxBytes: 100 })).toString()).toBe('old')
  })

  test('tells the true name when it is asked for a file in another form', async () => {
    await store.write('e\u0301', bytesOf('old'))
    drive.fold = (name) => name.normalize()
    drive.realpathTells = true
    const problem = expect.stringContaining('e\u0301')
    await expect(store.head('\u00e9')).rejects.toMatchObject({ code: 'KEY_UNSUPPORTED', problem })
  })
})

async function refusesToWrite(key: string): Promise<void> {
  const failure = { name: 'BadInput', code: 'KEY_UNSUPPORTED', problem: expect.stringContaining('letters') }
  await expect(store.write(key, bytesOf('new'))).rejects.toMatchObject(failure)
  await expect(store.write(key, bytesOf('new'), { onlyIfAbsent: true })).rejects.toMatchObject(failure)
}
