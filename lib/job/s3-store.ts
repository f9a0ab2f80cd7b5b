/**
 * The object store over a bucket of S3, or over a server that speaks its protocol; reads in s3-read.ts, writes in s3-write.ts.
 *
 * The SDK itself honours AWS_ENDPOINT_URL_S3; it would then put the bucket into the host name, which `localhost` cannot answer, so
 * a client made here uses path style as soon as an endpoint is set. Trap: keys in listings are asked for URL-encoded (XML cannot
 * carry all of them), and the SDK does not decode them.
 */
import {
  DeleteObjectCommand,
  ListObjectsV2Command,
  type ListObjectsV2CommandOutput,
  S3Client,
} from '@aws-sdk/client-s3'
import { isCoded, StoreFailure } from './errors.ts'
import { checkKey, checkRange } from './object-key.ts'
import { s3Failure } from './s3-errors.ts'
import { headObject, readObject, readObjectRange, type S3Object, streamObject } from './s3-read.ts'
import { writeObject } from './s3-write.ts'
import type { ObjectInfo, ObjectStore } from './store.ts'
import { takingCharge } from './write-body.ts'

export interface S3StoreOptions {
  bucket: string
  /** put before every key, with one slash between */
  prefix?: string
  client?: S3Client
}

/** No request is made yet. The client is made with the SDK's own search for region and credentials when none is given. */
export function openS3Store({ bucket, prefix = '', client = makeClient() }: S3StoreOptions): ObjectStore {
  const base = prefix.replace(/\/+$/, '') === '' ? '' : `${prefix.replace(/\/+$/, '')}/`
  const place = `s3://${bucket}/${base}`.replace(/\/$/, '')
  const object = (key: string): S3Object => {
    checkKey(place, key)
    checkKey(`s3://${bucket}`, base + key) // the limit of 1024 bytes counts the prefix
    return { client, bucket, key, fullKey: base + key, place: `${place}/${key}` }
  }
  return {
    place,
    async head(key) {
      const head = await headObject(object(key)).catch((error: unknown) =>
        absentOrDenied(error, { client, bucket, fullKey: base + key }),
      )
      if (!head) return undefined
      const { metadata: _, ...info } = head
      return info
    },
    async readRange(key, range, pin) {
      checkRange(range)
      return readObjectRange(object(key), range, pin)
    },
    read: async (key, options) => readObject(object(key), options),
    openRead: async (key, pin) => streamObject(object(key), pin),
    write: (key, body, options) =>
      takingCharge(body, async () => writeObject(object(key), body, options ?? {})),
    async *list(keyPrefix) {
      for await (const info of listBucket({ client, bucket, place }, base + keyPrefix)) {
        const key = info.key.slice(base.length)
        if (key !== '') yield { ...info, key } // the prefix itself: the console leaves such a marker
      }
    },
    async remove(key) {
      const { fullKey, place: named } = object(key)
      await client.send(new DeleteObjectCommand({ Bucket: bucket, Key: fullKey })).catch((error: unknown) => {
        throw s3Failure(error, named, 'remove')
      })
    },
  }
}

/**
 * Who may list only part of a bucket is told "denied" for what is not there, since no prefix is named in a HEAD. A listing of that key tells.
 * @throws the error it was given, where the object is there or the listing is denied too
 */
async function absentOrDenied(
  error: unknown,
  { client, bucket, fullKey }: { client: S3Client; bucket: string; fullKey: string },
): Promise<undefined> {
  if (!isCoded(error) || error.code !== 'ACCESS_DENIED') throw error
  const command = new ListObjectsV2Command({
    Bucket: bucket,
    Prefix: fullKey,
    MaxKeys: 1,
    EncodingType: 'url',
  })
  const listed = await client.send(command).catch(() => {
    throw error
  })
  // in a listing the key itself comes before those that it begins
  const first = listed.Contents?.[0]?.Key
  if (first !== undefined && decodeURIComponent(first.replaceAll('+', ' ')) === fullKey) throw error
}

/** Busy servers (SlowDown) are asked up to eight times; a connection that is silent for two minutes counts as broken. */
function makeClient(): S3Client {
  const endpoint = process.env.AWS_ENDPOINT_URL_S3 ?? process.env.AWS_ENDPOINT_URL
  return new S3Client({
    maxAttempts: 8,
    followRegionRedirects: true,
    forcePathStyle: endpoint !== undefined,
    requestHandler: { connectionTimeout: 10_000, socketTimeout: 120_000 },
  })
}

async function* listBucket(
  { client, bucket, place }: { client: S3Client; bucket: string; place: string },
  prefix: string,
): AsyncGenerator<ObjectInfo> {
  let token: string | undefined
  let previous = Buffer.alloc(0)
  do {
    const page: ListObjectsV2CommandOutput = await client
      .send(
        new ListObjectsV2Command({
          Bucket: bucket,
          Prefix: prefix,
          EncodingType: 'url',
          ...(token !== undefined && { ContinuationToken: token }),
        }),
      )
      .catch((error: unknown) => {
        throw s3Failure(error, place, 'list')
      })
    for (const { Key, Size: size, ETag: etag, LastModified } of page.Contents ?? []) {
      if (Key === undefined || size === undefined || etag === undefined || LastModified === undefined) {
        throw badListing(place, 'an entry lacks key, size, etag or date')
      }
      const key = decodeURIComponent(Key.replaceAll('+', ' '))
      const bytes = Buffer.from(key)
      if (bytes.compare(previous) <= 0) throw badListing(place, `"${key}" is out of order`)
      previous = bytes
      yield { key, size, etag, modified: LastModified.getTime() }
    }
    if (page.IsTruncated && page.NextContinuationToken === undefined) throw badListing(place, 'it broke off')
    token = page.IsTruncated ? page.NextContinuationToken : undefined
  } while (token !== undefined)
}

/** Directory buckets list in no order; a reader that relies on the order would miss objects. */
function badListing(place: string, problem: string): StoreFailure {
  const remedy = 'Use a general purpose bucket of S3, or a server that lists as it does'
  return new StoreFailure('READ_FAILED', place, `the listing cannot be used: ${problem}`, remedy)
}
