/**
 * Reading objects of S3: every request names the pinned content, and every answer is measured before it is believed.
 *
 * The SDK repeats requests that fail before an answer begins; a body that breaks off afterwards is ours to fetch again.
 * Traps: a range beyond the end is answered 416 without saying whose end it was; a proxy may ignore Range or If-Match.
 */
import { Readable } from 'node:stream'
import { setTimeout as wait } from 'node:timers/promises'
import {
  GetObjectCommand,
  type GetObjectCommandOutput,
  HeadObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3'
import { StoreFailure, StoreUnavailable } from './errors.ts'
import { answerOf, objectChanged, objectMissing, s3Failure } from './s3-errors.ts'
import type { ObjectInfo, Pin } from './store.ts'

/** One object: how S3 and how a person names it. */
export interface S3Object {
  client: S3Client
  bucket: string
  /** with the store's prefix */
  fullKey: string
  /** within the store */
  key: string
  place: string
}

interface ByteRange {
  offset: number
  length: number
}

export interface S3Head extends ObjectInfo {
  metadata: Record<string, string>
}

const bodyTries = 4
const firstWaitMs = 50
const pieceBytes = 8 << 20

export async function headObject(object: S3Object, versionId?: string): Promise<S3Head | undefined> {
  const command = new HeadObjectCommand({ ...address(object), ...(versionId && { VersionId: versionId }) })
  const answer = await object.client.send(command).catch((error: unknown) => {
    if (answerOf(error).status === 404) return undefined
    throw s3Failure(error, object.place, 'read')
  })
  if (!answer) return undefined
  const { ContentLength: size, ETag: etag, LastModified: modified, VersionId } = answer
  if (size === undefined || etag === undefined || modified === undefined) {
    throw readFailed(object, 'the answer lacks size, etag or date')
  }
  const info = { key: object.key, size, etag, modified: modified.getTime(), metadata: answer.Metadata ?? {} }
  return VersionId === undefined ? info : { ...info, versionId: VersionId }
}

/** What `head` says now of the pinned content. @throws StoreFailure OBJECT_MISSING, OBJECT_CHANGED */
async function pinnedHead(object: S3Object, pin: Pin | undefined): Promise<S3Head> {
  const head = await headObject(object, pin?.versionId)
  if (!head) throw objectMissing(object.place)
  if (pin && head.etag !== pin.etag) throw objectChanged(object.place)
  return head
}

export async function readObjectRange(object: S3Object, range: ByteRange, pin: Pin): Promise<Uint8Array> {
  if (range.length > 0) {
    const bytes = await fetchRange(object, range, pin)
    if (bytes) return bytes
  }
  const { size } = await pinnedHead(object, pin)
  if (range.length === 0 || size <= range.offset) return new Uint8Array(0)
  throw readFailed(object, 'a range inside the object was refused')
}

/** undefined when S3 says that the range lies beyond the end */
async function fetchRange(object: S3Object, range: ByteRange, pin: Pin): Promise<Uint8Array | undefined> {
  const last = range.offset + range.length - 1
  const input = { ...address(object), ...pinned(pin), Range: `bytes=${range.offset}-${last}` }
  try {
    return await fetchBody(object, input, (answer) => {
      const [, first, end, total] =
        /^bytes (\d+)-(\d+)\/(\d+)$/.exec(answer.ContentRange ?? '')?.map(Number) ?? []
      if (first === undefined || end === undefined || total === undefined) {
        throw readFailed(object, 'the range was ignored')
      }
      if (answer.ETag !== pin.etag) throw objectChanged(object.place)
      if (first !== range.offset || end !== Math.min(last, total - 1)) {
        const asked = `bytes ${range.offset}-${last}`
        throw readFailed(object, `${asked} were asked for, and ${answer.ContentRange} came`)
      }
      return end - first + 1
    })
  } catch (error) {
    if (answerOf(error).status === 416) return undefined
    throw s3Failure(error, object.place, 'read')
  }
}

export async function readObject(
  object: S3Object,
  { maxBytes, pin }: { maxBytes: number; pin?: Pin },
): Promise<Uint8Array> {
  const input = { ...address(object), ...(pin && pinned(pin)) }
  try {
    return await fetchBody(object, input, ({ ContentLength: size, ETag }) => {
      if (size === undefined) throw readFailed(object, 'the answer lacks the size')
      if (pin && ETag !== pin.etag) throw objectChanged(object.place)
      if (size <= maxBytes) return size
      const problem = `the object has ${size} bytes, and at most ${maxBytes} are read here`
      const remedy = 'Check that this is the intended object'
      throw new StoreFailure('OBJECT_TOO_LARGE', object.place, problem, remedy)
    })
  } catch (error) {
    throw s3Failure(error, object.place, 'read')
  }
}

/** Ranges of the pinned content, one fetched ahead: a connection that breaks costs one piece, not the whole object. */
export async function streamObject(object: S3Object, pin: Pin | undefined): Promise<Readable> {
  const head = await pinnedHead(object, pin)
  return Readable.from(piecesInOrder(object, head), { objectMode: false, highWaterMark: pieceBytes })
}

async function* piecesInOrder(object: S3Object, head: S3Head): AsyncGenerator<Uint8Array> {
  const fetchAt = (offset: number) => {
    const piece = readObjectRange(object, { offset, length: Math.min(pieceBytes, head.size - offset) }, head)
    piece.catch(() => undefined) // heard of below, or nobody reads on
    return piece
  }
  let ahead = head.size > 0 ? fetchAt(0) : undefined
  for (let offset = 0; ahead; ) {
    const bytes = await ahead
    offset += bytes.length
    ahead = offset < head.size ? fetchAt(offset) : undefined
    yield bytes
  }
}

/** `measure` says how long the body must be, or throws when the answer is not the one asked for. */
async function fetchBody(
  object: S3Object,
  input: GetObjectCommand['input'],
  measure: (answer: GetObjectCommandOutput) => number,
): Promise<Uint8Array> {
  for (let tried = 1; ; tried++) {
    const answer = await object.client.send(new GetObjectCommand(input))
    const body = answer.Body
    if (!(body instanceof Readable)) throw readFailed(object, 'the answer has no body')
    body.on('error', () => undefined) // `collect` gets it, unless the answer is refused first
    try {
      return await collect(body, measure(answer))
    } catch (error) {
      if (error instanceof StoreFailure) throw error
      if (tried === bodyTries) throw brokenOff(object, tried, error)
    } finally {
      body.destroy()
    }
    await wait(firstWaitMs * 4 ** (tried - 1))
  }
}

async function collect(body: Readable, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length)
  let filled = 0
  for await (const piece of body) {
    if (filled + piece.length > length) throw new Error(`more than the ${length} bytes announced came`)
    bytes.set(piece, filled)
    filled += piece.length
  }
  if (filled !== length) throw new Error(`${filled} of ${length} bytes came`)
  return bytes
}

function address({ bucket, fullKey }: S3Object): { Bucket: string; Key: string } {
  return { Bucket: bucket, Key: fullKey }
}

function pinned({ etag, versionId }: Pin): { IfMatch: string; VersionId?: string } {
  return versionId === undefined ? { IfMatch: etag } : { IfMatch: etag, VersionId: versionId }
}

function readFailed(object: S3Object, problem: string): StoreFailure {
  return new StoreFailure('READ_FAILED', object.place, problem, 'Check the network and run again')
}

/** The network may be better in a while. */
function brokenOff(object: S3Object, tries: number, cause: unknown): StoreUnavailable {
  const problem = `the content broke off ${tries} times`
  const remedy = 'Check the network and run again'
  return new StoreUnavailable('READ_FAILED', object.place, problem, remedy, { cause })
}
