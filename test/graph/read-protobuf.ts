/** A reader of protobuf's wire format, for tests alone: fields by number, parts with a length as bytes, whatever they mean. */
export interface Field {
  number: number
  value: bigint | Uint8Array
}

export function readFields(bytes: Uint8Array): Field[] {
  const fields: Field[] = []
  let at = 0
  const varint = (): bigint => {
    let value = 0n
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at++]
      if (byte === undefined) throw new Error('a number is cut off')
      value |= BigInt(byte & 127) << shift
      if (byte < 128) return value
    }
  }
  while (at < bytes.length) {
    const tag = Number(varint())
    const number = tag >> 3
    const length = { 0: -1, 2: -2, 5: 4 }[tag & 7]
    if (length === undefined) throw new Error(`wire type ${tag & 7} at ${at}`)
    if (length === -1) {
      fields.push({ number, value: varint() })
      continue
    }
    const size = length === -2 ? Number(varint()) : length
    if (at + size > bytes.length) throw new Error(`field ${number} is cut off`)
    fields.push({ number, value: bytes.subarray(at, at + size) })
    at += size
  }
  return fields
}

/** Values of one field, in order. */
export function valuesOf(bytes: Uint8Array, number: number): (bigint | Uint8Array)[] {
  return readFields(bytes)
    .filter((field) => field.number === number)
    .map(({ value }) => value)
}

/** The one part that lies under these field numbers, one inside the other. */
export function partAt(bytes: Uint8Array, ...path: number[]): Uint8Array {
  let part = bytes
  for (const number of path) {
    const [value, ...more] = valuesOf(part, number)
    if (!(value instanceof Uint8Array) || more.length > 0)
      throw new Error(`field ${number} is not one part: ${String(value)} and ${more.length} more`)
    part = value
  }
  return part
}

export function textOf(value: bigint | Uint8Array | undefined): string {
  if (!(value instanceof Uint8Array)) throw new Error('no text')
  return new TextDecoder().decode(value)
}
