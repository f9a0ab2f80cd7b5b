/**
 * From the library's description of a stored type and its bytes in memory to our element types and flat values.
 * Text is decoded here as UTF-8 whatever the declared character set says: files of old writers declare ASCII and hold UTF-8.
 */
import type { CompoundMember, Metadata } from 'h5wasm'
import type { ArrayValues, ElementType, NumberArray, NumberType } from '../tree.ts'

const typeClass = {
  integer: 0,
  float: 1,
  string: 3,
  compound: 6,
  reference: 7,
  enumeration: 8,
  array: 10,
} as const

/** How to decode one element: the type as the readers see it, and what only the bytes need. */
export interface Layout {
  element: ElementType
  /** bytes of one element in memory */
  size: number
  text?: { variable: boolean; padded: boolean }
  members?: { name: string; offset: number; layout: Layout; shape: number[] }[]
}

export function layoutOf(metadata: Metadata): Layout {
  const { size, type } = metadata
  if (type === typeClass.integer || type === typeClass.float)
    return { element: numberElement(metadata), size }
  if (type === typeClass.string) {
    return {
      element: metadata.vlen ? { kind: 'string' } : { kind: 'string', isFixed: true },
      size,
      text: { variable: metadata.vlen, padded: metadata.strpad === 2 },
    }
  }
  if (type === typeClass.enumeration) return { element: enumElement(metadata), size }
  if (type === typeClass.compound) return compoundLayout(metadata)
  if (type === typeClass.reference && metadata.ref_type === 'object' && size === 8) {
    return { element: { kind: 'reference' }, size }
  }
  return { element: { kind: 'unsupported', what: `HDF5 type class ${type} of ${size} bytes` }, size }
}

function numberElement({ type, size, signed }: Metadata): ElementType {
  const bits = size * 8
  const name = type === typeClass.float ? `float${bits}` : `${signed ? 'int' : 'uint'}${bits}`
  return isNumberType(name)
    ? { kind: 'number', type: name }
    : { kind: 'unsupported', what: `${name} numbers` }
}

function isNumberType(name: string): name is NumberType {
  return /^(u?int(8|16|32|64)|float(16|32|64))$/.test(name)
}

function enumElement(metadata: Metadata): ElementType {
  const names = metadata.enum_type?.members ?? {}
  const base = numberElement({ ...metadata, type: typeClass.integer })
  if (base.kind !== 'number') return base
  const isBoolean =
    metadata.size === 1 && Object.keys(names).length === 2 && names.FALSE === 0 && names.TRUE === 1
  return isBoolean ? { kind: 'boolean' } : { kind: 'enum', type: base.type, names }
}

function compoundLayout(metadata: Metadata): Layout {
  const members = (metadata.compound_type?.members ?? []).map((member: CompoundMember) => {
    const array = member.type === typeClass.array ? member.array_type : undefined
    return {
      name: member.name,
      offset: member.offset,
      layout: layoutOf(array ?? member),
      shape: array?.shape ?? [],
    }
  })
  const element: ElementType = {
    kind: 'compound',
    members: members.map(({ name, layout, shape }) => ({ name, element: layout.element, shape })),
  }
  return { element, size: metadata.size, members }
}

export interface Memory {
  /** the library's whole memory, where variable-length text lies */
  heap: Uint8Array
  /** the path that an object reference points at */
  dereference(reference: Uint8Array): string
  /** called with the characters of each text; throws when too many */
  count(characters: number): void
}

/** `bytes` holds elements `stride` apart, each starting at `offset` and having `repeat` values in a row. */
interface Strip {
  bytes: Uint8Array
  count: number
  stride: number
  offset: number
  repeat: number
}

export function decode(layout: Layout, bytes: Uint8Array, memory: Memory): ArrayValues {
  const count = layout.size === 0 ? 0 : Math.floor(bytes.length / layout.size)
  return decodeStrip(layout, { bytes, count, stride: layout.size, offset: 0, repeat: 1 }, memory)
}

function decodeStrip(layout: Layout, strip: Strip, memory: Memory): ArrayValues {
  const { element } = layout
  if (element.kind === 'number') return decodeNumbers(element.type, gather(strip, layout.size))
  if (element.kind === 'boolean') return gather(strip, 1)
  if (element.kind === 'enum') return decodeNumbers(element.type, gather(strip, layout.size))
  if (element.kind === 'string') return decodeText(layout, gather(strip, layout.size), memory)
  if (element.kind === 'reference') {
    const raw = gather(strip, layout.size)
    return Array.from({ length: raw.length / 8 }, (_, i) =>
      memory.dereference(raw.subarray(i * 8, i * 8 + 8)),
    )
  }
  if (element.kind === 'compound') return decodeMembers(layout, strip, memory)
  throw new Error(element.what)
}

