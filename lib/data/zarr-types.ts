/**
 * Element types of zarr, format 2 (numpy's short names) and format 3, as our element types and how to decode them.
 * Everything of a fixed size is handled as bytes until a read is complete, so that one way of copying serves all types.
 */
import type { ArrayValues, ElementType, NumberType } from './tree.ts'

export interface FixedType {
  kind: 'fixed'
  element: ElementType
  /** bytes of one item */
  size: number
  isBigEndian: boolean
  /** Items, one after another in a buffer of their own, as values. @throws RangeError for what is no text */
  decode(bytes: Uint8Array<ArrayBuffer>): ArrayValues
}

export type StoredType =
  | FixedType
  | { kind: 'text'; element: ElementType }
  | { kind: 'unsupported'; element: Extract<ElementType, { kind: 'unsupported' }> }

const numbers: Record<NumberType, { size: number; decode: (buffer: ArrayBuffer) => ArrayValues }> = {
  int8: { size: 1, decode: (buffer) => new Int8Array(buffer) },
  uint8: { size: 1, decode: (buffer) => new Uint8Array(buffer) },
  int16: { size: 2, decode: (buffer) => new Int16Array(buffer) },
  uint16: { size: 2, decode: (buffer) => new Uint16Array(buffer) },
  int32: { size: 4, decode: (buffer) => new Int32Array(buffer) },
  uint32: { size: 4, decode: (buffer) => new Uint32Array(buffer) },
  int64: { size: 8, decode: (buffer) => new BigInt64Array(buffer) },
  uint64: { size: 8, decode: (buffer) => new BigUint64Array(buffer) },
  float16: { size: 2, decode: (buffer) => Float32Array.from(new Uint16Array(buffer), halfToNumber) },
  float32: { size: 4, decode: (buffer) => new Float32Array(buffer) },
  float64: { size: 8, decode: (buffer) => new Float64Array(buffer) },
}

export function isNumberType(name: string): name is NumberType {
  return Object.hasOwn(numbers, name)
}

/** bits of an IEEE half: sign, 5 of exponent, 10 of fraction */
function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1
  const exponent = (bits >> 10) & 31
  const fraction = bits & 1023
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1024 + fraction) * 2 ** (exponent - 25)
}

function numberType(type: NumberType, isBigEndian: boolean): FixedType {
  const { size, decode } = numbers[type]
  return {
    kind: 'fixed',
    element: { kind: 'number', type },
    size,
    isBigEndian,
    decode: (bytes) => decode(inOwnOrder(bytes, isBigEndian ? size : 1)),
  }
}

/** The bytes of numbers of `size` bytes turned round in place. */
function inOwnOrder(bytes: Uint8Array<ArrayBuffer>, size: number): ArrayBuffer {
  const view = Buffer.from(bytes.buffer)
  if (size === 2) view.swap16()
  if (size === 4) view.swap32()
  if (size === 8) view.swap64()
  return bytes.buffer
}

const booleanType: FixedType = {
  kind: 'fixed',
  element: { kind: 'boolean' },
  size: 1,
  isBigEndian: false,
  decode: (bytes) => bytes.map((byte) => (byte === 0 ? 0 : 1)),
}

function byteText(size: number): FixedType {
  const decode = (bytes: Uint8Array): string[] =>
    Array.from({ length: bytes.length / size }, (_, i) => {
      const item = bytes.subarray(i * size, (i + 1) * size)
      let length = size
      while (length > 0 && item[length - 1] === 0) length--
      return Buffer.from(item.subarray(0, length)).toString('utf8')
    })
  return { kind: 'fixed', element: { kind: 'string' }, size, isBigEndian: false, decode }
}

/** Text of `length` code points, four bytes each, filled up with zeros. */
function unicodeText(length: number, isBigEndian: boolean): FixedType {
  const decode = (bytes: Uint8Array<ArrayBuffer>): string[] => {
    const points = new Uint32Array(inOwnOrder(bytes, isBigEndian ? 4 : 1))
    return Array.from({ length: points.length / length }, (_, i) => {
      let end = (i + 1) * length
      while (end > i * length && points[end - 1] === 0) end--
      return String.fromCodePoint(...points.subarray(i * length, end))
    })
  }
  return { kind: 'fixed', element: { kind: 'string' }, size: length * 4, isBigEndian, decode }
}

function unsupportedType(what: string): StoredType {
  return { kind: 'unsupported', element: { kind: 'unsupported', what } }
}

interface Member {
  name: string
  type: StoredType
  shape: number[]
}

