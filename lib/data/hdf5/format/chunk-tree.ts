/**
 * The oldest index of chunks, the version 1 B-tree, which h5py and R write by default.
 * Trap: levels must fall by one, nodes come once and keys rise, else a crafted tree is walked for ever.
 */
import { Cursor, damaged, type ReadBytes, readExactly, unsupported } from './bytes.ts'
import type { ChunkedLayout } from './dataset.ts'
import { MOST_CHUNKS, type RowRange, type StoredChunk } from './stored-chunk.ts'

interface Walk {
  layout: ChunkedLayout
  rows: RowRange
  visited: Set<number>
  found: StoredChunk[]
}

export function treeChunks(
  read: ReadBytes,
  options: { layout: ChunkedLayout; rows: RowRange; address: number },
): StoredChunk[] {
  const walk: Walk = { layout: options.layout, rows: options.rows, visited: new Set(), found: [] }
  visitNode(read, { walk, address: options.address })
  return walk.found
}

interface Key {
  storedBytes: number
  filterMask: number
  offset: number[]
}

function visitNode(read: ReadBytes, at: { walk: Walk; address: number; level?: number }): void {
  const { walk, address } = at
  if (walk.visited.has(address)) throw damaged('the index of chunks runs in a circle', { address })
  walk.visited.add(address)
  const { level, keys, children } = readNode(read, { address, axes: walk.layout.chunk.length })
  if (at.level !== undefined && level !== at.level)
    throw damaged('the index of chunks skips a level', { address })
  const height = walk.layout.chunk[0]!
  for (let i = 0; i < children.length; i++) {
    const key = keys[i]!
    const row = key.offset[0]!
    if (row >= walk.rows.to) return
    // nothing in child i starts after the next key
    const last = level === 0 ? row : keys[i + 1]!.offset[0]!
    if (last + height <= walk.rows.from) continue
    if (level > 0) visitNode(read, { walk, address: children[i]!, level: level - 1 })
    else addChunk(walk, { key, address: children[i]! })
  }
}

function readNode(read: ReadBytes, at: { address: number; axes: number }) {
  const { address, axes } = at
  const head = new Cursor(readExactly(read, { offset: address, length: 24 }), { address })
  head.signature('TREE')
  if (head.u8() !== 1) throw damaged('a tree of chunks is expected here', { address })
  const level = head.u8()
  const entries = head.u16()
  const keyBytes = 16 + 8 * axes
  const length = entries * (keyBytes + 8) + keyBytes
  const cursor = new Cursor(readExactly(read, { offset: address + 24, length }), { address })
  const keys: Key[] = []
  const children: number[] = []
  for (let i = 0; i <= entries; i++) {
    const storedBytes = cursor.u32()
    const filterMask = cursor.u32()
    const offset = Array.from({ length: axes }, () => cursor.u64())
    cursor.skip(8)
    keys.push({ storedBytes, filterMask, offset })
    if (i < entries) children.push(cursor.u64())
  }
  return { level, keys, children }
}

function addChunk(walk: Walk, { key, address }: { key: Key; address: number }): void {
  const before = walk.found.at(-1)
  if (before !== undefined && compareOffsets(before.offset, key.offset) >= 0) {
    throw damaged('the index of chunks is not in order', { address })
  }
  if (key.offset.some((value, axis) => value % walk.layout.chunk[axis]! !== 0)) {
    throw damaged('a chunk does not start where chunks start', { address })
  }
  if (walk.found.length >= MOST_CHUNKS)
    throw unsupported(`more than ${MOST_CHUNKS} chunks in one range of rows`)
  walk.found.push({ ...key, address })
}

function compareOffsets(a: readonly number[], b: readonly number[]): number {
  for (let i = 0; i < a.length; i++) {
    if (a[i] !== b[i]) return a[i]! - b[i]!
  }
  return 0
}
