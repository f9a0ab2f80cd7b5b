/** Reading from Google Cloud Storage (gcs-write.test.ts has the writing): contents pinned by generation, who may read, and key files that nobody should trust. */
import { generateKeyPairSync } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, test } from 'vitest'
import { gatherFacts } from '../../lib/data/facts.ts'
import { openCells, openStored } from '../../lib/data/open-cells.ts'
import { cachedCopy } from '../../lib/job/content-cache.ts'
import { openGcsStore } from '../../lib/job/gcs-store.ts'
import { openObject, openStore } from '../../lib/job/open-store.ts'
import type { ObjectStore } from '../../lib/job/store.ts'
import type { Environment } from '../../lib/job/stores.ts'
import { type GcsDouble, startGcsDouble } from '../support/gcs-double.ts'
import { collectList } from '../support/store-laws.ts'
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.ts'

const fixtures = resolve(import.meta.dirname, '../fixtures/formats')
/** of the wrong kind: RS256 needs RSA */
const ecKey = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({
  type: 'pkcs8',
  format: 'pem',
})
const failsWith = (code: string) => expect.objectContaining({ code })

let double: GcsDouble
let temporary: TemporaryFolder
let now: number
let environment: Environment
let store: ObjectStore
beforeEach(async () => {
  double = await startGcsDouble()
  temporary = await temporaryFolder()
  now = Date.parse('2026-01-03T10:00:00Z')
  environment = { STORAGE_EMULATOR_HOST: double.address }
  double.buckets.set('open', { objects: new Map(), isPublic: true })
  double.buckets.set('closed', { objects: new Map(), isPublic: false })
  double.put('open', 'p/x', '0123456789')
  double.put('closed', 'p/x', '0123456789')
  store = open('open', 'p')
})
afterEach(async () => {
  await double[Symbol.asyncDispose]()
  await temporary[Symbol.asyncDispose]()
})

function open(bucket: string, prefix = ''): ObjectStore {
  return openGcsStore({ bucket, prefix, environment, isLocal: false, wait: async () => {}, clock: () => now })
}

async function withKey(key: object | string): Promise<string> {
  const path = join(temporary.path, 'key.json')
  await writeFile(path, typeof key === 'string' ? key : JSON.stringify(key))
  environment = { ...environment, GOOGLE_APPLICATION_CREDENTIALS: path }
  return path
}

describe('an object of a public bucket', () => {
  it('is told of with size, MD5 and generation, and nobody is named', async () => {
    const md5 = '781e5e245d69b566979b86e28d23f2c7'
    expect(await store.head('x')).toEqual({
      key: 'x',
      size: 10,
      etag: `"${md5}"`,
      md5,
      versionId: expect.stringMatching(/^\d+$/),
      modified: Date.parse('2026-01-03T10:00:00Z'),
    })
    expect(double.calls).toMatchObject([{ path: '/storage/v1/b/open/o/p%2Fx', authorization: undefined }])
    expect(await store.head('absent')).toBeUndefined()
    expect(store.place).toBe('gs://open/p')
  })

  it('is read by ranges, at once and as a stream, and each request names the generation', async () => {
    const head = (await store.head('x'))!
    await fc.assert(
      fc.asyncProperty(fc.nat(14), fc.nat(14), async (offset, length) => {
        const bytes = await store.readRange('x', { offset, length }, head)
        expect(Buffer.from(bytes).toString()).toBe('0123456789'.slice(offset, offset + length))
      }),
      { numRuns: 40 },
    )
    expect((await buffer(await store.openRead('x', head))).toString()).toBe('0123456789')
    expect(Buffer.from(await store.read('x', { maxBytes: 10 })).toString()).toBe('0123456789')
    await expect(store.read('x', { maxBytes: 9 })).rejects.toEqual(failsWith('OBJECT_TOO_LARGE'))
    const parts = double.calls.filter(({ range }) => range !== undefined)
    expect(new Set(parts.map(({ query }) => query.get('ifGenerationMatch')))).toEqual(
      new Set([head.versionId]),
    )
  })

  it('that is overwritten or removed is an error and never a mixture', async () => {
    const head = (await store.head('x'))!
    double.put('open', 'p/x', 'ABCDEFGHIJ')
    const range = { offset: 2, length: 3 }
    await expect(store.readRange('x', range, head)).rejects.toEqual(failsWith('OBJECT_CHANGED'))
    await expect(store.openRead('x', head)).rejects.toEqual(failsWith('OBJECT_CHANGED'))
    await expect(store.read('x', { maxBytes: 99, pin: head })).rejects.toEqual(failsWith('OBJECT_CHANGED'))
    double.buckets.get('open')?.objects.delete('p/x')
    await expect(store.readRange('x', range, head)).rejects.toEqual(failsWith('OBJECT_MISSING'))
  })

  it('of another generation than was asked for is not believed', async () => {
    const head = (await store.head('x'))!
    double.onCall = (_, response) => {
      response.writeHead(206, { 'x-goog-generation': '1', 'content-range': 'bytes 2-4/10' }).end('cde')
      return true
    }
    const range = store.readRange('x', { offset: 2, length: 3 }, head)
    await expect(range).rejects.toEqual(failsWith('OBJECT_CHANGED'))
  })

  it('made of parts has no MD5 and is known by its generation', async () => {
    double.put('open', 'p/x', '0123456789', { md5Hash: undefined })
    const head = (await store.head('x'))!
    expect(head.etag).toBe(`"generation-${head.versionId}"`)
    expect(head.md5).toBeUndefined()
  })

  test.each([
    ['stored as gzip', { contentEncoding: 'gzip' }, 'STORE_UNSUPPORTED'],
    ['of no size', { size: undefined }, 'READ_FAILED'],
    ['of a size that is none', { size: '99999999999999999999' }, 'READ_FAILED'],
    ['of a generation that is none', { generation: '1&alt=json' }, 'READ_FAILED'],
  ])('%s is refused', async (_, facts, code) => {
    double.put('open', 'p/x', '0123456789', facts)
    await expect(store.head('x')).rejects.toEqual(failsWith(code))
  })

  it('is kept by its MD5, which is compared', async () => {
    const head = (await store.head('x'))!
    const lying = { ...store, openRead: async () => Readable.from([Buffer.from('012345678x')]) }
    const { md5: _, ...pin } = head
    const options = {
      cache: { folder: join(temporary.path, 'cache') },
      uncached: join(temporary.path, 'copy'),
    }
    await expect(cachedCopy({ ...pin, store: lying }, options)).rejects.toEqual(failsWith('CONTENT_MISMATCH'))
    const copy = await cachedCopy({ ...pin, store }, options)
    expect(await readFile(copy.path, 'utf8')).toBe('0123456789')
  })

  it('of a key that is none is refused', async () => {
    await expect(store.head('../x')).rejects.toEqual(failsWith('KEY_UNSUPPORTED'))
  })

  it('that a listing told of by its etag alone is read only while it has it', async () => {
    const { etag } = (await store.head('x'))!
    expect(Buffer.from(await store.read('x', { maxBytes: 10, pin: { etag } })).toString()).toBe('0123456789')
    double.put('open', 'p/x', 'ABCDEFGHIJ')
    await expect(store.read('x', { maxBytes: 10, pin: { etag } })).rejects.toEqual(
      failsWith('OBJECT_CHANGED'),
    )
  })
})

