/**
 * The attributes of an object as messages, wherever they lie: in its header, or in a heap with an index ("dense", more
 * than eight with newer formats). Of their values only text is decoded here.
 * Trap: names end at a NUL and are taken as UTF-8; of a committed datatype the message holds only a pointer.
 */
import { openHeap } from '../global-heap.ts'
import { Cursor, damaged, decodeText, type ReadBytes, unsupported } from './bytes.ts'
import { parseDataspace } from './dataset.ts'
import { heapReader } from './fractal-heap.ts'
import { MESSAGE, type Message } from './object-header.ts'
import { treeRecords } from './tree-records.ts'

const MOST_ATTRIBUTES = 1 << 16

/** Attribute messages by name, in stored order. @throws BadInput HDF5_DAMAGED, HDF5_UNSUPPORTED */
export function attributeMessages(read: ReadBytes, messages: readonly Message[]): Map<string, Message> {
  const found = new Map<string, Message>()
  const add = (flags: number, body: Uint8Array) => {
    if (flags & 2) throw unsupported('an attribute is shared between objects')
    if (found.size >= MOST_ATTRIBUTES) throw unsupported('an object has more than 65,536 attributes')
    const { name } = parseAttribute(body)
    if (found.has(name)) throw damaged(`an object has two attributes named ${JSON.stringify(name)}`)
    found.set(name, { type: MESSAGE.attribute, flags, body })
  }
  for (const { type, flags, body } of messages) {
    if (type === MESSAGE.attribute) add(flags, body)
    else if (type === MESSAGE.attributeInfo) denseAttributes(read, { body, add })
  }
  return found
}

function denseAttributes(
  read: ReadBytes,
  { body, add }: { body: Uint8Array; add: (flags: number, body: Uint8Array) => void },
): void {
  const cursor = new Cursor(body)
  if (cursor.u8() !== 0) throw unsupported('attribute information of another version')
  if (cursor.u8() & 1) cursor.skip(2)
  const heapAddress = cursor.address()
  const indexAddress = cursor.address()
  if (heapAddress === undefined || indexAddress === undefined) return
  const object = heapReader(read, heapAddress)
  // records of the index by name: the heap's id of eight bytes, the message's flags, order, hash
  treeRecords(read, { address: indexAddress, type: 8 }, (record) => {
    const flags = new Cursor(record, { position: 8 }).u8()
    add(flags, flags & 2 ? record : object(record.subarray(0, 8)))
  })
}

interface Attribute {
  name: string
  datatype: Uint8Array
  datatypeIsShared: boolean
  shape: number[] | null
  data: Uint8Array
}

function parseAttribute(body: Uint8Array): Attribute {
  const cursor = new Cursor(body)
  const version = cursor.u8()
  if (version < 1 || version > 3) throw unsupported('an attribute of another version')
  const flags = cursor.u8()
  const sizes = [cursor.u16(), cursor.u16(), cursor.u16()]
  if (version === 3) cursor.skip(1)
  const [nameBytes = 0, typeBytes = 0, spaceBytes = 0] = sizes
  // version 1 fills each part up to eight bytes
  const part = (bytes: number) => {
    const content = cursor.take(bytes)
    if (version === 1) cursor.skip(-bytes & 7)
    return content
  }
  const name = part(nameBytes)
  const datatype = part(typeBytes)
  const { shape } = parseDataspace(part(spaceBytes))
  const end = name.indexOf(0)
  return {
    name: decodeText(end < 0 ? name : name.subarray(0, end)),
    datatype,
    datatypeIsShared: version > 1 && (flags & 1) !== 0,
    shape,
    data: cursor.take(cursor.left),
  }
}

/** The texts of an attribute; [] for one without elements; undefined when it is no text. */
export function attributeTexts(read: ReadBytes, message: Message): string[] | undefined {
  const { datatype, datatypeIsShared, shape, data } = parseAttribute(message.body)
  const count = (shape ?? [0]).reduce((a, b) => a * b, 1)
  if (count === 0) return []
  if (datatypeIsShared) return undefined
  const head = new Cursor(datatype)
  const typeClass = head.u8() & 15
  const kind = head.u8() & 15
  head.skip(2)
  const size = head.u32()
  const cursor = new Cursor(data)
  if (size === 0 || count * size > data.length) throw damaged('an attribute is shorter than its shape')
  if (typeClass === 3) return Array.from({ length: count }, () => fixedText(cursor.take(size), kind))
  if (typeClass !== 9 || kind !== 1 || size !== 16) return undefined
  const object = openHeap(read)
  return Array.from({ length: count }, () => {
    const length = cursor.u32()
    const address = cursor.address()
    const number = cursor.u32()
    if (length === 0 || address === undefined || address === 0) return ''
    return fixedText(object(address, number).subarray(0, length), 0)
  })
}

/** Padding 0: up to the first NUL, 1: without NULs at the end, 2: without spaces at the end. */
function fixedText(bytes: Uint8Array, padding: number): string {
  if (padding === 0) {
    const end = bytes.indexOf(0)
    return decodeText(end < 0 ? bytes : bytes.subarray(0, end))
  }
  return decodeText(bytes).replace(padding === 1 ? /\0+$/ : / +$/, '')
}
