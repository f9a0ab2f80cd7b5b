/**
 * Copies of remote objects on this machine's disk, kept for the next job. An entry is named by the object's place, key and content, so
 * that two buckets with one file name are two entries and a changed object is a new one (the layout is in cache-folder.ts).
 *
 * A copy is believed when its size, and its MD5 where the store tells one, are those of the object. Later it is looked at by inode, size
 * and time of change, and by SHA-256 when one of those is not what it was; what is damaged is fetched again. What escapes: bits that
 * a disk changes silently. A cache is a convenience: where it cannot be used, a notice says so and the copy is an ordinary one.
 */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { chmod, lstat, mkdir, open, readFile, rm } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { z } from 'zod'
import {
  contentPath,
  discard,
  factsPath,
  holdContent,
  makeRoom,
  makeTemporary,
  publishEntry,
  removeEntry,
  sweep,
} from './cache-folder.ts'
import { type RemoteObject, stampOf, writeContent } from './content-copy.ts'
import { BadInput, type ErrorReport } from './errors.ts'
import { hasCode, ignoreMissing, onWriting } from './folder-errors.ts'
import { syncFolder } from './folder-write.ts'
import type { Environment } from './stores.ts'
import { unsignedQuery } from './web-address.ts'
import { kindOfIdentity } from './web-identity.ts'

export interface Cache {
  folder: string
  /** what all entries may take; the smaller of 50 GiB and four fifths of what the disk could hold when absent */
  maxBytes?: number
}

export interface CopyOptions {
  /** undefined: no cache is wanted */
  cache: Cache | undefined
  /** where the copy is written when there is no cache, or it cannot be used */
  uncached: string
  signal?: AbortSignal
}

export interface LocalCopy {
  /** only to be read, and only until `release` */
  path: string
  /** CACHE_NOT_USED, with the reason */
  notices: ErrorReport[]
  release(): Promise<void>
}

/**
 * The cache that the environment asks for: CELLDROP_CACHE, or on a laptop ~/.cache/celldrop/inputs. A machine of an account has none
 * unless it is named: its disk is thrown away.
 * @throws BadInput CONFIGURATION
 */
export function cacheOf(environment: Environment): Cache | undefined {
  const { CELLDROP_CACHE: named, CELLDROP_CACHE_BYTES: bytes, CELLDROP_LOCAL_FILES: local } = environment
  const folder = named || (local === '1' ? join(homedir(), '.cache', 'celldrop', 'inputs') : undefined)
  if (!bytes) return folder === undefined ? undefined : { folder }
  const maxBytes = /^\d{1,16}$/.test(bytes) ? Number(bytes) : Number.NaN
  if (!Number.isSafeInteger(maxBytes)) {
    const remedy = 'Write a whole number of bytes, such as 50000000000, or 0 for no cache'
    throw new BadInput('CONFIGURATION', 'CELLDROP_CACHE_BYTES', 'this is not a number of bytes', remedy)
  }
  return folder === undefined || maxBytes === 0 ? undefined : { folder, maxBytes }
}

/**
 * A path on this machine with the object's content, from the cache where it is there already.
 * @throws what the store throws; StoreFailure CONTENT_MISMATCH, WRITE_FAILED where there is no room for the copy either
 */
export async function cachedCopy(object: RemoteObject, options: CopyOptions): Promise<LocalCopy> {
  const { cache } = options
  if (cache === undefined) return plainCopy(object, options, [])
  if (kindOfIdentity(object.etag) === 'size') {
    const reason = 'the server tells neither ETag nor date: what is kept could not be told from newer content'
    return plainCopy(object, options, [notUsed(cache, reason)])
  }
  try {
    return (await findCopy(object, cache)) ?? (await fetchCopy(object, cache, options.signal))
  } catch (error) {
    if (!(error instanceof CacheTrouble)) throw error
    return plainCopy(object, options, [notUsed(cache, error.message)])
  }
}

/** The cache, not the object, is in the way. */
class CacheTrouble extends Error {
  override readonly name = 'CacheTrouble'
}

function onCache<Value>(act: () => Promise<Value>): Promise<Value> {
  return act().catch((error: unknown) => {
    throw new CacheTrouble(error instanceof Error ? error.message : String(error), { cause: error })
  })
}

