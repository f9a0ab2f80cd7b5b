/** The double refuses what it does not know, and what real S3 would refuse; the unmodified SDK and a presigned link speak to it. */
import { createHash, createHmac } from 'node:crypto'
import { Readable } from 'node:stream'
import {
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadBucketCommand,
  ListObjectsV2Command,
  ListPartsCommand,
  PutObjectCommand,
  PutObjectTaggingCommand,
  type S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type S3Double, startS3Double } from './server.ts'

let double: S3Double
let client: S3Client
const at = { Bucket: 'bucket', Key: 'a key/with ünïcode+and%20more' }
beforeEach(async () => {
  double = await startS3Double()
  double.addBucket('bucket')
  client = double.client()
})
afterEach(() => double[Symbol.asyncDispose]())

const put = (Body: string, more: object = {}) => client.send(new PutObjectCommand({ ...at, Body, ...more }))
const get = async (more: object = {}) => {
  const answer = await client.send(new GetObjectCommand({ ...at, ...more }))
  return { ...answer, text: await answer.Body?.transformToString() }
}
const refused = (name: string) => expect.objectContaining({ name })

describe('what the double does not know', () => {
  test.each([
    [
      'a tag on an object',
      () => client.send(new PutObjectTaggingCommand({ ...at, Tagging: { TagSet: [] } })),
    ],
    ['a copy', () => client.send(new CopyObjectCommand({ ...at, CopySource: 'bucket/x' }))],
    ['encryption with a key', () => put('new', { ServerSideEncryption: 'aws:kms' })],
    ['a storage class', () => put('new', { StorageClass: 'GLACIER' })],
    ['a part of an object by its number', () => get({ PartNumber: 1 })],
    ['a condition on time', () => get({ IfModifiedSince: new Date(0) })],
    ['headers made to order', () => get({ ResponseContentType: 'text/html' })],
    ['a checksum it cannot compute', () => put('new', { ChecksumCRC64NVME: 'AAAAAAAAAAA=' })],
  ])('%s is answered 501, and the object stays as it was', async (_, ask) => {
    await put('old')
    await expect(ask()).rejects.toMatchObject({ $metadata: { httpStatusCode: 501 } })
    expect((await get()).text).toBe('old')
    expect(double.buckets.get('bucket')?.objects.size).toBe(1)
  })
})

