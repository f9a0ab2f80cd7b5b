/**
 * Objects of a fractal heap, where dense links and attributes lie: managed objects in direct blocks, found through a
 * doubling table of indirect blocks; tiny ones lie in their id. Huge objects and filtered heaps are refused.
 * Trap: an object's offset counts the headers of the blocks, too.
 */
import { Cursor, damaged, type ReadBytes, readExactly, unsupported } from './bytes.ts'
import { checkedPiece } from './checksum.ts'

interface Heap {
  offsetBytes: number
  lengthBytes: number
  tableWidth: number
  startBlock: number
  largestDirect: number
  rootAddress: number
  /** rows of the root when it is an indirect block; 0: it is a direct one */
  rootRows: number
}

/** Looks up objects by id. @throws BadInput HDF5_DAMAGED, HDF5_UNSUPPORTED */
export function heapReader(read: ReadBytes, address: number): (id: Uint8Array) => Uint8Array {
  const heap = readHeader(read, address)
  return (id) => {
    const cursor = new Cursor(id)
    const head = cursor.u8()
    const kind = (head >> 4) & 3
    if (kind === 2) return cursor.take((head & 15) + 1)
    if (head >> 6 !== 0 || kind !== 0 || heap === undefined)
      throw unsupported('a very long name or attribute', { address })
    const offset = cursor.uint(heap.offsetBytes)
    const length = cursor.uint(heap.lengthBytes)
    return readExactly(read, { offset: locate(read, { heap, offset, length }), length })
  }
}

function readHeader(read: ReadBytes, address: number): Heap | undefined {
  const cursor = new Cursor(checkedPiece(read, { address, length: 146 }), { address })
  cursor.signature('FRHP')
  if (cursor.u8() !== 0) throw unsupported('a heap of another version', { address })
  const idBytes = cursor.u16()
  if (cursor.u16() !== 0) throw unsupported('a heap with compressed blocks', { address })
  cursor.skip(1)
  const largestObject = cursor.u32()
  cursor.skip(12 * 8)
  const tableWidth = cursor.u16()
  const startBlock = cursor.u64()
  const largestDirect = cursor.u64()
  const offsetBits = cursor.u16()
  cursor.skip(2)
  const rootAddress = cursor.address()
  const rootRows = cursor.u16()
  if (rootAddress === undefined) return undefined
  const isPower = (value: number) => value > 0 && Number.isInteger(Math.log2(value))
  if (!isPower(tableWidth) || !isPower(startBlock) || !isPower(largestDirect) || largestDirect < startBlock) {
    throw damaged('a heap with impossible sizes', { address })
  }
  const offsetBytes = Math.ceil(offsetBits / 8)
  const lengthBytes = Math.floor(Math.log2(Math.max(1, Math.min(largestDirect, largestObject))) / 8) + 1
  if (offsetBytes < 1 || offsetBytes > 8 || 1 + offsetBytes + lengthBytes > idBytes) {
    throw damaged('a heap with impossible sizes', { address })
  }
  return { offsetBytes, lengthBytes, tableWidth, startBlock, largestDirect, rootAddress, rootRows }
}

/** Position in the file of an object at an offset of the heap. */
function locate(read: ReadBytes, at: { heap: Heap; offset: number; length: number }): number {
  const { heap, length } = at
  let offset = at.offset
  let block = heap.rootAddress
  let rows = heap.rootRows
  let blockBytes = heap.startBlock
  // each step enters a smaller block, as the rows of a child are fewer than its parent's
  while (rows > 0) {
    const cell = cellOf(heap, { offset, rows })
    if (cell === undefined) throw damaged('an object lies outside of its heap', { address: block })
    block = readChild(read, { heap, block, cell: cell.number })
    offset -= cell.start
    blockBytes = cell.bytes
    const childRows =
      cell.bytes <= heap.largestDirect ? 0 : Math.log2(cell.bytes / (heap.startBlock * heap.tableWidth)) + 1
    if (childRows !== 0 && (childRows >= rows || childRows < 1))
      throw damaged('a heap runs in a circle', { address: block })
    rows = childRows
  }
  if (offset + length > blockBytes)
    throw damaged('an object crosses the end of its block', { address: block })
  new Cursor(readExactly(read, { offset: block, length: 4 }), { address: block }).signature('FHDB')
  return block + offset
}

/** Which child of an indirect block holds an offset: rows double in size from the second on. */
function cellOf(
  heap: Heap,
  { offset, rows }: { offset: number; rows: number },
): { number: number; start: number; bytes: number } | undefined {
  let start = 0
  for (let row = 0; row < rows; row++) {
    const bytes = heap.startBlock * 2 ** Math.max(0, row - 1)
    if (offset < start + bytes * heap.tableWidth) {
      const column = Math.floor((offset - start) / bytes)
      return { number: row * heap.tableWidth + column, start: start + column * bytes, bytes }
    }
    start += bytes * heap.tableWidth
  }
  return undefined
}

function readChild(read: ReadBytes, at: { heap: Heap; block: number; cell: number }): number {
  const { heap, block, cell } = at
  const position = 13 + heap.offsetBytes
  const bytes = readExactly(read, { offset: block, length: position })
  new Cursor(bytes, { address: block }).signature('FHIB')
  const entry = readExactly(read, { offset: block + position + cell * 8, length: 8 })
  const child = new Cursor(entry, { address: block }).address()
  if (child === undefined) throw damaged('an object lies in a block that is not there', { address: block })
  return child
}
