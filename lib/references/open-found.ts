/**
 * A found file, opened as cells: by ranges where its server has them, so that a look at its labels costs no download; else from a copy,
 * which a laptop keeps and any other machine drops when it is closed.
 */
import { randomUUID } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { CellFile } from '../data/cells.ts'
import { openCells, openStored } from '../data/open-cells.ts'
import { type Cache, cachedCopy, cacheOf } from '../job/content-cache.ts'
import { atPlace, BadInput, type ErrorReport, isCoded } from '../job/errors.ts'
import type { Environment } from '../job/stores.ts'
import type { FoundFile } from './found-file.ts'

export interface OpenFoundOptions {
  /** CELLDROP_CACHE, CELLDROP_LOCAL_FILES; no copy is kept where it is absent */
  environment?: Environment | undefined
  /** a folder for copies; the system's when absent */
  scratch?: string | undefined
  signal?: AbortSignal | undefined
}

/** The caller closes it. @throws what opening throws; OBJECT_CHANGED where it is no longer what was found */
export async function openFound(found: FoundFile, options: OpenFoundOptions): Promise<CellFile> {
  const { store, pin } = found
  try {
    return await openStored(store, pin.key, { pinned: pin })
  } catch (error) {
    if (!isCoded(error) || error.code !== 'RANGES_UNSUPPORTED') throw error
    return openCopy(found, { ...options, cache: cacheOf(options.environment ?? {}) })
  }
}

/**
 * For whoever reads most of a remote file: one download costs less than its parts, of which each begins with a look at where it lies.
 * The copy goes when it is closed, and nothing else is kept of it. By ranges all the same where there is no room for it.
 */
export async function openMostly(found: FoundFile, options: OpenFoundOptions): Promise<CellFile> {
  if (!/^(?:s3|gs|https?):\/\//.test(found.store.place)) return openFound(found, options)
  return openCopy(found, { ...options, cache: undefined }).catch((error: unknown) => {
    if (isCoded(error) && error.code === 'WRITE_FAILED') return openFound(found, options)
    throw error
  })
}

/** Opens it, and closes it whatever comes of it. */
export async function withFound<Value>(
  found: FoundFile,
  options: OpenFoundOptions,
  act: (cells: CellFile) => Promise<Value>,
): Promise<Value> {
  const cells = await openFound(found, options)
  try {
    return await act(cells)
  } finally {
    await cells.close()
  }
}

async function openCopy(
  { store, pin, md5 }: FoundFile,
  { cache, scratch = tmpdir(), signal }: OpenFoundOptions & { cache: Cache | undefined },
): Promise<CellFile> {
  const place = `${store.place}/${pin.key}`
  const copy = await cachedCopy(
    { ...pin, store, ...(md5 !== undefined && { md5 }) },
    {
      cache,
      uncached: join(scratch, `celldrop-${randomUUID()}`),
      ...(signal && { signal }),
    },
  )
  try {
    const cells = await openCells(copy.path)
    const close = () => cells.close().finally(copy.release)
    return { ...cells, place, notices: [...copy.notices, ...cells.notices], close }
  } catch (error) {
    await copy.release()
    throw isCoded(error) ? atPlace(error, place) : error
  }
}

/** A file that can be passed over where there are others: what is wrong is wrong with it, not with the network. */
export function leftOutFile(error: unknown, name: string): ErrorReport {
  if (!(error instanceof BadInput)) throw error
  const problem = `it was left out: ${error.problem}`
  return { code: 'SOURCE_FILE_LEFT_OUT', place: name, problem, remedy: error.remedy }
}
