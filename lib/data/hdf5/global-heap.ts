/**
 * "Global heap" collections, where variable-length text lies, for lists and for attributes.
 * Trap: a collection whose free space is not what is left of it sends the HDF5 library round for ever, so those that
 * attributes refer to are walked here before the library may read them.
 */
import { Cursor, damaged, type ReadBytes } from './format/bytes.ts'
import { MESSAGE, type Message } from './format/object-header.ts'

/** A reference to text: length (4), address of the collection (8), number of the object (4). */
export const referenceBytes = 16

const pieceBytes = 2 ** 24
const mostHeapBytes = 2 ** 28
const collectionsKept = 64
const headBytes = 16

export function readInPieces(
  read: ReadBytes,
  { offset, length }: { offset: number; length: number },
): Uint8Array {
  if (length <= pieceBytes) return read(offset, length)
  const output = new Uint8Array(length)
  for (let at = 0; at < length; at += pieceBytes)
    output.set(read(offset + at, Math.min(pieceBytes, length - at)), at)
  return output
}

/** Finds objects by collection and number; the collections last used are kept. */
export function openHeap(read: ReadBytes): (address: number, number: number) => Uint8Array {
  const kept = new Map<number, Map<number, Uint8Array>>()
  return (address, number) => {
    let objects = kept.get(address)
    if (objects === undefined) {
      if (kept.size >= collectionsKept) kept.delete(kept.keys().next().value ?? -1)
      objects = readCollection(read, address)
      kept.set(address, objects)
    }
    const found = objects.get(number)
    if (found === undefined) throw damaged('a text refers to nothing', { address })
    return found
  }
}

function readCollection(read: ReadBytes, address: number): Map<number, Uint8Array> {
  if (!Number.isSafeInteger(address)) throw damaged('a text refers to no place in the file')
  const head = new Cursor(read(address, headBytes), { address })
  head.signature('GCOL')
  if (head.u8() !== 1) throw damaged('a heap of an unknown version', { address })
  head.skip(3)
  const size = head.u64()
  if (size < headBytes || size > mostHeapBytes) throw damaged(`a heap of ${size} bytes`, { address })
  const cursor = new Cursor(readInPieces(read, { offset: address + headBytes, length: size - headBytes }), {
    address,
  })
  const objects = new Map<number, Uint8Array>()
  while (cursor.left >= headBytes) {
    const left = cursor.left
    const number = cursor.u16()
    cursor.skip(6)
    const length = cursor.u64()
    // object 0 is the free space behind the last, up to the end, its own head counted in
    if (number === 0) {
      if (length !== left) throw damaged('a heap whose free space is not what is left of it', { address })
      break
    }
    objects.set(number, cursor.take(length))
    cursor.skip(Math.min(cursor.left, (8 - (length % 8)) % 8))
  }
  return objects
}

/** Walks each collection once that the text attributes among an object's messages refer to. @throws BadInput HDF5_DAMAGED */
export function heapChecker(read: ReadBytes): (messages: readonly Message[]) => void {
  const sound = new Set<number>()
  return (messages) => {
    for (const { type, flags, body } of messages) {
      // bit 1: the attribute is shared, its body lies elsewhere
      if (type !== MESSAGE.attribute || flags & 2) continue
      for (const address of collectionsOf(body)) {
        if (sound.has(address)) continue
        readCollection(read, address)
        sound.add(address)
      }
    }
  }
}

/** Addresses in the value of an attribute message of variable-length type; none for other types. */
function collectionsOf(body: Uint8Array): number[] {
  const cursor = new Cursor(body)
  const version = cursor.u8()
  const flags = cursor.u8()
  const sizes = [cursor.u16(), cursor.u16(), cursor.u16()]
  if (version === 3) cursor.skip(1)
  const [name, type, space] = sizes.map((size) => (version === 1 ? Math.ceil(size / 8) * 8 : size))
  cursor.skip(name ?? 0)
  const datatype = cursor.take(type ?? 0)
  cursor.skip(space ?? 0)
  const isVariable = (flags & 1) === 0 && datatype.length > 0 && ((datatype[0] ?? 0) & 0x0f) === 9
  if (!isVariable) return []
  const addresses: number[] = []
  while (cursor.left >= referenceBytes) {
    const length = cursor.u32()
    const address = cursor.address()
    cursor.skip(4)
    if (length > 0 && address !== undefined && address !== 0) addresses.push(address)
  }
  return addresses
}
