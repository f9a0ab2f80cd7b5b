/**
 * The store over a web server: twins of the folder store over the same bytes, and servers that are careless, busy, slow or hostile.
 */
import { readFileSync } from 'node:fs'
import { copyFile } from 'node:fs/promises'
import type { ServerResponse } from 'node:http'
import { join, resolve } from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, test, vi } from 'vitest'
import type { CellFile } from '../../lib/data/cells.ts'
import { gatherFacts } from '../../lib/data/facts.ts'
import { openCells, openStored } from '../../lib/data/open-cells.ts'
import { openFolderStore } from '../../lib/job/folder-store.ts'
import { openHttpStore } from '../../lib/job/http-store.ts'
import { openObject, openStore } from '../../lib/job/open-store.ts'
import type { ObjectStore } from '../../lib/job/store.ts'
import { type Stores, storeOf } from '../../lib/job/stores.ts'
import { identityNotice } from '../../lib/job/web-identity.ts'
import { hasShared, sharedPath } from '../support/shared.ts'
import { collectList } from '../support/store-laws.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import {
  sendFile,
  startWebDouble,
  testCertificate,
  type WebCall,
  type WebDouble,
} from '../support/web-double.ts'

const fixtures = resolve(import.meta.dirname, '../fixtures/formats')
const bytes = Buffer.from('0123456789abcdefghij')
const date = 'Sat, 03 Jan 2026 10:00:00 GMT'

let double: WebDouble
let store: ObjectStore
let rests: number[]
beforeEach(async () => {
  double = await startWebDouble()
  rests = []
  store = openHttpStore(`${double.address}/data`, options())
  double.files.set('/data/x', { bytes, etag: '"e"', modified: date })
})
afterEach(async () => {
  vi.unstubAllEnvs()
  await double[Symbol.asyncDispose]()
})

function options() {
  return { isLocal: true, wait: async (ms: number) => rests.push(ms) }
}

const textOf = (content: Uint8Array) => Buffer.from(content).toString()
const whole = async (key = 'x') => textOf(await buffer(await store.openRead(key)))
const failsWith = (code: string) => expect.objectContaining({ code })

/** For the first `times` calls that match. */
function meet(fault: (call: WebCall, response: ServerResponse) => void, { times = 1, method = 'GET' } = {}) {
  let left = times
  double.onCall = (call, response) => {
    if (call.method !== method || left-- <= 0) return false
    fault(call, response)
    return true
  }
}

/** The whole is announced and less comes. */
const cutAfter = (kept: number) => (call: WebCall, response: ServerResponse) => {
  const [, from, to] = /^bytes=(\d+)-(\d+)/.exec(call.headers.range ?? '') ?? []
  const rest = from === undefined ? bytes : bytes.subarray(Number(from), Number(to) + 1)
  const told = from === undefined ? {} : { 'content-range': `bytes ${from}-${to}/20` }
  response.writeHead(from === undefined ? 200 : 206, { ...told, etag: '"e"', 'content-length': rest.length })
  response.write(rest.subarray(0, kept), () => response.destroy())
}

