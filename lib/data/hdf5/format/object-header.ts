/**
 * Object headers, versions 1 and 2, with their continuation blocks: the messages that describe one group or dataset.
 * Trap: blocks may point at each other for ever and repeat one another, so each address is read once and all are counted.
 */
import { Cursor, damaged, type ReadBytes, readExactly, unsupported } from './bytes.ts'
import { checkedPiece } from './checksum.ts'

export const MESSAGE = {
  dataspace: 0x01,
  linkInfo: 0x02,
  datatype: 0x03,
  oldFillValue: 0x04,
  fillValue: 0x05,
  link: 0x06,
  externalStorage: 0x07,
  layout: 0x08,
  filters: 0x0b,
  attribute: 0x0c,
  sharedTable: 0x0f,
  continuation: 0x10,
  symbolTable: 0x11,
  treeSizes: 0x13,
  driverInfo: 0x14,
  attributeInfo: 0x15,
  fileSpace: 0x17,
} as const

export interface Message {
  type: number
  /** bit 0: constant; bit 1: the body only says where the message is shared */
  flags: number
  body: Uint8Array
}

const MOST_MESSAGES = 1 << 17
const MOST_BLOCKS = 1 << 14

interface Block {
  address: number
  length: number
}

/** All messages of the object at an address, in stored order, without the continuations. @throws BadInput HDF5_DAMAGED, HDF5_UNSUPPORTED */
export function readObjectHeader(read: ReadBytes, address: number): Message[] {
  const start = readExactly(read, { offset: address, length: 16 })
  return start[0] === 0x4f ? readVersion2(read, address) : readVersion1(read, address)
}

function readVersion1(read: ReadBytes, address: number): Message[] {
  const cursor = new Cursor(readExactly(read, { offset: address, length: 16 }), { address })
  const version = cursor.u8()
  if (version !== 1) throw damaged('an object header is expected here', { address })
  cursor.skip(1)
  const declared = cursor.u16()
  cursor.skip(4)
  const first = { address: address + 16, length: cursor.u32() }
  const messages: Message[] = []
  eachBlock(first, (block, more) => {
    const body = new Cursor(readExactly(read, { offset: block.address, length: block.length }), block)
    // messages are counted in the header; what is left of a block is padding
    while (body.left >= 8 && messages.length < MOST_MESSAGES) {
      const type = body.u16()
      const size = body.u16()
      const flags = body.u8()
      body.skip(3)
      keep(messages, { message: { type, flags, body: body.take(size) }, more })
    }
  })
  if (messages.length > declared) throw damaged('an object has more messages than it declares', { address })
  return messages
}

function readVersion2(read: ReadBytes, address: number): Message[] {
  const cursor = new Cursor(readExactly(read, { offset: address, length: 6 }), { address })
  cursor.signature('OHDR')
  const version = cursor.u8()
  if (version !== 2) throw unsupported(`object header version ${version}`, { address })
  const flags = cursor.u8()
  const sizeWidth = 1 << (flags & 3)
  const prefix = 6 + (flags & 0x20 ? 16 : 0) + (flags & 0x10 ? 4 : 0) + sizeWidth
  const sizeField = readExactly(read, { offset: address + prefix - sizeWidth, length: sizeWidth })
  const length = prefix + new Cursor(sizeField, { address }).uint(sizeWidth) + 4
  const messages: Message[] = []
  eachBlock({ address, length }, (block, more) => {
    const bytes = checkedPiece(read, block)
    const body = new Cursor(bytes, block)
    if (block.address === address) body.skip(prefix)
    else body.signature('OCHK')
    readMessages2(body, { hasOrder: (flags & 4) !== 0, add: (message) => keep(messages, { message, more }) })
  })
  return messages
}

function readMessages2(body: Cursor, options: { hasOrder: boolean; add: (message: Message) => void }): void {
  const prefix = options.hasOrder ? 6 : 4
  while (body.left >= prefix) {
    const type = body.u8()
    const size = body.u16()
    const flags = body.u8()
    if (options.hasOrder) body.skip(2)
    options.add({ type, flags, body: body.take(size) })
  }
}

function eachBlock(first: Block, visit: (block: Block, more: (block: Block) => void) => void): void {
  const blocks = [first]
  const seen = new Set<number>()
  for (let i = 0; i < blocks.length; i++) {
    const block = blocks[i]!
    if (seen.has(block.address)) throw damaged('an object header continues in a circle', block)
    if (i >= MOST_BLOCKS) throw damaged('an object header has too many pieces', block)
    seen.add(block.address)
    visit(block, (next) => blocks.push(next))
  }
}

function keep(messages: Message[], found: { message: Message; more: (block: Block) => void }): void {
  const { message } = found
  if (messages.length >= MOST_MESSAGES) throw damaged('an object has too many messages')
  if (message.type !== MESSAGE.continuation) {
    messages.push(message)
    return
  }
  const cursor = new Cursor(message.body)
  const address = cursor.u64()
  found.more({ address, length: cursor.u64() })
}
