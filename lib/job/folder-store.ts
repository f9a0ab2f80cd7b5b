/**
 * The object store over a folder: each key is the file of that path (folder-path.ts), written whole or not at all (folder-write.ts).
 *
 * Trap: etags. Users drop files themselves, so a hash kept aside would go stale and hashing 50 GB on every look is out; as rsync
 * and make do, content is known by inode, size and time of change. Every write here makes a new inode, and a program that rewrites
 * a file in place moves its time; the descriptor being read is looked at before and after each read. What escapes: changes of equal
 * size within one tick of a file system's clock (4 ms on Linux before 6.13, 2 s on FAT).
 */
import { type BigIntStats, constants } from 'node:fs'
import { type FileHandle, lstat, open, readdir, realpath, stat, unlink } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { Readable } from 'node:stream'
import { BadInput } from './errors.ts'
import { changed, ignoreMissing, missing, onReading, tooLarge } from './folder-errors.ts'
import { existsAsNamed, keyPath, partPrefix } from './folder-path.ts'
import { makeRoot, writeFileWhole } from './folder-write.ts'
import { checkRange } from './object-key.ts'
import type { ObjectInfo, ObjectStore, Pin } from './store.ts'
import { takingCharge } from './write-body.ts'

const streamBytes = 1 << 20

/**
 * A folder need not exist yet: it reads as empty and the first write makes it. Symbolic links inside it are refused, not followed;
 * `contentType` is not kept.
 * @throws BadInput NOT_A_FOLDER
 */
export async function openFolderStore(folder: string): Promise<ObjectStore> {
  const place = resolve(folder)
  const found = await onReading(place, () => stat(place).catch(ignoreMissing))
  if (found && !found.isDirectory()) {
    throw new BadInput('NOT_A_FOLDER', place, 'this is not a folder', 'Name a folder, or s3://bucket/prefix')
  }
  const pathOf = async (key: string) => keyPath(await realRoot(place), key)
  return {
    place,
    async head(key) {
      const path = await pathOf(key)
      return onReading(path, async () => ((await existsAsNamed(path)) ? lookAt(path, key) : undefined))
    },
    async readRange(key, range, pin) {
      checkRange(range)
      return readPinned(await pathOf(key), pin, (size) => ({
        offset: range.offset,
        length: Math.max(0, Math.min(range.length, size - range.offset)),
      }))
    },
    async read(key, { maxBytes, pin }) {
      const path = await pathOf(key)
      return readPinned(path, pin, (size) => {
        if (size > maxBytes) throw tooLarge(path, size, maxBytes)
        return { offset: 0, length: size }
      })
    },
    async openRead(key, pin) {
      const path = await pathOf(key)
      return streamFile(path, await onReading(path, () => openPinned(path, pin)))
    },
    write: (key, body, options) =>
      takingCharge(body, async () => {
        keyPath(place, key)
        const root = await makeRoot(place)
        const target = { root, path: keyPath(root, key) }
        const onlyIfAbsent = options?.onlyIfAbsent ?? false
        return describe(key, await writeFileWhole(target, body, { onlyIfAbsent }))
      }),
    list: (prefix) => listFolder(place, prefix),
    async remove(key) {
      const path = await pathOf(key)
      await onReading(path, async () => {
        if ((await existsAsNamed(path)) && (await lookAt(path, key))) await unlink(path).catch(ignoreMissing)
      })
    },
  }
}

/** Links above and at the folder are the user's own; below it every path must be its own real path. */
async function realRoot(place: string): Promise<string> {
  return onReading(place, async () => (await realpath(place).catch(ignoreMissing)) ?? place)
}

async function lookAt(path: string, key: string): Promise<ObjectInfo | undefined> {
  const found = await lstat(path, { bigint: true }).catch(ignoreMissing)
  return found?.isFile() ? describe(key, found) : undefined
}

function describe(key: string, found: BigIntStats): ObjectInfo {
  return { key, size: Number(found.size), etag: etagOf(found), modified: Number(found.mtimeMs) }
}

function etagOf(found: BigIntStats): string {
  return [found.ino, found.size, found.mtimeNs].map((value) => value.toString(16)).join('-')
}

