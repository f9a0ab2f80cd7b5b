/**
 * The few pieces of protobuf's wire format that an ONNX file needs: varints, 32-bit floats and length-prefixed parts.
 * A message is a list of byte parts that is joined once at the end, so that weights are copied once and not at every level.
 */

export interface Message {
  readonly parts: Uint8Array[]
  bytes: number
}

export function message(): Message {
  return { parts: [], bytes: 0 }
}

/** Whole numbers, negative ones as the ten bytes of their 64-bit two's complement. */
export function writeInteger(into: Message, field: number, value: number | bigint): void {
  append(into, tag(field, 0))
  append(into, varint(value))
}

export function writeFloat(into: Message, field: number, value: number): void {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setFloat32(0, value, true)
  append(into, tag(field, 5))
  append(into, bytes)
}

export function writeText(into: Message, field: number, text: string): void {
  writeBytes(into, field, new TextEncoder().encode(text))
}

export function writeBytes(into: Message, field: number, bytes: Uint8Array): void {
  append(into, tag(field, 2))
  append(into, varint(bytes.length))
  append(into, bytes)
}

export function writeMessage(into: Message, field: number, inner: Message): void {
  append(into, tag(field, 2))
  append(into, varint(inner.bytes))
  for (const part of inner.parts) append(into, part)
}

/** The whole message as one array. */
export function join(whole: Message): Uint8Array {
  const joined = new Uint8Array(whole.bytes)
  let at = 0
  for (const part of whole.parts) {
    joined.set(part, at)
    at += part.length
  }
  return joined
}

function append(into: Message, part: Uint8Array): void {
  into.parts.push(part)
  into.bytes += part.length
}

function tag(field: number, wireType: number): Uint8Array {
  return varint(field * 8 + wireType)
}

function varint(value: number | bigint): Uint8Array {
  let rest = BigInt.asUintN(64, BigInt(value))
  const bytes: number[] = []
  while (rest > 127n) {
    bytes.push(Number(rest & 127n) | 128)
    rest >>= 7n
  }
  bytes.push(Number(rest))
  return Uint8Array.from(bytes)
}
