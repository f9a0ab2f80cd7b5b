/**
 * A folder as the readers of several files see it: names and contents, on disk or below a key prefix of a store.
 * Contents are pinned when the folder is first listed: a file that is read twice is the same both times, or it is an error.
 */
import type { Stats } from 'node:fs'
import { open, readdir, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { Readable } from 'node:stream'
import { BadInput, StoreFailure } from '../job/errors.ts'
import type { ObjectInfo, ObjectStore } from '../job/store.ts'

export interface Folder {
  readonly place: string
  /** names of the files right in it, in order. @throws BadInput FOLDER_MISSING, FOLDER_TOO_MANY */
  list(): Promise<readonly string[]>
  /** where a file lies, for messages */
  placeOf(name: string): string
  /** The content of a listed file from its first byte. @throws StoreFailure OBJECT_CHANGED, OBJECT_MISSING, READ_FAILED */
  openRead(name: string): Promise<Readable>
}

const mostFiles = 10_000
/** of a store, whose listing goes through what lies deeper too */
const mostObjects = 400_000

export function localFolder(path: string): Folder {
  const files = remember(() => listLocal(path))
  return {
    place: path,
    list: async () => [...(await files()).keys()],
    placeOf: (name) => join(path, name),
    openRead: async (name) => openPinned(join(path, name), (await files()).get(name)),
  }
}

async function listLocal(path: string): Promise<Map<string, Stats>> {
  const names = await readdir(resolve(path)).catch((cause) => {
    const problem = 'there is no such folder, or it may not be read'
    throw new BadInput('FOLDER_MISSING', path, problem, 'Check the path', { cause })
  })
  if (names.length > mostFiles) throw tooMany(path)
  const files = new Map<string, Stats>()
  for (const name of names.sort()) {
    const facts = await stat(join(path, name)).catch(() => undefined)
    if (facts?.isFile()) files.set(name, facts)
  }
  return files
}

async function openPinned(path: string, pinned: Stats | undefined): Promise<Readable> {
  const handle = await open(path, 'r').catch((cause: NodeJS.ErrnoException) => {
    const problem = `the file could not be opened (${cause.code})`
    throw new StoreFailure('READ_FAILED', path, problem, 'Check that it is there and may be read', { cause })
  })
  const facts = await handle.stat()
  if (facts.size !== pinned?.size || facts.mtimeMs !== pinned.mtimeMs || facts.ino !== pinned.ino) {
    await handle.close()
    throw new StoreFailure('OBJECT_CHANGED', path, 'the file was changed while it was read', 'Run again')
  }
  return handle.createReadStream({ highWaterMark: 2 ** 18 })
}

/** The objects whose keys are `prefix`, a slash and a name. */
export function storeFolder(store: ObjectStore, prefix: string): Folder {
  const start = prefix === '' || prefix.endsWith('/') ? prefix : `${prefix}/`
  const place = `${store.place.replace(/\/$/, '')}/${start}`
  const files = remember(() => listStore(store, { start, place }))
  return {
    place,
    list: async () => [...(await files()).keys()],
    placeOf: (name) => `${place}${name}`,
    openRead: async (name) => store.openRead(`${start}${name}`, (await files()).get(name)),
  }
}

async function listStore(
  store: ObjectStore,
  { start, place }: { start: string; place: string },
): Promise<Map<string, ObjectInfo>> {
  const files = new Map<string, ObjectInfo>()
  let seen = 0
  for await (const info of store.list(start)) {
    const name = info.key.slice(start.length)
    if (name !== '' && !name.includes('/')) files.set(name, info)
    if (++seen > mostObjects || files.size > mostFiles) throw tooMany(place)
  }
  return files
}

/** Loads when first asked, and only then. */
export function remember<Value>(load: () => Promise<Value>): () => Promise<Value> {
  let loaded: Promise<Value> | undefined
  return () => {
    loaded ??= load()
    return loaded
  }
}

function tooMany(place: string): BadInput {
  const problem = 'there are too many files in it for one sample'
  return new BadInput('FOLDER_TOO_MANY', place, problem, 'Give the folder of one sample')
}
