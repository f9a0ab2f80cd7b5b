/**
 * The folder of a cache: entries named by what they are of, and beside them what running programs have in hand.
 *
 * An entry is a folder `<64 hex digits>` with `content` and `entry.json`, made under another name and put in place by one rename: a crash
 * leaves no half of one. Whoever uses an entry holds a hard link to its content, so that no other program can take it away from under a
 * reader. Everything unfinished carries the host and process that made it, and is removed once that process is gone.
 */
import { randomUUID } from 'node:crypto'
import type { BigIntStats } from 'node:fs'
import { link, lstat, mkdir, readdir, rename, rm, statfs, utimes } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { hasCode, ignoreMissing } from './folder-errors.ts'

export type Temporary = 'part' | 'gone' | 'use'

/** What other hosts that share the folder left behind counts as forgotten after a week. */
const forgottenMs = 7 * 24 * 3600 * 1000
const temporaryName = /^(?:part|gone|use)-([0-9a-f]*)-(\d+)-[0-9a-f-]{36}$/
const entryName = /^[0-9a-f]{64}$/

export function contentPath(entry: string): string {
  return join(entry, 'content')
}

export function factsPath(entry: string): string {
  return join(entry, 'entry.json')
}

export async function makeTemporary(folder: string, kind: Temporary): Promise<string> {
  const path = join(folder, `${kind}-${hostName()}-${process.pid}-${randomUUID()}`)
  await mkdir(path, { mode: 0o700 })
  return path
}

/** @returns the folder that holds the link: remove it when the content is no longer needed */
export async function holdContent(folder: string, entry: string): Promise<string> {
  const use = await makeTemporary(folder, 'use')
  try {
    await link(contentPath(entry), contentPath(use))
    // the file system's own clock: the entry was used now
    const { mtime } = await lstat(use)
    await utimes(entry, mtime, mtime).catch(() => undefined)
    return use
  } catch (error) {
    await discard(use)
    throw error
  }
}

/** False where another program has put the same entry there first. */
export async function publishEntry(part: string, entry: string): Promise<boolean> {
  try {
    await rename(part, entry)
    return true
  } catch (error) {
    if (!hasCode(error, 'ENOTEMPTY', 'EEXIST', 'EPERM')) throw error
    await discard(part)
    return false
  }
}

/** In one step out of sight, then removed; no error when another program was faster. */
export async function removeEntry(folder: string, entry: string): Promise<void> {
  const gone = await makeTemporary(folder, 'gone')
  try {
    await rename(entry, join(gone, 'entry')).catch(ignoreMissing)
  } finally {
    await discard(gone)
  }
}

export async function discard(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true }).catch(() => undefined)
}

interface Entry {
  path: string
  size: number
  used: bigint
  /** nobody holds a link to it */
  isFree: boolean
}

/**
 * Removes entries that were not used for longest, and are not in use, until `needed` bytes fit.
 * @param maxBytes what all entries may take; the smaller of 50 GiB and four fifths of what the disk could hold when absent
 * @returns whether they fit
 */
export async function makeRoom(
  folder: string,
  { needed, maxBytes }: { needed: number; maxBytes: number | undefined },
): Promise<boolean> {
  const entries = await listEntries(folder)
  let total = entries.reduce((sum, { size }) => sum + size, 0)
  const limit = maxBytes ?? (await defaultLimit(folder, total))
  if (needed > limit) return false
  entries.sort((a, b) => (a.used < b.used ? -1 : a.used > b.used ? 1 : 0))
  for (const { path, size, isFree } of entries) {
    if (total + needed <= limit) return true
    if (!isFree) continue
    await removeEntry(folder, path)
    total -= size
  }
  return total + needed <= limit
}

async function defaultLimit(folder: string, held: number): Promise<number> {
  const { bavail, bsize } = await statfs(folder)
  return Math.min(50 * 2 ** 30, Math.floor(0.8 * (bavail * bsize + held)))
}

async function listEntries(folder: string): Promise<Entry[]> {
  const entries: Entry[] = []
  for (const name of await readdir(folder)) {
    if (!entryName.test(name)) continue
    const path = join(folder, name)
    const [own, content] = await Promise.all([statsOf(path), statsOf(contentPath(path))])
    if (own === undefined) continue
    entries.push({
      path,
      size: Number(content?.size ?? 0n),
      used: own.mtimeNs,
      isFree: content === undefined || content.nlink <= 1n,
    })
  }
  return entries
}

/** Removes what programs left that are no longer running. */
export async function sweep(folder: string): Promise<void> {
  const probe = await makeTemporary(folder, 'gone')
  const now = (await lstat(probe)).mtimeMs
  await discard(probe)
  for (const name of await readdir(folder)) {
    const [, host, id] = temporaryName.exec(name) ?? []
    if (host === undefined) continue
    const path = join(folder, name)
    const own = await statsOf(path)
    const isForgotten = own !== undefined && now - Number(own.mtimeMs) > forgottenMs
    if (isForgotten || (host === hostName() && !isRunning(Number(id)))) await discard(path)
  }
}

function statsOf(path: string): Promise<BigIntStats | undefined> {
  return lstat(path, { bigint: true }).catch(ignoreMissing)
}

/** As hexadecimal digits: any name of a host is then a name of a file. */
function hostName(): string {
  return Buffer.from(hostname()).toString('hex').slice(0, 100)
}

function isRunning(id: number): boolean {
  try {
    process.kill(id, 0)
    return true
  } catch (error) {
    return hasCode(error, 'EPERM') // it runs, as another user
  }
}