describe('a listing', () => {
  it('gives every object below the prefix in order, page for page', async () => {
    for (const key of ['p/b/1', 'p/b/2', 'p/a', 'p/b/é', 'q/x', 'p/']) double.put('open', key, 'x')
    expect((await collectList(store, '')).map(({ key }) => key)).toEqual(['a', 'b/1', 'b/2', 'b/é', 'x'])
    expect((await collectList(store, 'b/')).map(({ key }) => key)).toEqual(['b/1', 'b/2', 'b/é'])
    expect(await collectList(store, 'none')).toEqual([])
  })

  it('of no bucket, or out of order, is an error', async () => {
    await expect(collectList(open('absent'), '')).rejects.toEqual(failsWith('BUCKET_MISSING'))
    double.onCall = (_, response) => {
      const item = { name: 'p/x', size: '1', generation: '1', updated: '2026-01-03T10:00:00Z' }
      response.end(JSON.stringify({ items: [item, item] }))
      return true
    }
    await expect(collectList(store, '')).rejects.toEqual(failsWith('READ_FAILED'))
  })
})

describe('a bucket that is not public', () => {
  it('asks for credentials where there are none', async () => {
    await expect(open('closed').head('p/x')).rejects.toMatchObject({
      name: 'StoreFailure',
      code: 'ACCESS_DENIED',
      place: 'gs://closed/p/x',
      remedy: expect.stringContaining('GOOGLE_APPLICATION_CREDENTIALS'),
    })
  })

  it('is read with a service account, whose token is kept until it ends', async () => {
    await withKey(double.keyFile())
    const closed = open('closed')
    const heads = await Promise.all(Array.from({ length: 5 }, () => closed.head('p/x')))
    expect(heads.every((head) => head?.size === 10)).toBe(true)
    expect(double.tokens.grants).toHaveLength(1)
    now += 3_400_000
    await closed.head('p/x')
    expect(double.tokens.grants).toHaveLength(1)
    now += 200_000
    await closed.head('p/x')
    expect(double.calls.at(-1)?.authorization).toBe('Bearer token-2')
  })

  it('is read with the sign-in of a user', async () => {
    await withKey({
      type: 'authorized_user',
      client_id: 'id',
      client_secret: 'secret',
      refresh_token: 'refresh-me',
      token_uri: `${double.address}/token`,
    })
    expect(await open('closed').head('p/x')).toMatchObject({ size: 10 })
    expect(Object.fromEntries(double.tokens.grants[0]!)).toMatchObject({
      client_id: 'id',
      client_secret: 'secret',
    })
  })

  it('whose key is refused says so, asks again the next time, and repeats nothing of it', async () => {
    const path = await withKey(double.keyFile())
    double.tokens.refuses = true
    const closed = open('closed')
    const error = await closed.head('p/x').catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: 'ACCESS_DENIED', place: path })
    expect(String(error) + JSON.stringify(error)).not.toMatch(/hunter2|PRIVATE|assertion/)
    double.tokens.refuses = false
    expect(await closed.head('p/x')).toMatchObject({ size: 10 })
  })
})

