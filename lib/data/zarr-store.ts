/**
 * Where the objects of a zarr store lie: a folder, or keys below a prefix of an object store (a zip is in zarr-zip.ts).
 * Keys are `/`-separated and never leave the store: a symbolic link in a folder may only lead to a place within it.
 */
import { open, readdir, realpath, stat } from 'node:fs/promises'
import { join, resolve, sep } from 'node:path'
import { BadInput, StoreFailure } from '../job/errors.ts'
import { checkKey } from '../job/object-key.ts'
import type { ObjectInfo, ObjectStore } from '../job/store.ts'
import { remember } from './folder.ts'
import { tooLarge, type ZarrLimits } from './zarr-limits.ts'

export interface KeyStore {
  readonly place: string
  /** bytes; undefined when there is no such object */
  size(key: string): Promise<number | undefined>
  /** Exactly these bytes. @throws StoreFailure when they are not there any more */
  read(key: string, range: { offset: number; length: number }): Promise<Uint8Array>
  /** Names right below a path ('' is the root) that have one of these documents, in order. */
  nodes(path: string, documents: readonly string[]): Promise<string[]>
  close(): Promise<void>
}

export function openFolderKeys(path: string, limits: ZarrLimits): KeyStore {
  const root = remember(() => realpath(resolve(path)))
  const fileAt = async (key: string): Promise<string | undefined> => {
    const file = await realpath(join(await root(), ...key.split('/'))).catch(ignoreMissing)
    if (file !== undefined && !isWithin(await root(), file)) throw linkRefused(join(path, key))
    return file
  }
  const size = async (key: string): Promise<number | undefined> => {
    const file = await fileAt(key)
    const facts = file === undefined ? undefined : await stat(file)
    return facts?.isFile() ? facts.size : undefined
  }
  return {
    place: path,
    size,
    async read(key, { offset, length }) {
      const place = join(path, key)
      const handle = await open((await fileAt(key)) ?? place, 'r')
      try {
        const bytes = new Uint8Array(length)
        for (let done = 0; done < length; ) {
          const { bytesRead } = await handle.read(bytes, done, length - done, offset + done)
          if (bytesRead === 0)
            throw new StoreFailure('OBJECT_CHANGED', place, 'it became shorter', 'Run again')
          done += bytesRead
        }
        return bytes
      } finally {
        await handle.close()
      }
    },
    async nodes(parent, documents) {
      const folder = await fileAt(parent)
      const names = folder === undefined ? [] : await readdir(folder)
      if (names.length > limits.objects) throw tooMany(join(path, parent), limits)
      const found: string[] = []
      for (const name of names.sort()) {
        for (const document of documents) {
          if ((await size(below(below(parent, name), document))) === undefined) continue
          found.push(name)
          break
        }
      }
      return found
    },
    close: async () => {},
  }
}

function isWithin(root: string, path: string): boolean {
  return path === root || path.startsWith(root.endsWith(sep) ? root : root + sep)
}

function ignoreMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined
  throw error
}

function linkRefused(place: string): BadInput {
  return new BadInput(
    'ZARR_LINK',
    place,
    'a symbolic link leads out of the store',
    'Copy the file it points to into the store',
  )
}

/** All keys below the prefix are listed once; each is pinned to what was there then. */
export async function openObjectKeys(
  { store, prefix }: { store: ObjectStore; prefix: string },
  limits: ZarrLimits,
): Promise<KeyStore> {
  const start = prefix === '' || prefix.endsWith('/') ? prefix : `${prefix}/`
  const place = `${store.place.replace(/\/$/, '')}/${start}`.replace(/\/$/, '')
  const objects = new Map<string, ObjectInfo>()
  for await (const info of store.list(start)) {
    if (objects.size === limits.objects) throw tooMany(place, limits)
    objects.set(info.key.slice(start.length), info)
  }
  return {
    place,
    size: async (key) => objects.get(key)?.size,
    async read(key, range) {
      const info = objects.get(key)
      const bytes = info === undefined ? undefined : await store.readRange(info.key, range, info)
      if (bytes?.length === range.length) return bytes
      throw new StoreFailure(
        'READ_FAILED',
        `${place}/${key}`,
        `not all of ${range.length} bytes came`,
        'Run again',
      )
    },
    nodes: nodesAmong(objects.keys(), place),
    close: async () => {},
  }
}

/** Which nodes a list of keys holds. @throws BadInput KEY_UNSUPPORTED */
export function nodesAmong(keys: Iterable<string>, place: string): KeyStore['nodes'] {
  const documents = new Map<string, Map<string, string[]>>()
  for (const key of keys) {
    if (key === '' || key.endsWith('/')) continue
    checkKey(place, key)
    const parts = key.split('/')
    const [document, name] = [parts.pop(), parts.pop()]
    if (document === undefined || name === undefined || !isDocument(document)) continue
    const parent = parts.join('/')
    const names = documents.get(parent) ?? new Map<string, string[]>()
    names.set(name, [...(names.get(name) ?? []), document])
    documents.set(parent, names)
  }
  return async (path, wanted) =>
    [...(documents.get(path) ?? [])]
      .filter(([, found]) => found.some((document) => wanted.includes(document)))
      .map(([name]) => name)
      .sort()
}

function isDocument(name: string): boolean {
  return name === '.zarray' || name === '.zgroup' || name === 'zarr.json'
}

export function below(path: string, name: string): string {
  return path === '' ? name : `${path}/${name}`
}

export function tooMany(place: string, limits: ZarrLimits): BadInput {
  return tooLarge(place, `it holds more than ${limits.objects} objects`)
}