function decodeMembers(layout: Layout, strip: Strip, memory: Memory): ArrayValues {
  const members = new Map<string, ArrayValues>()
  for (const member of layout.members ?? []) {
    if (member.layout.element.kind === 'unsupported') continue
    const repeat = member.shape.reduce((product, extent) => product * extent, 1)
    const inner = { ...strip, offset: strip.offset + member.offset, repeat }
    members.set(member.name, decodeStrip(member.layout, inner, memory))
  }
  return { members }
}

/** The wanted bytes of every element, one after another in fresh, aligned memory. */
function gather({ bytes, count, stride, offset, repeat }: Strip, size: number): Uint8Array<ArrayBuffer> {
  const width = size * repeat
  if (width === stride && offset === 0) return new Uint8Array(bytes)
  const packed = new Uint8Array(count * width)
  for (let i = 0; i < count; i++) {
    const start = i * stride + offset
    packed.set(bytes.subarray(start, start + width), i * width)
  }
  return packed
}

/** Little-endian bytes as numbers of a type; `bytes` must own its memory. float16 becomes Float32Array. */
export function decodeNumbers(type: NumberType, bytes: Uint8Array<ArrayBuffer>): NumberArray {
  const { buffer, byteOffset, byteLength } = bytes
  switch (type) {
    case 'int8':
      return new Int8Array(buffer, byteOffset, byteLength)
    case 'uint8':
      return bytes
    case 'int16':
      return new Int16Array(buffer, byteOffset, byteLength / 2)
    case 'uint16':
      return new Uint16Array(buffer, byteOffset, byteLength / 2)
    case 'int32':
      return new Int32Array(buffer, byteOffset, byteLength / 4)
    case 'uint32':
      return new Uint32Array(buffer, byteOffset, byteLength / 4)
    case 'int64':
      return new BigInt64Array(buffer, byteOffset, byteLength / 8)
    case 'uint64':
      return new BigUint64Array(buffer, byteOffset, byteLength / 8)
    case 'float16':
      return Float32Array.from(new Uint16Array(buffer, byteOffset, byteLength / 2), halfToNumber)
    case 'float32':
      return new Float32Array(buffer, byteOffset, byteLength / 4)
    case 'float64':
      return new Float64Array(buffer, byteOffset, byteLength / 8)
  }
}

/** IEEE 754 binary16, exactly. */
export function halfToNumber(half: number): number {
  const sign = half & 0x8000 ? -1 : 1
  const exponent = (half >> 10) & 0x1f
  const fraction = half & 0x3ff
  if (exponent === 0) return sign * fraction * 2 ** -24
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15)
}

const utf8 = new TextDecoder('utf-8', { ignoreBOM: true })

function decodeText(layout: Layout, bytes: Uint8Array<ArrayBuffer>, memory: Memory): string[] {
  if (layout.text?.variable) {
    const { heap } = memory
    return Array.from(new Uint32Array(bytes.buffer), (pointer) => {
      if (pointer === 0) return ''
      return textAt(heap, pointer, heap.indexOf(0, pointer), memory)
    })
  }
  const padding = layout.text?.padded ? 32 : 0
  return Array.from({ length: layout.size === 0 ? 0 : bytes.length / layout.size }, (_, i) => {
    const start = i * layout.size
    const zero = bytes.subarray(start, start + layout.size).indexOf(0)
    let end = zero < 0 ? start + layout.size : start + zero
    while (padding !== 0 && end > start && bytes[end - 1] === padding) end--
    return textAt(bytes, start, end, memory)
  })
}

function textAt(bytes: Uint8Array, start: number, end: number, memory: Memory): string {
  if (end < start) throw new Error('text without an end')
  memory.count(end - start)
  return decodeUtf8(bytes, start, end)
}

export function decodeUtf8(bytes: Uint8Array, start: number, end: number): string {
  // short ASCII, the usual name of a cell or gene, is several times faster without the decoder
  if (end - start <= 48) {
    let text = ''
    for (let i = start; i < end; i++) {
      const byte = bytes[i] ?? 0
      if (byte >= 0x80) return utf8.decode(bytes.subarray(start, end))
      text += String.fromCharCode(byte)
    }
    return text
  }
  return utf8.decode(bytes.subarray(start, end))
}