/** A record: its members' bytes one after another, without gaps. Read as one array for each member. */
function compoundType(members: Member[]): StoredType {
  const parts: { name: string; type: FixedType; offset: number; count: number }[] = []
  let size = 0
  for (const { name, type, shape } of members) {
    if (type.kind !== 'fixed') return unsupportedType(`records with ${JSON.stringify(type.element)}`)
    const count = shape.reduce((product, length) => product * length, 1)
    parts.push({ name, type, offset: size, count })
    size += type.size * count
  }
  if (size === 0) return unsupportedType('records of no bytes')
  const decode = (bytes: Uint8Array): ArrayValues => {
    const rows = bytes.length / size
    const values = parts.map(({ name, type, offset, count }): [string, ArrayValues] => {
      const width = type.size * count
      const own = new Uint8Array(rows * width)
      for (let row = 0; row < rows; row++) {
        own.set(bytes.subarray(row * size + offset, row * size + offset + width), row * width)
      }
      return [name, type.decode(own)]
    })
    return { members: new Map(values) }
  }
  const described = members.map(({ name, type, shape }) => ({ name, element: type.element, shape }))
  return {
    kind: 'fixed',
    element: { kind: 'compound', members: described },
    size,
    isBigEndian: false,
    decode,
  }
}

const numpyNumbers: Record<string, NumberType> = {
  i1: 'int8',
  u1: 'uint8',
  i2: 'int16',
  u2: 'uint16',
  i4: 'int32',
  u4: 'uint32',
  i8: 'int64',
  u8: 'uint64',
  f2: 'float16',
  f4: 'float32',
  f8: 'float64',
}

/** `dtype` of format 2: "<f4", "|O", or a list of members. `isText` when the filters say that objects are text. */
export function numpyType(dtype: unknown, isText: boolean): StoredType {
  if (Array.isArray(dtype)) return compoundType(dtype.map(numpyMember))
  const match = typeof dtype === 'string' ? /^([<>|=])([A-Za-z])(\d*)(.*)$/.exec(dtype) : null
  if (match === null) return unsupportedType(`dtype ${JSON.stringify(dtype)}`)
  const [, order, kind = '', length = '', unit] = match
  const isBigEndian = order === '>'
  const number = numpyNumbers[kind + length]
  if (unit !== '') return unsupportedType(`dtype ${JSON.stringify(dtype)}`)
  if (number !== undefined) return numberType(number, isBigEndian)
  if (kind === 'b') return booleanType
  if (kind === 'O' && isText) return { kind: 'text', element: { kind: 'string' } }
  if (kind === 'S' && isTextLength(Number(length))) return byteText(Number(length))
  if (kind === 'U' && isTextLength(Number(length))) return unicodeText(Number(length), isBigEndian)
  return unsupportedType(`dtype ${JSON.stringify(dtype)}`)
}

/** beyond this a single text would be spread over more arguments than a function takes */
function isTextLength(length: number): boolean {
  return length >= 1 && length <= 10_000
}

function numpyMember(member: unknown): Member {
  const [name, dtype, shape = []]: unknown[] = Array.isArray(member) ? member : []
  const isShape = Array.isArray(shape) && shape.every((length) => Number.isSafeInteger(length) && length >= 0)
  if (typeof name !== 'string' || !isShape)
    return { name: '', type: unsupportedType('records of unknown form'), shape: [] }
  const type = Array.isArray(dtype) ? unsupportedType('records within records') : numpyType(dtype, false)
  return { name, type, shape }
}

/** `data_type` of format 3: a name, or a name with a configuration. The codec `bytes` says the order of bytes. */
export function zarrType(
  dataType: unknown,
  { isBigEndian, isMember = false }: { isBigEndian: boolean; isMember?: boolean },
): StoredType {
  const { name, configuration } = named(dataType)
  if (isNumberType(name)) return numberType(name, isBigEndian)
  if (name === 'bool') return booleanType
  if (name === 'string' || name === 'variable_length_utf8')
    return { kind: 'text', element: { kind: 'string' } }
  const bytes = Number(configuration.length_bytes)
  if (name === 'fixed_length_utf32' && isTextLength(bytes / 4) && bytes % 4 === 0)
    return unicodeText(bytes / 4, isBigEndian)
  if (name === 'null_terminated_bytes' && isTextLength(bytes)) return byteText(bytes)
  if ((name === 'struct' || name === 'structured') && Array.isArray(configuration.fields) && !isMember) {
    return compoundType(configuration.fields.map((field) => zarrMember(field, isBigEndian)))
  }
  return unsupportedType(`data type ${JSON.stringify(name)}`)
}

function zarrMember(field: unknown, isBigEndian: boolean): Member {
  const [name, dataType]: unknown[] = Array.isArray(field)
    ? field
    : isRecord(field)
      ? [field.name, field.data_type]
      : []
  if (typeof name !== 'string')
    return { name: '', type: unsupportedType('records of unknown form'), shape: [] }
  return { name, type: zarrType(dataType, { isBigEndian, isMember: true }), shape: [] }
}

function named(value: unknown): { name: string; configuration: Record<string, unknown> } {
  if (typeof value === 'string') return { name: value, configuration: {} }
  if (!isRecord(value)) return { name: '', configuration: {} }
  return { name: String(value.name), configuration: isRecord(value.configuration) ? value.configuration : {} }
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}