describe('objects', () => {
  test('buckets are made once and found', async () => {
    await client.send(new CreateBucketCommand({ Bucket: 'new' }))
    await client.send(new HeadBucketCommand({ Bucket: 'new' }))
    await expect(client.send(new CreateBucketCommand({ Bucket: 'new' }))).rejects.toEqual(
      refused('BucketAlreadyOwnedByYou'),
    )
    await expect(client.send(new HeadBucketCommand({ Bucket: 'none' }))).rejects.toEqual(refused('NotFound'))
  })

  test('content, type and metadata come back, with a checksum that the SDK verifies', async () => {
    await put('content', { ContentType: 'text/x', Metadata: { mark: 'm' } })
    const answer = await get({ ChecksumMode: 'ENABLED' })
    expect(answer).toMatchObject({ text: 'content', ContentType: 'text/x', Metadata: { mark: 'm' } })
    expect(answer.ChecksumCRC32).toMatch(/=$/)
  })

  test('a checksum that is not the body’s is refused, whichever it is', async () => {
    await put('old', { ChecksumAlgorithm: 'SHA256' })
    for (const wrong of [
      { ChecksumSHA256: 'x' },
      { ChecksumCRC32: 'x' },
      { ChecksumCRC32C: 'x' },
      { ChecksumSHA1: 'x' },
    ]) {
      await expect(put('new', wrong)).rejects.toEqual(refused('BadDigest'))
    }
    await expect(put('new', { ContentMD5: 'x' })).rejects.toEqual(refused('BadDigest'))
    expect((await get()).text).toBe('old')
  })

  test('a stream comes in frames with a checksum in the trailer', async () => {
    const Body = Readable.from([Buffer.from('some '), Buffer.from('text')], { objectMode: false })
    let mode: string | undefined
    double.onCall = ({ headers }) => {
      mode = headers.get('x-amz-content-sha256')
      return undefined
    }
    await client.send(new PutObjectCommand({ ...at, Body, ContentLength: 9 }))
    expect(mode).toBe('STREAMING-UNSIGNED-PAYLOAD-TRAILER')
    expect((await get()).text).toBe('some text')
  })

  test.each([
    ['bytes=0-2', '012', 'bytes 0-2/10'],
    ['bytes=7-', '789', 'bytes 7-9/10'],
    ['bytes=-3', '789', 'bytes 7-9/10'],
    ['bytes=-30', '0123456789', 'bytes 0-9/10'],
    ['bytes=8-100', '89', 'bytes 8-9/10'],
    ['bytes=3-1', '0123456789', undefined],
    ['lines=1-2', '0123456789', undefined],
  ])('the range %s holds %s', async (Range, text, ContentRange) => {
    await put('0123456789')
    const answer = await get({ Range })
    expect([answer.text, answer.ContentRange]).toEqual([text, ContentRange])
  })

  test.each(['bytes=10-', 'bytes=-0', 'bytes=100-200'])('the range %s lies beyond the end', async (Range) => {
    await put('0123456789')
    await expect(get({ Range })).rejects.toEqual(refused('InvalidRange'))
  })

  test('conditions are judged before anything is read or written', async () => {
    const { ETag } = await put('old', { IfNoneMatch: '*' })
    expect((await get({ IfMatch: ETag })).text).toBe('old')
    await expect(get({ IfMatch: '"other"' })).rejects.toEqual(refused('PreconditionFailed'))
    await expect(get({ IfNoneMatch: ETag })).rejects.toMatchObject({ $metadata: { httpStatusCode: 304 } })
    await expect(put('new', { IfNoneMatch: '*' })).rejects.toEqual(refused('PreconditionFailed'))
    await expect(put('new', { IfMatch: '"other"' })).rejects.toEqual(refused('PreconditionFailed'))
    await put('new', { IfMatch: ETag })
    expect((await get()).text).toBe('new')
  })

  test('listings fold what lies under a delimiter, and go on where a page ended', async () => {
    for (const key of ['a/1', 'a/2', 'b', 'c/1', 'd&e f']) double.put('bucket', key, key)
    const list = (more: object) => client.send(new ListObjectsV2Command({ Bucket: 'bucket', ...more }))
    const first = await list({ Delimiter: '/', MaxKeys: 2 })
    expect(first.CommonPrefixes).toEqual([{ Prefix: 'a/' }])
    expect(first.Contents?.map(({ Key }) => Key)).toEqual(['b'])
    const second = await list({ Delimiter: '/', ContinuationToken: first.NextContinuationToken })
    expect(second.CommonPrefixes).toEqual([{ Prefix: 'c/' }])
    expect(second.Contents?.map(({ Key }) => Key)).toEqual(['d&e f'])
    expect(second.IsTruncated).toBe(false)
    expect((await list({ StartAfter: 'b', EncodingType: 'url' })).Contents?.map(({ Key }) => Key)).toEqual([
      'c/1',
      'd%26e+f',
    ])
  })

  test('many objects are removed with one request', async () => {
    for (const key of ['a', 'b<&>', 'c']) double.put('bucket', key, key)
    const Objects = [{ Key: 'a' }, { Key: 'b<&>' }, { Key: 'none' }]
    const { Deleted } = await client.send(new DeleteObjectsCommand({ Bucket: 'bucket', Delete: { Objects } }))
    expect(Deleted).toHaveLength(3)
    expect([...(double.buckets.get('bucket')?.objects.keys() ?? [])]).toEqual(['c'])
  })
})

