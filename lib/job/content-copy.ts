/**
 * One object of a store as a file: all of it, and what the store says that it is, or an error. Nobody else reads the file meanwhile.
 * Trap: an etag of S3 may look like an MD5 and be none (KMS), so that only an MD5 that is told as one is compared.
 */
import { createHash } from 'node:crypto'
import type { BigIntStats } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { addAbortSignal, type Readable } from 'node:stream'
import { StoreFailure } from './errors.ts'
import type { ObjectInfo, ObjectStore } from './store.ts'

/** An object of a store, as `head` or a pin told of it. */
export interface RemoteObject extends Pick<ObjectInfo, 'key' | 'size' | 'etag' | 'versionId' | 'md5'> {
  store: ObjectStore
  /** the query of a web address */
  access?: string
}

export interface Writing {
  signal: AbortSignal | undefined
  /** tells errors of the disk from those of the object */
  disk<Value>(act: () => Promise<Value>): Promise<Value>
}

/**
 * The object's content as a file, flushed to the disk and compared with what the store says of it.
 * @throws what the store throws, and StoreFailure CONTENT_MISMATCH; what is written by then stays
 */
export async function writeContent(
  path: string,
  object: RemoteObject,
  { signal, disk }: Writing,
): Promise<{ sha256: string; stamp: string }> {
  signal?.throwIfAborted()
  const body = await object.store.openRead(object.key, object)
  body.on('error', () => undefined) // `pour` gets it, unless the file cannot be made
  if (signal) addAbortSignal(signal, body)
  try {
    const file = await disk(() => open(path, 'w', 0o600))
    try {
      const { sha256, md5, size } = await pour(body, file, { disk, md5: md5Of(object) !== undefined })
      checkContent(object, { md5, size })
      await disk(() => file.sync())
      return { sha256, stamp: stampOf(await disk(() => file.stat({ bigint: true }))) }
    } finally {
      await file.close()
    }
  } catch (error) {
    signal?.throwIfAborted()
    throw error
  } finally {
    body.destroy()
  }
}

async function pour(
  body: Readable,
  file: FileHandle,
  { disk, md5: wantsMd5 }: { disk: Writing['disk']; md5: boolean },
): Promise<{ sha256: string; md5: string | undefined; size: number }> {
  const sha256 = createHash('sha256')
  const md5 = wantsMd5 ? createHash('md5') : undefined
  let size = 0
  for await (const piece of body as AsyncIterable<Uint8Array>) {
    sha256.update(piece)
    md5?.update(piece)
    size += piece.length
    await disk(() => file.writeFile(piece))
  }
  return { sha256: sha256.digest('hex'), md5: md5?.digest('hex'), size }
}

/** @throws StoreFailure CONTENT_MISMATCH */
function checkContent(object: RemoteObject, came: { md5: string | undefined; size: number }): void {
  const expected = md5Of(object)
  const problem =
    came.size !== object.size
      ? `${came.size} bytes came, and the file has ${object.size}`
      : expected !== undefined && expected !== came.md5
        ? 'what came does not have the MD5 that the store tells'
        : undefined
  if (problem === undefined) return
  const remedy = 'Run again; if that does not help, download the file and give that'
  throw new StoreFailure('CONTENT_MISMATCH', `${object.store.place}/${object.key}`, problem, remedy)
}

/** Of Google's objects the etag is the MD5; S3's may only look like one (KMS), and is no ground to refuse what came. */
function md5Of({ md5, etag, store }: RemoteObject): string | undefined {
  if (md5 !== undefined) return md5
  return store.place.startsWith('gs://') ? /^"([0-9a-f]{32})"$/.exec(etag)?.[1] : undefined
}

/** What a file looks like from outside: while it is the same, so is the content. */
export function stampOf({ ino, mtimeNs }: BigIntStats): string {
  return `${ino}-${mtimeNs}`
}