describe('a key file', () => {
  const secret = 'hunter2'
  test.each<[string, (key: Record<string, unknown>) => object | string]>([
    ['that is no JSON', () => `{"private_key": ${secret}`],
    ['that is empty', () => ''],
    ['that is a list', () => [secret]],
    ['without a key', ({ private_key: _, ...rest }) => rest],
    ['with a key that is none', (key) => ({ ...key, private_key: secret })],
    ['with a key of another kind', (key) => ({ ...key, private_key: ecKey })],
    ['of a type that is not understood', (key) => ({ ...key, type: 'external_account', secret })],
    ['whose secret would go elsewhere', (key) => ({ ...key, token_uri: 'https://evil.com/token' })],
    [
      'whose secret would go to a look-alike',
      (key) => ({ ...key, token_uri: 'https://x.googleapis.com.evil.com/' }),
    ],
    [
      'whose secret would go in the open',
      (key) => ({ ...key, token_uri: 'http://oauth2.googleapis.com/token' }),
    ],
    ['with a name in its address', (key) => ({ ...key, token_uri: 'https://u@oauth2.googleapis.com/token' })],
    ['that has no end', (key) => ({ ...key, padding: secret.repeat(20_000) })],
  ])('%s is refused, and nothing of it is told or sent', async (_, spoil) => {
    const path = await withKey(spoil(double.keyFile()))
    const error = await open('closed')
      .head('p/x')
      .catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ name: 'StoreFailure', code: 'CREDENTIALS_UNUSABLE', place: path })
    const { cause, stack, message } = error as Error
    expect(`${cause}${stack}${message}${JSON.stringify(error)}`).not.toMatch(/hunter2|PRIVATE KEY/)
    expect(double.tokens.grants).toEqual([])
    expect(double.calls).toEqual([])
  })

  it('that is not there, or a folder, is refused', async () => {
    for (const path of [join(temporary.path, 'none'), temporary.path]) {
      environment = { ...environment, GOOGLE_APPLICATION_CREDENTIALS: path }
      await expect(open('closed').head('p/x')).rejects.toEqual(failsWith('CREDENTIALS_UNUSABLE'))
    }
  })

  it('may send its secret to the server that stands in for Google only while there is one', async () => {
    await withKey(double.keyFile())
    const { STORAGE_EMULATOR_HOST: _, ...without } = environment
    const real = openGcsStore({ bucket: 'closed', environment: without, isLocal: true, clock: () => now })
    await expect(real.head('p/x')).rejects.toEqual(failsWith('CREDENTIALS_UNUSABLE'))
    expect(double.tokens.grants).toEqual([])
  })
})

describe('a gs:// location', () => {
  it('opens a bucket, an object and a file of cells', async () => {
    expect((await openStore('gs://some_bucket/results/2024//', { environment })).place).toBe(
      'gs://some_bucket/results/2024',
    )
    const name = 'latest.h5ad'
    double.put('open', `cells/${name}`, readFileSync(join(fixtures, name)))
    const opened = await openObject(`gs://open/cells/${name}`, { environment })
    expect(opened).toMatchObject({ key: `cells/${name}`, store: { place: 'gs://open' } })
    const remote = await openStored(opened.store, opened.key)
    const local = await openCells(join(fixtures, name))
    expect({ ...(await gatherFacts(remote)), place: '' }).toEqual({
      ...(await gatherFacts(local)),
      place: '',
    })
    await remote.close()
    await local.close()
    await expect(openStored(opened.store, 'cells/none')).rejects.toEqual(failsWith('FILE_MISSING'))
  })

  it.each(['gs://', 'gs://open', 'gs://UPPER/x', 'gs://a..b/x'])(
    'such as %s names no object',
    async (location) => {
      await expect(openObject(location, { environment })).rejects.toEqual(failsWith('LOCATION_UNSUPPORTED'))
    },
  )

  it('is never read from a stand-in on another machine', async () => {
    for (const host of ['evil.com:4443', 'https://evil.com', 'ftp://localhost', 'http://localhost.evil.com'])
      await expect(openStore('gs://open', { environment: { STORAGE_EMULATOR_HOST: host } })).rejects.toEqual(
        failsWith('CONFIGURATION'),
      )
  })
})
