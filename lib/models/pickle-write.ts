/**
 * Writes values as a pickle of protocol 4, which Python 3.4 and later read. No memo and no frames: both are optional, and a tree
 * without shared parts needs neither. Lists and dictionaries are not batched, as Python's own C writer does not need them to be.
 */
import type { PickleValue } from './pickle-values.ts'

interface Sink {
  bytes: Uint8Array
  view: DataView
  length: number
}

export function writePickle(value: PickleValue): Uint8Array {
  const sink = newSink(1 << 16)
  put(sink, 0x80, 4)
  writeValue(sink, value)
  put(sink, code('.'))
  return sink.bytes.slice(0, sink.length)
}

function newSink(capacity: number): Sink {
  const bytes = new Uint8Array(capacity)
  return { bytes, view: new DataView(bytes.buffer), length: 0 }
}

const code = (letter: string): number => letter.charCodeAt(0)

/** Room for `length` more bytes; answers where they start. */
function reserve(sink: Sink, length: number): number {
  const start = sink.length
  if (start + length > sink.bytes.length) {
    const larger = newSink(2 * (start + length))
    larger.bytes.set(sink.bytes.subarray(0, start))
    Object.assign(sink, { bytes: larger.bytes, view: larger.view })
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
  } else if (value instanceof Uint8Array) writeSized(sink, { opcode: code('B'), bytes: value })
  else writeCompound(sink, value)
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
    put(sink, code('}'), code('('))
    for (const [key, item] of value.entries) {
      writeValue(sink, key)
      writeValue(sink, item)
    }
    put(sink, code('u'))
  } else if (value.kind === 'global') writeGlobal(sink, value.name)
  else {
    writeGlobal(sink, value.name)
    writeTuple(sink, value.args)
    put(sink, value.via === 'call' ? code('R') : 0x81)
    if (value.state !== undefined) {
      writeValue(sink, value.state)
      put(sink, code('b'))
    }
  }
}

function writeTuple(sink: Sink, items: readonly PickleValue[]): void {
  put(sink, code('('))
  for (const item of items) writeValue(sink, item)
  put(sink, code('t'))
}

function writeGlobal(sink: Sink, name: string): void {
  const dot = name.lastIndexOf('.')
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
