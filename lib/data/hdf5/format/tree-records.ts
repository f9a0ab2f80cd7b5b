/**
 * The records of a version 2 B-tree in order: the indexes of dense links and attributes.
 * Trap: the width of a child's counts depends on how many records could lie below it, computed from the node size up.
 */
import { Cursor, damaged, type ReadBytes, unsupported } from './bytes.ts'
import { checkedPiece } from './checksum.ts'

const MOST_DEPTH = 16

interface Tree {
  nodeBytes: number
  recordBytes: number
  type: number
  /** bytes of a child's own count, and by depth of the count of all below it */
  countBytes: number
  totalBytes: number[]
  visited: Set<number>
  visit: (record: Uint8Array) => void
}

const bytesFor = (limit: number) => Math.floor(Math.floor(Math.log2(limit)) / 8) + 1

/** @throws BadInput HDF5_DAMAGED */
export function treeRecords(
  read: ReadBytes,
  at: { address: number; type: number },
  visit: (record: Uint8Array) => void,
): void {
  const { address, type } = at
  const cursor = new Cursor(checkedPiece(read, { address, length: 38 }), { address })
  cursor.signature('BTHD')
  if (cursor.u8() !== 0 || cursor.u8() !== type)
    throw damaged('another kind of tree is expected here', { address })
  const nodeBytes = cursor.u32()
  const recordBytes = cursor.u16()
  const depth = cursor.u16()
  cursor.skip(2)
  const root = cursor.address()
  const rootRecords = cursor.u16()
  if (root === undefined) return
  if (depth > MOST_DEPTH) throw unsupported(`a tree of depth ${depth}`, { address })
  const inLeaf = Math.floor((nodeBytes - 10) / recordBytes)
  if (recordBytes === 0 || inLeaf < 1) throw damaged('a tree with nodes of no room', { address })
  const countBytes = bytesFor(inLeaf)
  const totalBytes = [0]
  for (let level = 1, below = inLeaf; level <= depth; level++) {
    const pointerBytes = 8 + countBytes + totalBytes[level - 1]!
    const inNode = Math.floor((nodeBytes - 10 - pointerBytes) / (recordBytes + pointerBytes))
    if (inNode < 1) throw damaged('a tree with nodes of no room', { address })
    below = Math.min((inNode + 1) * below + inNode, Number.MAX_SAFE_INTEGER)
    totalBytes.push(bytesFor(below))
  }
  const tree: Tree = { nodeBytes, recordBytes, type, countBytes, totalBytes, visited: new Set(), visit }
  visitNode(read, { tree, address: root, records: rootRecords, depth })
}

interface NodeAt {
  tree: Tree
  address: number
  records: number
  depth: number
}

function visitNode(read: ReadBytes, { tree, address, records, depth }: NodeAt): void {
  if (tree.visited.has(address)) throw damaged('a tree runs in a circle', { address })
  tree.visited.add(address)
  const childBytes = depth === 0 ? 0 : 8 + tree.countBytes + (depth > 1 ? tree.totalBytes[depth - 1]! : 0)
  const length = 10 + records * tree.recordBytes + (depth === 0 ? 0 : (records + 1) * childBytes)
  if (length > tree.nodeBytes) throw damaged('a node of a tree has more records than room', { address })
  // the checksum follows the used bytes, not the end of the node
  const cursor = new Cursor(checkedPiece(read, { address, length }), { address })
  cursor.signature(depth === 0 ? 'BTLF' : 'BTIN')
  if (cursor.u8() !== 0 || cursor.u8() !== tree.type)
    throw damaged('another kind of tree is expected here', { address })
  const own = Array.from({ length: records }, () => cursor.take(tree.recordBytes))
  if (depth === 0) {
    for (const record of own) tree.visit(record)
    return
  }
  for (let i = 0; i <= records; i++) {
    const child = cursor.u64()
    const count = cursor.uint(tree.countBytes)
    if (depth > 1) cursor.skip(tree.totalBytes[depth - 1]!)
    visitNode(read, { tree, address: child, records: count, depth: depth - 1 })
    if (i < records) tree.visit(own[i]!)
  }
}