interface PinnedFile {
  file: FileHandle
  size: number
  etag: string
}

/** O_NOFOLLOW: the name may have become a link since it was checked. O_NONBLOCK: a pipe of that name must not hang the open. */
async function openPinned(path: string, pin: Pin | undefined): Promise<PinnedFile> {
  const flags = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0)
  const file = (await existsAsNamed(path)) ? await open(path, flags).catch(ignoreMissing) : undefined
  if (!file) throw missing(path)
  try {
    const found = await file.stat({ bigint: true })
    if (!found.isFile()) throw missing(path)
    const etag = etagOf(found)
    if (pin && pin.etag !== etag) throw changed(path)
    return { file, size: Number(found.size), etag }
  } catch (error) {
    await file.close()
    throw error
  }
}

async function readPinned(
  path: string,
  pin: Pin | undefined,
  choose: (size: number) => { offset: number; length: number },
): Promise<Uint8Array> {
  return onReading(path, async () => {
    const { file, size, etag } = await openPinned(path, pin)
    try {
      const { offset, length } = choose(size)
      const bytes = new Uint8Array(length)
      for (let filled = 0; filled < length; ) {
        const { bytesRead } = await file.read(bytes, filled, length - filled, offset + filled)
        if (bytesRead === 0) throw changed(path)
        filled += bytesRead
      }
      await checkUnchanged(path, file, etag)
      return bytes
    } finally {
      await file.close()
    }
  })
}

async function checkUnchanged(path: string, file: FileHandle, etag: string): Promise<void> {
  if (etagOf(await file.stat({ bigint: true })) !== etag) throw changed(path)
}

/** Not `createReadStream`: the look at the end must come before the reader is told that the end has come. */
function streamFile(path: string, { file, size, etag }: PinnedFile): Readable {
  let offset = 0
  const next = async (): Promise<Uint8Array | null> => {
    if (offset === size) {
      await checkUnchanged(path, file, etag)
      return null
    }
    const bytes = new Uint8Array(Math.min(streamBytes, size - offset))
    const { bytesRead } = await file.read(bytes, 0, bytes.length, offset)
    if (bytesRead === 0) throw changed(path)
    offset += bytesRead
    return bytes.subarray(0, bytesRead)
  }
  return new Readable({
    highWaterMark: streamBytes,
    read() {
      onReading(path, next).then(
        (bytes) => this.push(bytes),
        (error) => this.destroy(error),
      )
    },
    destroy(error, done) {
      file.close().then(
        () => done(error),
        (failed) => done(error ?? failed),
      )
    },
  })
}

async function* listFolder(place: string, prefix: string): AsyncGenerator<ObjectInfo> {
  const start = prefix.slice(0, prefix.lastIndexOf('/') + 1)
  if (start !== '') {
    // the folder that the prefix names obeys the rules for keys: `list('../')` must not leave
    const path = keyPath(await realRoot(place), start.slice(0, -1))
    if (!(await onReading(path, () => existsAsNamed(path)))) return
  }
  yield* listBelow(await realRoot(place), start, prefix)
}

async function* listBelow(root: string, folder: string, prefix: string): AsyncGenerator<ObjectInfo> {
  const path = join(root, folder)
  const entries = await onReading(path, () => readdir(path, { withFileTypes: true }).catch(ignoreMissing))
  const keys = (entries ?? [])
    .filter((entry) => !entry.name.startsWith(partPrefix) && (entry.isFile() || entry.isDirectory()))
    .map((entry) => folder + entry.name + (entry.isDirectory() ? '/' : ''))
    .filter((key) => key.startsWith(prefix) || (key.endsWith('/') && prefix.startsWith(key)))
    .map((key) => ({ key, bytes: Buffer.from(key) }))
    .sort((a, b) => a.bytes.compare(b.bytes))
  for (const { key } of keys) {
    if (key.endsWith('/')) yield* listBelow(root, key, prefix)
    else {
      const found = await onReading(path, () => lookAt(join(root, key), key))
      if (found) yield found
    }
  }
}
