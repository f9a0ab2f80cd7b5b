/**
 * Header messages and version 1 object headers, in the forms that every libhdf5 since 1.6 reads.
 * Trap: a message holds its length in 16 bits, so an attribute of more than 64 KiB cannot be stored this way.
 */
import { BadInput } from '../../../job/errors.ts'
import { MESSAGE, type Message } from '../format/object-header.ts'

const NO_ADDRESS = 0xffff_ffff_ffff_ffffn
const MOST_MESSAGE_BYTES = 0xfff8
const MOST_MESSAGES = 0xffff

export const roundUp8 = (bytes: number) => bytes + (-bytes & 7)

/** Fields one after another, little-endian. */
export class Fields {
  readonly #view: DataView
  readonly bytes: Uint8Array
  position = 0

  constructor(length: number) {
    this.bytes = new Uint8Array(length)
    this.#view = new DataView(this.bytes.buffer)
  }

  u8(...values: number[]): this {
    for (const value of values) this.#view.setUint8(this.position++, value)
    return this
  }

  u16(value: number): this {
    this.#view.setUint16(this.position, value, true)
    this.position += 2
    return this
  }

  u32(value: number): this {
    this.#view.setUint32(this.position, value, true)
    this.position += 4
    return this
  }

  /** undefined: no address, no limit */
  u64(value: number | undefined): this {
    this.#view.setBigUint64(this.position, value === undefined ? NO_ADDRESS : BigInt(value), true)
    this.position += 8
    return this
  }

  put(bytes: Uint8Array): this {
    this.bytes.set(bytes, this.position)
    this.position += bytes.length
    return this
  }

  text(text: string): this {
    return this.put(Buffer.from(text))
  }

  padTo8(): this {
    this.position = roundUp8(this.position)
    return this
  }
}

/** null: declared without data. Infinity in `maxShape`: no limit. */
export function dataspaceMessage(shape: readonly number[] | null, maxShape?: readonly number[]): Uint8Array {
  if (shape === null) return Uint8Array.of(2, 0, 0, 2)
  const fields = new Fields(8 + 8 * shape.length * (maxShape === undefined ? 1 : 2))
  fields.u8(1, shape.length, maxShape === undefined ? 0 : 1, 0).u32(0)
  for (const extent of shape) fields.u64(extent)
  for (const extent of maxShape ?? []) fields.u64(Number.isFinite(extent) ? extent : undefined)
  return fields.bytes
}

/** When space is given and filled: never ahead of the data; zero where nothing was written. */
export function fillMessage({ isChunked, isText }: { isChunked: boolean; isText: boolean }): Uint8Array {
  return Uint8Array.of(2, isChunked ? 3 : 2, isText ? 0 : 2, 1, 0, 0, 0, 0)
}

export function contiguousMessage({
  address,
  bytes,
}: {
  address: number | undefined
  bytes: number
}): Uint8Array {
  return new Fields(18).u8(3, 1).u64(address).u64(bytes).bytes
}

export function chunkedMessage(options: {
  address: number | undefined
  chunk: readonly number[]
  elementBytes: number
}): Uint8Array {
  const { address, chunk, elementBytes } = options
  const fields = new Fields(3 + 8 + 4 * (chunk.length + 1))
  fields.u8(3, 2, chunk.length + 1).u64(address)
  for (const extent of chunk) fields.u32(extent)
  return fields.u32(elementBytes).bytes
}

export function filterMessage(options: { gzip: number; shuffleBytes: number }): Uint8Array {
  const filters = [
    { id: 2, name: 'shuffle\0', value: options.shuffleBytes },
    { id: 1, name: 'deflate\0', value: options.gzip },
  ].slice(options.shuffleBytes > 0 ? 0 : 1)
  const fields = new Fields(8 + 24 * filters.length)
  fields.u8(1, filters.length).u16(0).u32(0)
  for (const { id, name, value } of filters) {
    fields.u16(id).u16(8).u16(1).u16(1).text(name).u32(value).u32(0)
  }
  return fields.bytes
}

export function symbolTableMessage({ tree, heap }: { tree: number; heap: number }): Uint8Array {
  return new Fields(16).u64(tree).u64(heap).bytes
}

/** @throws BadInput HDF5_ATTRIBUTE_SIZE */
export function attributeMessage(
  name: string,
  parts: { datatype: Uint8Array; dataspace: Uint8Array; data: Uint8Array },
): Uint8Array {
  const nameBytes = Buffer.from(`${name}\0`)
  const { datatype, dataspace, data } = parts
  const heads = [nameBytes, datatype, dataspace]
  const fields = new Fields(heads.reduce((sum, part) => sum + roundUp8(part.length), 8 + data.length))
  if (fields.bytes.length > MOST_MESSAGE_BYTES) {
    throw new BadInput(
      'HDF5_ATTRIBUTE_SIZE',
      `attribute ${JSON.stringify(name)}`,
      `it needs ${fields.bytes.length} bytes, HDF5 keeps at most ${MOST_MESSAGE_BYTES} in an attribute`,
      'Use fewer columns (about 4,000 fit in one table)',
    )
  }
  fields.u8(1, 0).u16(nameBytes.length).u16(datatype.length).u16(dataspace.length)
  for (const part of heads) fields.put(part).padTo8()
  return fields.put(data).bytes
}

/** A version 1 header with all messages in one piece. */
export function objectHeader(messages: readonly Message[]): Uint8Array {
  // an empty message leaves room for a pointer to more, should a later writer add some
  const all = [...messages, { type: 0, flags: 0, body: new Uint8Array(16) }]
  if (all.length > MOST_MESSAGES) {
    throw new BadInput(
      'HDF5_ATTRIBUTE_SIZE',
      'attributes',
      'there are more than 65,000',
      'Write fewer attributes',
    )
  }
  const size = all.reduce((sum, { body }) => sum + 8 + roundUp8(body.length), 0)
  const fields = new Fields(16 + size)
  fields.u8(1, 0).u16(all.length).u32(1).u32(size).u32(0)
  for (const { type, flags, body } of all) {
    if (roundUp8(body.length) > MOST_MESSAGE_BYTES) throw new RangeError(`message ${type} is too large`)
    fields.u16(type).u16(roundUp8(body.length)).u8(flags, 0, 0, 0).put(body).padTo8()
  }
  return fields.bytes
}

export const asMessage = (type: keyof typeof MESSAGE, body: Uint8Array, flags = 0): Message => ({
  type: MESSAGE[type],
  flags,
  body,
})
