/**
 * What every object store must do, whatever lies behind it: one list of laws, run against the folder, S3's double and real servers.
 *
 * What a server is known to do otherwise is stated as a difference, and the law then asserts the difference instead of being skipped.
 */
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ObjectInfo, ObjectStore } from '../../lib/job/store.ts'

export interface StoreUnderTest {
  store: ObjectStore
  dispose(): Promise<void>
}

export interface StoreDifferences {
  lacks?: 'conditional writes'
  keeps?: 'versions'
}

export function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

export async function collectList(store: ObjectStore, prefix: string): Promise<ObjectInfo[]> {
  const listed: ObjectInfo[] = []
  for await (const info of store.list(prefix)) listed.push(info)
  return listed
}

export function storeLaws(
  name: string,
  open: () => Promise<StoreUnderTest>,
  { lacks, keeps }: StoreDifferences = {},
): void {
  describe(name, () => {
    let opened: StoreUnderTest
    let store: ObjectStore
    beforeAll(async () => {
      opened = await open()
      store = opened.store
    })
    afterAll(() => opened?.dispose())
    const put = (key: string, text: string) => store.write(key, bytesOf(text))
    const get = async (key: string) => Buffer.from(await store.read(key, { maxBytes: 1000 })).toString()

    contentLaws({ put, get, store: () => store })
    rangeLaws({ put, get, store: () => store })
    pinLaws({ put, get, store: () => store }, keeps === 'versions')
    listLaws({ put, get, store: () => store })
    streamLaws({ put, get, store: () => store })
    if (lacks === 'conditional writes') {
      test('a write that must be new is refused and writes nothing, since the server cannot promise it', async () => {
        const refused = store.write('new/only', bytesOf('x'), { onlyIfAbsent: true })
        await expect(refused).rejects.toMatchObject({ name: 'StoreFailure', code: 'STORE_UNSUPPORTED' })
        expect(await store.head('new/only')).toBeUndefined()
      })
    } else exclusiveLaws({ put, get, store: () => store })
  })
}

interface Tools {
  store: () => ObjectStore
  put: (key: string, text: string) => Promise<ObjectInfo>
  get: (key: string) => Promise<string>
}

function contentLaws({ store, put, get }: Tools): void {
  test('what is written is read back, and write and head tell the same', async () => {
    const written = await put('content/a.txt', 'some text')
    expect(written).toMatchObject({ key: 'content/a.txt', size: 9 })
    expect(await store().head('content/a.txt')).toEqual(written)
    expect(await get('content/a.txt')).toBe('some text')
  })

  test('a second write replaces the content and its etag', async () => {
    const first = await put('content/b.txt', 'one')
    const second = await put('content/b.txt', 'two')
    expect(second.etag).not.toBe(first.etag)
    expect(await get('content/b.txt')).toBe('two')
  })

  test('an object without bytes is an object', async () => {
    const info = await put('content/empty', '')
    expect(info.size).toBe(0)
    expect(await get('content/empty')).toBe('')
    expect(await store().readRange('content/empty', { offset: 0, length: 5 }, info)).toHaveLength(0)
    expect(await buffer(await store().openRead('content/empty'))).toHaveLength(0)
  })

  test('an object that is not there has no head, and reading it names what is missing', async () => {
    expect(await store().head('content/none')).toBeUndefined()
    expect(await store().head('content')).toBeUndefined()
    const missing = {
      name: 'StoreFailure',
      code: 'OBJECT_MISSING',
      place: expect.stringContaining('content/none'),
    }
    const pin = { etag: '"none"' }
    await expect(store().read('content/none', { maxBytes: 1 })).rejects.toMatchObject(missing)
    await expect(store().openRead('content/none')).rejects.toMatchObject(missing)
    const range = { offset: 0, length: 1 }
    await expect(store().readRange('content/none', range, pin)).rejects.toMatchObject(missing)
  })

  test('an object above the limit of a small read is refused', async () => {
    await put('content/large', 'x'.repeat(11))
    const failure = { name: 'StoreFailure', code: 'OBJECT_TOO_LARGE' }
    await expect(store().read('content/large', { maxBytes: 10 })).rejects.toMatchObject(failure)
    expect(await store().read('content/large', { maxBytes: 11 })).toHaveLength(11)
  })

  test('removing takes one object, and removing it again is no error', async () => {
    await put('content/gone', 'x')
    await put('content/gone-not', 'y')
    await store().remove('content/gone')
    await store().remove('content/gone')
    expect(await store().head('content/gone')).toBeUndefined()
    expect(await get('content/gone-not')).toBe('y')
  })

  test.each([
    ['nothing', ''],
    ['two dots between slashes', 'a/../b'],
    ['two dots', '..'],
    ['a dot at the start', './a'],
    ['a dot at the end', 'a/.'],
    ['a zero byte', 'nul\u0000'],
    ['a line break', 'line\n'],
    ['half a surrogate pair', '\ud800'],
    ['more than 1024 bytes', `long/${'x/'.repeat(600)}y`],
  ])('a key of %s is refused by every operation', async (_, key) => {
    const refused = { name: 'BadInput', code: 'KEY_UNSUPPORTED', remedy: expect.stringMatching(/./) }
    await expect(store().head(key)).rejects.toMatchObject(refused)
    await expect(store().write(key, bytesOf('x'))).rejects.toMatchObject(refused)
    const body = Readable.from(['x'])
    await expect(store().write(key, body)).rejects.toMatchObject(refused)
    expect(body.destroyed).toBe(true)
    await expect(store().read(key, { maxBytes: 1 })).rejects.toMatchObject(refused)
    await expect(store().openRead(key)).rejects.toMatchObject(refused)
    const range = { offset: 0, length: 1 }
    await expect(store().readRange(key, range, { etag: 'x' })).rejects.toMatchObject(refused)
    await expect(store().remove(key)).rejects.toMatchObject(refused)
  })
}

