/** The cache of remote objects: what is one entry and what are two, what a crash, a full disk and other programs do to it. */
import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import {
  chmod,
  chown,
  mkdir,
  readdir,
  readFile,
  rm,
  stat,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { homedir, hostname } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { afterEach, beforeEach, describe, expect, it, test } from 'vitest'
import { cachedCopy, cacheOf } from '../../lib/job/content-cache.ts'
import type { RemoteObject } from '../../lib/job/content-copy.ts'
import { openHttpStore } from '../../lib/job/http-store.ts'
import type { ObjectStore } from '../../lib/job/store.ts'
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.ts'
import { startWebDouble, type WebDouble } from '../support/web-double.ts'

const nobody = 65534

let temporary: TemporaryFolder
let folder: string
let double: WebDouble
let store: ObjectStore
beforeEach(async () => {
  temporary = await temporaryFolder()
  folder = join(temporary.path, 'cache')
  double = await startWebDouble()
  store = openHttpStore(double.address, { isLocal: true, wait: async () => {} })
  double.files.set('/a/cells.h5ad', { bytes: Buffer.from('the cells of a') })
  double.files.set('/b/cells.h5ad', { bytes: Buffer.from('the cells of b') })
})
afterEach(async () => {
  await double[Symbol.asyncDispose]()
  await temporary[Symbol.asyncDispose]()
})

const cache = (maxBytes?: number) => ({ folder, ...(maxBytes !== undefined && { maxBytes }) })
const uncached = () => join(temporary.path, 'scratch', 'input', 'query')

async function objectAt(key: string): Promise<RemoteObject> {
  const found = await store.head(key)
  if (found === undefined) throw new Error(`no ${key}`)
  return { ...found, store }
}

async function copyOf(key: string, maxBytes?: number) {
  return cachedCopy(await objectAt(key), { cache: cache(maxBytes), uncached: uncached() })
}

/** Reads it as a step would, and lets it go. */
async function textOf(key: string, maxBytes?: number): Promise<string> {
  const copy = await copyOf(key, maxBytes)
  expect(copy.notices).toEqual([])
  const text = await readFile(copy.path, 'utf8')
  await copy.release()
  return text
}

const fetches = () => double.calls.filter(({ headers }) => headers.range === undefined).length
const entries = async () => (await readdir(folder)).filter((name) => /^[0-9a-f]{64}$/.test(name))
const others = async () => (await readdir(folder)).filter((name) => !/^[0-9a-f]{64}$/.test(name))

describe('an entry', () => {
  it('is fetched once, and is there for the next', async () => {
    expect(await textOf('a/cells.h5ad')).toBe('the cells of a')
    expect(await textOf('a/cells.h5ad')).toBe('the cells of a')
    expect(fetches()).toBe(1)
    expect(await entries()).toHaveLength(1)
    expect(await others()).toEqual([])
    expect((await stat(folder)).mode & 0o77).toBe(0)
  })

  it('is another where the place is another, though the file has the same name', async () => {
    expect(await textOf('a/cells.h5ad')).toBe('the cells of a')
    expect(await textOf('b/cells.h5ad')).toBe('the cells of b')
    await using elsewhere = await startWebDouble()
    elsewhere.files.set('/a/cells.h5ad', { bytes: Buffer.from('of another host'), etag: '"e"' })
    double.files.set('/a/cells.h5ad', { bytes: Buffer.from('of the one host'), etag: '"e"' })
    expect(await textOf('a/cells.h5ad')).toBe('of the one host')
    store = openHttpStore(elsewhere.address, { isLocal: true })
    expect(await textOf('a/cells.h5ad')).toBe('of another host')
    expect(await entries()).toHaveLength(4)
  })

  it('is another once the object has changed', async () => {
    await textOf('a/cells.h5ad')
    double.files.set('/a/cells.h5ad', { bytes: Buffer.from('the NEWER of a') })
    expect(await textOf('a/cells.h5ad')).toBe('the NEWER of a')
    expect(await entries()).toHaveLength(2)
  })

  it('is the same under a new signature, and another under another query', async () => {
    const object = await objectAt('a/cells.h5ad')
    for (const access of ['?id=1&X-Amz-Signature=x', '?X-Amz-Signature=y&id=1', '?id=2'])
      await (await cachedCopy({ ...object, access }, { cache: cache(), uncached: uncached() })).release()
    expect(await entries()).toHaveLength(2)
    const kept = await readdir(folder, { recursive: true })
    const texts = await Promise.all(
      kept.filter((name) => name.endsWith('.json')).map((name) => readFile(join(folder, name), 'utf8')),
    )
    expect(kept.join() + texts.join()).not.toContain('id=')
  })

  it('of what is known by its size alone is not made', async () => {
    double.files.set('/a/cells.h5ad', { bytes: Buffer.from('nameless'), etag: '' })
    const copy = await copyOf('a/cells.h5ad')
    expect(copy).toMatchObject({ path: uncached(), notices: [{ code: 'CACHE_NOT_USED' }] })
    expect(await readFile(copy.path, 'utf8')).toBe('nameless')
    await copy.release()
    await expect(stat(uncached())).rejects.toMatchObject({ code: 'ENOENT' })
  })
})

describe('a damaged entry', () => {
  const contentOf = async () => join(folder, (await entries())[0]!, 'content')
  test.each([
    ['is shorter', async () => truncate(await writable(await contentOf()), 3)],
    ['holds other bytes', async () => writeFile(await writable(await contentOf()), 'THE CELLS OF A')],
    ['is gone', async () => rm(await contentOf())],
    ['has lost its facts', async () => rm(join(folder, (await entries())[0]!, 'entry.json'))],
    ['has facts that are none', async () => spoil('{"size":')],
    ['has facts of another shape', async () => spoil('{"__proto__":{"size":14},"sha256":"x"}')],
  ])('that %s is fetched again', async (_, damage) => {
    await textOf('a/cells.h5ad')
    await damage()
    expect(await textOf('a/cells.h5ad')).toBe('the cells of a')
    expect(fetches()).toBe(2)
    expect(await textOf('a/cells.h5ad')).toBe('the cells of a')
    expect(fetches()).toBe(2)
    expect(await others()).toEqual([])
  })

  async function writable(path: string): Promise<string> {
    await chmod(path, 0o600)
    return path
  }

  async function spoil(text: string): Promise<void> {
    const path = join(folder, (await entries())[0]!, 'entry.json')
    await rm(path)
    await writeFile(path, text)
  }

  it('it is not, when only its time was moved', async () => {
    await textOf('a/cells.h5ad')
    await utimes(await contentOf(), 1, 1)
    expect(await textOf('a/cells.h5ad')).toBe('the cells of a')
    expect(fetches()).toBe(1)
  })
})

describe('a download', () => {
  it('that breaks off for good leaves nothing', async () => {
    const object = await objectAt('a/cells.h5ad')
    double.onCall = (_, response) => {
      response.writeHead(200, { 'content-length': 14, etag: object.etag })
      response.write('the', () => response.destroy())
      return true
    }
    const copy = cachedCopy(object, { cache: cache(), uncached: uncached() })
    await expect(copy).rejects.toMatchObject({ code: 'READ_FAILED' })
    expect(await readdir(folder)).toEqual([])
    await expect(stat(uncached())).rejects.toMatchObject({ code: 'ENOENT' })
  })

  test.each([
    ['shorter than was said', { size: 15 }],
    ['not of the MD5 that was said', { md5: '0'.repeat(32) }],
  ])('that is %s leaves nothing', async (_, told) => {
    const object = { ...(await objectAt('a/cells.h5ad')), ...told }
    const open = { ...store, openRead: async () => Readable.from([Buffer.from('the cells of a')]) }
    for (const wanted of [cache(), undefined]) {
      const copy = cachedCopy({ ...object, store: open }, { cache: wanted, uncached: uncached() })
      await expect(copy).rejects.toMatchObject({ name: 'StoreFailure', code: 'CONTENT_MISMATCH' })
    }
    expect(await readdir(folder)).toEqual([])
    await expect(stat(uncached())).rejects.toMatchObject({ code: 'ENOENT' })
  })

  it('that is called off leaves nothing', async () => {
    const object = await objectAt('a/cells.h5ad')
    const controller = new AbortController()
    const stopped = new Error('stopped on request')
    async function* content() {
      yield Buffer.from('the')
      controller.abort(stopped)
      yield Buffer.from('rest')
    }
    const copy = cachedCopy(
      { ...object, store: { ...store, openRead: async () => Readable.from(content()) } },
      { cache: cache(), uncached: uncached(), signal: controller.signal },
    )
    await expect(copy).rejects.toBe(stopped)
    expect(await readdir(folder)).toEqual([])
  })

  it('whose process is killed leaves no entry, and what it left is removed', async () => {
    const object = await objectAt('a/cells.h5ad')
    double.onCall = ({ headers }, response) => {
      if (headers.range !== undefined || headers['user-agent'] === undefined) return false
      response.writeHead(200, { 'content-length': 14, etag: object.etag })
      response.write('the')
      return true
    }
    const lib = new URL('../../lib/job/', import.meta.url).href
    const code = `
      const { openHttpStore } = await import('${lib}http-store.ts')
      const { cachedCopy } = await import('${lib}content-cache.ts')
      const store = openHttpStore('${double.address}', { isLocal: true })
      const found = await store.head('a/cells.h5ad')
      await cachedCopy({ ...found, store }, { cache: { folder: ${JSON.stringify(folder)} }, uncached: '' })`
    const child = spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: 'inherit' })
    const ended = new Promise((done) => child.on('exit', done))
    await expect.poll(fetches, { timeout: 60_000 }).toBe(1)
    child.kill('SIGKILL')
    await ended
    expect(await others()).toEqual([expect.stringMatching(/^part-/)])
    expect(await entries()).toEqual([])
    double.onCall = undefined
    expect(await textOf('a/cells.h5ad')).toBe('the cells of a')
    expect(await others()).toEqual([])
  })

  it('by many at once makes one entry, and all of them have it', async () => {
    const copies = await Promise.all(Array.from({ length: 8 }, () => copyOf('a/cells.h5ad')))
    for (const { path } of copies) expect(await readFile(path, 'utf8')).toBe('the cells of a')
    expect(new Set(copies.map(({ path }) => path)).size).toBe(8)
    await Promise.all(copies.map(({ release }) => release()))
    expect(await entries()).toHaveLength(1)
    expect(await others()).toEqual([])
  })
})