describe('a file of a web server', () => {
  it('is told of with size, strong ETag and date, by one request', async () => {
    double.files.set('/data/x', { bytes, etag: '"e"', modified: date })
    expect(await store.head('x')).toEqual({ key: 'x', size: 20, etag: '"e"', modified: Date.parse(date) })
    expect(double.calls).toHaveLength(1)
    expect(await store.head('absent')).toBeUndefined()
    expect(store.place).toBe(`${double.address}/data`)
  })

  it('agrees with the same file in a folder, range for range', async () => {
    await using folder = await temporaryFolder()
    const twin = await openFolderStore(folder.path)
    const content = Buffer.from(Uint8Array.from({ length: 5000 }, (_, i) => (i * i) % 251))
    await twin.write('x', content)
    double.files.set('/data/x', { bytes: content })
    const [here, there] = [(await twin.head('x'))!, (await store.head('x'))!]
    expect(there.size).toBe(here.size)
    await fc.assert(
      fc.asyncProperty(fc.nat(6000), fc.nat(6000), async (offset, length) => {
        const range = { offset, length }
        const [mine, its] = await Promise.all([
          twin.readRange('x', range, here),
          store.readRange('x', range, there),
        ])
        expect(Buffer.from(its).equals(mine)).toBe(true)
      }),
      { numRuns: 60 },
    )
    expect((await buffer(await store.openRead('x', there))).equals(content)).toBe(true)
    expect(Buffer.from(await store.read('x', { maxBytes: 5000 })).equals(content)).toBe(true)
  })

  it('that is empty is empty', async () => {
    double.files.set('/data/x', { bytes: Buffer.alloc(0) })
    const head = (await store.head('x'))!
    expect(head.size).toBe(0)
    expect(await store.readRange('x', { offset: 0, length: 9 }, head)).toHaveLength(0)
    expect(await whole()).toBe('')
  })

  it('is bounded where all of it is read at once', async () => {
    await expect(store.read('x', { maxBytes: 19 })).rejects.toEqual(failsWith('OBJECT_TOO_LARGE'))
    await expect(store.read('absent', { maxBytes: 9 })).rejects.toEqual(failsWith('OBJECT_MISSING'))
  })

  it('can only be read', async () => {
    const refused = failsWith('STORE_READ_ONLY')
    await expect(store.write('x', bytes)).rejects.toEqual(refused)
    await expect(store.write('x', Readable.from([bytes]))).rejects.toEqual(refused)
    await expect(store.remove('x')).rejects.toEqual(refused)
    await expect(collectList(store, '')).rejects.toEqual(failsWith('LISTING_UNSUPPORTED'))
    expect(double.calls).toEqual([])
  })

  test.each(['', 'a/../b', 'a/%2e%2e/b', 'a\\b', 'a\nb'])(
    'is not asked for under the key %j',
    async (key) => {
      await expect(store.head(key)).rejects.toEqual(failsWith('KEY_UNSUPPORTED'))
      expect(double.calls).toEqual([])
    },
  )

  it('may have a question mark or a space in its name', async () => {
    double.files.set('/data/a%3Fb%20%C3%A9', { bytes })
    expect(await store.head('a?b é')).toMatchObject({ size: 20 })
  })
})

describe('a file that is replaced', () => {
  const newer = { bytes: Buffer.from('ABCDEFGHIJKLMNOPQRST'), modified: 'Sun, 04 Jan 2026 10:00:00 GMT' }

  test.each([
    ['a careful server', (_: WebDouble) => undefined],
    [
      'a server that heeds no conditions',
      (server: WebDouble) => {
        server.onCall = (call, response) => {
          const { 'if-match': _, 'if-unmodified-since': __, ...headers } = call.headers
          const file = server.files.get('/data/x')!
          sendFile(file, { call: { ...call, headers }, response, knowsRanges: server.knowsRanges })
          return true
        }
      },
    ],
    [
      'a server without ranges',
      (server: WebDouble) => {
        server.knowsRanges = false
      },
    ],
  ])('on %s is an error and never a mixture', async (_, arrange) => {
    for (const etag of [undefined, '', 'W/"weak"']) {
      double.files.set('/data/x', { bytes, modified: date, ...(etag !== undefined && { etag }) })
      arrange(double)
      const head = (await store.head('x'))!
      double.files.set('/data/x', { ...newer, ...(etag !== undefined && { etag }) })
      const changed = failsWith('OBJECT_CHANGED')
      await expect(store.readRange('x', { offset: 2, length: 3 }, head)).rejects.toEqual(changed)
      await expect(store.readRange('x', { offset: 50, length: 3 }, head)).rejects.toEqual(changed)
      await expect(store.read('x', { maxBytes: 99, pin: head })).rejects.toEqual(changed)
      await expect(store.openRead('x', head)).rejects.toEqual(changed)
    }
  })

  it('in the middle of a stream that breaks off is an error', async () => {
    const stream = await store.openRead('x')
    meet((call, response) => {
      cutAfter(8)(call, response)
      double.files.set('/data/x', newer)
    })
    await expect(buffer(stream)).rejects.toEqual(failsWith('OBJECT_CHANGED'))
  })

  it('or removed is told apart', async () => {
    const head = (await store.head('x'))!
    double.files.delete('/data/x')
    await expect(store.readRange('x', { offset: 0, length: 3 }, head)).rejects.toEqual(
      failsWith('OBJECT_MISSING'),
    )
  })
})

