/**
 * Opens whatever file of cells a place holds, telling formats apart by content and never by name alone: HDF5 (AnnData or 10x),
 * a zarr folder or zip, a folder of MTX files. Places are local paths, `s3://bucket/key`, `gs://bucket/key` or `https://` addresses.
 */
import { randomUUID } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Cache, cachedCopy, cacheOf } from '../job/content-cache.ts'
import { atPlace, BadInput, isCoded } from '../job/errors.ts'
import { type OpenedObject, openObject } from '../job/open-store.ts'
import type { ObjectStore, Pin } from '../job/store.ts'
import { identityNotice } from '../job/web-identity.ts'
import { muData, openAnnData } from './anndata/file.ts'
import type { CellFile } from './cells.ts'
import { meteredSource, openFileSource, openStoreSource } from './file-source.ts'
import { localFolder, storeFolder } from './folder.ts'
import { type Hdf5Options, openHdf5Tree } from './hdf5/hdf5-tree.ts'
import type { ByteSource } from './source.ts'
import { openTenxFolder } from './tenx-folder.ts'
import { isTenxHdf5, openTenxHdf5, type TenxOptions } from './tenx-hdf5.ts'
import type { Tree } from './tree.ts'
import { openZarrTree } from './zarr-tree.ts'

export interface OpenOptions extends TenxOptions {
  hdf5?: Hdf5Options
  /** what looking at one file may cost, where a small service does it; READ_BUDGET beyond. Then local files are read by ranges too */
  budget?: { requests: number; bytes: number }
  /** of an object of a store: the content that was meant, where it was pinned before */
  pinned?: Pin & { size: number }
  /** which sample of a folder of MTX files with several: what stands before matrix.mtx */
  sample?: string
}

/** @throws BadInput FILE_MISSING, FORMAT_UNKNOWN, and what the format's reader refuses */
export async function openCells(location: string, options: OpenOptions = {}): Promise<CellFile> {
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(location)) return openRemote(location, options)
  const facts = await stat(location).catch(() => undefined)
  if (facts?.isDirectory()) {
    const folder = localFolder(location)
    return isZarrFolder(await folder.list())
      ? openTree(await openZarrTree(location), options)
      : openTenxFolder(folder, options)
  }
  return openSource(await openFileSource(location), { ...options, hdf5: { audit: true, ...options.hdf5 } })
}

/** A location is named by the person at this machine, who may read whatever it can reach. */
async function openRemote(location: string, options: OpenOptions): Promise<CellFile> {
  const environment = { ...process.env, CELLDROP_LOCAL_FILES: '1' }
  const opened = await openObject(location, { environment })
  try {
    return await openStored(opened.store, opened.key, options)
  } catch (error) {
    if (!isCoded(error) || error.code !== 'RANGES_UNSUPPORTED') throw error
    return openCopied(opened, { ...options, cache: cacheOf(environment) })
  }
}

/** Of a server that gives files only whole: all of it comes first, and stays for the next time where there is a cache. */
async function openCopied(
  { store, key, access }: OpenedObject,
  { cache, ...options }: OpenOptions & { cache: Cache | undefined },
): Promise<CellFile> {
  const place = `${store.place}/${key}`
  const found = await store.head(key)
  if (found === undefined) throw missing(place)
  const uncached = join(tmpdir(), `celldrop-${randomUUID()}`)
  const copy = await cachedCopy({ ...found, store, ...(access && { access }) }, { cache, uncached })
  try {
    const file = await openCells(copy.path, options)
    const close = () => file.close().finally(copy.release)
    const weak = identityNotice(found.etag, place) ?? []
    return { ...file, place, notices: [...copy.notices, ...file.notices].concat(weak), close }
  } catch (error) {
    await copy.release()
    throw isCoded(error) ? atPlace(error, place) : error
  }
}

function missing(place: string): BadInput {
  return new BadInput('FILE_MISSING', place, 'there is no such file', 'Check the address')
}

/**
 * The same for an object of a store, read by ranges and never downloaded: one file's key, or the prefix of a zarr or MTX folder.
 * @throws BadInput as openCells; StoreFailure OBJECT_CHANGED when it is overwritten while it is read
 */
export async function openStored(
  store: ObjectStore,
  key: string,
  options: OpenOptions = {},
): Promise<CellFile> {
  if (options.pinned !== undefined || (await store.head(key)) !== undefined)
    return openSource(await openStoreSource(store, key, options.pinned), options)
  if (store.unlisted) throw missing(`${store.place}/${key}`)
  const folder = storeFolder(store, key)
  const names = await folder.list()
  if (names.length === 0)
    throw new BadInput('FILE_MISSING', folder.place, 'there is no such object', 'Check bucket and key')
  return isZarrFolder(names)
    ? openTree(await openZarrTree({ store, prefix: key }), options)
    : openTenxFolder(folder, options)
}

function isZarrFolder(names: readonly string[]): boolean {
  return names.some((name) => ['.zgroup', '.zattrs', '.zmetadata', 'zarr.json'].includes(name))
}

async function openSource(opened: ByteSource, options: OpenOptions): Promise<CellFile> {
  const source = options.budget === undefined ? opened : meteredSource(opened, options.budget)
  const head = await source.read(0, Math.min(source.size, 64)).catch(async (error: unknown) => {
    await source.close()
    throw error
  })
  if (startsWith(head, [0x50, 0x4b])) return openTree(await openZarrTree(source), options)
  if (!startsWith(head, [0x89, 0x48, 0x44, 0x46])) {
    await source.close()
    throw unknownFormat(source.place, head)
  }
  return openTree(await openHdf5Tree(source, options.hdf5), options)
}

async function openTree(tree: Tree, options: OpenOptions): Promise<CellFile> {
  try {
    const isTenx = tree.format === 'hdf5' && (await isTenxHdf5(tree))
    return isTenx ? await openTenxHdf5(tree, options) : await openAnnData(tree)
  } catch (error) {
    await tree.close()
    throw error
  }
}

function startsWith(bytes: Uint8Array, wanted: number[]): boolean {
  return wanted.every((byte, i) => bytes[i] === byte)
}

function unknownFormat(place: string, head: Uint8Array): BadInput {
  const text = new TextDecoder('latin1').decode(head)
  if (text.startsWith('version https://git-lfs')) {
    const problem = 'this is a git-LFS pointer, not the file it stands for'
    return new BadInput('FORMAT_UNKNOWN', place, problem, 'Fetch the content with `git lfs pull`')
  }
  // MuData puts a text of its own in front of the HDF5
  if (text.startsWith('MuData')) return muData(place)
  if (head.length === 0)
    return new BadInput('FORMAT_UNKNOWN', place, 'the file is empty', 'Copy or download it again')
  if (/^\s*<(!doctype|html|\?xml)/i.test(text)) {
    const problem = 'this is a web page or another answer of a server, not the file'
    return new BadInput(
      'FORMAT_UNKNOWN',
      place,
      problem,
      'Give the address that the download itself comes from',
    )
  }
  const problem = startsWith(head, [0x1f, 0x8b]) ? 'this is a gzip file' : 'it starts like no format of cells'
  return new BadInput(
    'FORMAT_UNKNOWN',
    place,
    problem,
    'Give an AnnData file (.h5ad or .zarr), a 10x .h5 or a folder with matrix.mtx, barcodes and features',
  )
}
