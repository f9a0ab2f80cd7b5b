/** What is the S3 store's own: servers that are busy, answers that are lost, bodies that break off, other writers in between. */
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import {
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  S3Client,
  S3ServiceException,
} from '@aws-sdk/client-s3'
import { sdkStreamMixin } from '@smithy/util-stream'
import { mockClient } from 'aws-sdk-client-mock'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openS3Store } from '../../lib/job/s3-store.ts'
import type { ObjectStore } from '../../lib/job/store.ts'
import type { Call } from '../support/s3-double/operations.ts'
import { type Fault, type S3Double, startS3Double } from '../support/s3-double/server.ts'
import { bytesOf, collectList } from '../support/store-laws.ts'

let double: S3Double
let store: ObjectStore
beforeEach(async () => {
  double = await startS3Double()
  double.addBucket('bucket')
  store = openS3Store({ bucket: 'bucket', prefix: 'p', client: double.client() })
})
afterEach(() => double[Symbol.asyncDispose]())

/** The fault for the first `times` calls of a method. */
function fail(method: string, fault: Fault, times = 1): void {
  let left = times
  double.onCall = (call) => (call.method === method && left-- > 0 ? fault : undefined)
}

const slowDown: Fault = { kind: 'answer', status: 503, code: 'SlowDown' }
const text = (bytes: Uint8Array) => Buffer.from(bytes).toString()

describe('a busy server', () => {
  test('is asked again until it answers', async () => {
    fail('PUT', slowDown)
    await store.write('a', bytesOf('content'))
    fail('GET', slowDown)
    expect(text(await store.read('a', { maxBytes: 10 }))).toBe('content')
    expect(double.calls.filter((call) => call.startsWith('GET'))).toHaveLength(2)
  })

  test('that stays busy is a failure that says so', async () => {
    fail('GET', slowDown, 100)
    const failure = {
      name: 'StoreUnavailable',
      code: 'READ_FAILED',
      place: 's3://bucket/p/a',
      problem: /SlowDown.*503/,
    }
    await expect(store.read('a', { maxBytes: 10 })).rejects.toMatchObject(told(failure))
    await expect(collectList(store, '')).rejects.toMatchObject({
      code: 'READ_FAILED',
      place: 's3://bucket/p',
    })
  })
})

function told<T extends { problem: RegExp }>(failure: T) {
  return { ...failure, problem: expect.stringMatching(failure.problem) }
}

describe('a body that breaks off', () => {
  test('is fetched again, and only the whole is given', async () => {
    const pin = await store.write('a', bytesOf('0123456789'))
    fail('GET', { kind: 'cut', bytes: 3 }, 2)
    expect(text(await store.readRange('a', { offset: 2, length: 6 }, pin))).toBe('234567')
    fail('GET', { kind: 'cut', bytes: 0 })
    expect(text(await store.read('a', { maxBytes: 10 }))).toBe('0123456789')
    fail('GET', { kind: 'cut', bytes: 9 })
    expect((await buffer(await store.openRead('a'))).toString()).toBe('0123456789')
  })

  test('again and again is a failure, and the stream of it is destroyed', async () => {
    await store.write('a', bytesOf('0123456789'))
    fail('GET', { kind: 'cut', bytes: 3 }, 100)
    const failure = told({ name: 'StoreUnavailable', code: 'READ_FAILED', problem: /broke off 4 times/ })
    await expect(store.read('a', { maxBytes: 10 })).rejects.toMatchObject(failure)
    const stream = await store.openRead('a')
    await expect(buffer(stream)).rejects.toMatchObject(failure)
    expect(stream.destroyed).toBe(true)
  })
})