describe('what tells contents apart', () => {
  test.each([
    ['a strong ETag', { etag: '"e"' }, '"e"', undefined],
    [
      'a weak one and a date',
      { etag: 'W/"e"', modified: date },
      '~2026-01-03T10:00:00.000Z/20/W/"e"',
      'date and size',
    ],
    ['a date', { etag: '', modified: date }, '~2026-01-03T10:00:00.000Z/20/', 'date and size'],
    ['the size alone', { etag: '' }, '~/20/', 'size alone'],
    ['no ETag that is one', { etag: 'bare' }, '~/20/', 'size alone'],
  ])('is %s, and is said where it is weak', async (_, facts, etag, said) => {
    double.files.set('/data/x', { bytes, ...facts })
    const head = (await store.head('x'))!
    expect(head.etag).toBe(etag)
    const notice = identityNotice(head.etag, 'place')
    if (said === undefined) expect(notice).toBeUndefined()
    else
      expect(notice).toMatchObject({ code: 'SOURCE_IDENTITY_WEAK', problem: expect.stringContaining(said) })
  })

  it('where it is the size alone, parts are refused and the whole is read in one go', async () => {
    double.files.set('/data/x', { bytes, etag: '' })
    const head = (await store.head('x'))!
    const range = store.readRange('x', { offset: 0, length: 3 }, head)
    await expect(range).rejects.toEqual(failsWith('RANGES_UNSUPPORTED'))
    expect(await whole()).toBe(bytes.toString())
  })
})

describe('a server without ranges', () => {
  beforeEach(() => {
    double.knowsRanges = false
  })

  it('says so when a part is read, and gives the whole', async () => {
    const head = (await store.head('x'))!
    expect(head.size).toBe(20)
    const range = store.readRange('x', { offset: 3, length: 3 }, head)
    await expect(range).rejects.toEqual(failsWith('RANGES_UNSUPPORTED'))
    expect(await whole()).toBe(bytes.toString())
  })

  it('that breaks off cannot be gone on with', async () => {
    const stream = await store.openRead('x')
    meet(cutAfter(8))
    await expect(buffer(stream)).rejects.toMatchObject({ name: 'StoreUnavailable', code: 'READ_FAILED' })
  })
})

describe('a network that fails', () => {
  test.each([
    ['cut', cutAfter(3)],
    ['reset', (_: WebCall, response: ServerResponse) => response.destroy()],
    ['busy', (_: WebCall, response: ServerResponse) => response.writeHead(503).end('later')],
    ['over its limit', (_: WebCall, response: ServerResponse) => response.writeHead(429).end()],
  ])('by an answer that is %s is asked again, and less and less often', async (_, fault) => {
    const head = (await store.head('x'))!
    meet(fault, { times: 2 })
    expect(textOf(await store.readRange('x', { offset: 3, length: 9 }, head))).toBe('3456789ab')
    expect(rests).toEqual([250, 750])
    meet(fault, { times: 2 })
    expect(textOf(await store.read('x', { maxBytes: 99 }))).toBe(bytes.toString())
    const stream = await store.openRead('x')
    meet(fault, { times: 2 })
    expect((await buffer(stream)).toString()).toBe(bytes.toString())
  })

  it('again and again is a failure that may pass', async () => {
    const head = (await store.head('x'))!
    meet(cutAfter(3), { times: 100 })
    const failure = { name: 'StoreUnavailable', code: 'READ_FAILED', place: `${double.address}/data/x` }
    await expect(store.readRange('x', { offset: 3, length: 9 }, head)).rejects.toMatchObject(failure)
    meet((_, response) => response.writeHead(500).end(), { times: 100 })
    await expect(store.head('x')).rejects.toMatchObject(failure)
    await expect(openHttpStore('http://127.0.0.1:9', options()).head('x')).rejects.toMatchObject({
      ...failure,
      place: 'http://127.0.0.1:9/x',
    })
  })

  it('takes a stream up where it broke off, without asking for what came', async () => {
    const stream = await store.openRead('x')
    double.calls.length = 0
    meet(cutAfter(8), { times: 2 })
    expect((await buffer(stream)).toString()).toBe(bytes.toString())
    expect(double.calls.map(({ headers }) => headers.range)).toEqual([undefined, 'bytes=8-19', 'bytes=16-19'])
  })

  it('is left alone for as long as it asks, and not for longer than a minute', async () => {
    meet((_, response) => response.writeHead(429, { 'retry-after': '30' }).end())
    expect(await store.head('x')).toMatchObject({ size: 20 })
    expect(rests).toEqual([30_000, 250])
    meet((_, response) => response.writeHead(503, { 'retry-after': '3600' }).end())
    await expect(store.head('x')).rejects.toMatchObject({ name: 'StoreUnavailable' })
  })

  it('by silence is given up', async () => {
    const impatient = openHttpStore(`${double.address}/data`, { ...options(), patienceMs: 30, tries: 2 })
    const silent = () => undefined
    meet(silent, { times: 2 })
    await expect(impatient.head('x')).rejects.toMatchObject({ name: 'StoreUnavailable' })
    const stream = await impatient.openRead('x')
    meet((_, response) => {
      response.writeHead(200, { etag: '"e"', 'content-length': 20 })
      response.write(bytes.subarray(0, 5))
    })
    expect((await buffer(stream)).toString()).toBe(bytes.toString())
  })
})

