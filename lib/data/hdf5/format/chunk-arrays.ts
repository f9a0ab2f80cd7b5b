/**
 * Indexes of chunks since HDF5 1.10 (`libver='latest'`): one chunk, chunks in a row, and the fixed array.
 * A chunk's place in an array is its row-major number in the grid; grids of fixed arrays span the largest shape.
 * Trap: pages of a fixed array that were never written have no valid bytes; only the bitmap tells.
 */
import { Cursor, damaged, type ReadBytes, unsupported } from './bytes.ts'
import { checkedPiece } from './checksum.ts'
import type { ChunkedLayout } from './dataset.ts'
import { MOST_CHUNKS, type RowRange, type StoredChunk } from './stored-chunk.ts'

export function arrayChunks(
  read: ReadBytes,
  options: { layout: ChunkedLayout; rows: RowRange },
): StoredChunk[] {
  const { index } = options.layout
  if (index.address === undefined) return []
  if (index.kind === 'single') return singleChunk(options)
  const cells = gridCells(options)
  if (index.kind === 'implicit') {
    const storedBytes = chunkBytes(options.layout)
    const first = index.address
    return cells.map(({ offset, number }) => ({
      offset,
      address: first + number * storedBytes,
      storedBytes,
      filterMask: 0,
    }))
  }
  if (index.kind === 'fixed-array') return fixedArray(read, { ...options, cells, address: index.address })
  throw unsupported('chunks are indexed by an extensible array')
}

function chunkBytes(layout: ChunkedLayout): number {
  return layout.chunk.reduce((a, b) => a * b, layout.elementBytes)
}

function singleChunk({ layout }: { layout: ChunkedLayout }): StoredChunk[] {
  const { index } = layout
  if (index.kind !== 'single' || index.address === undefined) return []
  const offset = layout.chunk.map(() => 0)
  const storedBytes = index.storedBytes ?? chunkBytes(layout)
  return [{ offset, address: index.address, storedBytes, filterMask: index.filterMask }]
}

interface GridCell {
  offset: number[]
  /** row-major, in the grid of the largest shape */
  number: number
}

function gridCells({ layout, rows }: { layout: ChunkedLayout; rows: RowRange }): GridCell[] {
  const { chunk, shape, maxShape } = layout
  const counts = shape.map((extent, axis) => Math.ceil(extent / chunk[axis]!))
  const strides = chunk.map(() => 1)
  for (let axis = chunk.length - 2; axis >= 0; axis--) {
    strides[axis] = strides[axis + 1]! * Math.ceil(maxShape[axis + 1]! / chunk[axis + 1]!)
  }
  if (strides.some((stride) => !Number.isSafeInteger(stride)))
    throw unsupported('chunks of an array without limits')
  const height = chunk[0]!
  const first = Math.floor(Math.max(0, rows.from) / height)
  const last = Math.min(counts[0]!, Math.ceil(rows.to / height))
  const perRow = counts.slice(1).reduce((a, b) => a * b, 1)
  const total = Math.max(0, last - first) * perRow
  if (total > MOST_CHUNKS) throw unsupported(`more than ${MOST_CHUNKS} chunks in one range of rows`)
  return Array.from({ length: total }, (_, i) => {
    let rest = first * perRow + i
    const at = counts.map(() => 0)
    for (let axis = counts.length - 1; axis > 0; axis--) {
      at[axis] = rest % counts[axis]!
      rest = Math.floor(rest / counts[axis]!)
    }
    at[0] = rest
    const number = at.reduce((sum, position, axis) => sum + position * strides[axis]!, 0)
    return { offset: at.map((position, axis) => position * chunk[axis]!), number }
  })
}

interface FixedArrayHeader {
  entryBytes: number
  isFiltered: boolean
  pageEntries: number
  entries: number
  blockAddress: number | undefined
}

function readHeader(read: ReadBytes, address: number): FixedArrayHeader {
  const cursor = new Cursor(checkedPiece(read, { address, length: 28 }), { address })
  cursor.signature('FAHD')
  if (cursor.u8() !== 0) throw unsupported('a fixed array of another version', { address })
  const isFiltered = cursor.u8() === 1
  const entryBytes = cursor.u8()
  const pageBits = cursor.u8()
  if (pageBits > 32 || entryBytes < 8 || (isFiltered && (entryBytes < 13 || entryBytes > 20))) {
    throw damaged('a fixed array with impossible sizes', { address })
  }
  const entries = cursor.u64()
  return { entryBytes, isFiltered, pageEntries: 2 ** pageBits, entries, blockAddress: cursor.address() }
}

function fixedArray(
  read: ReadBytes,
  options: { layout: ChunkedLayout; cells: GridCell[]; address: number },
): StoredChunk[] {
  const header = readHeader(read, options.address)
  if (header.blockAddress === undefined) return []
  const page = pageReader(read, { header, blockAddress: header.blockAddress })
  const plainBytes = chunkBytes(options.layout)
  const found: StoredChunk[] = []
  for (const { offset, number } of options.cells) {
    if (number >= header.entries) throw damaged('an array of chunks is too short', options)
    const entry = page(number)
    const address = entry?.address()
    if (entry === undefined || address === undefined) continue
    const storedBytes = header.isFiltered ? entry.uint(header.entryBytes - 12) : plainBytes
    found.push({ offset, address, storedBytes, filterMask: header.isFiltered ? entry.u32() : 0 })
  }
  return found
}

/** Gives a cursor at an entry, undefined in pages that were never written; keeps the last page. */
function pageReader(
  read: ReadBytes,
  { header, blockAddress }: { header: FixedArrayHeader; blockAddress: number },
): (number: number) => Cursor | undefined {
  const { entries, entryBytes, pageEntries } = header
  const pages = entries > pageEntries ? Math.ceil(entries / pageEntries) : 0
  const bitmapBytes = Math.ceil(pages / 8)
  // without pages the entries share the block's checksum
  const length = 14 + bitmapBytes + (pages === 0 ? entries * entryBytes : 0) + 4
  const block = checkedPiece(read, { address: blockAddress, length })
  new Cursor(block, { address: blockAddress }).signature('FADB')
  if (pages === 0)
    return (number) => new Cursor(block, { address: blockAddress, position: 14 + number * entryBytes })
  let kept: { page: number; bytes: Uint8Array } | undefined
  return (number) => {
    const page = Math.floor(number / pageEntries)
    if (((block[14 + (page >> 3)] ?? 0) & (0x80 >> (page & 7))) === 0) return undefined
    if (kept?.page !== page) {
      const inPage = Math.min(pageEntries, entries - page * pageEntries)
      const address = blockAddress + length + page * (pageEntries * entryBytes + 4)
      kept = { page, bytes: checkedPiece(read, { address, length: inPage * entryBytes + 4 }) }
    }
    return new Cursor(kept.bytes, { address: blockAddress, position: (number % pageEntries) * entryBytes })
  }
}