function rangeLaws({ store, put }: Tools): void {
  test('a range holds its bytes, and fewer only where the object ends', async () => {
    const pin = await put('range/a', '0123456789')
    const range = async (offset: number, length: number) =>
      Buffer.from(await store().readRange('range/a', { offset, length }, pin)).toString()
    expect(await range(0, 3)).toBe('012')
    expect(await range(4, 1)).toBe('4')
    expect(await range(8, 5)).toBe('89')
    expect(await range(0, 1000)).toBe('0123456789')
    expect(await range(10, 5)).toBe('')
    expect(await range(5000, 5)).toBe('')
    expect(await range(3, 0)).toBe('')
  })

  test.each([
    [-1, 1],
    [0, -1],
    [0.5, 1],
    [0, Number.NaN],
    [Number.MAX_SAFE_INTEGER, 1],
  ])('offset %d with length %d is a mistake of the caller', async (offset, length) => {
    const reading = store().readRange('range/a', { offset, length }, { etag: 'x' })
    await expect(reading).rejects.toThrow(RangeError)
  })
}

function pinLaws({ store, put }: Tools, keepsVersions: boolean): void {
  const text = async (pin: ObjectInfo) => (await buffer(await store().openRead('pin/a', pin))).toString()

  if (keepsVersions) {
    test('once the content is another, the old pin still reads the old version', async () => {
      const old = await put('pin/a', 'old content')
      const now = await put('pin/a', 'new content')
      expect(await store().readRange('pin/a', { offset: 4, length: 3 }, old)).toEqual(bytesOf('con'))
      expect(await store().readRange('pin/a', { offset: 100, length: 3 }, old)).toHaveLength(0)
      expect(await store().read('pin/a', { maxBytes: 100, pin: old })).toEqual(bytesOf('old content'))
      expect([await text(old), await text(now)]).toEqual(['old content', 'new content'])
      await store().remove('pin/a')
      expect(await store().head('pin/a')).toBeUndefined()
      expect(await text(now)).toBe('new content')
    })
  } else {
    test('once the content is another, the old pin reads nothing', async () => {
      const old = await put('pin/a', 'old content')
      const now = await put('pin/a', 'new content')
      const place = expect.stringContaining('pin/a')
      const changed = { name: 'StoreFailure', code: 'OBJECT_CHANGED', place }
      const ranges = [
        { offset: 0, length: 3 },
        { offset: 0, length: 0 },
        { offset: 100, length: 3 },
      ]
      for (const range of ranges) {
        await expect(store().readRange('pin/a', range, old)).rejects.toMatchObject(changed)
      }
      await expect(store().read('pin/a', { maxBytes: 100, pin: old })).rejects.toMatchObject(changed)
      await expect(store().openRead('pin/a', old)).rejects.toMatchObject(changed)
      expect(await store().read('pin/a', { maxBytes: 100, pin: now })).toEqual(bytesOf('new content'))
      expect(await text(now)).toBe('new content')
    })
  }

  test('a pin from a listing reads the content that was listed', async () => {
    await put('pin/listed', 'listed')
    const [info] = await collectList(store(), 'pin/listed')
    const head = await store().head('pin/listed')
    expect(info).toMatchObject({ key: 'pin/listed', size: 6, etag: head?.etag })
    // a head tells whole seconds where a listing tells milliseconds
    expect(Math.abs(Number(info?.modified) - Number(head?.modified))).toBeLessThan(1000)
    const read = await store().readRange('pin/listed', { offset: 0, length: 3 }, { etag: String(info?.etag) })
    expect(read).toEqual(bytesOf('lis'))
  })
}