it('a server that gives byte by byte, and never stops to, is given up', async () => {
  const impatient = openHttpStore(`${double.address}/data`, { ...options(), patienceMs: 50, tries: 1 })
  const head = (await impatient.head('x'))!
  meet((_, response) => {
    response.writeHead(206, { etag: '"e"', 'content-length': 20, 'content-range': 'bytes 0-19/20' })
    const dripping = setInterval(() => response.write('0'), 20)
    response.on('close', () => clearInterval(dripping))
  })
  const range = impatient.readRange('x', { offset: 0, length: 20 }, head)
  await expect(range).rejects.toMatchObject({ name: 'StoreUnavailable', code: 'READ_FAILED' })
})

describe('a server that lies', () => {
  const part = { etag: '"e"', 'content-length': 3 }
  test.each([
    ['another part', 206, { ...part, 'content-range': 'bytes 5-7/20' }, 'READ_FAILED'],
    ['a part of another size', 206, { ...part, 'content-range': 'bytes 3-4/20' }, 'READ_FAILED'],
    ['a part beyond its end', 206, { ...part, 'content-range': 'bytes 3-5/5' }, 'READ_FAILED'],
    ['a part of it knows not what', 206, part, 'READ_FAILED'],
    [
      'a part that is nonsense',
      206,
      { ...part, 'content-range': 'bytes 3-5/99999999999999999999' },
      'READ_FAILED',
    ],
    [
      'another length',
      206,
      { etag: '"e"', 'content-length': 2, 'content-range': 'bytes 3-5/20' },
      'READ_FAILED',
    ],
    ['other content', 206, { ...part, etag: '"f"', 'content-range': 'bytes 3-5/20' }, 'OBJECT_CHANGED'],
    ['content of no name', 206, { 'content-length': 3, 'content-range': 'bytes 3-5/20' }, 'OBJECT_CHANGED'],
    [
      'packed content',
      206,
      { ...part, 'content-range': 'bytes 3-5/20', 'content-encoding': 'gzip' },
      'STORE_UNSUPPORTED',
    ],
    ['that there is no such part', 416, {}, 'READ_FAILED'],
    ['that it must not', 403, {}, 'ACCESS_DENIED'],
    ['a status that means nothing', 299, {}, 'READ_FAILED'],
  ])('by giving %s is not believed', async (_, status, headers, code) => {
    const head = (await store.head('x'))!
    meet((__, response) =>
      response
        .writeHead(status, headers)
        .end('content-length' in headers && headers['content-length'] === 2 ? 'ab' : 'abc'),
    )
    await expect(store.readRange('x', { offset: 3, length: 3 }, head)).rejects.toEqual(failsWith(code))
  })

  it('about how much comes is found out', async () => {
    const answer = (length: number) => (_: WebCall, response: ServerResponse) =>
      void response.socket?.end(
        `HTTP/1.1 200 OK\r\nETag: "e"\r\nContent-Length: ${length}\r\nConnection: close\r\n\r\n${bytes}`,
      )
    meet(answer(25), { times: 9 })
    await expect(store.read('x', { maxBytes: 99 })).rejects.toEqual(failsWith('READ_FAILED'))
    const stream = await (async () => {
      double.onCall = undefined
      return store.openRead('x')
    })()
    meet(answer(25), { times: 9 })
    await expect(buffer(stream)).rejects.toEqual(failsWith('OBJECT_CHANGED'))
    meet((_, response) => response.writeHead(200, { etag: '"e"' }).end(bytes), { times: 9 })
    await expect(store.read('x', { maxBytes: 99 })).rejects.toEqual(failsWith('STORE_UNSUPPORTED'))
  })

  it('about HEAD is asked by a part, and about a part by HEAD', async () => {
    meet((_, response) => response.writeHead(405).end(), { method: 'HEAD', times: 9 })
    expect(await store.head('x')).toMatchObject({ size: 20 })
    meet((_, response) => response.writeHead(501).end())
    expect(await store.head('x')).toMatchObject({ size: 20, etag: '"e"' })
    expect(double.calls.at(-1)?.method).toBe('HEAD')
  })
})