function notUsed({ folder }: Cache, reason: string): ErrorReport {
  const remedy = 'Make room or give the right to write there, or name another folder in CELLDROP_CACHE'
  return { code: 'CACHE_NOT_USED', place: folder, problem: `the cache was not used: ${reason}`, remedy }
}

function entryOf(object: RemoteObject, { folder }: Cache): string {
  const { store, key, etag, versionId = null, size, access = '' } = object
  const identity = JSON.stringify([store.place, key, unsignedQuery(access), etag, versionId, size])
  return join(folder, createHash('sha256').update(identity).digest('hex'))
}

const entryFacts = z.object({
  size: z.int().min(0),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  /** of the file when it was written: while they are the same, so is the content */
  stamp: z.string(),
})
type EntryFacts = z.infer<typeof entryFacts>

async function findCopy(object: RemoteObject, cache: Cache): Promise<LocalCopy | undefined> {
  const entry = entryOf(object, cache)
  return onCache(async () => {
    const facts = await readFacts(entry)
    if (facts === undefined) return clear(entry)
    const held = await holdContent(cache.folder, entry).catch((error: unknown) => {
      if (hasCode(error, 'ENOENT')) return undefined
      // a cache that cannot be written to is not cleared by anybody either; a drive without links is taken as it is
      if (hasCode(error, 'EROFS', 'EACCES', 'EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'))
        return entry
      throw error
    })
    if (held === undefined) return clear(entry)
    const release = async () => {
      if (held !== entry) await discard(held)
    }
    if (facts.size === object.size && (await isIntact(contentPath(held), facts)))
      return { path: contentPath(held), notices: [], release }
    await release()
    return clear(entry)
  })
}

/** What is left of an entry would be in the way of the next. */
async function clear(entry: string): Promise<undefined> {
  if ((await lstat(entry).catch(ignoreMissing)) !== undefined) await removeEntry(dirname(entry), entry)
}

async function readFacts(entry: string): Promise<EntryFacts | undefined> {
  const text = await readFile(factsPath(entry), 'utf8').catch(ignoreMissing)
  if (text === undefined) return undefined
  try {
    return entryFacts.parse(JSON.parse(text))
  } catch {
    return undefined
  }
}

async function isIntact(path: string, { size, sha256, stamp }: EntryFacts): Promise<boolean> {
  const found = await lstat(path, { bigint: true })
  if (!found.isFile() || Number(found.size) !== size) return false
  if (stampOf(found) === stamp) return true
  const hash = createHash('sha256')
  for await (const piece of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(piece)
  return hash.digest('hex') === sha256
}

async function fetchCopy(
  object: RemoteObject,
  cache: Cache,
  signal: AbortSignal | undefined,
): Promise<LocalCopy> {
  const { folder } = cache
  const entry = entryOf(object, cache)
  const part = await onCache(async () => {
    await mkdir(folder, { recursive: true, mode: 0o700 })
    await sweep(folder)
    if (await makeRoom(folder, { needed: object.size, maxBytes: cache.maxBytes }))
      return makeTemporary(folder, 'part')
    throw new Error(`${object.size} bytes do not fit into it`)
  })
  try {
    const path = contentPath(part)
    const written = await writeContent(path, object, { signal, disk: onCache })
    return await onCache(async () => {
      const facts = { size: object.size, sha256: written.sha256, stamp: written.stamp }
      await writeFlushed(factsPath(part), JSON.stringify(facts))
      await chmod(path, 0o400)
      await syncFolder(part)
      const held = await holdContent(folder, part)
      await publishEntry(part, entry)
      await syncFolder(folder)
      return { path: contentPath(held), notices: [], release: () => discard(held) }
    })
  } catch (error) {
    await discard(part)
    throw error
  }
}

async function plainCopy(
  object: RemoteObject,
  { uncached, signal }: CopyOptions,
  notices: ErrorReport[],
): Promise<LocalCopy> {
  await onWriting(uncached, () => mkdir(dirname(uncached), { recursive: true }))
  const release = () => rm(uncached, { force: true })
  try {
    await writeContent(uncached, object, { signal, disk: (act) => onWriting(uncached, act) })
  } catch (error) {
    await release()
    throw error
  }
  return { path: uncached, notices, release }
}

async function writeFlushed(path: string, text: string): Promise<void> {
  const file = await open(path, 'wx', 0o400)
  try {
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
}
