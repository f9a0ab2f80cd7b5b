/**
 * What the messages of a dataset say about where and how its values lie. Layout messages of versions 1 to 4.
 * Traps: chunk dimensions carry the element size as a last one; a datatype may be shared (committed), then the bytes are a pointer.
 */
import { Cursor, damaged, unsupported } from './bytes.ts'
import { MESSAGE, type Message } from './object-header.ts'

const MOST_AXES = 32
const MOST_FILTERS = 32

export interface Filter {
  /** 1 deflate, 2 shuffle, 3 fletcher32, 32000 lzf, ... */
  id: number
  /** bit 0: a chunk may have been stored without it */
  flags: number
  clientData: number[]
}

export type ChunkIndex =
  | { kind: 'tree'; address: number | undefined }
  | { kind: 'single'; address: number | undefined; storedBytes: number | undefined; filterMask: number }
  | { kind: 'implicit'; address: number | undefined }
  | { kind: 'fixed-array'; address: number | undefined }

export interface ChunkedLayout {
  kind: 'chunked'
  index: ChunkIndex
  /** elements along each axis of one chunk */
  chunk: number[]
  elementBytes: number
  /** of the dataset */
  shape: number[]
  /** Infinity along axes without limit */
  maxShape: number[]
  isFiltered: boolean
}

export type Layout =
  | { kind: 'compact'; data: Uint8Array }
  | { kind: 'contiguous'; address: number | undefined; size: number }
  | ChunkedLayout
  | { kind: 'virtual' }
  /** stored in a way that this parser does not follow */
  | { kind: 'other' }

export interface DatasetDescription {
  layout: Layout
  /** first applied first */
  filters: Filter[]
  /** values lie in other files */
  hasExternalStorage: boolean
  /** [] for a scalar, null for a dataset declared without data */
  shape: number[] | null
  maxShape: number[] | null
  /** the datatype message as stored */
  datatype: Uint8Array
  datatypeIsShared: boolean
}

/** @throws BadInput HDF5_DAMAGED when these are not the messages of a dataset */
export function describeDataset(messages: readonly Message[]): DatasetDescription {
  const datatype = required(messages, MESSAGE.datatype)
  const { shape, maxShape } = parseDataspace(plain(required(messages, MESSAGE.dataspace)))
  const pipeline = messages.find((message) => message.type === MESSAGE.filters)
  const filters = pipeline === undefined ? [] : parseFilters(plain(pipeline))
  const axes = { shape: shape ?? [], maxShape: maxShape ?? [], isFiltered: filters.length > 0 }
  const layout = parseLayout(plain(required(messages, MESSAGE.layout)), axes)
  return {
    layout,
    filters,
    hasExternalStorage: messages.some((message) => message.type === MESSAGE.externalStorage),
    shape,
    maxShape,
    datatype: datatype.body,
    datatypeIsShared: (datatype.flags & 2) !== 0,
  }
}

export function isDataset(messages: readonly Message[]): boolean {
  return messages.some((message) => message.type === MESSAGE.layout)
}

function required(messages: readonly Message[], type: number): Message {
  const found = messages.find((message) => message.type === type)
  if (found === undefined) throw damaged(`a dataset lacks its message ${type}`)
  return found
}

function plain(message: Message): Uint8Array {
  if (message.flags & 2) throw unsupported(`message ${message.type} is shared between objects`)
  return message.body
}

/** Shape and largest shape of a dataspace message. */
export function parseDataspace(body: Uint8Array): { shape: number[] | null; maxShape: number[] | null } {
  const cursor = new Cursor(body)
  const version = cursor.u8()
  if (version !== 1 && version !== 2) throw unsupported(`dataspace version ${version}`)
  const rank = cursor.u8()
  const flags = cursor.u8()
  const type = cursor.u8()
  if (version === 1) cursor.skip(4)
  if (rank > MOST_AXES) throw damaged(`a dataset of ${rank} axes`)
  if (version === 2 && type === 2) return { shape: null, maxShape: null }
  const shape = Array.from({ length: rank }, () => cursor.u64())
  const maxShape = flags & 1 ? shape.map(() => cursor.address() ?? Number.POSITIVE_INFINITY) : [...shape]
  return { shape, maxShape }
}

