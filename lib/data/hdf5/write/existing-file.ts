/**
 * What an existing HDF5 file says of itself to one who adds to it: groups with their links and attributes, shapes of
 * datasets, texts of attributes.
 * Trap: settings of the whole file may forbid adding behind its end (paged or tracked space), and must be looked up.
 */
import { readSync } from 'node:fs'
import { attributeMessages, attributeTexts } from '../format/attributes.ts'
import { boundedRead, Cursor, type ReadBytes, unsupported } from '../format/bytes.ts'
import { describeDataset, isDataset } from '../format/dataset.ts'
import { groupLinks, isGroup } from '../format/groups.ts'
import { MESSAGE, type Message, readObjectHeader } from '../format/object-header.ts'
import { readSuperblock, type Superblock } from '../format/superblock.ts'
import { type Group, namesOf } from './object-tree.ts'

export interface ExistingFile {
  superblock: Superblock
  /** undefined when there is no group at the address */
  group(address: number): Group | undefined
  /** The text, or list of texts, of an attribute; undefined where there is none or it is no text. */
  texts(path: string, attribute: string): string[] | undefined
  /** 'group', or the shape of a dataset; undefined where nothing is */
  shape(path: string): 'group' | readonly number[] | undefined
  names(path: string): string[]
}

/** @throws BadInput HDF5_NOT, HDF5_TRUNCATED, HDF5_DAMAGED, HDF5_UNSUPPORTED */
export function openExisting(descriptor: number, fileSize: number): ExistingFile {
  const read = boundedRead(fileReader(descriptor), fileSize)
  const superblock = withExtension(read, readSuperblock(read, fileSize))
  const find = (path: string) => findObject(read, { root: superblock.rootAddress, path })
  return {
    superblock,
    group: (address) => readGroup(read, address),
    texts: (path, name) => {
      const messages = find(path)
      const attribute = messages && attributeMessages(read, messages).get(name)
      return attribute && attributeTexts(read, attribute)
    },
    shape: (path) => {
      const messages = find(path)
      if (messages === undefined) return undefined
      return isDataset(messages) ? (describeDataset(messages).shape ?? []) : 'group'
    },
    names: (path) => [...groupLinks(read, find(path) ?? []).keys()],
  }
}

function fileReader(descriptor: number): ReadBytes {
  return (offset, length) => {
    const bytes = new Uint8Array(length)
    let done = 0
    while (done < length) {
      const count = readSync(descriptor, bytes, done, length - done, offset + done)
      if (count === 0) break
      done += count
    }
    return bytes.subarray(0, done)
  }
}

function readGroup(read: ReadBytes, address: number): Group | undefined {
  const messages = readObjectHeader(read, address)
  if (!isGroup(messages)) return undefined
  const links = groupLinks(read, messages)
  for (const [name, link] of links) {
    // such a name would come back as another one
    if ((link.kind === 'soft' ? name + link.target : name).includes('\ufffd')) {
      throw unsupported(`the name ${JSON.stringify(name)} is not in UTF-8`, { address })
    }
  }
  return {
    links: new Map(links),
    attributes: attributeMessages(read, messages),
    isChanged: false,
    address,
  }
}

function findObject(read: ReadBytes, at: { root: number; path: string }): Message[] | undefined {
  let messages = readObjectHeader(read, at.root)
  for (const name of namesOf(at.path)) {
    const link = isGroup(messages) ? groupLinks(read, messages).get(name) : undefined
    if (link === undefined) return undefined
    if (link.kind !== 'hard') throw unsupported(`${at.path} is reached through a link of another kind`)
    messages = readObjectHeader(read, link.address)
  }
  return messages
}

/** @throws BadInput HDF5_UNSUPPORTED when something in the file would have to change along with its end */
function withExtension(read: ReadBytes, superblock: Superblock): Superblock {
  if (superblock.driverAddress !== undefined)
    throw unsupported('the file is one of several that belong together')
  // versions before 3 do not define these flags
  if (superblock.version === 3 && superblock.consistencyFlags !== 0) {
    throw unsupported('the file is still open in the program that writes it, or that program crashed')
  }
  if (superblock.extensionAddress === undefined) return superblock
  const sizes = { ...superblock }
  for (const { type, body } of readObjectHeader(read, superblock.extensionAddress)) {
    const cursor = new Cursor(body)
    if (type === MESSAGE.treeSizes) {
      cursor.skip(1)
      sizes.chunkK = cursor.u16()
      sizes.groupInternalK = cursor.u16()
      sizes.groupLeafK = cursor.u16()
      if (sizes.chunkK * sizes.groupInternalK * sizes.groupLeafK === 0) throw unsupported('tree sizes of 0')
    } else if (type === MESSAGE.fileSpace) checkFileSpace(cursor)
    else if (type !== 0) throw unsupported(`the file has a setting of kind ${type}`)
  }
  return sizes
}

function checkFileSpace(cursor: Cursor): void {
  const version = cursor.u8()
  const strategy = cursor.u8()
  const persists = cursor.u8() !== 0
  // strategy 1 of version 1 divides the file into pages
  if (version !== 1 || strategy === 1 || persists)
    throw unsupported('the file keeps account of its free space')
}