function listLaws({ store, put, get }: Tools): void {
  test('keys of any letters are kept and listed in the order of their UTF-8 bytes', async () => {
    const names = [
      'z',
      'a b',
      'a+b',
      'a%20b',
      'a&b<c>',
      'é',
      'e\u0301',
      'ﬀ',
      '𝛼',
      '日本',
      "o'x",
      '(1)!*~',
      '~',
      'A',
    ]
    for (const name of names) await put(`order/${name}`, name)
    const listed = (await collectList(store(), 'order/')).map(({ key }) => key)
    const sorted = names.map((name) => Buffer.from(`order/${name}`)).sort(Buffer.compare)
    expect(listed).toEqual(sorted.map(String))
    for (const name of names) expect(await get(`order/${name}`)).toBe(name)
  })

  test('folders are sorted as the slash in their keys is', async () => {
    const keys = ['deep/a-b', 'deep/a/x', 'deep/a/y/z', 'deep/a0', 'deep/ab']
    for (const key of [...keys].reverse()) await put(key, 'x')
    expect((await collectList(store(), 'deep/')).map(({ key }) => key)).toEqual(keys)
    expect((await collectList(store(), 'deep/a')).map(({ key }) => key)).toEqual(keys)
    expect((await collectList(store(), 'deep/a/')).map(({ key }) => key)).toEqual(['deep/a/x', 'deep/a/y/z'])
    expect(await collectList(store(), 'deep/none')).toEqual([])
    expect(await collectList(store(), 'none/')).toEqual([])
  })

  test('a list of more than one page is whole and in order', async () => {
    const keys = Array.from({ length: 1005 }, (_, index) => `many/${String(index).padStart(4, '0')}`)
    for (let start = 0; start < keys.length; start += 15) {
      await Promise.all(keys.slice(start, start + 15).map((key) => put(key, '.')))
    }
    const listed = await collectList(store(), 'many/')
    expect(listed.map(({ key }) => key)).toEqual(keys)
    expect(listed.every(({ size }) => size === 1)).toBe(true)
  })
}

/** 20 MiB in pieces of odd sizes, so that no part ends where a piece does. */
const streamedBytes = 20 << 20
function pattern(): Buffer {
  const bytes = Buffer.alloc(streamedBytes)
  for (let at = 0; at < bytes.length; at += 4) bytes.writeUInt32LE(at, at)
  return bytes
}

function* pieces(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += 70_001) yield bytes.subarray(at, at + 70_001)
}

function failingBody(length: number, failure: Error): Readable {
  function* content() {
    yield Buffer.alloc(length)
    throw failure
  }
  return Readable.from(content(), { objectMode: false })
}

