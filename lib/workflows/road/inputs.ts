/**
 * Pinned inputs, opened. Lambdas look at them by ranges; a Batch step that goes through all of a file has it on its own disk first.
 */
import { createWriteStream } from 'node:fs'
import { mkdir, symlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import type { CellFile } from '../../data/cells.ts'
import { type OpenOptions, openStored } from '../../data/open-cells.ts'
import { hashOf } from '../../job/canonical.ts'
import { cachedCopy, cacheOf } from '../../job/content-cache.ts'
import { type ErrorReport, StoreFailure } from '../../job/errors.ts'
import type { InputPin } from '../../job/road.ts'
import type { ObjectStore } from '../../job/store.ts'
import { type Stores, storeOf } from '../../job/stores.ts'
import { copyOf } from './input-copies.ts'

/** By ranges, nothing is downloaded. @throws as openStored; StoreFailure OBJECT_CHANGED */
export async function openInput(pin: InputPin, stores: Stores, options: OpenOptions = {}): Promise<CellFile> {
  const store = await storeOf(pin, stores)
  if (pin.folder) {
    await checkFolder(pin, store)
    return openStored(store, pin.key, options)
  }
  return openStored(store, pin.key, { ...options, pinned: pin })
}

export interface LocalInput {
  path: string
  /** when everything has been read: a file that a user changed meanwhile is an error, never half of each */
  check(): Promise<void>
  /** what the copy came with */
  notices: ErrorReport[]
  /** the path means nothing afterwards */
  release(): Promise<void>
}

/**
 * A path on this machine with the input's content: where it lies in a folder, that file itself, else a copy, which a laptop keeps for the
 * next job. It is at the same place in `scratch` either way, so that messages can tell of the input instead.
 */
export async function localInput(
  pin: InputPin,
  { stores, scratch }: { stores: Stores; scratch: string },
): Promise<LocalInput> {
  const store = await storeOf(pin, stores)
  const check = () => (pin.folder ? checkFolder(pin, store) : checkObject(pin, store))
  await check()
  const nothing = { notices: [], release: async () => {} }
  if (!/^(?:s3|gs|https?):\/\//.test(store.place))
    return { path: join(store.place, pin.key), check, ...nothing }
  const path = copyOf(pin, scratch)
  const copied = { path, check: async () => {} }
  if (pin.folder) {
    for await (const object of store.list(`${pin.key}/`))
      await copyObject(store, object, join(path, object.key.slice(pin.key.length + 1)))
    return { ...copied, ...nothing }
  }
  await mkdir(dirname(path), { recursive: true })
  const cache = cacheOf(stores.environment ?? {})
  const copy = await cachedCopy({ ...pin, store }, { cache, uncached: path })
  if (copy.path !== path) await symlink(copy.path, path)
  return { ...copied, notices: copy.notices, release: () => copy.release() }
}

async function copyObject(
  store: ObjectStore,
  object: { key: string; etag: string },
  path: string,
): Promise<void> {
  // first: a key that leads out of the folder is refused here
  const content = await store.openRead(object.key, object)
  await mkdir(dirname(path), { recursive: true })
  await pipeline(content, createWriteStream(path))
}

async function checkObject(pin: InputPin, store: ObjectStore): Promise<void> {
  const now = await store.head(pin.key)
  if (pin.versionId === undefined && now?.etag !== pin.etag) throw changed(pin, store)
}

async function checkFolder(pin: InputPin, store: ObjectStore): Promise<void> {
  const content: [string, string][] = []
  for await (const object of store.list(`${pin.key}/`)) content.push([object.key, object.etag])
  if (hashOf(content) !== pin.etag) throw changed(pin, store)
}

function changed(pin: InputPin, store: ObjectStore): StoreFailure {
  const problem = 'the input was changed after the job began'
  return new StoreFailure(
    'OBJECT_CHANGED',
    `${store.place}/${pin.key}`,
    problem,
    'Run the job again when it is complete',
  )
}
