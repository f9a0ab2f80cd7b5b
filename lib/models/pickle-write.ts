/**
 * Writes values as a pickle of protocol 4, which Python 3.4 and later read, or of protocol 2, which PyTorch's files hold. No memo and no
 * frames: both are optional, and a tree without shared parts needs neither. Lists and dictionaries are not batched, as Python's own
 * C writer does not need them to be.
 *
 * Trap: protocol 2 has no bytes; they are Latin-1 text that Python is told to encode.
 */
import type { PickleValue } from './pickle-values.ts'

interface Sink {
  protocol: 2 | 4
  bytes: Uint8Array
  view: DataView
  length: number
}

export function writePickle(
  value: PickleValue,
  { protocol = 4 }: { protocol?: Sink['protocol'] } = {},
): Uint8Array {
  const sink = { protocol, length: 0, ...room(1 << 16) }
  put(sink, 0x80, protocol)
  writeValue(sink, value)
  put(sink, code('.'))
  return sink.bytes.slice(0, sink.length)
}

function room(capacity: number): Pick<Sink, 'bytes' | 'view'> {
  const bytes = new Uint8Array(capacity)
  return { bytes, view: new DataView(bytes.buffer) }
}

const code = (letter: string): number => letter.charCodeAt(0)

/** Room for `length` more bytes; answers where they start. */
function reserve(sink: Sink, length: number): number {
  const start = sink.length
  if (start + length > sink.bytes.length) {
    const larger = room(2 * (start + length))
    larger.bytes.set(sink.bytes.subarray(0, start))
    Object.assign(sink, larger)
  }
  sink.length += length
  return start
}

function put(sink: Sink, ...bytes: number[]): void {
  append(sink, bytes)
}

function append(sink: Sink, bytes: ArrayLike<number>): void {
  // first the room: it may move the bytes
  const start = reserve(sink, bytes.length)
  sink.bytes.set(bytes, start)
}

function writeValue(sink: Sink, value: PickleValue): void {
  if (value === null) put(sink, code('N'))
  else if (typeof value === 'boolean') put(sink, value ? 0x88 : 0x89)
  else if (typeof value === 'number') writeInteger(sink, value)
  else if (typeof value === 'string') {
    const bytes = new TextEncoder().encode(value)
    writeSized(sink, { opcode: code('X'), bytes })
  } else if (value instanceof Uint8Array) writeBytes(sink, value)
  else writeCompound(sink, value)
}

function writeBytes(sink: Sink, bytes: Uint8Array): void {
  if (sink.protocol === 4) {
    writeSized(sink, { opcode: code('B'), bytes })
    return
  }
  writeGlobal(sink, '_codecs.encode')
  writeTuple(sink, [Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1'), 'latin1'])
  put(sink, code('R'))
}

function writeCompound(sink: Sink, value: Extract<PickleValue, { kind: string }>): void {
  if (value.kind === 'float') {
    put(sink, code('G'))
    const at = reserve(sink, 8)
    sink.view.setFloat64(at, value.value, false)
  } else if (value.kind === 'list') {
    put(sink, code(']'), code('('))
    for (const item of value.items) writeValue(sink, item)
    put(sink, code('e'))
  } else if (value.kind === 'tuple') writeTuple(sink, value.items)
  else if (value.kind === 'dict') {
    put(sink, code('}'))
    writeEntries(sink, value.entries)
  } else if (value.kind === 'global') writeGlobal(sink, value.name)
  else if (value.kind === 'persistent') {
    writeValue(sink, value.id)
    put(sink, code('Q'))
  } else {
    writeGlobal(sink, value.name)
    writeTuple(sink, value.args)
    put(sink, value.via === 'call' ? code('R') : 0x81)
    if (value.entries !== undefined) writeEntries(sink, value.entries)
    if (value.state !== undefined) {
      writeValue(sink, value.state)
      put(sink, code('b'))
    }
  }
}

function writeEntries(sink: Sink, entries: ReadonlyMap<string, PickleValue>): void {
  put(sink, code('('))
  for (const [key, item] of entries) {
    writeValue(sink, key)
    writeValue(sink, item)
  }
  put(sink, code('u'))
}

function writeTuple(sink: Sink, items: readonly PickleValue[]): void {
  put(sink, code('('))
  for (const item of items) writeValue(sink, item)
  put(sink, code('t'))
}

function writeGlobal(sink: Sink, name: string): void {
  const dot = name.lastIndexOf('.')
  if (sink.protocol === 2) {
    append(sink, Buffer.from(`c${name.slice(0, dot)}\n${name.slice(dot + 1)}\n`))
    return
  }
  writeValue(sink, name.slice(0, dot))
  writeValue(sink, name.slice(dot + 1))
  put(sink, 0x93)
}

/** BININT for 32 bits, LONG1 beyond. */
function writeInteger(sink: Sink, value: number): void {
  if (!Number.isSafeInteger(value)) throw new RangeError(`${value} is no whole number`)
  if (value === (value | 0)) {
    put(sink, code('J'))
    const at = reserve(sink, 4)
    sink.view.setInt32(at, value, true)
    return
  }
  put(sink, 0x8a, 8)
  const at = reserve(sink, 8)
  sink.view.setBigInt64(at, BigInt(value), true)
}

/** A length of 32 bits, or of 64 by the opcode that Python has for it. */
function writeSized(sink: Sink, { opcode, bytes }: { opcode: number; bytes: Uint8Array }): void {
  const isLong = bytes.length > 0xffffffff
  put(sink, isLong ? (opcode === code('X') ? 0x8d : 0x8e) : opcode)
  const at = reserve(sink, isLong ? 8 : 4)
  if (isLong) sink.view.setBigUint64(at, BigInt(bytes.length), true)
  else sink.view.setUint32(at, bytes.length, true)
  append(sink, bytes)
}
