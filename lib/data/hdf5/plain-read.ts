/**
 * Numbers straight from a file's stored bytes: runs of neighbouring chunks come in one read, deflated ones are
 * inflated by node:zlib on all cores. Several times faster than one thread of WebAssembly, and many requests can
 * be on their way at once when the file is remote.
 *
 * Trap: a chunk may be absent (never written, all fill value) or stored without some of its filters.
 */
import { promisify } from 'node:util'
import { inflate } from 'node:zlib'
import { BadInput } from '../../job/errors.ts'
import { bloscHeader, expandBlosc } from '../blosc.ts'
import type { ByteSource } from '../source.ts'
import { expandLzf, unshuffle } from './filters.ts'
import type { StoredChunk } from './format/stored-chunk.ts'
import type { MemoryPool } from './memory-pool.ts'
import type { PlainStorage } from './protocol.ts'

const inflateAsync = promisify(inflate)

/** stored bytes fetched with one read */
const runBytes = 4 * 2 ** 20
/** bytes between two chunks that are cheaper to read than to skip */
const gapBytes = 32 * 2 ** 10
const readsAtOnce = 4
const inflatesAtOnce = 8

export interface Rows {
  from: number
  to: number
}

/** Little-endian bytes of rows [from, to), row-major, from a contiguous dataset. */
export async function readContiguous(
  source: ByteSource,
  storage: PlainStorage,
  { rows, take }: { rows: Rows; take: MemoryPool['take'] },
): Promise<Uint8Array<ArrayBuffer>> {
  if (storage.layout.kind !== 'contiguous') throw new Error('not contiguous')
  const rowBytes = bytesOfRow(storage)
  const length = (rows.to - rows.from) * rowBytes
  const output = take(length)
  const first = storage.layout.address + rows.from * rowBytes
  const starts = Array.from({ length: Math.ceil(length / runBytes) }, (_, i) => i * runBytes)
  await eachAtOnce(starts, readsAtOnce, async (start) => {
    const piece = output.subarray(start, Math.min(length, start + runBytes))
    await readInto(source, { target: piece, offset: first + start })
  })
  return output
}

export function bytesOfRow({ shape, elementBytes }: PlainStorage): number {
  return shape.slice(1).reduce((product, extent) => product * extent, elementBytes)
}

/** The same from chunks; `chunks` must cover these rows without a hole. */
export async function readChunked(
  source: ByteSource,
  storage: PlainStorage,
  { rows, chunks, take }: { rows: Rows; chunks: StoredChunk[]; take: MemoryPool['take'] },
): Promise<Uint8Array<ArrayBuffer>> {
  const output = take((rows.to - rows.from) * bytesOfRow(storage))
  const tickets = limiter(inflatesAtOnce)
  // bytes that go straight into place must not have others between them
  const gap = storage.filters.length === 0 && storage.shape.length === 1 ? 0 : gapBytes
  await eachAtOnce(runsOf(chunks, gap), readsAtOnce, async (run) => {
    const direct = directTarget(storage, { run, rows, output })
    if (direct !== undefined) {
      await readInto(source, { target: direct.target, offset: direct.offset })
      return
    }
    const stored = await source.read(run.start, run.end - run.start)
    await Promise.all(
      run.chunks.map((chunk) =>
        tickets(async () => {
          const start = chunk.address - run.start
          const decoded = await decodeChunk(source.place, storage, {
            chunk,
            stored: stored.subarray(start, start + chunk.storedBytes),
          })
          placeChunk(storage, { chunk, decoded, rows, output })
        }),
      ),
    )
  })
  return output
}

interface Run {
  start: number
  end: number
  chunks: StoredChunk[]
}

/** Neighbours in the file together, in file order. */
function runsOf(chunks: StoredChunk[], gap: number): Run[] {
  const runs: Run[] = []
  let last: Run | undefined
  for (const chunk of [...chunks].sort((a, b) => a.address - b.address)) {
    const end = chunk.address + chunk.storedBytes
    if (last !== undefined && chunk.address - last.end <= gap && end - last.start <= runBytes) {
      last.end = Math.max(last.end, end)
      last.chunks.push(chunk)
    } else {
      last = { start: chunk.address, end, chunks: [chunk] }
      runs.push(last)
    }
  }
  return runs
}

/** Uncompressed list chunks that follow one another both in the file and in the list need no copy in between. */
function directTarget(
  storage: PlainStorage,
  { run, rows, output }: { run: Run; rows: Rows; output: Uint8Array },
): { target: Uint8Array; offset: number } | undefined {
  if (storage.filters.length > 0 || storage.shape.length !== 1 || storage.layout.kind !== 'chunked')
    return undefined
  const { elementBytes } = storage
  const step = storage.layout.chunk[0]! * elementBytes
  const first = run.chunks[0]!.offset[0]! * elementBytes
  const inOrder = run.chunks.every(
    (chunk, i) =>
      chunk.address === run.start + i * step && chunk.offset[0]! * elementBytes === first + i * step,
  )
  if (!inOrder) return undefined
  const begin = Math.max(first, rows.from * elementBytes)
  const end = Math.min(first + run.chunks.length * step, rows.to * elementBytes)
  const at = begin - rows.from * elementBytes
  return { target: output.subarray(at, at + end - begin), offset: run.start + begin - first }
}

