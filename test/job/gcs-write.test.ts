/** Writing to Google Cloud Storage: who may, what is sent, and what becomes of an upload that breaks off, is damaged or comes second. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, test } from 'vitest'
import { openGcsStore } from '../../lib/job/gcs-store.ts'
import type { ObjectStore } from '../../lib/job/store.ts'
import type { Environment } from '../../lib/job/stores.ts'
import { type GcsDouble, startGcsDouble } from '../support/gcs-double.ts'
import type { UploadFault } from '../support/gcs-double-uploads.ts'
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.ts'

const mebi = 1 << 20
const failsWith = (code: string) => expect.objectContaining({ code })

let double: GcsDouble
let temporary: TemporaryFolder
let environment: Environment
let rests: number[]
let store: ObjectStore
beforeEach(async () => {
  double = await startGcsDouble()
  temporary = await temporaryFolder()
  environment = { STORAGE_EMULATOR_HOST: double.address }
  rests = []
  double.buckets.set('open', { objects: new Map(), isPublic: true, isOpen: true })
  double.buckets.set('closed', { objects: new Map(), isPublic: false })
  double.put('closed', 'x', 'old')
  store = open('open')
})
afterEach(async () => {
  await double[Symbol.asyncDispose]()
  await temporary[Symbol.asyncDispose]()
})

function open(bucket: string, given: Environment = environment): ObjectStore {
  const wait = async (milliseconds: number) => rests.push(milliseconds)
  return openGcsStore({ bucket, environment: given, isLocal: false, wait, clock: () => 1_767_000_000_000 })
}

async function signedIn(): Promise<ObjectStore> {
  const path = join(temporary.path, 'key.json')
  await writeFile(path, JSON.stringify(double.keyFile()))
  return open('closed', { ...environment, GOOGLE_APPLICATION_CREDENTIALS: path })
}

/** Bytes that tell their place, so that a part at the wrong one shows. */
function countedBytes(length: number): Buffer {
  const bytes = Buffer.alloc(length)
  for (let at = 0; at + 4 <= length; at += 4) bytes.writeUInt32LE(at, at)
  return bytes
}

function stored(key: string, bucket = 'open'): Buffer | undefined {
  return double.buckets.get(bucket)?.objects.get(key)?.bytes
}

describe('who may write', () => {
  it('asks for a right of its own, which reading never asks for', async () => {
    const closed = await signedIn()
    const scopes = () =>
      double.tokens.grants.map((grant) => {
        const [, claim = ''] = (grant.get('assertion') ?? '').split('.')
        return JSON.parse(Buffer.from(claim, 'base64url').toString()).scope.replace(/.*[.]/, '')
      })
    await closed.head('x')
    expect(scopes()).toEqual(['read_only'])
    await closed.write('x', Buffer.from('new'))
    await closed.remove('x')
    expect(scopes()).toEqual(['read_only', 'read_write'])
    expect(stored('x', 'closed')).toBeUndefined()
  })

  it('is told what is missing where there are no credentials, and nothing is written', async () => {
    const denied = {
      name: 'StoreFailure',
      code: 'ACCESS_DENIED',
      place: 'gs://closed/x',
      remedy: expect.stringMatching(/GOOGLE_APPLICATION_CREDENTIALS.*write/),
    }
    await expect(open('closed').write('x', Buffer.from('new'))).rejects.toMatchObject(denied)
    await expect(open('closed').remove('x')).rejects.toMatchObject(denied)
    expect(String(stored('x', 'closed'))).toBe('old')
  })

  it('is told where there is no such bucket', async () => {
    await expect(open('absent').write('x', Buffer.from('y'))).rejects.toMatchObject({
      code: 'BUCKET_MISSING',
      place: 'gs://absent',
    })
  })
})