describe('another writer', () => {
  test('between two ranges of a stream makes the stream fail, not mix', async () => {
    await store.write('a', Buffer.alloc(20 << 20, 'o'))
    let gets = 0
    double.onCall = ({ method }) => {
      if (method === 'GET' && ++gets === 2) double.put('bucket', 'p/a', 'n'.repeat(20 << 20))
      return undefined
    }
    const failure = { name: 'StoreFailure', code: 'OBJECT_CHANGED', place: 's3://bucket/p/a' }
    await expect(buffer(await store.openRead('a'))).rejects.toMatchObject(failure)
  })

  test('between an upload and its confirmation does not undo the upload', async () => {
    double.onCall = ({ method }) => {
      if (method === 'HEAD') double.put('bucket', 'p/a', 'the other content')
      return undefined
    }
    const written = await store.write('a', bytesOf('mine'))
    double.onCall = undefined
    expect(written.size).toBe(4)
    expect((await store.head('a'))?.etag).not.toBe(written.etag)
  })

  test('that removes the object before the confirmation is told', async () => {
    double.onCall = ({ method }) => {
      if (method === 'HEAD') double.buckets.get('bucket')?.objects.clear()
      return undefined
    }
    const failure = told({ code: 'WRITE_FAILED', problem: /not there after the upload/ })
    await expect(store.write('a', bytesOf('mine'))).rejects.toMatchObject(failure)
  })

  test('whose request is under way makes a conditional write wait and try again', async () => {
    const conflict: Fault = { kind: 'answer', status: 409, code: 'ConditionalRequestConflict' }
    fail('PUT', conflict, 2)
    await store.write('a', bytesOf('mine'), { onlyIfAbsent: true })
    expect(text(await store.read('a', { maxBytes: 10 }))).toBe('mine')
    fail('PUT', conflict, 1)
    const streamed = store.write('b', Readable.from([bytesOf('x')]), { onlyIfAbsent: true })
    await expect(streamed).rejects.toMatchObject(told({ code: 'WRITE_FAILED', problem: /Conflict/ }))
  })
})

describe('a conditional write whose answer is lost', () => {
  test('is known as our own when the server says that the object exists', async () => {
    fail('PUT', { kind: 'lose-answer' })
    const written = await store.write('claim', bytesOf('mine'), { onlyIfAbsent: true })
    expect(double.calls.filter((call) => call.startsWith('PUT'))).toHaveLength(2)
    expect(await store.head('claim')).toEqual(written)
  })

  test('is another writer’s when that one was first with the same content', async () => {
    await store.write('claim', bytesOf('same'), { onlyIfAbsent: true })
    fail('PUT', { kind: 'lose-answer' })
    const second = store.write('claim', bytesOf('same'), { onlyIfAbsent: true })
    await expect(second).rejects.toMatchObject({ name: 'AlreadyExists', code: 'OBJECT_EXISTS' })
  })
})

describe('an upload in parts', () => {
  const large = () => Readable.from([Buffer.alloc(17 << 20), Buffer.alloc(3 << 20)])
  const uploads = () => double.buckets.get('bucket')?.uploads.size

  test('that fails leaves no parts behind', async () => {
    const isPart = (call: Call) => call.parameters.get('partNumber') === '2'
    double.onCall = (call) =>
      isPart(call) ? { kind: 'answer', status: 403, code: 'AccessDenied' } : undefined
    const failure = { code: 'ACCESS_DENIED', place: 's3://bucket/p/a' }
    await expect(store.write('a', large())).rejects.toMatchObject(failure)
    expect(uploads()).toBe(0)
    expect(await store.head('a')).toBeUndefined()
  })

  test('whose body fails leaves no parts behind', async () => {
    function* body() {
      yield Buffer.alloc(17 << 20)
      throw new Error('the source broke')
    }
    await expect(store.write('a', Readable.from(body()))).rejects.toThrow('the source broke')
    expect(double.calls.some((call) => call.startsWith('POST'))).toBe(true)
    expect(uploads()).toBe(0)
  })

  test('that loses to an object that is there leaves no parts behind', async () => {
    await store.write('a', bytesOf('first'))
    await expect(store.write('a', large(), { onlyIfAbsent: true })).rejects.toMatchObject({
      code: 'OBJECT_EXISTS',
    })
    expect(uploads()).toBe(0)
  })

  test('is known as our own when the answer to its end is lost, conditional or not', async () => {
    for (const options of [{}, { onlyIfAbsent: true }]) {
      await store.remove('a')
      let lost = 0
      double.onCall = ({ method, parameters }) => {
        const end = method === 'POST' && parameters.has('uploadId')
        return end && lost++ === 0 ? { kind: 'lose-answer' } : undefined
      }
      expect((await store.write('a', large(), options)).size).toBe(20 << 20)
      expect(lost).toBe(2)
    }
  })

  test('that someone else ends is a failure', async () => {
    double.onCall = ({ method, parameters }) => {
      if (method === 'POST' && parameters.has('uploadId')) double.buckets.get('bucket')?.uploads.clear()
      return undefined
    }
    await expect(store.write('a', large())).rejects.toMatchObject({
      name: 'StoreFailure',
      code: 'WRITE_FAILED',
    })
    expect(await store.head('a')).toBeUndefined()
  })

  test('goes through a busy server, and its stream is used up', async () => {
    let busy = 0
    double.onCall = (call) => (call.parameters.has('partNumber') && busy++ === 1 ? slowDown : undefined)
    const body = large()
    expect((await store.write('a', body)).size).toBe(20 << 20)
    expect(body.destroyed).toBe(true)
  })
})

