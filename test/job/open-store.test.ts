/** From what a user types to a store, and the words for what is not one. */
import { join } from 'node:path'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { openObject, openStore } from '../../lib/job/open-store.ts'
import { startS3Double } from '../support/s3-double/server.ts'
import { bytesOf } from '../support/store-laws.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

afterEach(() => {
  vi.unstubAllEnvs()
})

test('a path opens the folder', async () => {
  await using temporary = await temporaryFolder()
  const store = await openStore(join(temporary.path, 'new'))
  await store.write('a/b', bytesOf('x'))
  const again = await openStore(join(temporary.path, 'new', 'a'))
  expect(await again.head('b')).toMatchObject({ size: 1 })
})

test.each([
  ['s3://some-bucket', 's3://some-bucket'],
  ['s3://some-bucket/', 's3://some-bucket'],
  ['S3://some.bucket/results/2024 Q1//', 's3://some.bucket/results/2024 Q1'],
])('%s opens the bucket, known as %s', async (location, place) => {
  expect((await openStore(location)).place).toBe(place)
})

test.each(['127.0.0.1', 'localhost'])(
  'a bucket is found at the endpoint http://%s that the environment names',
  async (host) => {
    await using double = await startS3Double()
    double.addBucket('bucket')
    vi.stubEnv('AWS_ENDPOINT_URL_S3', double.endpoint.replace('127.0.0.1', host))
    vi.stubEnv('AWS_REGION', 'us-east-1')
    vi.stubEnv('AWS_ACCESS_KEY_ID', double.credentials.accessKeyId)
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', double.credentials.secretAccessKey)
    const store = await openStore('s3://bucket/prefix')
    await store.write('a', bytesOf('x'))
    expect([...(double.buckets.get('bucket')?.objects.keys() ?? [])]).toEqual(['prefix/a'])
  },
)

describe.each([
  '',
  'a\u0000b',
  's3://',
  's3://UPPER/x',
  's3://a..b/x',
  's3://ab',
  's3:///x',
  's3://-a-/x',
  'gs://BUCKET/x',
  'gs://',
  'ftp://host/x',
  'file:///tmp',
])('the location %j', (location) => {
  test('is refused with what to give instead', async () => {
    const remedy = expect.stringContaining('s3://bucket/prefix')
    const failure = { name: 'BadInput', code: 'LOCATION_UNSUPPORTED', remedy }
    await expect(openStore(location)).rejects.toMatchObject(failure)
  })
})

test('a prefix obeys the rules for keys', async () => {
  const failure = { name: 'BadInput', code: 'KEY_UNSUPPORTED', place: 's3://bucket/a/../b' }
  await expect(openStore('s3://bucket/a/../b')).rejects.toMatchObject(failure)
})

describe('the location of one object', () => {
  test.each([
    ['s3://bucket/some folder/x.zarr//', 's3://bucket', 'some folder/x.zarr'],
    ['S3://bucket/x', 's3://bucket', 'x'],
    ['gs://bucket_1/a/x.h5ad', 'gs://bucket_1', 'a/x.h5ad'],
    ['https://Host.org/a%2Fb/x.h5ad', 'https://host.org', 'a%2Fb/x.h5ad'],
  ])('%s is taken apart, and its place opens the store again', async (location, place, key) => {
    const opened = await openObject(location, { environment: {} })
    expect([opened.store.place, opened.key]).toEqual([place, key])
    expect((await openStore(place, { environment: {} })).place).toBe(place)
  })

  test('may be a path', async () => {
    await using temporary = await temporaryFolder()
    await (await openStore(temporary.path)).write('a b.h5ad', bytesOf('x'))
    const { store, key } = await openObject(`${temporary.path}/c/../a b.h5ad`)
    expect([store.place, key]).toEqual([temporary.path, 'a b.h5ad'])
    expect(await store.head(key)).toMatchObject({ size: 1 })
  })

  test.each([
    '',
    '/',
    'a\u0000b',
    's3://bucket',
    's3://bucket//',
    'ftp://host/x',
    'file:///x',
    'https://host/',
  ])('is not %j', async (location) => {
    const failure = { name: 'BadInput', code: 'LOCATION_UNSUPPORTED' }
    await expect(openObject(location, { environment: {} })).rejects.toMatchObject(failure)
  })
})
