/**
 * A zarr store of format 2 or 3 as a tree: a folder, a zip, or keys of an object store.
 *
 * Every node's own document is read; the consolidated copies of them are not, because they go stale when a store is changed
 * and all of these stores can be listed. Not read through zarrita: it sets no bound on what a chunk unpacks to, leaves
 * checksums unchecked, and resolves keys as URLs, which loses columns named `50%` or `a#b`.
 */
import { stat } from 'node:fs/promises'
import { BadInput, isCoded, StoreFailure } from '../job/errors.ts'
import { checkKey, printable } from '../job/object-key.ts'
import { openStore } from '../job/open-store.ts'
import type { ObjectStore } from '../job/store.ts'
import { openFileSource } from './file-source.ts'
import type { ByteSource } from './source.ts'
import type { ArrayNode, GroupNode, Tree } from './tree.ts'
import { ChunkReader } from './zarr-chunks.ts'
import { isKnownCodec } from './zarr-codecs.ts'
import { damaged, tooLarge, type ZarrLimits, zarrLimits } from './zarr-limits.ts'
import type { ZarrArray } from './zarr-metadata.ts'
import { findNode, type ZarrFormat } from './zarr-nodes.ts'
import { readArray } from './zarr-read.ts'
import { type KeyStore, openFolderKeys, openObjectKeys } from './zarr-store.ts'
import { openZipKeys } from './zarr-zip.ts'

/** A folder or a zip by its path, `s3://bucket/prefix`, an opened zip, or keys below a prefix. */
export type ZarrLocation = string | ByteSource | { store: ObjectStore; prefix: string }

/** @throws BadInput ZARR_MISSING when there is no zarr store, and what is wrong with a zip or with names in it */
export async function openZarrTree(
  location: ZarrLocation,
  options: { limits?: Partial<ZarrLimits> } = {},
): Promise<Tree> {
  const limits = { ...zarrLimits, ...options.limits }
  const store = await openKeys(location, limits)
  const root = ['zarr.json', '.zgroup', '.zarray']
  const documents = await Promise.all(root.map((name) => store.size(name)))
  const found = documents.findIndex((size) => size !== undefined)
  if (found < 0) {
    await store.close()
    const problem = 'there is no zarr store: no zarr.json, .zgroup or .zarray'
    throw new BadInput('ZARR_MISSING', store.place, problem, 'Give the folder or the zip that anndata wrote')
  }
  return treeOf(store, { format: found === 0 ? 3 : 2, limits })
}

async function openKeys(location: ZarrLocation, limits: ZarrLimits): Promise<KeyStore> {
  if (typeof location !== 'string') {
    return 'store' in location ? openObjectKeys(location, limits) : closing(location, limits)
  }
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(location)) {
    return openObjectKeys({ store: await openStore(location), prefix: '' }, limits)
  }
  const facts = await stat(location).catch(() => undefined)
  return facts?.isDirectory()
    ? openFolderKeys(location, limits)
    : closing(await openFileSource(location), limits)
}

/** A zip that cannot be opened does not stay open. */
async function closing(source: ByteSource, limits: ZarrLimits): Promise<KeyStore> {
  try {
    return await openZipKeys(source, limits)
  } catch (error) {
    await source.close()
    throw error
  }
}

function treeOf(store: KeyStore, { format, limits }: { format: ZarrFormat; limits: ZarrLimits }): Tree {
  const chunks = new ChunkReader(store, limits)
  const nodes = new Map<string, Promise<GroupNode | ZarrArray | undefined>>()
  const find = (path: string): Promise<GroupNode | ZarrArray | undefined> => {
    const known = nodes.get(path) ?? findNode(store, { key: keyOf(store, path, limits), format, limits })
    if (nodes.size < limits.objects) nodes.set(path, known)
    return known
  }
  return {
    place: store.place,
    format: 'zarr',
    async node(path) {
      const node = await guarded(store, path, () => find(path))
      return node === undefined || 'kind' in node ? node : describe(node)
    },
    async read(path, range) {
      const node = await guarded(store, path, () => find(path))
      if (node === undefined || 'kind' in node) {
        const problem = node === undefined ? 'there is nothing here' : 'this is a group, not an array'
        throw new BadInput(
          'ZARR_MISSING',
          `${store.place}${path}`,
          problem,
          'Write the store again with a current anndata',
        )
      }
      return guarded(store, path, () => readArray(node, range, { chunks, limits }))
    },
    close: () => store.close(),
  }
}

/** Nothing leaves the reader but errors that name the place: what a library or the system threw becomes the cause. */
async function guarded<Value>(store: KeyStore, path: string, read: () => Promise<Value>): Promise<Value> {
  try {
    return await read()
  } catch (error) {
    if (isCoded(error)) throw error
    const place = `${store.place}${printable(path)}`
    if (!(error instanceof Error && 'syscall' in error)) throw damaged(place, 'it cannot be read', error)
    throw new StoreFailure('READ_FAILED', place, error.message, 'Run again', { cause: error })
  }
}

/** '/obs/index' as the key 'obs/index'. @throws BadInput KEY_UNSUPPORTED, ZARR_TOO_LARGE when it is too deep */
function keyOf(store: KeyStore, path: string, limits: ZarrLimits): string {
  const key = path.replace(/^\//, '')
  if (key === '') return ''
  checkKey(store.place, key)
  if (key.split('/').length > limits.depth)
    throw tooLarge(`${store.place}/${key}`, `a path of more than ${limits.depth} names`)
  return key
}

function describe(array: ZarrArray): ArrayNode {
  const { path, attributes, type, shape, chunks, codecs } = array
  const unknown = codecs.find(({ name }) => !isKnownCodec(name))
  return {
    kind: 'array',
    path: `/${path}`,
    attributes,
    element:
      unknown === undefined ? type.element : { kind: 'unsupported', what: `the codec ${unknown.name}` },
    shape,
    chunks,
    filters: codecs.map(({ name }) => name),
  }
}
