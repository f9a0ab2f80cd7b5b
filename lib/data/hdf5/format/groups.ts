/**
 * The links of a group in all three forms: a symbol table (files before HDF5 1.8 and h5py's default), link messages
 * in the header, and link messages in a heap with an index ("dense", more than eight links with newer formats).
 * Trap: names are bytes; they are taken as UTF-8, which is what h5py writes, and two equal names are damage.
 */
import { Cursor, damaged, decodeText, type ReadBytes, unsupported } from './bytes.ts'
import { heapReader } from './fractal-heap.ts'
import { MESSAGE, type Message } from './object-header.ts'
import { symbolTableLinks } from './symbol-table.ts'
import { treeRecords } from './tree-records.ts'

export type Link =
  | { kind: 'hard'; address: number }
  | { kind: 'soft'; target: string }
  | { kind: 'external' }
  | { kind: 'user' }

const MOST_LINKS = 1 << 20

/** Links by name, in stored order. @throws BadInput HDF5_DAMAGED, HDF5_UNSUPPORTED */
export function groupLinks(read: ReadBytes, messages: readonly Message[]): Map<string, Link> {
  const links = new Map<string, Link>()
  const add = (name: string, link: Link) => {
    if (links.has(name)) throw damaged(`a group has two links named ${JSON.stringify(name)}`)
    if (links.size >= MOST_LINKS) throw unsupported(`a group of more than ${MOST_LINKS} links`)
    links.set(name, link)
  }
  for (const { type, flags, body } of messages) {
    if (type !== MESSAGE.symbolTable && type !== MESSAGE.link && type !== MESSAGE.linkInfo) continue
    if (flags & 2) throw unsupported('links of a group are shared between objects')
    if (type === MESSAGE.symbolTable) symbolTableLinks(read, { body, add })
    else if (type === MESSAGE.link) parseLink(body, add)
    else denseLinks(read, { body, add })
  }
  return links
}

export function isGroup(messages: readonly Message[]): boolean {
  return messages.some(({ type }) => type === MESSAGE.symbolTable || type === MESSAGE.linkInfo)
}

function denseLinks(
  read: ReadBytes,
  options: { body: Uint8Array; add: (name: string, link: Link) => void },
): void {
  const cursor = new Cursor(options.body)
  if (cursor.u8() !== 0) throw unsupported('link information of another version')
  if (cursor.u8() & 1) cursor.skip(8)
  const heapAddress = cursor.address()
  const indexAddress = cursor.address()
  if (heapAddress === undefined || indexAddress === undefined) return
  const object = heapReader(read, heapAddress)
  // records of the index by name: a hash of four bytes, then the heap's id
  treeRecords(read, { address: indexAddress, type: 5 }, (record) => {
    parseLink(object(record.subarray(4)), options.add)
  })
}

function parseLink(body: Uint8Array, add: (name: string, link: Link) => void): void {
  const cursor = new Cursor(body)
  if (cursor.u8() !== 1) throw unsupported('a link message of another version')
  const flags = cursor.u8()
  const type = flags & 8 ? cursor.u8() : 0
  if (flags & 4) cursor.skip(8)
  if (flags & 16) cursor.skip(1)
  const name = decodeText(cursor.take(cursor.uint(1 << (flags & 3))))
  if (type === 0) add(name, { kind: 'hard', address: cursor.u64() })
  else if (type === 1) add(name, { kind: 'soft', target: decodeText(cursor.take(cursor.u16())) })
  else if (type === 64) add(name, { kind: 'external' })
  else add(name, { kind: 'user' })
}