describe('the bound', () => {
  beforeEach(() => {
    for (const name of ['1', '2', '3', '4']) double.files.set(`/${name}`, { bytes: Buffer.alloc(100, name) })
  })

  it('is kept by removing what was not used for longest', async () => {
    for (const name of ['1', '2', '3']) await textOf(name, 300)
    for (const [i, name] of (await entries()).entries()) await utimes(join(folder, name), 1000 + i, 1000 + i)
    await textOf('1', 300)
    await textOf('4', 300)
    const before = fetches()
    await textOf('1', 300)
    await textOf('4', 300)
    expect(fetches()).toBe(before)
    expect(await entries()).toHaveLength(3)
  })

  it('takes nothing away that is in use', async () => {
    const held = [await copyOf('1', 200), await copyOf('2', 200)]
    const third = await copyOf('3', 200)
    expect(third).toMatchObject({ path: uncached(), notices: [{ code: 'CACHE_NOT_USED' }] })
    for (const copy of [...held, third]) expect(await readFile(copy.path)).toHaveLength(100)
    for (const copy of [...held, third]) await copy.release()
    expect((await copyOf('3', 200)).notices).toEqual([])
  })

  it('leaves a copy in hand though another program removes its entry', async () => {
    const copy = await copyOf('1')
    await rm(join(folder, (await entries())[0]!), { recursive: true })
    expect(await readFile(copy.path, 'utf8')).toBe('1'.repeat(100))
    await copy.release()
  })

  it('leaves out what is larger than all of it', async () => {
    const copy = await copyOf('1', 99)
    expect(copy.notices).toEqual([
      expect.objectContaining({
        code: 'CACHE_NOT_USED',
        place: folder,
        problem: expect.stringContaining('100 bytes'),
      }),
    ])
    expect(await readFile(copy.path)).toHaveLength(100)
  })
})

