/** What the main thread and the worker that parses one HDF5 file say to each other. */
import type { ErrorReport } from '../../job/errors.ts'
import type { ArrayValues, TreeNode } from '../tree.ts'
import type { StoredChunk } from './format/stored-chunk.ts'
import type { Hdf5Limits } from './limits.ts'

export interface WorkerSetup {
  place: string
  size: number
  limits: Hdf5Limits
  /** a local file's open descriptor; otherwise blocks are asked of the main thread */
  descriptor?: number
  blocks?: { signal: SharedArrayBuffer; bytes: SharedArrayBuffer; blockBytes: number; cacheBytes: number }
}

/** Filters that are undone without the library. */
export type PlainFilter = 'deflate' | 'shuffle' | 'lzf' | 'blosc'

/** A numeric dataset whose stored bytes the main thread can take apart without the HDF5 library. */
export interface PlainStorage {
  elementBytes: number
  shape: number[]
  /** in the order they were applied on writing */
  filters: PlainFilter[]
  layout: { kind: 'contiguous'; address: number } | { kind: 'chunked'; chunk: number[] }
}

export interface Operations {
  open(): undefined
  node(path: string): TreeNode | undefined
  read(path: string, range: { from: number; to: number } | null): ArrayValues
  /** null where the library has to read it */
  storage(path: string): PlainStorage | null
  chunks(path: string, range: { from: number; to: number }): StoredChunk[]
  /** walks the whole tree and refuses what must not be in it; answers the number of objects */
  audit(): number
}

export type OperationName = keyof Operations

export type ToWorker = { id: number; operation: OperationName; args: unknown[] }

export type FromWorker =
  | { id: number; value: unknown }
  | { id: number; refused: ErrorReport }
  | { id: number; crashed: string }
  | { fetch: { offset: number; length: number } }