describe('a role that may list only part of a bucket', () => {
  // S3 tells it 403 for what is not there: a HEAD names no prefix that the role's condition could be held against
  const denied: Fault = { kind: 'answer', status: 403, code: 'AccessDenied' }

  test('finds that an object is not there, also where others begin with its name', async () => {
    await store.write('a b+c.zarr/zarr.json', bytesOf('{}'))
    fail('HEAD', denied, 100)
    expect(await store.head('a b+c.zarr')).toBeUndefined()
    expect(await store.head('b')).toBeUndefined()
  })

  test('is denied what is there and may not be read', async () => {
    await store.write('a b+c', bytesOf('x'))
    await store.write('a b+c/d', bytesOf('x'))
    fail('HEAD', denied, 100)
    await expect(store.head('a b+c')).rejects.toMatchObject({
      code: 'ACCESS_DENIED',
      place: 's3://bucket/p/a b+c',
    })
  })

  test('is told of the object, not of the listing, where it may not list either', async () => {
    double.onCall = () => denied
    await expect(store.head('a')).rejects.toMatchObject({
      code: 'ACCESS_DENIED',
      place: 's3://bucket/p/a',
      problem: expect.stringContaining('absent object'),
    })
  })
})

describe('what S3 refuses', () => {
  test.each([
    [403, 'AccessDenied', 'ACCESS_DENIED'],
    [400, 'ExpiredToken', 'ACCESS_DENIED'],
    [403, 'InvalidObjectState', 'OBJECT_ARCHIVED'],
    [404, 'NoSuchBucket', 'BUCKET_MISSING'],
    [501, 'NotImplemented', 'STORE_UNSUPPORTED'],
    [400, 'SomethingNew', 'READ_FAILED'],
  ])('%d %s becomes %s with a remedy', async (status, name, code) => {
    fail('GET', { kind: 'answer', status, code: name })
    const failure = {
      name: 'StoreFailure',
      code,
      place: 's3://bucket/p/a',
      remedy: expect.stringMatching(/./),
    }
    await expect(store.read('a', { maxBytes: 1 })).rejects.toMatchObject(failure)
  })

  test.each([
    ['PUT', () => store.write('a', bytesOf('x'))],
    ['DELETE', () => store.remove('a')],
    ['HEAD', () => store.head('a')],
  ])('a denied %s is not taken for anything else', async (method, act) => {
    await store.write('a', bytesOf('there'))
    fail(method, { kind: 'answer', status: 403, code: 'AccessDenied' })
    await expect(act()).rejects.toMatchObject({ name: 'StoreFailure', code: 'ACCESS_DENIED' })
  })

  test('wrong credentials are told as such', async () => {
    const credentials = { accessKeyId: double.credentials.accessKeyId, secretAccessKey: 'wrong' }
    const client = new S3Client({ endpoint: double.endpoint, region: 'us-east-1', credentials })
    const denied = openS3Store({ bucket: 'bucket', client })
    await expect(collectList(denied, '')).rejects.toMatchObject({ code: 'ACCESS_DENIED' })
    await expect(denied.write('a', bytesOf('x'))).rejects.toMatchObject({ code: 'ACCESS_DENIED' })
    client.destroy()
  })

  test('a bucket that is not there is told by a write and by a listing', async () => {
    const missing = openS3Store({ bucket: 'other', client: double.client() })
    const failure = { name: 'StoreFailure', code: 'BUCKET_MISSING' }
    await expect(collectList(missing, '')).rejects.toMatchObject(failure)
    await expect(missing.write('a', bytesOf('x'))).rejects.toMatchObject(failure)
  })

  test('a server that is not there is told as a matter of the network', async () => {
    const client = new S3Client({
      endpoint: 'http://127.0.0.1:1',
      region: 'us-east-1',
      credentials: double.credentials,
      maxAttempts: 1,
    })
    const nowhere = openS3Store({ bucket: 'bucket', client })
    const failure = { code: 'READ_FAILED', remedy: 'Check the network and run again' }
    await expect(nowhere.head('a')).rejects.toMatchObject(failure)
  })
})

