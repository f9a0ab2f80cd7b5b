/**
 * Groups as HDF5 has always written them: a version 1 B-tree of symbol nodes, names in a local heap.
 * Trap: a soft link is an entry without an address whose target lies in the heap, told by the cache type only.
 */
import { Cursor, damaged, decodeText, type ReadBytes, readExactly } from './bytes.ts'
import type { Link } from './groups.ts'

interface Table {
  heap: Uint8Array
  visited: Set<number>
  add: (name: string, link: Link) => void
}

export function symbolTableLinks(
  read: ReadBytes,
  options: { body: Uint8Array; add: (name: string, link: Link) => void },
): void {
  const cursor = new Cursor(options.body)
  const treeAddress = cursor.u64()
  const table: Table = { heap: readLocalHeap(read, cursor.u64()), visited: new Set(), add: options.add }
  visitNode(read, { table, address: treeAddress })
}

function readLocalHeap(read: ReadBytes, address: number): Uint8Array {
  const cursor = new Cursor(readExactly(read, { offset: address, length: 32 }), { address })
  cursor.signature('HEAP')
  cursor.skip(4)
  const length = cursor.u64()
  cursor.skip(8)
  return readExactly(read, { offset: cursor.u64(), length })
}

function enter(table: Table, address: number): void {
  if (table.visited.has(address)) throw damaged('the tree of a group runs in a circle', { address })
  table.visited.add(address)
}

function visitNode(read: ReadBytes, at: { table: Table; address: number; level?: number }): void {
  const { table, address } = at
  enter(table, address)
  const head = new Cursor(readExactly(read, { offset: address, length: 24 }), { address })
  head.signature('TREE')
  if (head.u8() !== 0) throw damaged('the tree of a group is expected here', { address })
  const level = head.u8()
  const entries = head.u16()
  if (at.level !== undefined && level !== at.level)
    throw damaged('the tree of a group skips a level', { address })
  const cursor = new Cursor(readExactly(read, { offset: address + 24, length: entries * 16 }), { address })
  for (let i = 0; i < entries; i++) {
    cursor.skip(8)
    const child = cursor.u64()
    if (level > 0) visitNode(read, { table, address: child, level: level - 1 })
    else readSymbols(read, { table, address: child })
  }
}

function readSymbols(read: ReadBytes, { table, address }: { table: Table; address: number }): void {
  enter(table, address)
  const head = new Cursor(readExactly(read, { offset: address, length: 8 }), { address })
  head.signature('SNOD')
  head.skip(2)
  const count = head.u16()
  const cursor = new Cursor(readExactly(read, { offset: address + 8, length: count * 40 }), { address })
  for (let i = 0; i < count; i++) {
    const name = heapText(table.heap, cursor.u64())
    const target = cursor.address()
    const cacheType = cursor.u32()
    cursor.skip(4)
    const softTarget = cursor.u32()
    cursor.skip(12)
    if (cacheType === 2) table.add(name, { kind: 'soft', target: heapText(table.heap, softTarget) })
    else if (target === undefined)
      throw damaged(`the link ${JSON.stringify(name)} leads nowhere`, { address })
    else table.add(name, { kind: 'hard', address: target })
  }
}

function heapText(heap: Uint8Array, offset: number): string {
  const end = heap.indexOf(0, offset)
  if (offset >= heap.length || end < 0) throw damaged('a name of a group has no end')
  return decodeText(heap.subarray(offset, end))
}
