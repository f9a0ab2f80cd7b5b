/** The value of items in chunks that are not stored, as the bytes of one item (or as text). */
import type { NumberType } from './tree.ts'
import { type FixedType, isRecord, type StoredType } from './zarr-types.ts'

/** Undefined where the value is not understood: such a chunk cannot be made up. */
export function encodeFill(type: StoredType, value: unknown): Uint8Array | string | undefined {
  if (type.kind === 'unsupported') return undefined
  if (type.kind === 'text')
    return typeof value === 'string' ? value : value === 0 || isNothing(value) ? '' : undefined
  if (isNothing(value)) return new Uint8Array(type.size)
  const { element } = type
  if (element.kind === 'number')
    return encodeNumber(value, { type: element.type, isBigEndian: type.isBigEndian })
  if (element.kind === 'boolean') return typeof value === 'object' ? undefined : Uint8Array.of(value ? 1 : 0)
  return encodeBytes(value, type)
}

function isNothing(value: unknown): boolean {
  return value === null || value === undefined
}

function encodeNumber(
  value: unknown,
  { type, isBigEndian }: { type: NumberType; isBigEndian: boolean },
): Uint8Array | undefined {
  const number = typeof value === 'boolean' ? Number(value) : numberOf(value)
  if (number === undefined) return undefined
  const view = new DataView(new ArrayBuffer(8))
  const isWhole = Number.isInteger(number)
  if (type === 'float64') view.setFloat64(0, number, !isBigEndian)
  else if (type === 'float32') view.setFloat32(0, number, !isBigEndian)
  else if (type === 'float16') {
    const bits = halfBits(number)
    if (bits === undefined) return undefined
    view.setUint16(0, bits, !isBigEndian)
  } else if (!isWhole) return undefined
  else if (type.endsWith('64')) view.setBigInt64(0, BigInt(number), !isBigEndian)
  else if (type.endsWith('32')) view.setInt32(0, number, !isBigEndian)
  else if (type.endsWith('16')) view.setInt16(0, number, !isBigEndian)
  else view.setInt8(0, number)
  return new Uint8Array(view.buffer, 0, Number(/\d+$/.exec(type)?.[0]) / 8)
}

function numberOf(value: unknown): number | undefined {
  if (typeof value === 'number') return value
  if (value === 'NaN') return Number.NaN
  if (value === 'Infinity') return Number.POSITIVE_INFINITY
  return value === '-Infinity' ? Number.NEGATIVE_INFINITY : undefined
}

/** Halves other than these are not worth an encoder. */
function halfBits(value: number): number | undefined {
  if (value === 0) return 0
  if (Number.isNaN(value)) return 0x7e00
  if (Math.abs(value) === Number.POSITIVE_INFINITY) return value > 0 ? 0x7c00 : 0xfc00
  return undefined
}

/** Text and records: base64 of the item (format 2), plain text, or for records in format 3 a value for each member. */
function encodeBytes(value: unknown, type: FixedType): Uint8Array | undefined {
  if (value === 0 || value === '') return new Uint8Array(type.size)
  if (isRecord(value)) return Object.values(value).every(isZero) ? new Uint8Array(type.size) : undefined
  if (typeof value !== 'string') return undefined
  const bytes = Buffer.from(value, 'base64')
  return bytes.length === type.size ? new Uint8Array(bytes) : undefined
}

function isZero(value: unknown): boolean {
  return value === 0 || value === '' || isNothing(value)
}