async function readInto(
  source: ByteSource,
  { target, offset }: { target: Uint8Array; offset: number },
): Promise<void> {
  if (source.readInto !== undefined) await source.readInto(target, offset)
  else target.set(await source.read(offset, target.length))
}

async function decodeChunk(
  place: string,
  storage: PlainStorage,
  { chunk, stored }: { chunk: StoredChunk; stored: Uint8Array },
): Promise<Uint8Array> {
  if (storage.layout.kind !== 'chunked') throw new Error('not chunked')
  const bytes = storage.layout.chunk.reduce((product, extent) => product * extent, storage.elementBytes)
  let decoded = stored
  for (let i = storage.filters.length - 1; i >= 0; i--) {
    if (chunk.filterMask & (1 << i)) continue
    const filter = storage.filters[i]
    if (filter === 'deflate') decoded = await inflateChunk(place, { stored: decoded, bytes })
    else if (filter === 'lzf') decoded = expandLzf(decoded, bytes) ?? damagedBytes(place)
    else if (filter === 'blosc') decoded = expandBloscTo(decoded, bytes) ?? damagedBytes(place)
    else decoded = unshuffle(decoded, storage.elementBytes)
  }
  if (decoded.length !== bytes)
    throw damagedChunk(place, `a chunk holds ${decoded.length} bytes where ${bytes} are declared`)
  return decoded
}

async function inflateChunk(
  place: string,
  { stored, bytes }: { stored: Uint8Array; bytes: number },
): Promise<Uint8Array> {
  try {
    // one output buffer of the right size: no growing, no joining
    return await inflateAsync(stored, { maxOutputLength: Math.max(1, bytes), chunkSize: Math.max(64, bytes) })
  } catch (error) {
    throw damagedChunk(
      place,
      `a compressed chunk cannot be expanded (${error instanceof Error ? error.message : error})`,
    )
  }
}

function expandBloscTo(stored: Uint8Array, bytes: number): Uint8Array | undefined {
  const header = bloscHeader(stored)
  return header?.bytes === bytes ? expandBlosc(stored, header) : undefined
}

function damagedBytes(place: string): never {
  throw damagedChunk(place, 'a compressed chunk cannot be expanded')
}

function damagedChunk(place: string, problem: string): BadInput {
  return new BadInput('HDF5_DAMAGED', place, problem, 'Copy or download the file again')
}

/** Copies the part of a chunk that lies inside the wanted rows and inside the dataset. */
function placeChunk(
  storage: PlainStorage,
  {
    chunk,
    decoded,
    rows,
    output,
  }: { chunk: StoredChunk; decoded: Uint8Array; rows: Rows; output: Uint8Array },
): void {
  if (storage.layout.kind !== 'chunked') throw new Error('not chunked')
  const { shape, elementBytes } = storage
  const extents = storage.layout.chunk
  const axes = shape.length
  const starts = chunk.offset.map((offset, axis) => (axis === 0 ? Math.max(offset, rows.from) : offset))
  const ends = chunk.offset.map((offset, axis) =>
    Math.min(offset + extents[axis]!, axis === 0 ? rows.to : shape[axis]!),
  )
  if (ends.some((end, axis) => end <= starts[axis]!)) return
  const last = axes - 1
  const runLength =
    axes === 1 ? (ends[0]! - starts[0]!) * elementBytes : (ends[last]! - starts[last]!) * elementBytes
  const at = [...starts]
  for (;;) {
    let from = 0
    let to = 0
    for (let axis = 0; axis < axes; axis++) {
      from = from * extents[axis]! + (at[axis]! - chunk.offset[axis]!)
      to = to * (axis === 0 ? 1 : shape[axis]!) + (at[axis]! - (axis === 0 ? rows.from : 0))
    }
    output.set(decoded.subarray(from * elementBytes, from * elementBytes + runLength), to * elementBytes)
    let axis = last - 1
    while (axis >= 0 && ++at[axis]! >= ends[axis]!) at[axis] = starts[axis--]!
    if (axis < 0) return
  }
}

async function eachAtOnce<Item>(
  items: Item[],
  count: number,
  work: (item: Item) => Promise<void>,
): Promise<void> {
  let next = 0
  const runner = async (): Promise<void> => {
    while (next < items.length) await work(items[next++]!)
  }
  await Promise.all(Array.from({ length: Math.min(count, items.length) }, runner))
}

/** At most `count` pieces of work at once; the others wait their turn. */
function limiter(count: number): <Result>(work: () => Promise<Result>) => Promise<Result> {
  let free = count
  const queue: (() => void)[] = []
  return async (work) => {
    if (free > 0) free--
    else await new Promise<void>((resolve) => queue.push(resolve))
    try {
      return await work()
    } finally {
      const next = queue.shift()
      if (next === undefined) free++
      else next()
    }
  }
}
