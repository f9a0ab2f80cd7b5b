/**
 * Datatype messages as h5py 3 writes them: little-endian numbers, numpy.bool_ as an enumeration FALSE/TRUE over int8,
 * text as variable-length, null-terminated UTF-8.
 */
import type { NumberArray, NumberType } from '../../tree.ts'

export type StoredNumber = Exclude<NumberType, 'float16'>
export type StoredType = StoredNumber | 'boolean' | 'string'

type NumberClass = {
  bytes: number
  make: (length: number) => NumberArray
  is: (values: NumberArray) => boolean
}

export const NUMBERS: Record<StoredNumber, NumberClass> = {
  int8: { bytes: 1, make: (n) => new Int8Array(n), is: (v) => v instanceof Int8Array },
  uint8: { bytes: 1, make: (n) => new Uint8Array(n), is: (v) => v instanceof Uint8Array },
  int16: { bytes: 2, make: (n) => new Int16Array(n), is: (v) => v instanceof Int16Array },
  uint16: { bytes: 2, make: (n) => new Uint16Array(n), is: (v) => v instanceof Uint16Array },
  int32: { bytes: 4, make: (n) => new Int32Array(n), is: (v) => v instanceof Int32Array },
  uint32: { bytes: 4, make: (n) => new Uint32Array(n), is: (v) => v instanceof Uint32Array },
  int64: { bytes: 8, make: (n) => new BigInt64Array(n), is: (v) => v instanceof BigInt64Array },
  uint64: { bytes: 8, make: (n) => new BigUint64Array(n), is: (v) => v instanceof BigUint64Array },
  float32: { bytes: 4, make: (n) => new Float32Array(n), is: (v) => v instanceof Float32Array },
  float64: { bytes: 8, make: (n) => new Float64Array(n), is: (v) => v instanceof Float64Array },
}

/** Bytes of one stored element; of text the reference into a heap. */
export function elementBytes(type: StoredType): number {
  return type === 'string' ? 16 : type === 'boolean' ? 1 : NUMBERS[type].bytes
}

export function isOfType(values: NumberArray, type: StoredType): boolean {
  return type === 'boolean' ? values instanceof Uint8Array : type !== 'string' && NUMBERS[type].is(values)
}

export function bytesOf(values: NumberArray): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
}

export function datatypeMessage(type: StoredType): Uint8Array {
  if (type === 'string') {
    const unsignedByte = [0x10, 0, 0, 0, 1, 0, 0, 0, 0, 0, 8, 0]
    return Uint8Array.from([0x19, 1, 1, 0, 16, 0, 0, 0, ...unsignedByte])
  }
  if (type === 'boolean') return booleanType()
  const { bytes } = NUMBERS[type]
  if (type === 'float32') return floatType({ bytes, exponentAt: 23, exponentBits: 8, bias: 127 })
  if (type === 'float64') return floatType({ bytes, exponentAt: 52, exponentBits: 11, bias: 1023 })
  return integerType({ bytes, isSigned: !type.startsWith('u') })
}

function integerType({ bytes, isSigned }: { bytes: number; isSigned: boolean }): Uint8Array {
  return Uint8Array.from([0x10, isSigned ? 8 : 0, 0, 0, bytes, 0, 0, 0, 0, 0, bytes * 8, 0])
}

function floatType(float: {
  bytes: number
  exponentAt: number
  exponentBits: number
  bias: number
}): Uint8Array {
  const { bytes, exponentAt, exponentBits, bias } = float
  const bits = bytes * 8
  const head = [0x11, 0x20, bits - 1, 0, bytes, 0, 0, 0, 0, 0, bits, 0]
  return Uint8Array.from([...head, exponentAt, exponentBits, 0, exponentAt, bias & 255, bias >> 8, 0, 0])
}

function booleanType(): Uint8Array {
  const names = [...Buffer.from('FALSE\0\0\0TRUE\0\0\0\0')]
  const base = integerType({ bytes: 1, isSigned: true })
  return Uint8Array.from([0x18, 2, 0, 0, 1, 0, 0, 0, ...base, ...names, 0, 1])
}

/** A record of named fields that follow one another without gaps (compound, version 1). */
export function recordType(fields: readonly { name: string; type: StoredType }[]): Uint8Array {
  const size = fields.reduce((sum, { type }) => sum + elementBytes(type), 0)
  const pieces: Uint8Array[] = []
  let offset = 0
  for (const { name, type } of fields) {
    const text = Buffer.from(`${name}\0`)
    const member = Buffer.alloc(Math.ceil(text.length / 8) * 8 + 32)
    text.copy(member)
    // offset, then dimensions, which a plain member has none of
    member.writeUInt32LE(offset, member.length - 32)
    pieces.push(member, datatypeMessage(type))
    offset += elementBytes(type)
  }
  const head = Buffer.from([0x16, fields.length & 255, fields.length >> 8, 0, 0, 0, 0, 0])
  head.writeUInt32LE(size, 4)
  return Buffer.concat([head, ...pieces])
}
