/**
 * Version 1 B-trees built from the bottom, all at once: the index of a group's symbol nodes and of a dataset's chunks.
 * Trap: a node always takes its full size on disk, used or not, since libhdf5 reads that much.
 */
import { Fields } from './messages.ts'
import type { OutputFile } from './output-file.ts'

interface TreeToWrite {
  /** 0: symbol nodes, 1: chunks */
  type: 0 | 1
  /** children a node has room for */
  fanout: number
  children: readonly number[]
  keyBytes: number
  /** writes key i of children.length + 1: what bounds child i from below and child i - 1 from above */
  writeKey: (fields: Fields, i: number) => void
}

/** Address of the root; a tree without children is one empty leaf. */
export async function writeTree(file: OutputFile, tree: TreeToWrite): Promise<number> {
  let children = tree.children
  // key number at the lower end of each child, and one more
  let bounds = Array.from({ length: children.length + 1 }, (_, i) => i)
  for (let level = 0; ; level++) {
    const written = await writeLevel(file, { tree, level, children, bounds })
    if (written.children.length === 1) return written.children[0]!
    children = written.children
    bounds = written.bounds
  }
}

interface Level {
  tree: TreeToWrite
  level: number
  children: readonly number[]
  bounds: readonly number[]
}

async function writeLevel(file: OutputFile, { tree, level, children, bounds }: Level) {
  const { fanout, keyBytes } = tree
  const nodeBytes = 24 + fanout * 8 + (fanout + 1) * keyBytes
  const nodes = Math.max(1, Math.ceil(children.length / fanout))
  const first = file.next
  const parents = { children: [] as number[], bounds: [] as number[] }
  for (let node = 0; node < nodes; node++) {
    const from = node * fanout
    const to = Math.min(children.length, from + fanout)
    const fields = new Fields(nodeBytes)
    fields
      .text('TREE')
      .u8(tree.type, level)
      .u16(to - from)
    fields.u64(node === 0 ? undefined : first + (node - 1) * nodeBytes)
    fields.u64(node === nodes - 1 ? undefined : first + (node + 1) * nodeBytes)
    for (let i = from; i < to; i++) {
      tree.writeKey(fields, bounds[i]!)
      fields.u64(children[i]!)
    }
    tree.writeKey(fields, bounds[to]!)
    parents.children.push(file.append(fields.bytes))
    parents.bounds.push(bounds[from]!)
  }
  parents.bounds.push(bounds[children.length]!)
  await file.room()
  return parents
}