describe('a redirect', () => {
  const to =
    (location: string, status = 302) =>
    (_: WebCall, response: ServerResponse) =>
      response.writeHead(status, { location }).end()

  it('is followed, and remembered until it is refused', async () => {
    double.files.set('/far/x', { bytes, etag: '"e"' })
    double.onCall = (call, response) => {
      const isHome = call.path.startsWith('/data/')
      if (isHome) to('/far/x?one-time=1')(call, response)
      return isHome
    }
    const head = (await store.head('x'))!
    expect(textOf(await store.readRange('x', { offset: 1, length: 2 }, head))).toBe('12')
    expect(double.calls.map(({ path }) => path)).toEqual([
      '/data/x',
      '/far/x?one-time=1',
      '/far/x?one-time=1',
    ])
    let isOver = true
    double.onCall = (call, response) => {
      if (call.path.startsWith('/data/')) to('/far/x?one-time=2')(call, response)
      else if (isOver) response.writeHead(403).end()
      else return false
      isOver = false
      return true
    }
    expect(textOf(await store.readRange('x', { offset: 1, length: 2 }, head))).toBe('12')
    expect(double.calls.at(-1)?.path).toBe('/far/x?one-time=2')
  })

  test.each([
    ['in a circle', '/data/x', 'REDIRECT_REFUSED'],
    ['to what is not https', 'http://files.example/x', 'REDIRECT_REFUSED'],
    ['to the metadata service', 'http://169.254.169.254/latest/meta-data', 'REDIRECT_REFUSED'],
    ['to the metadata service over TLS', 'https://169.254.169.254/', 'SOURCE_REFUSED'],
    ['to a file of this machine', 'file:///etc/passwd', 'REDIRECT_REFUSED'],
    ['with a password', 'https://u:p@files.example/', 'REDIRECT_REFUSED'],
    ['to nothing', 'https://', 'REDIRECT_REFUSED'],
  ])('%s is refused', async (_, location, code) => {
    meet(to(location), { times: 99 })
    await expect(store.head('x')).rejects.toEqual(failsWith(code))
    expect(double.calls.length).toBeLessThanOrEqual(11)
  })

  it('from TLS to plain text is refused, even on this machine', async () => {
    await using secure = await startWebDouble({ secure: true })
    const trusting = openHttpStore(secure.address.replace('127.0.0.1', 'localhost'), {
      ...options(),
      authorities: testCertificate,
    })
    secure.files.set('/x', { bytes, etag: '"e"' })
    expect(await trusting.head('x')).toMatchObject({ size: 20, etag: '"e"' })
    const distrusting = openHttpStore(secure.address, options())
    await expect(distrusting.head('x')).rejects.toEqual(failsWith('CERTIFICATE_REFUSED'))
  })

  it('is not begun from an account to this machine', async () => {
    const made = double.connections
    const account = openHttpStore(double.address, { ...options(), isLocal: false })
    await expect(account.head('data/x')).rejects.toEqual(failsWith('SOURCE_REFUSED'))
    await expect((await openStore(double.address, { environment: {} })).head('data/x')).rejects.toEqual(
      failsWith('SOURCE_REFUSED'),
    )
    expect(double.connections).toBe(made)
  })
})

