/**
 * Writing objects of S3: one request for small bodies, parts for large ones and streams, each with the SDK's CRC32 checksum.
 *
 * Nothing is done before HEAD confirms the size. Trap: when the last answer is lost, the SDK asks again and is told that the object
 * exists, or that the upload does not - both because of us. A mark in the metadata tells our object from another writer's.
 */
import { randomUUID } from 'node:crypto'
import { Readable } from 'node:stream'
import { setTimeout as wait } from 'node:timers/promises'
import { Upload } from '@aws-sdk/lib-storage'
import { StoreFailure } from './errors.ts'
import { answerOf, objectExists, s3Failure } from './s3-errors.ts'
import { headObject, type S3Object } from './s3-read.ts'
import type { ObjectInfo, WriteOptions } from './store.ts'
import { piecesOf, type WriteBody } from './write-body.ts'

/** S3 takes 10 000 parts: 16 MiB each allow 156 GiB, more than the largest published h5ad files. */
const partBytes = 16 << 20
const partsAtOnce = 2
const conflictTries = 5
const conflictWaitMs = 50
const markName = 'celldrop-write'

/** An error of the body is thrown as it is. @throws AlreadyExists OBJECT_EXISTS; StoreFailure */
export async function writeObject(
  object: S3Object,
  body: WriteBody,
  options: WriteOptions,
): Promise<ObjectInfo> {
  for (let tried = 1; ; tried++) {
    try {
      return await writeOnce(object, body, options)
    } catch (error) {
      if (body instanceof Readable && body.errored) throw body.errored
      // another writer's request was under way; a stream is used up by now and cannot be sent again
      const again = answerOf(error).status === 409 && body instanceof Uint8Array && tried < conflictTries
      if (!again) throw s3Failure(error, object.place, 'write')
    }
    await wait(conflictWaitMs * 2 ** (tried - 1))
  }
}

async function writeOnce(object: S3Object, body: WriteBody, options: WriteOptions): Promise<ObjectInfo> {
  const mark = randomUUID()
  let size = 0
  async function* counted(): AsyncGenerator<Uint8Array> {
    for await (const piece of piecesOf(body)) {
      size += piece.length
      yield piece
    }
  }
  const upload = new Upload({
    client: object.client,
    partSize: partBytes,
    queueSize: partsAtOnce,
    params: {
      Bucket: object.bucket,
      Key: object.fullKey,
      Body: Readable.from(counted(), { objectMode: false }),
      ...(options.contentType && { ContentType: options.contentType }),
      Metadata: { [markName]: mark },
      ...(options.onlyIfAbsent && { IfNoneMatch: '*' }),
    },
  })
  try {
    const sent = await upload.done()
    return await confirm(object, { size, etag: sent.ETag, versionId: sent.VersionId })
  } catch (error) {
    const { name, status } = answerOf(error)
    const refused = options.onlyIfAbsent === true && status === 412
    if (!refused && name !== 'NoSuchUpload') throw error
    const head = await headObject(object)
    if (head?.metadata[markName] === mark) return confirm(object, { ...head, size })
    throw refused ? objectExists(object.place, error) : error
  }
}

/** What was sent must be what lies there, unless a later writer's content has taken its place. */
async function confirm(
  object: S3Object,
  sent: { size: number; etag?: string | undefined; versionId?: string | undefined },
): Promise<ObjectInfo> {
  const head = await headObject(object, sent.versionId)
  if (!head) throw unconfirmed(object, 'the object was not there after the upload')
  const { metadata: _, ...found } = head
  const { size, etag = head.etag } = sent
  if (etag !== head.etag) return { ...found, size, etag }
  if (size === head.size) return found
  throw unconfirmed(object, `${size} bytes were sent, and the object has ${head.size}`)
}

function unconfirmed(object: S3Object, problem: string): StoreFailure {
  return new StoreFailure('WRITE_FAILED', object.place, problem, 'Run again; nothing was marked as done')
}