describe('a cache that cannot be used', () => {
  it('where a file is in its place is done without, and said', async () => {
    await writeFile(folder, 'no folder')
    const copy = await copyOf('a/cells.h5ad')
    expect(copy).toMatchObject({ path: uncached(), notices: [{ code: 'CACHE_NOT_USED', place: folder }] })
    expect(await readFile(copy.path, 'utf8')).toBe('the cells of a')
  })

  it('that may not be written to is read, and else done without', async () => {
    await textOf('a/cells.h5ad')
    await using _ = await asSomebodyElse()
    expect(await textOf('a/cells.h5ad')).toBe('the cells of a')
    expect(fetches()).toBe(1)
    const copy = await copyOf('b/cells.h5ad')
    expect(copy).toMatchObject({ path: uncached(), notices: [{ code: 'CACHE_NOT_USED' }] })
    expect(await readFile(copy.path, 'utf8')).toBe('the cells of b')
  })

  /** Nobody may write to the cache: not even the superuser, whom no mode of a folder keeps out. */
  async function asSomebodyElse(): Promise<AsyncDisposable> {
    const isRoot = process.geteuid?.() === 0
    if (isRoot)
      for (const name of ['', ...(await readdir(temporary.path, { recursive: true }))])
        await chown(join(temporary.path, name), nobody, nobody)
    await chmod(folder, 0o500)
    if (isRoot) process.seteuid?.(nobody)
    return {
      async [Symbol.asyncDispose]() {
        if (isRoot) process.seteuid?.(0)
        await chmod(folder, 0o700)
      },
    }
  }

  it('is no reason to hide that the object is gone', async () => {
    const object = await objectAt('a/cells.h5ad')
    double.files.delete('/a/cells.h5ad')
    await writeFile(folder, 'no folder')
    const copy = cachedCopy(object, { cache: cache(), uncached: uncached() })
    await expect(copy).rejects.toMatchObject({ code: 'OBJECT_MISSING' })
  })

  it('what other hosts and later programs have in hand stays', async () => {
    await mkdir(folder)
    const host = Buffer.from(hostname()).toString('hex')
    const living = `use-${host}-${process.pid}-${randomUUID()}`
    const elsewhere = `use-abcd-1-${randomUUID()}`
    const forgotten = `part-abcd-1-${randomUUID()}`
    for (const name of [living, elsewhere, forgotten, 'mine']) await mkdir(join(folder, name))
    await utimes(join(folder, forgotten), 1000, 1000)
    await textOf('a/cells.h5ad')
    expect((await others()).sort()).toEqual([elsewhere, living, 'mine'].sort())
  })
})

describe('the settings of the cache', () => {
  test.each([
    [{}, undefined],
    [{ CELLDROP_LOCAL_FILES: '1' }, { folder: join(homedir(), '.cache/celldrop/inputs') }],
    [{ CELLDROP_CACHE: '/c' }, { folder: '/c' }],
    [
      { CELLDROP_CACHE: '/c', CELLDROP_CACHE_BYTES: '5000' },
      { folder: '/c', maxBytes: 5000 },
    ],
    [{ CELLDROP_CACHE: '/c', CELLDROP_CACHE_BYTES: '0' }, undefined],
    [{ CELLDROP_CACHE_BYTES: '5000' }, undefined],
  ])('%j mean %j', (environment, expected) => {
    expect(cacheOf(environment)).toEqual(expected)
  })

  test.each(['-1', '50 GB', '1e9', '99999999999999999999'])('%j is no number of bytes', (bytes) => {
    expect(() => cacheOf({ CELLDROP_CACHE: '/c', CELLDROP_CACHE_BYTES: bytes })).toThrow(
      expect.objectContaining({ name: 'BadInput', code: 'CONFIGURATION' }),
    )
  })
})
