/**
 * Values and attributes through the HDF5 library, one object at a time. Paths given here were resolved by our own walk
 * and lead through hard links only. Sizes are checked before memory is asked for.
 */
import type { Metadata } from 'h5wasm'
import { BadInput } from '../../job/errors.ts'
import type { ArrayValues, AttributeValue } from '../tree.ts'
import { decode, type Layout, layoutOf, type Memory } from './elements.ts'
import type { Hdf5Limits } from './limits.ts'
import type { WasmFile } from './wasm.ts'

export interface DatasetType {
  layout: Layout
  shape: number[] | null
  chunks: number[] | null
  littleEndian: boolean
}

export interface Library {
  attributes(path: string): Record<string, AttributeValue>
  describe(path: string): DatasetType
  /** rows of the first axis; the whole of a scalar */
  read(path: string, options: { type: DatasetType; range: { from: number; to: number } | null }): ArrayValues
}

const textRowsAtOnce = 2 ** 16

export function openLibrary(
  opened: WasmFile,
  { place, limits }: { place: string; limits: Hdf5Limits },
): Library {
  const { module, file } = opened
  const where = (path: string): string => `${place}:${path}`

  const memoryFor = (path: string): Memory => {
    let characters = 0
    return {
      get heap() {
        return module.HEAPU8
      },
      dereference: (reference) => module.get_referenced_name(file, reference, true),
      count(length) {
        characters += length
        if (characters > limits.textCharacters)
          throw tooLarge(where(path), `more than ${limits.textCharacters} characters of text`)
      },
    }
  }

  /** Lends `bytes` of the library's memory to `fill`, decodes them, gives them back. */
  const borrow = (
    { path, layout, bytes }: { path: string; layout: Layout; bytes: number },
    { fill, release }: { fill(pointer: bigint): void; release(pointer: bigint): void },
  ): ArrayValues => {
    if (bytes > limits.readBytes) throw tooLarge(where(path), `${bytes} bytes in one piece`)
    const pointer = module._malloc(Math.max(1, bytes))
    if (pointer === 0) throw tooLarge(where(path), `${bytes} bytes in one piece`)
    // a read that is cut short must not show what lay here before
    module.HEAPU8.fill(0, pointer, pointer + bytes)
    fill(BigInt(pointer))
    const values = decode(layout, module.HEAPU8.subarray(pointer, pointer + bytes), memoryFor(path))
    if (holdsText(layout)) release(BigInt(pointer))
    module._free(pointer)
    return values
  }

  const attribute = (path: string, name: string): AttributeValue => {
    const metadata: Metadata = module.get_attribute_metadata(file, path, name)
    const layout = layoutOf(metadata)
    if (metadata.shape === null || !isSimple(layout)) return null
    const values = borrow(
      { path, layout, bytes: metadata.size * metadata.total_size },
      {
        fill: (pointer) => void module.get_attribute_data(file, path, name, pointer),
        release: (pointer) => void module.reclaim_vlen_memory(file, path, name, pointer),
      },
    )
    const items = attributeItems(layout, values)
    return metadata.shape.length === 0 ? (items[0] ?? null) : items
  }

  const readRows = (
    path: string,
    { type, range }: { type: DatasetType; range: { from: number; to: number } | null },
  ): ArrayValues => {
    const { layout, shape } = type
    const inner = (shape ?? []).slice(1)
    const perRow = inner.reduce((product, extent) => product * extent, 1)
    const rows = range === null ? 1 : range.to - range.from
    const bytes = layout.size * rows * perRow
    if (bytes === 0) return decode(layout, new Uint8Array(0), memoryFor(path))
    const count = range === null ? null : [rows, ...inner].map(BigInt)
    const offset = range === null ? null : [range.from, ...inner.map(() => 0)].map(BigInt)
    const strides = count === null ? null : count.map(() => 1n)
    return borrow(
      { path, layout, bytes },
      {
        fill: (pointer) => void module.get_dataset_data(file, path, count, offset, strides, pointer),
        release: (pointer) =>
          void (count === null
            ? module.reclaim_vlen_memory(file, path, '', pointer)
            : module.reclaim_vlen_memory_count(file, path, '', pointer, count)),
      },
    )
  }

  return {
    attributes(path) {
      const names: string[] = module.get_attribute_names(file, path)
      if (names.length > limits.attributes) throw tooLarge(where(path), `${names.length} attributes`)
      return Object.fromEntries(names.map((name) => [name, attribute(path, name)]))
    },
    describe(path) {
      const metadata: Metadata = module.get_dataset_metadata(file, path)
      return {
        layout: layoutOf(metadata),
        shape: metadata.shape,
        chunks: metadata.chunks,
        littleEndian: metadata.littleEndian,
      }
    },
    read(path, { type, range }) {
      if (type.layout.element.kind === 'unsupported') throw unreadable(where(path), type.layout.element.what)
      if (range === null || !holdsText(type.layout)) return readRows(path, { type, range })
      // text is copied out piece by piece: the library holds the characters of one piece only
      const pieces: ArrayValues[] = []
      for (let from = range.from; from < range.to; from += textRowsAtOnce) {
        pieces.push(readRows(path, { type, range: { from, to: Math.min(range.to, from + textRowsAtOnce) } }))
      }
      return pieces.length === 1
        ? pieces[0]!
        : joinPieces(pieces, () => readRows(path, { type, range: { from: 0, to: 0 } }))
    },
  }
}

