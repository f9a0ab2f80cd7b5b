/**
 * Lists of variable-length text: each element refers to an object in a "global heap" collection of the file. Collections are
 * read once while they are in use; what the text adds up to is bounded, for many elements may refer to one long object.
 */
import { inflateSync } from 'node:zlib'
import { BadInput } from '../../job/errors.ts'
import { decodeUtf8 } from './elements.ts'
import { expandLzf, unshuffle } from './filters.ts'
import { damaged, type ReadBytes } from './format/bytes.ts'
import { chunksInRows } from './format/chunks.ts'
import type { Layout } from './format/dataset.ts'
import type { StoredChunk } from './format/stored-chunk.ts'
import { openHeap, readInPieces, referenceBytes } from './global-heap.ts'
import type { Hdf5Limits } from './limits.ts'
import type { PlainFilter } from './protocol.ts'

const undefinedAddress = 0xffff_ffff_ffff_ffffn

export interface TextList {
  read: ReadBytes
  layout: Extract<Layout, { kind: 'chunked' | 'contiguous' }>
  filters: readonly PlainFilter[]
  range: { from: number; to: number }
  limits: Hdf5Limits
}

export function readText(list: TextList): string[] {
  const { range, limits } = list
  const references = readReferences(list)
  const view = new DataView(references.buffer, references.byteOffset, references.byteLength)
  const heap = openHeap(list.read)
  let characters = 0
  return Array.from({ length: range.to - range.from }, (_, i) => {
    const length = view.getUint32(i * referenceBytes, true)
    const address = view.getBigUint64(i * referenceBytes + 4, true)
    if (length === 0 || address === 0n || address === undefinedAddress) return ''
    characters += length
    if (characters > limits.textCharacters) throw tooMuch(limits.textCharacters)
    const bytes = heap(Number(address), view.getUint32(i * referenceBytes + 12, true))
    if (bytes.length < length) throw damaged('a text is longer than its place', { address: Number(address) })
    const zero = bytes.subarray(0, length).indexOf(0)
    return decodeUtf8(bytes, 0, zero < 0 ? length : zero)
  })
}

/** The raw elements of the wanted rows; what was never written refers to nothing. */
function readReferences({ read, layout, filters, range, limits }: TextList): Uint8Array {
  const bytes = (range.to - range.from) * referenceBytes
  if (bytes > limits.readBytes) throw tooMuch(limits.readBytes)
  if (layout.kind === 'contiguous') {
    if (layout.address === undefined || bytes === 0) return new Uint8Array(bytes)
    return readInPieces(read, { offset: layout.address + range.from * referenceBytes, length: bytes })
  }
  const output = new Uint8Array(bytes)
  const extent = layout.chunk[0] ?? 1
  for (const chunk of chunksInRows(read, layout, range)) {
    const start = chunk.offset[0] ?? 0
    const decoded = expand(read, { chunk, filters, bytes: extent * referenceBytes })
    const first = Math.max(start, range.from)
    const last = Math.min(start + extent, range.to)
    if (first >= last) continue
    const part = decoded.subarray((first - start) * referenceBytes, (last - start) * referenceBytes)
    output.set(part, (first - range.from) * referenceBytes)
  }
  return output
}

function expand(
  read: ReadBytes,
  { chunk, filters, bytes }: { chunk: StoredChunk; filters: readonly PlainFilter[]; bytes: number },
): Uint8Array {
  let decoded = read(chunk.address, chunk.storedBytes)
  for (let i = filters.length - 1; i >= 0; i--) {
    if (chunk.filterMask & (1 << i)) continue
    if (filters[i] === 'shuffle') decoded = unshuffle(decoded, referenceBytes)
    else
      decoded =
        (filters[i] === 'lzf' ? expandLzf(decoded, bytes) : inflated(decoded, bytes)) ?? unexpandable(chunk)
  }
  return decoded.length === bytes ? decoded : unexpandable(chunk)
}

function inflated(stored: Uint8Array, bytes: number): Uint8Array | undefined {
  try {
    return inflateSync(stored, { maxOutputLength: bytes, chunkSize: Math.max(64, bytes) })
  } catch {
    return undefined
  }
}

function unexpandable({ address }: StoredChunk): never {
  throw damaged('a compressed chunk cannot be expanded', { address })
}

function tooMuch(limit: number): BadInput {
  return new BadInput(
    'HDF5_TOO_LARGE',
    'HDF5 file',
    `a list of text is larger than ${limit} bytes`,
    'Check how the file was made',
  )
}
