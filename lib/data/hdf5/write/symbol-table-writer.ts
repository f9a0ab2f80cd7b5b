/**
 * A group's links as a symbol table: the oldest form, which every HDF5 library reads and extends, for any number of links.
 * Trap: order is by the bytes of the UTF-8 names, which differs from the order of JavaScript strings.
 */
import { Fields, roundUp8 } from './messages.ts'
import type { OutputFile } from './output-file.ts'
import { writeTree } from './tree-writer.ts'

export type LinkToWrite = { kind: 'hard'; address: number } | { kind: 'soft'; target: string }

interface Symbol {
  name: Buffer
  link: LinkToWrite
  nameAt: number
  targetAt: number
}

export interface SymbolTableSizes {
  groupLeafK: number
  groupInternalK: number
}

/** Addresses of the tree and of the heap of names. */
export async function writeSymbolTable(
  file: OutputFile,
  links: ReadonlyMap<string, LinkToWrite>,
  sizes: SymbolTableSizes,
): Promise<{ tree: number; heap: number }> {
  const symbols = [...links]
    .map(([name, link]): Symbol => ({ name: Buffer.from(name), link, nameAt: 0, targetAt: 0 }))
    .sort((a, b) => Buffer.compare(a.name, b.name))
  const heap = writeNames(file, symbols)
  const perNode = 2 * sizes.groupLeafK
  const children: number[] = []
  for (let from = 0; from < symbols.length; from += perNode) {
    children.push(writeSymbols(file, { symbols: symbols.slice(from, from + perNode), perNode }))
  }
  const tree = await writeTree(file, {
    type: 0,
    fanout: 2 * sizes.groupInternalK,
    children,
    keyBytes: 8,
    // names of child i are above key i and not above key i + 1; offset 0 is the empty name
    writeKey: (fields, i) => {
      fields.u64(i === 0 ? 0 : symbols[Math.min(i * perNode, symbols.length) - 1]!.nameAt)
    },
  })
  return { tree, heap }
}

function writeNames(file: OutputFile, symbols: Symbol[]): number {
  let length = 8
  const place = (bytes: number) => {
    const at = length
    length += roundUp8(bytes + 1)
    return at
  }
  for (const symbol of symbols) {
    symbol.nameAt = place(symbol.name.length)
    if (symbol.link.kind === 'soft') symbol.targetAt = place(Buffer.byteLength(symbol.link.target))
  }
  const names = new Uint8Array(length)
  for (const { name, nameAt, link, targetAt } of symbols) {
    names.set(name, nameAt)
    if (link.kind === 'soft') names.set(Buffer.from(link.target), targetAt)
  }
  const data = file.append(names)
  // 1: the list of free pieces is empty
  const header = new Fields(32).text('HEAP').u32(0).u64(length).u64(1).u64(data)
  return file.append(header.bytes)
}

function writeSymbols(
  file: OutputFile,
  { symbols, perNode }: { symbols: Symbol[]; perNode: number },
): number {
  const fields = new Fields(8 + perNode * 40)
  fields.text('SNOD').u8(1, 0).u16(symbols.length)
  for (const { nameAt, link, targetAt } of symbols) {
    fields.u64(nameAt).u64(link.kind === 'hard' ? link.address : undefined)
    fields
      .u32(link.kind === 'hard' ? 0 : 2)
      .u32(0)
      .u32(targetAt)
      .u32(0)
      .u64(0)
  }
  return file.append(fields.bytes)
}
