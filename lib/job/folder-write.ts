/**
 * One atomic write into a folder: a file of its own beside the target, flushed to disk, then put in place in one step.
 *
 * A key that must be new is placed by a hard link, which the kernel refuses if the name exists. FAT and some network drives have no
 * hard links: there a lock folder keeps other such writers out between the look and the rename.
 * Trap: without the flush before the rename a power cut can leave the new name with no content.
 */
import { createHash, randomUUID } from 'node:crypto'
import type { BigIntStats } from 'node:fs'
import { type FileHandle, link, lstat, mkdir, open, realpath, rename, rm, rmdir } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { StoreFailure } from './errors.ts'
import { exists, hasCode, onWriting } from './folder-errors.ts'
import { clearTarget, makeParents, partPrefix } from './folder-path.ts'
import { piecesOf, type WriteBody } from './write-body.ts'

const lockTries = 20
const lockWaitMs = 50

export interface WriteTarget {
  /** the store's folder, free of links */
  root: string
  /** the file to write, below it */
  path: string
}

/** The store's folder, made if it is not there, as its real path. */
export function makeRoot(place: string): Promise<string> {
  return onWriting(place, async () => {
    await mkdir(place, { recursive: true })
    return realpath(place)
  })
}

/**
 * Returns what the file system says of the written file. An error of the body is thrown as it is.
 * @throws AlreadyExists OBJECT_EXISTS; BadInput KEY_UNSUPPORTED; StoreFailure WRITE_FAILED, ACCESS_DENIED
 */
export async function writeFileWhole(
  target: WriteTarget,
  body: WriteBody,
  options: { onlyIfAbsent: boolean },
): Promise<BigIntStats> {
  const { root, path } = target
  const part = join(dirname(path), `${partPrefix}${randomUUID()}`)
  const file = await onWriting(path, async () => {
    await makeParents(root, path)
    return open(part, 'wx')
  })
  try {
    const found = await fill(file, path, body)
    await onWriting(path, async () => {
      await clearTarget(root, path, part)
      if (options.onlyIfAbsent) await placeNew(part, path)
      else {
        await rename(part, path)
        await syncFolder(dirname(path))
      }
    })
    return found
  } finally {
    await rm(part, { force: true }).catch(() => undefined)
  }
}

async function fill(file: FileHandle, path: string, body: WriteBody): Promise<BigIntStats> {
  try {
    for await (const piece of piecesOf(body)) {
      await onWriting(path, () => file.writeFile(piece))
    }
    return await onWriting(path, async () => {
      await file.sync()
      return file.stat({ bigint: true })
    })
  } finally {
    await file.close()
  }
}

/** Gives a whole file its name, unless something has that name. Its old name may stay. @throws AlreadyExists OBJECT_EXISTS */
export async function placeNew(part: string, path: string): Promise<void> {
  try {
    await link(part, path)
  } catch (error) {
    if (hasCode(error, 'EEXIST')) throw exists(path)
    if (!hasCode(error, 'EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EINVAL', 'EMLINK')) throw error
    await placeUnderLock(part, path)
  }
  await syncFolder(dirname(path))
}

async function placeUnderLock(part: string, path: string): Promise<void> {
  const name = createHash('sha256').update(basename(path)).digest('hex')
  const lock = join(dirname(path), `${partPrefix}lock-${name}`)
  await takeLock(lock, path)
  try {
    if (await lstat(path).catch(() => undefined)) throw exists(path)
    await rename(part, path)
  } finally {
    await rmdir(lock)
  }
}

async function takeLock(lock: string, path: string): Promise<void> {
  for (let tried = 1; ; tried++) {
    try {
      return await mkdir(lock)
    } catch (error) {
      if (!hasCode(error, 'EEXIST')) throw error
      if (tried === lockTries) {
        const remedy = `If no other celldrop is running, remove the folder ${lock}`
        throw new StoreFailure('WRITE_FAILED', path, 'another program is writing this file', remedy)
      }
      await wait(lockWaitMs)
    }
  }
}

/** The new name itself must outlive a power cut. Some systems cannot flush a folder; the rename then is as durable as theirs are. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder).catch(() => undefined)
  await handle?.sync().catch(() => undefined)
  await handle?.close()
}
