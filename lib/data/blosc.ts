/**
 * Unpacks blosc (format 1 of the C library): blocks, each maybe in one stream per byte of its numbers, shuffled by bytes or bits.
 * Written here because the WebAssembly build within zarrita's codecs answers damaged chunks with wrong numbers and no error.
 * Every function gives exactly the length asked for, or undefined when the input is damaged.
 */
import { inflateSync, zstdDecompressSync } from 'node:zlib'
import { unshuffle } from './hdf5/filters.ts'

type Expand = (input: Uint8Array, length: number) => Uint8Array | undefined

/** by the number in the header's flags; 2, snappy, is not built into numcodecs */
const compressors: readonly (Expand | undefined)[] = [
  expandBlosclz,
  expandLz4,
  undefined,
  (input, length) => exactly(length, () => inflateSync(input, { maxOutputLength: length })),
  (input, length) => exactly(length, () => zstdDecompressSync(input, { maxOutputLength: length })),
]

const headerBytes = 16

export interface BloscHeader {
  /** unpacked */
  bytes: number
  blockBytes: number
  packedBytes: number
  /** of one number */
  itemBytes: number
  shuffle: 'none' | 'bytes' | 'bits'
  isStored: boolean
  isSplit: boolean
  compressor: number
}

export function bloscHeader(input: Uint8Array): BloscHeader | undefined {
  if (input.length < headerBytes) return undefined
  const view = new DataView(input.buffer, input.byteOffset, headerBytes)
  const flags = view.getUint8(2)
  return {
    itemBytes: view.getUint8(3),
    bytes: view.getUint32(4, true),
    blockBytes: view.getUint32(8, true),
    packedBytes: view.getUint32(12, true),
    shuffle: flags & 1 ? 'bytes' : flags & 4 ? 'bits' : 'none',
    isStored: (flags & 2) !== 0,
    isSplit: (flags & 16) === 0,
    compressor: flags >> 5,
  }
}

export function isBloscCompressor(compressor: number): boolean {
  return compressors[compressor] !== undefined
}

export function expandBlosc(input: Uint8Array, header: BloscHeader): Uint8Array | undefined {
  const { bytes, blockBytes } = header
  if (header.isStored) {
    return input.length === headerBytes + bytes ? input.subarray(headerBytes) : undefined
  }
  const blocks = bytes === 0 ? 0 : Math.ceil(bytes / blockBytes)
  if (!Number.isFinite(blocks) || headerBytes + blocks * 4 > input.length) return undefined
  const starts = new DataView(input.buffer, input.byteOffset + headerBytes, blocks * 4)
  const output = new Uint8Array(bytes)
  for (let block = 0; block < blocks; block++) {
    const length = Math.min(blockBytes, bytes - block * blockBytes)
    const unpacked = expandBlock(input.subarray(starts.getUint32(block * 4, true)), { header, length })
    if (unpacked === undefined) return undefined
    output.set(unshuffled(unpacked, header), block * blockBytes)
  }
  return output
}

function expandBlock(
  input: Uint8Array,
  { header, length }: { header: BloscHeader; length: number },
): Uint8Array | undefined {
  const { itemBytes, blockBytes, isSplit } = header
  // older writers did not say that small blocks are not split
  const isWorthSplitting = itemBytes <= 16 && Math.floor(blockBytes / itemBytes) >= 128
  const streams = isSplit && isWorthSplitting && length === blockBytes ? itemBytes : 1
  const expand = compressors[header.compressor]
  const streamBytes = Math.floor(length / streams)
  const output = new Uint8Array(length)
  let at = 0
  for (let stream = 0; stream < streams; stream++) {
    if (at + 4 > input.length) return undefined
    const packed = new DataView(input.buffer, input.byteOffset + at, 4).getUint32(0, true)
    at += 4
    if (at + packed > input.length) return undefined
    const bytes = input.subarray(at, at + packed)
    const unpacked = packed === streamBytes ? bytes : expand?.(bytes, streamBytes)
    if (unpacked === undefined) return undefined
    output.set(unpacked, stream * streamBytes)
    at += packed
  }
  return streams * streamBytes === length ? output : undefined
}

