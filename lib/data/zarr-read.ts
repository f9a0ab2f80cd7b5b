/** Puts the chunks that a range of rows touches together, in row-major order, and decodes them to values. */
import type { ArrayValues } from './tree.ts'
import { type Chunk, type ChunkReader, chunkBytes, itemsOf } from './zarr-chunks.ts'
import { damaged, tooLarge, unsupported, type ZarrLimits } from './zarr-limits.ts'
import type { ZarrArray } from './zarr-metadata.ts'

/** chunks that are fetched and decoded at the same time take this much together, or it is one at a time */
const bytesAtOnce = 64 * 2 ** 20

type Items = Uint8Array<ArrayBuffer> | string[]

export interface Rows {
  from: number
  to: number
}

interface Reader {
  chunks: ChunkReader
  limits: ZarrLimits
}

/** @throws BadInput ZARR_DAMAGED, ZARR_UNSUPPORTED, ZARR_TOO_LARGE */
export async function readArray(
  array: ZarrArray,
  range: Rows | undefined,
  reader: Reader,
): Promise<ArrayValues> {
  const { type, place, shape } = array
  const { limits } = reader
  if (type.kind === 'unsupported') throw unsupported(place, type.element.what)
  const length = shape[0] ?? 1
  const rows = range ?? { from: 0, to: length }
  if (!(rows.from >= 0 && rows.from <= rows.to && rows.to <= length)) {
    throw damaged(place, `rows ${rows.from} to ${rows.to} are asked for where there are ${length}`)
  }
  const count = (rows.to - rows.from) * itemsOf(shape.slice(1))
  const bytes = count * (type.kind === 'fixed' ? type.size : 8)
  if (bytes > limits.readBytes) throw tooLarge(place, `${count} items at once`)
  if (chunkBytes(array) > limits.chunkBytes) throw tooLarge(place, `chunks of [${array.chunks}]`)
  const coordinates = count === 0 ? [] : touchedChunks(array, { rows, limits })
  if (type.kind === 'text') {
    const items = new Array<string>(count).fill('')
    await gather(array, { rows, items, coordinates }, reader)
    return items
  }
  const items = new Uint8Array(bytes)
  await gather(array, { rows, items, coordinates }, reader)
  try {
    return type.decode(items)
  } catch (error) {
    throw damaged(place, 'it holds text that is no Unicode', error)
  }
}

interface Gathered {
  rows: Rows
  items: Items
  coordinates: number[][]
}

async function gather(
  array: ZarrArray,
  { rows, items, coordinates }: Gathered,
  { chunks }: Reader,
): Promise<void> {
  const atOnce = Math.min(8, Math.max(1, Math.floor(bytesAtOnce / chunkBytes(array))))
  for (let i = 0; i < coordinates.length; i += atOnce) {
    const group = coordinates.slice(i, i + atOnce)
    const loaded = await Promise.all(group.map((chunk) => chunks.chunk(array, chunk)))
    for (const [j, chunk] of loaded.entries()) {
      copyChunk(array, { rows, items, coordinates: group[j] ?? [], chunk })
    }
  }
}

/** Coordinates of the chunks that hold rows of the range. */
function touchedChunks(array: ZarrArray, { rows, limits }: { rows: Rows; limits: ZarrLimits }): number[][] {
  const spans = array.shape.map((length, axis) => {
    const size = array.chunks[axis] ?? 1
    const [from, to] = axis === 0 ? [rows.from, rows.to] : [0, length]
    const first = Math.floor(from / size)
    return { first, count: Math.ceil(to / size) - first }
  })
  const total = spans.reduce((product, { count }) => product * count, 1)
  if (total > limits.readChunks) throw tooLarge(array.place, `${total} chunks at once`)
  let coordinates: number[][] = [[]]
  for (const { first, count } of spans) {
    coordinates = coordinates.flatMap((start) =>
      Array.from({ length: count }, (_, i) => [...start, first + i]),
    )
  }
  return coordinates
}

/** One axis of the part of a chunk that is wanted: how long, from where, and how far apart its items lie in both. */
interface Axis {
  length: number
  target: number
  source: number
}

function copyChunk(
  array: ZarrArray,
  { rows, items, coordinates, chunk }: { rows: Rows; items: Items; coordinates: number[]; chunk: Chunk },
): void {
  const source = chunk ?? fillOf(array)
  if (source === undefined) return
  const targetSteps = steps(
    array.shape.map((_, axis) => axis),
    array.shape,
  )
  const sourceSteps = steps(array.order, array.chunks)
  let [targetAt, sourceAt] = [0, 0]
  const axes = array.shape.map((length, axis): Axis => {
    const size = array.chunks[axis] ?? 1
    const start = (coordinates[axis] ?? 0) * size
    const [from, to] = axis === 0 ? [rows.from, rows.to] : [0, length]
    const first = Math.max(start, from)
    const [targetStep, sourceStep] = [
      targetSteps[axis] ?? 1,
      chunk === undefined ? 0 : (sourceSteps[axis] ?? 1),
    ]
    targetAt += (first - from) * targetStep
    sourceAt += (first - start) * sourceStep
    return { length: Math.min(start + size, to) - first, target: targetStep, source: sourceStep }
  })
  copyBox(axes, { targetAt, sourceAt }, copier(array, { items, source }))
}

/** How many items further the next one of each axis lies, when `order` names the axes from slow to fast. */
function steps(order: number[], shape: number[]): number[] {
  const result = new Array<number>(shape.length).fill(1)
  let step = 1
  for (const axis of order.toReversed()) {
    result[axis] = step
    step *= shape[axis] ?? 1
  }
  return result
}

/** An item to repeat; undefined where the target already holds it. */
function fillOf(array: ZarrArray): Uint8Array | string[] | undefined {
  const { fill, place } = array
  if (fill === undefined)
    throw unsupported(place, 'chunks that are not stored, with a fill value that is not understood')
  if (typeof fill === 'string') return fill === '' ? undefined : [fill]
  return fill.every((byte) => byte === 0) ? undefined : fill
}

type Copy = (targetAt: number, sourceAt: number, count: number) => void

function copier(array: ZarrArray, { items, source }: { items: Items; source: Uint8Array | string[] }): Copy {
  const size = array.type.kind === 'fixed' ? array.type.size : 1
  if (Array.isArray(items)) {
    return (targetAt, sourceAt, count) => {
      for (let i = 0; i < count; i++) items[targetAt + i] = String(source[sourceAt + i])
    }
  }
  if (Array.isArray(source)) throw damaged(array.place, 'text where numbers belong')
  return (targetAt, sourceAt, count) => {
    items.set(source.subarray(sourceAt * size, (sourceAt + count) * size), targetAt * size)
  }
}

function copyBox(axes: Axis[], at: { targetAt: number; sourceAt: number }, copy: Copy): void {
  const [axis, ...inner] = axes
  if (axis === undefined) {
    copy(at.targetAt, at.sourceAt, 1)
  } else if (inner.length === 0 && axis.target === 1 && axis.source === 1) {
    copy(at.targetAt, at.sourceAt, axis.length)
  } else {
    for (let i = 0; i < axis.length; i++) {
      copyBox(
        inner,
        { targetAt: at.targetAt + i * axis.target, sourceAt: at.sourceAt + i * axis.source },
        copy,
      )
    }
  }
}
