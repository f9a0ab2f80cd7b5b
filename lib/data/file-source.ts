/** Sources of bytes: a local file, an object of a store, and a meter that counts and bounds what is asked of either. */
import { open } from 'node:fs/promises'
import { resolve } from 'node:path'
import { BadInput, StoreFailure } from '../job/errors.ts'
import type { ObjectStore, Pin } from '../job/store.ts'
import type { ByteSource } from './source.ts'

/** @throws BadInput FILE_MISSING when there is no such file, FILE_UNREADABLE when it is no plain file or not allowed */
export async function openFileSource(path: string): Promise<ByteSource> {
  const handle = await open(resolve(path), 'r').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') throw missing(path)
    throw unreadable(path, `the system says ${error.code}`, error)
  })
  const facts = await handle.stat()
  if (!facts.isFile()) {
    await handle.close()
    throw unreadable(path, facts.isDirectory() ? 'this is a folder' : 'this is no plain file')
  }
  const readInto = async (target: Uint8Array, offset: number): Promise<void> => {
    let done = 0
    while (done < target.length) {
      const { bytesRead } = await handle.read(target, done, target.length - done, offset + done)
      if (bytesRead === 0)
        throw new StoreFailure(
          'OBJECT_CHANGED',
          path,
          'it became shorter while it was read',
          'Run again when it is written to the end',
        )
      done += bytesRead
    }
  }
  return {
    place: path,
    size: facts.size,
    descriptor: handle.fd,
    readInto,
    async read(offset, length) {
      const bytes = new Uint8Array(length)
      await readInto(bytes, offset)
      return bytes
    },
    close: () => handle.close(),
  }
}

function missing(path: string): BadInput {
  return new BadInput('FILE_MISSING', path, 'there is no such file', 'Check the path')
}

function unreadable(path: string, problem: string, cause?: unknown): BadInput {
  return new BadInput('FILE_UNREADABLE', path, problem, 'Give the path of a file that you may read', {
    cause,
  })
}

/**
 * The object's content as it is now, or as it was pinned before; if it is overwritten later, reads fail.
 * @throws BadInput FILE_MISSING
 */
export async function openStoreSource(
  store: ObjectStore,
  key: string,
  pinned?: Pin & { size: number },
): Promise<ByteSource> {
  const info = pinned ?? (await store.head(key))
  const place = `${store.place.replace(/\/$/, '')}/${key}`
  if (info === undefined) throw missing(place)
  return {
    place,
    size: info.size,
    async read(offset, length) {
      const bytes = await store.readRange(key, { offset, length }, info)
      if (bytes.length !== length) {
        throw new StoreFailure('READ_FAILED', place, `${bytes.length} of ${length} bytes came`, 'Run again')
      }
      return bytes
    },
    close: async () => {},
  }
}

export interface Meter {
  requests: number
  bytes: number
}

/** Counts, and refuses to go on beyond the limits: a crafted index must not make a small service read for ever. */
export function meteredSource(
  source: ByteSource,
  limits: { requests: number; bytes: number },
): ByteSource & { readonly meter: Meter } {
  const meter: Meter = { requests: 0, bytes: 0 }
  return {
    place: source.place,
    size: source.size,
    meter,
    read(offset, length) {
      meter.requests++
      meter.bytes += length
      if (meter.requests > limits.requests || meter.bytes > limits.bytes) {
        throw new BadInput(
          'READ_BUDGET',
          source.place,
          `looking at it took more than ${limits.requests} requests or ${limits.bytes} bytes`,
          'Its tables are scattered or very large: write it again with `adata.write_h5ad`, or run it where it can be read whole',
        )
      }
      return source.read(offset, length)
    },
    close: () => source.close(),
  }
}