describe('an upload', () => {
  it('is sent in parts, keeps its type and tells what lies there', async () => {
    const bytes = countedBytes(16 * mebi + 5)
    const written = await store.write('a b/é', Readable.from([bytes]), { contentType: 'text/csv' })
    expect(written).toEqual(await store.head('a b/é'))
    expect(stored('a b/é')?.equals(bytes)).toBe(true)
    expect(double.buckets.get('open')?.objects.get('a b/é')?.facts).toEqual({ contentType: 'text/csv' })
    const first = `bytes 0-${16 * mebi - 1}/*`
    expect(double.uploads.parts).toEqual([first, `bytes ${16 * mebi}-${16 * mebi + 4}/${16 * mebi + 5}`])
  })

  test.each([0, 1, 16 * mebi - 1, 16 * mebi, 32 * mebi])('of %d bytes arrives whole', async (size) => {
    const bytes = countedBytes(size)
    expect(await store.write('x', bytes)).toMatchObject({ size })
    expect(stored('x')?.equals(bytes)).toBe(true)
  })

  it('goes on from what arrived, whatever breaks off and however often, while it gets further', async () => {
    const bytes = countedBytes(17 * mebi)
    const fault = fc.constantFrom<UploadFault>('lost', 'unanswered', 'broken off', 'none', 500, 429, 408)
    await fc.assert(
      fc.asyncProperty(fc.array(fault, { maxLength: 3 }), async (faults) => {
        double.uploads.faults = [...faults]
        const written = await store.write('x', bytes, { onlyIfAbsent: true })
        expect(written.size).toBe(bytes.length)
        expect(stored('x')?.equals(bytes)).toBe(true)
        await store.remove('x')
      }),
      { numRuns: 12 },
    )
  })

  it('whose last answer is lost is ours, though the object is there when it is asked again', async () => {
    double.uploads.faults = ['unanswered']
    const written = await store.write('x', Buffer.from('mine'), { onlyIfAbsent: true })
    expect(written).toEqual(await store.head('x'))
    expect(double.uploads.parts).toEqual(['bytes 0-3/4', 'bytes */*'])
    expect(rests).toEqual([1000])
  })

  it('that another writer overtakes is refused and leaves what is there', async () => {
    double.onCall = (path) => {
      if (path.startsWith('/upload/')) double.onCall = () => void double.put('open', 'x', 'theirs') === null
      return false
    }
    const second = store.write('x', Buffer.from('mine'), { onlyIfAbsent: true })
    await expect(second).rejects.toMatchObject({
      name: 'AlreadyExists',
      code: 'OBJECT_EXISTS',
      place: 'gs://open/x',
    })
    expect(String(stored('x'))).toBe('theirs')
  })

  it('that never gets further ends after three more tries, ever later, and is given up', async () => {
    double.put('open', 'x', 'old')
    double.uploads.faults = [503, 503, 503, 503, 503]
    await expect(store.write('x', Buffer.from('new'))).rejects.toMatchObject({
      name: 'StoreUnavailable',
      code: 'WRITE_FAILED',
      place: 'gs://open/x',
    })
    expect(rests).toEqual([1000, 3000, 9000])
    expect(double.uploads.sessions.size).toBe(0)
    expect(String(stored('x'))).toBe('old')
  })

  it('that is damaged on its way is refused before it takes the name', async () => {
    double.put('open', 'x', 'old')
    double.uploads.faults = ['damaged']
    const failed = store.write('x', Buffer.from('new'))
    await expect(failed).rejects.toMatchObject({ name: 'StoreFailure', code: 'WRITE_FAILED' })
    expect(String(stored('x'))).toBe('old')
    expect(double.uploads.sessions.size).toBe(0)
  })

  it('that a service stored as something else is removed again', async () => {
    const md5Hash = Buffer.alloc(16, 7).toString('base64')
    const put = double.put.bind(double)
    double.put = (bucket, key, content, facts) => put(bucket, key, content, { ...facts, md5Hash })
    await expect(store.write('x', Buffer.from('new'))).rejects.toEqual(failsWith('WRITE_FAILED'))
    expect(stored('x')).toBeUndefined()
  })

  it('that cannot even be removed again is told so', async () => {
    const put = double.put.bind(double)
    const md5Hash = Buffer.alloc(16, 7).toString('base64')
    double.put = (bucket, key, content, facts) => put(bucket, key, content, { ...facts, md5Hash })
    double.onCall = (path, response) => {
      const isRemoval = double.calls.at(-1)?.method === 'DELETE' && !path.startsWith('/upload/')
      if (isRemoval) response.writeHead(403).end()
      return isRemoval
    }
    await expect(store.write('x', Buffer.from('new'))).rejects.toMatchObject({
      code: 'WRITE_FAILED',
      problem: expect.stringContaining('could not be removed'),
    })
  })

  it('whose body fails keeps nothing, and a failure of the body stays what it is', async () => {
    async function* body() {
      yield countedBytes(17 * mebi)
      throw Object.assign(new Error('the source broke'), { code: 'READ_FAILED' })
    }
    await expect(store.write('x', Readable.from(body()))).rejects.toMatchObject({
      message: 'the source broke',
      code: 'READ_FAILED',
    })
    expect(double.uploads.sessions.size).toBe(0)
    expect(stored('x')).toBeUndefined()
  })

  test.each([
    ['none', undefined],
    ['one elsewhere', 'https://evil.example/upload?upload_id=1'],
    ['one that is none', 'nowhere'],
  ])('that is given %s to go to is sent nowhere', async (_, location) => {
    double.onCall = (path, response) => {
      if (path.startsWith('/upload/'))
        response.writeHead(200, location === undefined ? {} : { location }).end()
      return path.startsWith('/upload/')
    }
    const failed = await store.write('x', Buffer.from('new')).catch((error: unknown) => error)
    expect(failed).toMatchObject({ name: 'StoreFailure', code: 'WRITE_FAILED', place: 'gs://open/x' })
    expect(String(failed)).not.toContain('evil')
    expect(double.calls).toHaveLength(1)
  })

  test.each<[string, number, Record<string, string>]>([
    ['more than was sent', 308, { range: 'bytes=0-99' }],
    ['what cannot be read', 308, { range: 'all of it' }],
    ['that it is over before it is', 200, {}],
    ['that it is unknown', 410, {}],
  ])('that is said to hold %s is a failure of the write', async (_, status, headers) => {
    const answer = JSON.stringify({ name: 'x', size: '1', generation: '1', updated: '2026-01-03T10:00:00Z' })
    double.onCall = (path, response) => {
      const isPart = path.startsWith('/upload/') && double.calls.at(-1)?.method === 'PUT'
      if (isPart) response.writeHead(status, headers).end(status === 200 ? answer : '')
      return isPart
    }
    await expect(store.write('x', countedBytes(17 * mebi))).rejects.toEqual(failsWith('WRITE_FAILED'))
    expect(stored('x')).toBeUndefined()
  })
})