describe('a signed address', () => {
  it('is asked for with its query, and told of without', async () => {
    const environment = { CELLDROP_LOCAL_FILES: '1' }
    const opened = await openObject(`${double.address}/data/x?signature=hunter2`, { environment })
    expect(opened).toMatchObject({ key: 'data/x', access: '?signature=hunter2' })
    expect(opened.store.place).toBe(double.address)
    const head = (await opened.store.head(opened.key))!
    const pin = { role: 'query', place: opened.store.place, ...head, access: opened.access! }
    const again = await storeOf(pin, { environment } as unknown as Stores)
    expect(textOf(await again.readRange(pin.key, { offset: 0, length: 4 }, pin))).toBe('0123')
    expect(double.calls.map(({ path }) => path)).toEqual(Array(2).fill('/data/x?signature=hunter2'))
    for (const status of [400, 401, 403, 404, 418, 200]) {
      meet((_, response) => response.writeHead(status, { location: '/?hunter2' }).end('hunter2'), {
        times: 99,
      })
      const error = await opened.store.read(opened.key, { maxBytes: 2 }).catch((thrown: unknown) => thrown)
      expect(error).toBeInstanceOf(Error)
      expect(String(error) + JSON.stringify(error)).not.toContain('hunter2')
    }
  })

  it("is refused where it names nobody's file", async () => {
    await expect(openObject('https://host.org')).rejects.toEqual(failsWith('LOCATION_UNSUPPORTED'))
    await expect(openObject('https://host.org/?x=1')).rejects.toEqual(failsWith('LOCATION_UNSUPPORTED'))
  })
})

describe('an h5ad on the web', () => {
  async function content(file: CellFile): Promise<object> {
    const { place: _, ...facts } = await gatherFacts(file)
    const sums: number[] = []
    for (const name of file.matrices)
      for await (const { values } of (await file.matrix(name)).slabs({ slabBytes: 5000 })) {
        let sum = 0
        for (const value of values) sum += value
        sums.push(sum)
      }
    await file.close()
    return { facts, sums }
  }

  test.each(['latest.h5ad', 'compound.h5ad', 'tenx.h5'])(
    '%s gives the same as from a folder',
    async (name) => {
      await using folder = await temporaryFolder()
      await copyFile(join(fixtures, name), join(folder.path, name))
      double.files.set(`/data/${name}`, { bytes: readFileSync(join(fixtures, name)) })
      const local = await content(await openStored(await openFolderStore(folder.path), name))
      expect(await content(await openStored(store, name))).toEqual(local)
      expect(await content(await openCells(`${double.address}/data/${name}`))).toEqual(local)
      double.knowsRanges = false
      expect(await content(await openCells(`${double.address}/data/${name}`))).toEqual(local)
    },
  )

  it.runIf(hasShared)('of real cells is read by ranges, and fails when it is replaced', async () => {
    const path = sharedPath('data/kang_ifnb/kang_ctrl.h5ad')
    const real = readFileSync(path)
    double.files.set('/data/real', { bytes: real })
    const file = await openStored(store, 'real')
    const local = await openCells(path)
    expect({ ...(await gatherFacts(file)), place: '' }).toEqual({ ...(await gatherFacts(local)), place: '' })
    await local.close()
    double.files.set('/data/real', { bytes: real.subarray(1) })
    const readAll = async () => {
      for await (const _ of (await file.matrix('X')).slabs());
    }
    await expect(readAll()).rejects.toEqual(failsWith('OBJECT_CHANGED'))
    await file.close()
  })

  it('that is not there, or a page in its place, is said to be so', async () => {
    const absent = openCells(`${double.address}/data/none.h5ad?key=hunter2`)
    await expect(absent).rejects.toMatchObject({
      code: 'FILE_MISSING',
      place: `${double.address}/data/none.h5ad`,
    })
    double.files.set('/data/page', { bytes: Buffer.from('<!DOCTYPE html><title>Sign in</title>') })
    const page = openCells(`${double.address}/data/page`)
    await expect(page).rejects.toMatchObject({
      code: 'FORMAT_UNKNOWN',
      problem: expect.stringContaining('web page'),
    })
  })
})
