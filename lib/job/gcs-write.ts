/**
 * Writing objects of Google Cloud Storage: every body, large or small, by one resumable upload (gcs-upload.ts), in parts that are kept until
 * they are acknowledged. What is told of the written object is compared with what was sent.
 */
import { createHash } from 'node:crypto'
import { isCoded, StoreFailure, StoreUnavailable } from './errors.ts'
import { type GcsObject, gcsUrl } from './gcs-service.ts'
import { giveUp, runAgain, sendPart, startUpload, unconfirmed } from './gcs-upload.ts'
import type { ObjectInfo, WriteOptions } from './store.ts'
import { statusFailure } from './web-errors.ts'
import { letGo } from './web-request.ts'
import { piecesOf, type WriteBody } from './write-body.ts'

/** Google takes multiples of 256 KiB, and wants at least 8 MiB for speed. */
const partBytes = 16 << 20

/** An error of the body is thrown as it is. @throws AlreadyExists OBJECT_EXISTS; StoreFailure; StoreUnavailable WRITE_FAILED */
export async function writeGcsObject(
  object: GcsObject,
  body: WriteBody,
  options: WriteOptions,
): Promise<ObjectInfo> {
  const hash = createHash('md5')
  let session: URL | undefined
  let offset = 0
  try {
    for await (const { bytes, isLast } of partsOf(body)) {
      hash.update(bytes)
      session ??= await asWrite(startUpload(object, options))
      const md5 = isLast ? { md5: hash.copy().digest() } : {}
      const written = await asWrite(sendPart(object, session, { bytes, offset, ...md5 }))
      offset += bytes.length
      if (written) return await asWrite(confirm(object, written, { size: offset, md5: hash.digest('hex') }))
    }
    throw unconfirmed(object.place, 'the upload did not end')
  } catch (error) {
    if (session) await giveUp(object, session)
    throw error
  }
}

/** No error where there is no such object. @throws StoreFailure; StoreUnavailable WRITE_FAILED */
export function removeGcsObject({ service, bucket, fullKey, place }: GcsObject): Promise<void> {
  const remove = async () => {
    const url = gcsUrl(service, { bucket, fullKey, query: {} })
    const answer = await service.ask(url, { place, act: 'write', method: 'DELETE' })
    letGo(answer)
    const { status } = answer
    if (![200, 204, 404].includes(status))
      throw statusFailure({ status, place, remedy: service.signIn.write })
  }
  return asWrite(remove())
}

/** Parts of equal size, each known to be the last or not; a body without bytes has one, without bytes. */
async function* partsOf(body: WriteBody): AsyncGenerator<{ bytes: Uint8Array; isLast: boolean }> {
  let held: Uint8Array[] = []
  let size = 0
  for await (const piece of piecesOf(body)) {
    for (let at = 0; at < piece.length; ) {
      if (size === partBytes) {
        yield { bytes: joined(held), isLast: false }
        held = []
        size = 0
      }
      const taken = piece.subarray(at, at + partBytes - size)
      held.push(taken)
      size += taken.length
      at += taken.length
    }
  }
  yield { bytes: joined(held), isLast: true }
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const [first] = pieces
  return first !== undefined && pieces.length === 1 ? first : Buffer.concat(pieces)
}

/** A service that heeds the MD5 of the last part has compared already. One that does not must not leave a damaged object. */
async function confirm(
  object: GcsObject,
  written: ObjectInfo,
  sent: { size: number; md5: string },
): Promise<ObjectInfo> {
  const { service, bucket, fullKey, place } = object
  if (written.size === sent.size && (written.md5 ?? sent.md5) === sent.md5) return written
  const generation = written.versionId ?? ''
  const url = gcsUrl(service, { bucket, fullKey, query: { generation, ifGenerationMatch: generation } })
  const answer = await service.ask(url, { place, act: 'write', method: 'DELETE' })
  letGo(answer)
  const isGone = [200, 204, 404, 412].includes(answer.status)
  const now = isGone ? 'was removed' : 'could not be removed: remove it by hand'
  throw unconfirmed(place, `what arrived is not what was sent, and ${now}`)
}

/** What the service answers, under the codes of a write. The body's own errors do not come through here. */
async function asWrite<Value>(act: Promise<Value>): Promise<Value> {
  try {
    return await act
  } catch (error) {
    if (!isCoded(error) || error.code !== 'READ_FAILED') throw error
    const { place, problem, remedy } = error
    if (error instanceof StoreUnavailable)
      throw new StoreUnavailable('WRITE_FAILED', place, problem, remedy, { cause: error })
    throw new StoreFailure('WRITE_FAILED', place, problem, runAgain, { cause: error })
  }
}