function parseFilters(body: Uint8Array): Filter[] {
  const cursor = new Cursor(body)
  const version = cursor.u8()
  const count = cursor.u8()
  if (version !== 1 && version !== 2) throw unsupported(`filter pipeline version ${version}`)
  if (count > MOST_FILTERS) throw damaged(`${count} filters on one dataset`)
  if (version === 1) cursor.skip(6)
  return Array.from({ length: count }, () => {
    const id = cursor.u16()
    const nameBytes = version === 1 || id >= 256 ? cursor.u16() : 0
    const flags = cursor.u16()
    const values = cursor.u16()
    cursor.skip(version === 1 ? Math.ceil(nameBytes / 8) * 8 : nameBytes)
    const clientData = Array.from({ length: values }, () => cursor.u32())
    if (version === 1 && values % 2 === 1) cursor.skip(4)
    return { id, flags, clientData }
  })
}

type Axes = Pick<ChunkedLayout, 'shape' | 'maxShape' | 'isFiltered'>

function parseLayout(body: Uint8Array, axes: Axes): Layout {
  const cursor = new Cursor(body)
  const version = cursor.u8()
  if (version === 1 || version === 2) return parseOldLayout(cursor, axes)
  if (version !== 3 && version !== 4) return { kind: 'other' }
  const layoutClass = cursor.u8()
  if (layoutClass === 0) return { kind: 'compact', data: cursor.take(cursor.u16()) }
  if (layoutClass === 1) return { kind: 'contiguous', address: cursor.address(), size: cursor.u64() }
  if (layoutClass === 3) return { kind: 'virtual' }
  if (layoutClass !== 2) throw damaged(`storage of class ${layoutClass}`)
  if (version === 4) return parseChunked4(cursor, axes)
  const rank = cursor.u8()
  const index: ChunkIndex = { kind: 'tree', address: cursor.address() }
  return chunked(index, { dimensions: readDimensions(cursor, { count: rank, width: 4 }), axes })
}

function parseOldLayout(cursor: Cursor, axes: Axes): Layout {
  const rank = cursor.u8()
  const layoutClass = cursor.u8()
  cursor.skip(5)
  const address = layoutClass === 0 ? undefined : cursor.address()
  const dimensions = readDimensions(cursor, { count: rank, width: 4 })
  if (layoutClass === 0) return { kind: 'compact', data: cursor.take(cursor.u32()) }
  if (layoutClass === 1) return { kind: 'contiguous', address, size: dimensions.reduce((a, b) => a * b, 1) }
  if (layoutClass === 2) return chunked({ kind: 'tree', address }, { dimensions, axes })
  throw damaged(`storage of class ${layoutClass}`)
}

function parseChunked4(cursor: Cursor, axes: Axes): Layout {
  const flags = cursor.u8()
  const rank = cursor.u8()
  const width = cursor.u8()
  if (width < 1 || width > 8) throw damaged(`chunk dimensions of ${width} bytes`)
  const dimensions = readDimensions(cursor, { count: rank, width })
  const index = parseIndex4(cursor, flags)
  return index === undefined ? { kind: 'other' } : chunked(index, { dimensions, axes })
}

function parseIndex4(cursor: Cursor, flags: number): ChunkIndex | undefined {
  const type = cursor.u8()
  if (type === 1) {
    const hasSize = (flags & 2) !== 0
    const storedBytes = hasSize ? cursor.u64() : undefined
    const filterMask = hasSize ? cursor.u32() : 0
    return { kind: 'single', storedBytes, filterMask, address: cursor.address() }
  }
  if (type === 2) return { kind: 'implicit', address: cursor.address() }
  if (type === 3) {
    cursor.skip(1)
    return { kind: 'fixed-array', address: cursor.address() }
  }
  // extensible arrays and version 2 trees: datasets without a limit in `libver='latest'` files
  return undefined
}

function readDimensions(cursor: Cursor, { count, width }: { count: number; width: number }): number[] {
  if (count > MOST_AXES + 1) throw damaged(`storage of ${count} axes`)
  return Array.from({ length: count }, () => cursor.uint(width))
}

function chunked(index: ChunkIndex, options: { dimensions: number[]; axes: Axes }): ChunkedLayout {
  const { dimensions, axes } = options
  const chunk = dimensions.slice(0, -1)
  const elementBytes = dimensions.at(-1) ?? 0
  if (chunk.length === 0 || chunk.length !== axes.shape.length) {
    throw damaged('chunks have another number of axes than their dataset')
  }
  const bytes = dimensions.reduce((a, b) => a * b, 1)
  if (dimensions.some((extent) => extent === 0) || bytes >= 2 ** 32)
    throw damaged(`a chunk of ${bytes} bytes`)
  return { kind: 'chunked', index, chunk, elementBytes, ...axes }
}