function holdsText(layout: Layout): boolean {
  return layout.text?.variable === true || (layout.members ?? []).some((member) => holdsText(member.layout))
}

function isSimple({ element }: Layout): boolean {
  return element.kind !== 'unsupported' && element.kind !== 'compound'
}

function attributeItems({ element }: Layout, values: ArrayValues): AttributeValue[] {
  if (Array.isArray(values)) {
    return element.kind === 'reference' ? values.map((reference) => ({ reference })) : values
  }
  if (!ArrayBuffer.isView(values)) return []
  return Array.from(values as BigInt64Array, (value): AttributeValue => {
    if (element.kind === 'boolean') return Number(value) !== 0
    const number = Number(value)
    return typeof value === 'bigint' && !Number.isSafeInteger(number) ? value : number
  })
}

function joinPieces(pieces: ArrayValues[], empty: () => ArrayValues): ArrayValues {
  const first = pieces[0] ?? empty()
  if (Array.isArray(first)) return pieces.flatMap((piece) => (Array.isArray(piece) ? piece : []))
  if (ArrayBuffer.isView(first)) {
    const parts = pieces.flatMap((piece) =>
      ArrayBuffer.isView(piece) ? [new Uint8Array(piece.buffer, piece.byteOffset, piece.byteLength)] : [],
    )
    const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
    let at = 0
    for (const part of parts) {
      joined.set(part, at)
      at += part.length
    }
    const kind = first.constructor as new (buffer: ArrayBuffer) => typeof first
    return new kind(joined.buffer)
  }
  const members = new Map<string, ArrayValues>()
  for (const name of first.members.keys()) {
    const parts = pieces.flatMap((piece) => {
      const part = !Array.isArray(piece) && !ArrayBuffer.isView(piece) ? piece.members.get(name) : undefined
      return part === undefined ? [] : [part]
    })
    members.set(name, joinPieces(parts, empty))
  }
  return { members }
}

function tooLarge(place: string, what: string): BadInput {
  return new BadInput(
    'HDF5_TOO_LARGE',
    place,
    `it asks for ${what}`,
    'This part is larger than any real data set has it: check how the file was made',
  )
}

function unreadable(place: string, what: string): BadInput {
  return new BadInput(
    'ELEMENT_UNSUPPORTED',
    place,
    `${what} cannot be read`,
    'Store it as numbers or text and write the file again',
  )
}