/** Answers that no server of ours gives: the SDK's client is replaced. */
describe('an answer that is not the one asked for', () => {
  const client = new S3Client({ region: 'us-east-1' })
  const mock = mockClient(client)
  beforeEach(() => {
    mock.reset()
  })
  const mocked = openS3Store({ bucket: 'bucket', client })
  const body = (content: string) => sdkStreamMixin(Readable.from([Buffer.from(content)]))
  const read = () => mocked.readRange('a', { offset: 2, length: 4 }, { etag: '"e"' })

  test.each([
    ['the whole object instead of a range', { Body: '0123456789', ETag: '"e"' }, 'READ_FAILED', /ignored/],
    [
      'another range',
      { Body: '0123', ETag: '"e"', ContentRange: 'bytes 0-3/10' },
      'READ_FAILED',
      /bytes 2-5 were/,
    ],
    [
      'less than the range',
      { Body: '234', ETag: '"e"', ContentRange: 'bytes 2-4/10' },
      'READ_FAILED',
      /2-4\/10 came/,
    ],
    ['other content', { Body: '2345', ETag: '"f"', ContentRange: 'bytes 2-5/10' }, 'OBJECT_CHANGED', /./],
    [
      'a longer body',
      { Body: '23456', ETag: '"e"', ContentRange: 'bytes 2-5/10' },
      'READ_FAILED',
      /broke off/,
    ],
    [
      'a shorter body',
      { Body: '234', ETag: '"e"', ContentRange: 'bytes 2-5/10' },
      'READ_FAILED',
      /broke off/,
    ],
  ])('%s is refused', async (_, { Body, ...answer }, code, problem) => {
    mock.on(GetObjectCommand).callsFake(() => ({ ...answer, Body: body(Body) }))
    // what broke off may come whole in a while
    const name = String(problem).includes('broke off') ? 'StoreUnavailable' : 'StoreFailure'
    await expect(read()).rejects.toMatchObject(told({ name, code, problem }))
  })

  test('a body cut short is taken when it comes whole the second time', async () => {
    const answer = { ETag: '"e"', ContentRange: 'bytes 2-5/10' }
    mock
      .on(GetObjectCommand)
      .resolvesOnce({ ...answer, Body: body('23') })
      .resolves({ ...answer, Body: body('2345') })
    expect(text(await read())).toBe('2345')
    const [first, second] = mock.commandCalls(GetObjectCommand)
    expect(second?.args[0].input).toEqual(first?.args[0].input)
    expect(first?.args[0].input).toMatchObject({ IfMatch: '"e"', Range: 'bytes=2-5' })
  })

  test('a range refused inside the object is not taken for its end', async () => {
    const $metadata = { httpStatusCode: 416 }
    const refusal = new S3ServiceException({ name: 'InvalidRange', $fault: 'client', $metadata })
    mock.on(GetObjectCommand).rejects(refusal)
    mock.on(HeadObjectCommand).resolves({ ContentLength: 10, ETag: '"e"', LastModified: new Date(0) })
    await expect(read()).rejects.toMatchObject(told({ code: 'READ_FAILED', problem: /inside the object/ }))
    mock.on(HeadObjectCommand).resolves({ ContentLength: 2, ETag: '"e"', LastModified: new Date(0) })
    expect(await read()).toHaveLength(0)
    mock.on(HeadObjectCommand).resolves({ ContentLength: 2, ETag: '"f"', LastModified: new Date(0) })
    await expect(read()).rejects.toMatchObject({ code: 'OBJECT_CHANGED' })
  })

  test('an upload that the server holds with another size is not done', async () => {
    mock.onAnyCommand().resolves({ ETag: '"e"' })
    mock.on(HeadObjectCommand).resolves({ ContentLength: 3, ETag: '"e"', LastModified: new Date(0) })
    const failure = told({ code: 'WRITE_FAILED', problem: /4 bytes were sent, and the object has 3/ })
    await expect(mocked.write('a', bytesOf('1234'))).rejects.toMatchObject(failure)
  })

  test('a listing out of order is refused rather than trusted', async () => {
    const entry = (Key: string) => ({ Key, Size: 1, ETag: '"e"', LastModified: new Date(0) })
    mock.on(ListObjectsV2Command).resolves({ Contents: [entry('b'), entry('a')] })
    await expect(collectList(mocked, '')).rejects.toMatchObject(
      told({ code: 'READ_FAILED', problem: /out of order/ }),
    )
    mock.on(ListObjectsV2Command).resolves({ Contents: [entry('b')], IsTruncated: true })
    await expect(collectList(mocked, '')).rejects.toMatchObject(
      told({ code: 'READ_FAILED', problem: /broke off/ }),
    )
  })
})
