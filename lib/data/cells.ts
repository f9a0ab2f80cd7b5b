/**
 * Cells x genes as every reader gives them, whatever the file was: tables of cells and genes, and matrices that
 * come as slabs of rows. Nothing here is whole in memory but the tables.
 */
import type { ErrorReport } from '../job/errors.ts'
import type { NumberArray, NumberType } from './tree.ts'

/** Values of a matrix as stored; 64-bit integers come as Float64Array where every one is exact. */
export type SlabValues = Exclude<NumberArray, BigInt64Array | BigUint64Array>

/** Rows [start, start + rows) of a matrix in CSR form; column numbers within a row as stored, each at most once. */
export interface RowSlab {
  start: number
  rows: number
  columns: number
  /** rows + 1 offsets into indices and values, from 0 */
  indptr: Float64Array | Int32Array
  indices: Int32Array
  values: SlabValues
}

export interface SlabOptions {
  /** bytes of values and columns in one slab, 16 MiB unless told; a row that alone is larger comes as a slab of its own */
  slabBytes?: number
  /** first row, and the row behind the last */
  from?: number
  to?: number
  /** a slab is looked at once and dropped: its memory is taken back when the next is asked for, which is faster */
  transient?: boolean
}

export interface Matrix {
  /** where it lies, for messages: 'X', 'layers/counts', 'raw/X' */
  name: string
  rows: number
  columns: number
  encoding: 'csr' | 'csc' | 'dense' | 'mtx'
  type: NumberType
  /** stored entries; rows x columns for a dense one */
  stored: number
  /**
   * The rows in order, once; memory is bounded by `slabBytes`, however large the file.
   * @throws BadInput when stored numbers contradict each other (indptr not rising, index out of range, ...)
   */
  slabs(options?: SlabOptions): AsyncIterable<RowSlab>
}

export type Column =
  | {
      kind: 'number'
      type: NumberType
      values: NumberArray /** 1 = missing (nullable-integer) */
      mask?: Uint8Array
    }
  | { kind: 'boolean'; values: Uint8Array; mask?: Uint8Array }
  /** null = missing (nullable-string-array) */
  | { kind: 'string'; values: (string | null)[] }
  /** code -1 = missing */
  | { kind: 'categorical'; codes: Int32Array; categories: Categories; ordered: boolean }

export type Categories =
  | { kind: 'string'; values: string[] }
  | { kind: 'number'; type: NumberType; values: NumberArray }
  | { kind: 'boolean'; values: Uint8Array }

/** A data frame: one row a cell (obs) or a gene (var). */
export interface Table {
  rows: number
  /** name of the index column as stored: '_index', 'index', 'barcodes', ... */
  indexName: string
  index: string[]
  /** in stored order */
  columns: Map<string, Column>
  /** columns that are there and could not be understood; they stay in the file */
  unread?: { name: string; reason: string }[]
}

/** Any file of cells, opened: nothing but names and shapes has been read yet. */
export interface CellFile {
  readonly place: string
  readonly format: 'h5ad' | 'zarr' | '10x-hdf5' | 'mtx'
  /** cells x genes of X, or of obs and var where there is no X */
  readonly rows: number
  readonly columns: number
  obs(): Promise<Table>
  var(): Promise<Table>
  /** every matrix of cells x genes, by name: 'X', 'layers/counts', 'raw/X' */
  readonly matrices: readonly string[]
  matrix(name: string): Promise<Matrix>
  /** genes of a matrix: of `raw/X` they differ from var() */
  genesOf(name: string): Promise<Table>
  /** what was done that the user may not expect */
  readonly notices: readonly ErrorReport[]
  close(): Promise<void>
}