function unshuffled(block: Uint8Array, { shuffle, itemBytes }: BloscHeader): Uint8Array {
  if (shuffle === 'bytes') return unshuffle(block, itemBytes)
  return shuffle === 'bits' ? unshuffleBits(block, itemBytes) : block
}

/**
 * Bit b of byte j of all items lies together, in row 8j + b. Only where there are eight, sixteen, ... whole items; else, and
 * behind the last whole item, bytes are as they were.
 */
function unshuffleBits(block: Uint8Array, itemBytes: number): Uint8Array {
  const items = Math.floor(block.length / itemBytes)
  if (items % 8 !== 0) return block
  const rowBytes = items / 8
  const output = new Uint8Array(block.length)
  output.set(block.subarray(items * itemBytes), items * itemBytes)
  for (let row = 0; row < itemBytes * 8; row++) {
    const bit = row & 7
    for (let at = 0; at < rowBytes; at++) {
      const bits = block[row * rowBytes + at] ?? 0
      if (bits === 0) continue
      const target = at * 8 * itemBytes + (row >> 3)
      for (let i = 0; i < 8; i++) {
        const place = target + i * itemBytes
        output[place] = (output[place] ?? 0) | (((bits >> i) & 1) << bit)
      }
    }
  }
  return output
}

function exactly(length: number, expand: () => Uint8Array): Uint8Array | undefined {
  try {
    const output = expand()
    return output.length === length ? output : undefined
  } catch {
    return undefined
  }
}

/** A block of LZ4: literals, then a copy of what was written before, again and again; literals end it. */
export function expandLz4(input: Uint8Array, length: number): Uint8Array | undefined {
  const output = new Uint8Array(length)
  let at = 0
  let to = 0
  /** the rest of a length of which four bits were all ones */
  const more = (start: number): number => {
    let total = start
    for (let byte = 255; byte === 255; total += byte) byte = input[at++] ?? Number.NaN
    return total
  }
  while (at < input.length) {
    const token = input[at++] ?? 0
    const literals = token >> 4 === 15 ? more(15) : token >> 4
    if (!(at + literals <= input.length && to + literals <= length)) return undefined
    for (let i = 0; i < literals; i++) output[to + i] = input[at + i] ?? 0
    at += literals
    to += literals
    if (at === input.length) return to === length ? output : undefined
    const distance = (input[at] ?? 0) + (input[at + 1] ?? Number.NaN) * 256
    at += 2
    const count = 4 + ((token & 15) === 15 ? more(15) : token & 15)
    if (!copyBack(output, { to, distance, count })) return undefined
    to += count
  }
  return undefined
}

/** blosclz: like LZF, with longer counts and far distances. */
function expandBlosclz(input: Uint8Array, length: number): Uint8Array | undefined {
  const output = new Uint8Array(length)
  let to = 0
  let at = 0
  const next = (): number => input[at++] ?? Number.NaN
  let control = next() & 31
  for (;;) {
    if (control < 32) {
      const literals = control + 1
      if (!(at + literals <= input.length && to + literals <= length)) return undefined
      output.set(input.subarray(at, at + literals), to)
      at += literals
      to += literals
    } else {
      let count = (control >> 5) + 2
      if (count === 9) for (let byte = 255; byte === 255; count += byte) byte = next()
      const low = next()
      const isFar = low === 255 && (control & 31) === 31
      const distance = isFar ? 8192 + next() * 256 + next() : ((control & 31) << 8) + low + 1
      if (!copyBack(output, { to, distance, count })) return undefined
      to += count
    }
    if (at >= input.length) return to === length ? output : undefined
    control = next()
  }
}

/** Source and target may overlap: byte by byte repeats a pattern. False for what would lie outside. */
function copyBack(
  output: Uint8Array,
  { to, distance, count }: { to: number; distance: number; count: number },
): boolean {
  if (!(distance >= 1 && distance <= to && to + count <= output.length)) return false
  for (let i = to; i < to + count; i++) output[i] = output[i - distance] ?? 0
  return true
}
