/**
 * An HDF5 file as a Tree. A worker of its own parses it; lists and tables of plain numbers are then read on this side,
 * from the positions that the worker has checked.
 */
import { BadInput } from '../../job/errors.ts'
import type { ByteSource } from '../source.ts'
import type { ArrayValues, NumberType, Tree, TreeNode } from '../tree.ts'
import { decodeNumbers } from './elements.ts'
import type { StoredChunk } from './format/stored-chunk.ts'
import { type Hdf5Limits, hdf5Limits } from './limits.ts'
import { memoryPool } from './memory-pool.ts'
import { bytesOfRow, type Rows, readChunked, readContiguous } from './plain-read.ts'
import type { PlainStorage } from './protocol.ts'
import { startWorker, type WorkerClient } from './worker-client.ts'

export interface Hdf5Options {
  limits?: Partial<Hdf5Limits>
  /** walk the whole tree before anything is read: for files at hand. By ranges only what is touched is checked */
  audit?: boolean
}

/** below this the worker is as fast, and one question suffices */
const plainBytes = 256 * 2 ** 10

/**
 * Takes the source over: closing the tree closes it, and so does a failure to open.
 * @throws BadInput HDF5_NOT, HDF5_TRUNCATED, HDF5_DAMAGED, HDF5_POINTS_OUTSIDE and what the limits name
 */
export async function openHdf5Tree(source: ByteSource, options: Hdf5Options = {}): Promise<Tree> {
  const limits = { ...hdf5Limits, ...options.limits }
  const worker = startWorker(source, limits)
  const close = async (): Promise<void> => {
    await worker.close()
    await source.close()
  }
  try {
    await worker.ask('open')
    if (options.audit) await worker.ask('audit')
  } catch (error) {
    await close()
    throw error
  }
  return hdf5Tree(source, { worker, limits, close })
}

/** places of chunks fetched ahead when a dataset is read from front to back */
const chunksAtOnce = 8192

interface ChunkWindow extends Rows {
  lastRead: number
  chunks: StoredChunk[]
}

interface Opened {
  worker: WorkerClient
  limits: Hdf5Limits
  close: () => Promise<void>
}

function hdf5Tree(source: ByteSource, { worker, limits, close }: Opened): Tree {
  const nodes = new Map<string, Promise<TreeNode | undefined>>()
  const pool = memoryPool()
  const windows = new Map<string, ChunkWindow>()
  const storages = new Map<string, Promise<PlainStorage | null>>()
  const once = <Value>(
    known: Map<string, Promise<Value>>,
    path: string,
    ask: () => Promise<Value>,
  ): Promise<Value> => {
    const found = known.get(path) ?? ask()
    known.set(path, found)
    return found
  }
  const node = (path: string) => once(nodes, path, () => worker.ask('node', path))

  /** One answer holds the chunks of many reads that follow one another; a single read asks for its own only. */
  const chunksOf = async (
    path: string,
    rows: Rows,
    { extent, length }: { extent: number; length: number },
  ): Promise<StoredChunk[]> => {
    let window = windows.get(path)
    if (window === undefined || rows.from < window.from || rows.to > window.to) {
      const follows = window !== undefined && rows.from === window.lastRead
      const to = follows ? Math.min(length, Math.max(rows.to, rows.from + extent * chunksAtOnce)) : rows.to
      window = {
        from: rows.from,
        to,
        lastRead: rows.to,
        chunks: await worker.ask('chunks', path, { from: rows.from, to }),
      }
      windows.set(path, window)
    }
    window.lastRead = rows.to
    return window.chunks.filter(({ offset: [start = 0] }) => start < rows.to && start + extent > rows.from)
  }

  const readPlain = async (
    path: string,
    range: { from: number; to: number } | undefined,
  ): Promise<ArrayValues | undefined> => {
    const found = await node(path)
    if (found?.kind !== 'array' || found.shape === null || found.shape.length === 0) return undefined
    const type = plainType(found)
    const rows = range ?? { from: 0, to: found.shape[0] ?? 0 }
    if (type === undefined || rows.from < 0 || rows.to > (found.shape[0] ?? 0) || rows.from >= rows.to)
      return undefined
    const storage = await once(storages, path, () => worker.ask('storage', path))
    if (storage === null) return undefined
    const bytes = (rows.to - rows.from) * bytesOfRow(storage)
    if (bytes < plainBytes && !storage.filters.includes('blosc')) return undefined
    if (bytes > limits.readBytes) throw tooLarge(`${source.place}:${path}`, bytes)
    if (storage.layout.kind === 'contiguous')
      return decodeNumbers(type, await readContiguous(source, storage, { rows, take: pool.take }))
    const chunks = await chunksOf(path, rows, {
      extent: storage.layout.chunk[0] ?? 1,
      length: found.shape[0] ?? 0,
    })
    // a chunk that is absent holds the fill value, which only the library knows
    if (!coversRows(storage, { rows, count: chunks.length })) return undefined
    return decodeNumbers(type, await readChunked(source, storage, { rows, chunks, take: pool.take }))
  }

  return {
    place: source.place,
    format: 'hdf5',
    node,
    async read(path, range) {
      return (await readPlain(path, range)) ?? (await worker.ask('read', path, range ?? null))
    },
    giveBack: pool.giveBack,
    close,
  }
}

function plainType(node: TreeNode): NumberType | undefined {
  if (node.kind !== 'array') return undefined
  if (node.element.kind === 'boolean') return 'uint8'
  return node.element.kind === 'number' ? node.element.type : undefined
}

function coversRows(
  { layout, shape }: PlainStorage,
  { rows, count }: { rows: { from: number; to: number }; count: number },
): boolean {
  if (layout.kind !== 'chunked') return true
  const first = layout.chunk[0] ?? 1
  const others = shape.slice(1).map((extent, i) => Math.ceil(extent / (layout.chunk[i + 1] ?? 1)))
  const bands = Math.ceil(rows.to / first) - Math.floor(rows.from / first)
  return count === others.reduce((product, chunks) => product * chunks, bands)
}

function tooLarge(place: string, bytes: number): BadInput {
  return new BadInput(
    'HDF5_TOO_LARGE',
    place,
    `${bytes} bytes would have to be in memory at once`,
    'Store the matrix in smaller chunks of rows',
  )
}