describe('uploads in parts', () => {
  const start = async () => {
    const { UploadId } = await client.send(
      new CreateMultipartUploadCommand({ ...at, ChecksumAlgorithm: 'CRC32' }),
    )
    return { ...at, UploadId }
  }
  type Upload = Awaited<ReturnType<typeof start>>
  const part = (upload: Upload, PartNumber: number, Body: string | Buffer) =>
    client.send(new UploadPartCommand({ ...upload, PartNumber, Body }))
  const complete = (upload: Upload, Parts: object[]) =>
    client.send(new CompleteMultipartUploadCommand({ ...upload, MultipartUpload: { Parts } }))

  test('end only with the parts that were sent, in order, and none too small', async () => {
    const upload = await start()
    const large = await part(upload, 1, Buffer.alloc(5 << 20))
    const small = await part(upload, 2, 'small')
    const first = { PartNumber: 1, ETag: large.ETag, ChecksumCRC32: large.ChecksumCRC32 }
    const second = { PartNumber: 2, ETag: small.ETag, ChecksumCRC32: small.ChecksumCRC32 }
    const { Parts } = await client.send(new ListPartsCommand(upload))
    expect(Parts?.map(({ PartNumber, Size }) => [PartNumber, Size])).toEqual([
      [1, 5 << 20],
      [2, 5],
    ])
    await expect(complete(upload, [second, first])).rejects.toEqual(refused('InvalidPartOrder'))
    await expect(complete(upload, [first, { ...second, ETag: '"x"' }])).rejects.toEqual(
      refused('InvalidPart'),
    )
    await expect(complete(upload, [first, { ...second, ChecksumCRC32: 'AAAAAA==' }])).rejects.toEqual(
      refused('InvalidPart'),
    )
    await expect(complete(upload, [first, { ...second, PartNumber: 3 }])).rejects.toEqual(
      refused('InvalidPart'),
    )
    await expect(complete({ ...upload, UploadId: 'other' }, [first])).rejects.toEqual(refused('NoSuchUpload'))
    const done = await complete(upload, [first, second])
    expect(done.ETag).toMatch(/^"[0-9a-f]{32}-2"$/)
    expect((await get({ Range: 'bytes=-5' })).text).toBe('small')
    await expect(complete(upload, [first, second])).rejects.toEqual(refused('NoSuchUpload'))
  })

  test('are refused when a part before the last is smaller than 5 MiB', async () => {
    const upload = await start()
    const parts = await Promise.all([1, 2].map((number) => part(upload, number, 'small')))
    const Parts = parts.map(({ ETag, ChecksumCRC32 }, index) => ({
      PartNumber: index + 1,
      ETag,
      ChecksumCRC32,
    }))
    await expect(complete(upload, Parts)).rejects.toEqual(refused('EntityTooSmall'))
  })
})

describe('presigned links', () => {
  test('read one object and nothing else', async () => {
    double.put('bucket', 'a b', 'content')
    double.put('bucket', 'c', 'other')
    const link = presign('/bucket/a%20b')
    expect(await (await fetch(link)).text()).toBe('content')
    expect((await fetch(link, { headers: { range: 'bytes=2-3' } })).status).toBe(206)
    expect((await fetch(link.replace('a%20b', 'c'))).status).toBe(403)
    expect((await fetch(link, { method: 'DELETE' })).status).toBe(403)
    expect((await fetch(`${double.endpoint}/bucket/c`)).status).toBe(403)
  })
})

/** As any client signs a link for GET: written here from the documentation, apart from the double's own code. */
function presign(path: string): string {
  const date = new Date().toISOString().replace(/[-:]|\.\d+/g, '')
  const scope = [date.slice(0, 8), 'us-east-1', 's3', 'aws4_request']
  const hmac = (key: string | Buffer, text: string) => createHmac('sha256', key).update(text).digest()
  const query = [
    'X-Amz-Algorithm=AWS4-HMAC-SHA256',
    `X-Amz-Credential=${encodeURIComponent([double.credentials.accessKeyId, ...scope].join('/'))}`,
    `X-Amz-Date=${date}`,
    'X-Amz-Expires=60',
    'X-Amz-SignedHeaders=host',
  ].join('&')
  const host = new URL(double.endpoint).host
  const canonical = ['GET', path, query, `host:${host}`, '', 'host', 'UNSIGNED-PAYLOAD'].join('\n')
  const hash = createHash('sha256').update(canonical).digest('hex')
  const key = scope.reduce<string | Buffer>(hmac, `AWS4${double.credentials.secretAccessKey}`)
  const signature = hmac(
    Buffer.from(key),
    ['AWS4-HMAC-SHA256', date, scope.join('/'), hash].join('\n'),
  ).toString('hex')
  return `${double.endpoint}${path}?${query}&X-Amz-Signature=${signature}`
}
