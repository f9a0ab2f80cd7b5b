/** Everything that our own parser finds in a file: each link, texts of attributes, and datasets with all of their chunks. */
import { attributeMessages, attributeTexts } from '../../lib/data/hdf5/format/attributes.ts'
import { boundedRead, type ReadBytes } from '../../lib/data/hdf5/format/bytes.ts'
import { chunksInRows } from '../../lib/data/hdf5/format/chunks.ts'
import { type DatasetDescription, describeDataset, isDataset } from '../../lib/data/hdf5/format/dataset.ts'
import { groupLinks, isGroup, type Link } from '../../lib/data/hdf5/format/groups.ts'
import { readObjectHeader } from '../../lib/data/hdf5/format/object-header.ts'
import type { StoredChunk } from '../../lib/data/hdf5/format/stored-chunk.ts'
import { readSuperblock } from '../../lib/data/hdf5/format/superblock.ts'

/** lists of texts by attribute; undefined for other types */
type Texts = Map<string, string[] | undefined>

export type Found =
  | { kind: 'group'; texts: Texts }
  | { kind: 'dataset'; description: DatasetDescription; chunks: StoredChunk[]; texts: Texts }
  | Exclude<Link, { kind: 'hard' }>

export const readerOf = (bytes: Uint8Array): ReadBytes =>
  boundedRead((offset, length) => bytes.subarray(offset, offset + length), bytes.length)

/** By path. Objects reached twice are found once, so that crafted files end. */
export function parseWhole(bytes: Uint8Array): Map<string, Found> {
  const read = readerOf(bytes)
  const found = new Map<string, Found>()
  const seen = new Set<number>()
  const visit = (address: number, path: string) => {
    if (seen.has(address)) return
    seen.add(address)
    const messages = readObjectHeader(read, address)
    const attributes = attributeMessages(read, messages)
    const texts: Texts = new Map(
      [...attributes].map(([name, message]) => [name, attributeTexts(read, message)]),
    )
    if (isDataset(messages)) {
      const description = describeDataset(messages)
      const { layout, shape } = description
      const rows = { from: 0, to: shape?.[0] ?? 0 }
      const chunks = layout.kind === 'chunked' ? chunksInRows(read, layout, rows) : []
      found.set(path, { kind: 'dataset', description, chunks, texts })
      return
    }
    if (path !== '') found.set(path, { kind: 'group', texts })
    for (const [name, link] of isGroup(messages) ? groupLinks(read, messages) : []) {
      if (link.kind === 'hard') visit(link.address, `${path}/${name}`)
      else found.set(`${path}/${name}`, link)
    }
  }
  visit(readSuperblock(read, bytes.length).rootAddress, '')
  return found
}
