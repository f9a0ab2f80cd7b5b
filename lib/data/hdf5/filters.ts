/**
 * Undoing the filters of a chunk where the library's plugins fall short: lzf cannot grow its buffer, which lists of text need,
 * and blosc comes without zlib.
 */
import type { Filter } from './format/dataset.ts'
import type { PlainFilter } from './protocol.ts'

const plainIds = new Map<number, PlainFilter>([
  [1, 'deflate'],
  [2, 'shuffle'],
  [32000, 'lzf'],
  [32001, 'blosc'],
])

/** undefined where one of them needs the library */
export function plainFilters(filters: readonly Filter[]): PlainFilter[] | undefined {
  const plain = filters.map(({ id }) => plainIds.get(id))
  return plain.every((filter) => filter !== undefined) ? plain : undefined
}

/** Byte i of every element lies together; whole elements only, the rest follows as it is. */
export function unshuffle(bytes: Uint8Array, elementBytes: number): Uint8Array {
  if (elementBytes <= 1) return bytes
  const output = new Uint8Array(bytes.length)
  const count = Math.floor(bytes.length / elementBytes)
  if (elementBytes % 4 === 0) unshuffleWords(bytes, { output, count, elementBytes })
  else {
    for (let byte = 0; byte < elementBytes; byte++) {
      const start = byte * count
      for (let i = 0, at = byte; i < count; i++, at += elementBytes) output[at] = bytes[start + i]!
    }
  }
  output.set(bytes.subarray(count * elementBytes), count * elementBytes)
  return output
}

/** Four bytes at a time: the columns are read side by side and a word is written once. Little-endian, as all we run on. */
function unshuffleWords(
  bytes: Uint8Array,
  { output, count, elementBytes }: { output: Uint8Array; count: number; elementBytes: number },
): void {
  const words = new Uint32Array(output.buffer, 0, Math.floor(output.length / 4))
  const step = elementBytes / 4
  for (let word = 0; word < step; word++) {
    const column = (byte: number): Uint8Array =>
      bytes.subarray((word * 4 + byte) * count, (word * 4 + byte + 1) * count)
    const [first, second, third, fourth] = [column(0), column(1), column(2), column(3)]
    for (let i = 0, at = word; i < count; i++, at += step) {
      words[at] = first[i]! | (second[i]! << 8) | (third[i]! << 16) | (fourth[i]! << 24)
    }
  }
}

/**
 * LZF (Marc Lehmann's format): runs of literal bytes, and references to what was written before.
 * @returns exactly `length` bytes, or undefined when the input is damaged
 */
export function expandLzf(input: Uint8Array, length: number): Uint8Array | undefined {
  const output = new Uint8Array(length)
  let at = 0
  let to = 0
  while (at < input.length) {
    const control = input[at++]!
    if (control < 32) {
      const count = control + 1
      if (at + count > input.length || to + count > length) return undefined
      output.set(input.subarray(at, at + count), to)
      at += count
      to += count
      continue
    }
    let count = (control >> 5) + 2
    if (count === 9) count += input[at++] ?? Number.NaN
    const from = to - ((control & 31) << 8) - (input[at++] ?? Number.NaN) - 1
    if (!(from >= 0 && to + count <= length)) return undefined
    // source and target may overlap: byte by byte repeats a pattern
    for (let i = 0; i < count; i++) output[to + i] = output[from + i]!
    to += count
  }
  return to === length ? output : undefined
}