function streamLaws({ store, put, get }: Tools): void {
  test('a stream larger than one part arrives whole, and is read back by stream and by range', async () => {
    const bytes = pattern()
    const info = await store().write('stream/large', Readable.from(pieces(bytes)), {
      contentType: 'application/x',
    })
    expect(info.size).toBe(streamedBytes)
    expect(await store().head('stream/large')).toEqual(info)
    expect(bytes.equals(await buffer(await store().openRead('stream/large', info)))).toBe(true)
    const range = { offset: (16 << 20) - 5, length: 10 }
    const middle = bytes.subarray(range.offset, range.offset + 10)
    expect(middle.equals(await store().readRange('stream/large', range, info))).toBe(true)
  })

  test('a body larger than one part need not be a stream', async () => {
    const bytes = pattern().subarray(3)
    const info = await store().write('stream/bytes', bytes)
    expect(bytes.equals(await buffer(await store().openRead('stream/bytes', info)))).toBe(true)
  })

  test('a stream without bytes makes an empty object', async () => {
    expect(await store().write('stream/empty', Readable.from([]))).toMatchObject({ size: 0 })
    expect(await get('stream/empty')).toBe('')
  })

  test.each([10, 17 << 20])('a body that fails after %d bytes leaves the old content', async (length) => {
    const old = await put('stream/failing', 'old')
    const failure = new Error('the source broke')
    await expect(store().write('stream/failing', failingBody(length, failure))).rejects.toBe(failure)
    expect(await store().head('stream/failing')).toEqual(old)
    await expect(store().write('stream/failing-new', failingBody(0, failure))).rejects.toBe(failure)
    expect(await store().head('stream/failing-new')).toBeUndefined()
    expect((await collectList(store(), 'stream/f')).map(({ key }) => key)).toEqual(['stream/failing'])
  })

  test('a body that has failed already is refused with its own error', async () => {
    const body = new Readable({ read() {} })
    body.destroy(new Error('broken before'))
    await expect(store().write('stream/broken', body)).rejects.toThrow('broken before')
    expect(await store().head('stream/broken')).toBeUndefined()
  })

  test('a reader that stops early is no error', async () => {
    for await (const piece of await store().openRead('stream/large')) {
      expect(piece.length).toBeGreaterThan(0)
      break
    }
    const unread = await store().openRead('stream/large')
    unread.destroy()
  })
}

function exclusiveLaws({ store, put, get }: Tools): void {
  const exists = { name: 'AlreadyExists', code: 'OBJECT_EXISTS' }

  test('a write that must be new leaves an object that is there as it was', async () => {
    const first = await store().write('new/a', bytesOf('first'), { onlyIfAbsent: true })
    expect(await store().head('new/a')).toEqual(first)
    const again = store().write('new/a', bytesOf('second'), { onlyIfAbsent: true })
    await expect(again).rejects.toMatchObject({ ...exists, place: expect.stringContaining('new/a') })
    const streamed = store().write('new/a', Readable.from([bytesOf('third')]), { onlyIfAbsent: true })
    await expect(streamed).rejects.toMatchObject(exists)
    expect(await get('new/a')).toBe('first')
    await store().remove('new/a')
    await store().write('new/a', bytesOf('fourth'), { onlyIfAbsent: true })
    await put('new/a', 'fifth')
    expect(await get('new/a')).toBe('fifth')
  })

  test('of many writers at once exactly one is first, and its content stays', async () => {
    for (let round = 0; round < 5; round++) {
      const key = `new/race-${round}`
      const texts = Array.from({ length: 6 }, (_, writer) => `writer ${writer}`)
      const outcomes = await Promise.allSettled(
        texts.map((text) => store().write(key, bytesOf(text), { onlyIfAbsent: true })),
      )
      const winners = texts.filter((_, index) => outcomes[index]?.status === 'fulfilled')
      expect(winners).toHaveLength(1)
      expect(await get(key)).toBe(winners[0])
      for (const outcome of outcomes) {
        if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject(exists)
      }
    }
  })

  test('a large body that must be new loses to an object that is there', async () => {
    await put('new/large', 'small')
    const large = store().write('new/large', Readable.from(pieces(pattern())), { onlyIfAbsent: true })
    await expect(large).rejects.toMatchObject(exists)
    expect(await get('new/large')).toBe('small')
    await store().remove('new/large')
    const info = await store().write('new/large', Readable.from(pieces(pattern())), { onlyIfAbsent: true })
    expect(info.size).toBe(streamedBytes)
  })
}
