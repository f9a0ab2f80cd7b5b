/**
 * The files of cells that lie in a place: a folder, `s3://bucket/prefix`, `gs://bucket/prefix`. What SpatialCore's discover tells of each.
 * Names are compared with a pattern of the shell (`*` and `?`), whose work grows with the name times the pattern and no faster.
 */
import { stat } from 'node:fs/promises'
import { BadInput } from '../job/errors.ts'
import { openStore } from '../job/open-store.ts'
import type { Environment } from '../job/stores.ts'

export interface DiscoverOptions {
  /** of names: `*` any characters, `?` one; '*.h5ad' unless told */
  pattern?: string
  /** also in the folders below; false unless told */
  recursive?: boolean
  /** CELLDROP_LOCAL_FILES, GOOGLE_APPLICATION_CREDENTIALS, STORAGE_EMULATOR_HOST */
  environment: Environment
  signal?: AbortSignal
}

export interface DiscoveredFile {
  /** opens it again: a path, s3://..., gs://... */
  path: string
  name: string
  bytes: number
  /** '1.2 GB' */
  size: string
  storage: 'local' | 's3' | 'gcs'
  /** ISO 8601 */
  modified: string
}

const longestPattern = 200

/** In the order of their paths. @throws BadInput FOLDER_MISSING, PATTERN, LOCATION_UNSUPPORTED, NOT_A_FOLDER; StoreFailure */
export async function discover(location: string, options: DiscoverOptions): Promise<DiscoveredFile[]> {
  const { pattern = '*.h5ad', recursive = false, environment, signal } = options
  if (pattern === '' || pattern.length > longestPattern || pattern.includes('/')) {
    const problem = `a pattern has 1 to ${longestPattern} characters, and no slash`
    throw new BadInput('PATTERN', 'pattern', problem, 'Write one such as *.h5ad')
  }
  const store = await openStore(location, { environment })
  const storage = storageOf(store.place)
  if (!store.unlisted && storage === 'local') await requireFolder(store.place)
  const found: DiscoveredFile[] = []
  for await (const { key, size, modified } of store.list('')) {
    signal?.throwIfAborted()
    const name = key.slice(key.lastIndexOf('/') + 1)
    if ((!recursive && name !== key) || !matchesPattern(name, pattern)) continue
    found.push({
      ...{ path: `${store.place.replace(/\/$/, '')}/${key}`, name, bytes: size, size: shownSize(size) },
      ...{ storage, modified: new Date(modified).toISOString() },
    })
  }
  return found
}

function storageOf(place: string): DiscoveredFile['storage'] {
  if (place.startsWith('gs://')) return 'gcs'
  return place.startsWith('s3://') ? 's3' : 'local'
}

async function requireFolder(place: string): Promise<void> {
  const facts = await stat(place).catch(() => undefined)
  if (facts === undefined)
    throw new BadInput('FOLDER_MISSING', place, 'there is no such folder', 'Check the path')
}

/** Greedy with one way back, to the last star: no pattern makes it slow. Case counts. */
export function matchesPattern(name: string, pattern: string): boolean {
  let [at, wanted] = [0, 0]
  let [star, resume] = [-1, 0]
  while (at < name.length) {
    if (pattern[wanted] === '*') {
      star = wanted++
      resume = at
    } else if (wanted < pattern.length && (pattern[wanted] === '?' || pattern[wanted] === name[at])) {
      at++
      wanted++
    } else if (star >= 0) {
      wanted = star + 1
      at = ++resume
    } else return false
  }
  while (pattern[wanted] === '*') wanted++
  return wanted === pattern.length
}

const units = ['B', 'KB', 'MB', 'GB', 'TB', 'PB']

/** In steps of 1024: '812 B', '1.2 GB'. */
export function shownSize(bytes: number): string {
  let value = bytes
  let unit = 0
  for (; value >= 1024 && unit < units.length - 1; unit++) value /= 1024
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`
}
