/**
 * What every container of named arrays (an HDF5 file, a zarr store) looks like to the readers of AnnData and 10x files.
 * Paths start with '/'. Numbers keep the stored type; text is decoded; nothing here knows what the arrays mean.
 */
export type NumberArray =
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array
  | Float32Array
  | Float64Array

/** Numpy-like names of what is stored; float16 is read into Float32Array. */
export type NumberType =
  | 'int8'
  | 'uint8'
  | 'int16'
  | 'uint16'
  | 'int32'
  | 'uint32'
  | 'int64'
  | 'uint64'
  | 'float16'
  | 'float32'
  | 'float64'

export type ElementType =
  | { kind: 'number'; type: NumberType }
  /** HDF5 enumeration FALSE/TRUE as h5py writes numpy.bool_, or zarr bool */
  | { kind: 'boolean' }
  | { kind: 'string' /** every text has the same room, as numpy's 'S' */; isFixed?: true }
  /** other enumerations: codes with their names */
  | { kind: 'enum'; type: NumberType; names: Record<string, number> }
  | { kind: 'compound'; members: { name: string; element: ElementType; shape: number[] }[] }
  /** object references, read as the paths they point at */
  | { kind: 'reference' }
  | { kind: 'unsupported'; what: string }

/** Flat, row-major. Booleans are 0/1. A compound is one flat array for each member, by name. */
export type ArrayValues = NumberArray | string[] | CompoundValues
export interface CompoundValues {
  members: Map<string, ArrayValues>
}

export type AttributeValue =
  | string
  | number
  | bigint
  | boolean
  | null
  | { reference: string }
  | AttributeValue[]
export type Attributes = Readonly<Record<string, AttributeValue>>

export interface GroupNode {
  kind: 'group'
  path: string
  attributes: Attributes
  /** names, in the order the container keeps them */
  children: readonly string[]
}

export interface ArrayNode {
  kind: 'array'
  path: string
  attributes: Attributes
  element: ElementType
  /** [] for a scalar; null for an array declared without data */
  shape: readonly number[] | null
  /** undefined when the data lie in one piece */
  chunks?: readonly number[]
  /** names of the codecs, first applied first: 'gzip', 'lzf', 'shuffle', ... */
  filters: readonly string[]
}

export type TreeNode = GroupNode | ArrayNode

export interface Tree {
  readonly place: string
  readonly format: 'hdf5' | 'zarr'
  /** undefined when nothing is there. @throws BadInput for links out of the file and damaged objects */
  node(path: string): Promise<TreeNode | undefined>
  /**
   * Elements whose first index is in [from, to), all of them without a range; a scalar gives one element.
   * @throws BadInput with a code when stored bytes are not what the node declares, or when limits are passed
   */
  read(path: string, range?: { from: number; to: number }): Promise<ArrayValues>
  /** Values that nobody looks at any more: the reads to come may have their memory. They are empty from here on. */
  giveBack?(values: NumberArray): void
  close(): Promise<void>
}
