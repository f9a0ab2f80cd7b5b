/**
 * Writes HDF5: groups, attributes, datasets at once or as streams. One class serves new files and additions to a copy
 * of an existing one (append.ts); only the superblock and where groups come from differ.
 *
 * Structures are the oldest ones (version 1 headers and trees, symbol tables), so h5py, R and h5wasm read and extend them.
 * Trap: nothing is at the destination before `close` has returned; after an error `abort` removes the draft.
 */
import type { NumberArray } from '../../tree.ts'
import type { Message } from '../format/object-header.ts'
import { type AttributesToWrite, encodeAttribute } from './attributes.ts'
import { ChunkPipeline } from './chunk-pipeline.ts'
import { ChunkedData, type DatasetStream, type StreamOptions } from './dataset-stream.ts'
import { bytesOf, datatypeMessage, elementBytes, isOfType, recordType, type StoredType } from './datatype.ts'
import {
  asMessage,
  contiguousMessage,
  dataspaceMessage,
  Fields,
  fillMessage,
  objectHeader,
} from './messages.ts'
import { type Entry, type Group, ObjectTree, writeGroup } from './object-tree.ts'
import type { OutputFile } from './output-file.ts'
import { REFERENCE_BYTES, StringHeap } from './string-heap.ts'
import type { SymbolTableSizes } from './symbol-table-writer.ts'

/** Above this a dataset without filters is stored in chunks, which need not be whole in memory. */
const MOST_CONTIGUOUS = 1 << 20
const STRINGS_AT_ONCE = 4096

export interface WrittenRoot {
  header: number
  table: { tree: number; heap: number } | undefined
}

export interface FileParts {
  file: OutputFile
  root: Group
  sizes: SymbolTableSizes & { chunkK: number }
  /** what a link to an object of an existing file leads to */
  load: (address: number) => Group | undefined
  writeSuperblock: (root: WrittenRoot) => void
}

export interface DatasetOptions {
  type: Exclude<StoredType, 'string'>
  /** [] for a scalar */
  shape: readonly number[]
  values: NumberArray
  gzip?: number | undefined
  shuffle?: boolean
  attributes?: AttributesToWrite
}

export interface StringsOptions {
  /** [] for a scalar; one axis when not given */
  shape?: readonly number[]
  gzip?: number | undefined
  attributes?: AttributesToWrite
}

/** One field of a list of records. */
export interface Field {
  name: string
  type: StoredType
  values: NumberArray | readonly string[]
}

export class Hdf5Writer {
  readonly #parts: FileParts
  readonly #tree: ObjectTree
  readonly #pipeline: ChunkPipeline
  readonly #attributeHeap: StringHeap

  constructor(parts: FileParts) {
    this.#parts = parts
    this.#tree = new ObjectTree(parts.root, parts.load)
    this.#pipeline = new ChunkPipeline(parts.file)
    this.#attributeHeap = new StringHeap(parts.file, { collectionBytes: 4096 })
  }

  /** Makes a group, and those above it, where there is none; sets attributes, of which others stay. */
  group(path: string, attributes: AttributesToWrite = {}): void {
    const group = this.#tree.enter(path)
    for (const message of this.#attributes(attributes)) group.attributes.set(message.name, message)
  }

  /** What a path holds now; a link to a dataset of an existing file is 'hard'. */
  kindAt(path: string): Entry['kind'] | undefined {
    return this.#tree.find(path)?.kind
  }

  /** Removes a link; true when there was one. The object's bytes stay in an existing file. */
  remove(path: string): boolean {
    return this.#tree.remove(path)
  }

  /** Replaces what was at the path. @throws BadInput of names, texts and sizes; errors of the file */
  async dataset(path: string, options: DatasetOptions): Promise<void> {
    const { type, shape, values, gzip } = options
    if (!isOfType(values, type)) throw new TypeError(`${path}: the values are not ${type}`)
    if (shape.reduce((a, b) => a * b, 1) !== values.length)
      throw new RangeError(`${path}: shape and values disagree`)
    const claim = this.#claim(path)
    const isPlain = shape.length === 0 || values.length === 0 || gzip === undefined
    const messages = isPlain
      ? this.#contiguous({ type, shape, bytes: ownBytes(values) })
      : await this.#chunked(
          { type, rowShape: shape.slice(1), gzip, shuffle: options.shuffle ?? false },
          (data) => data.append(values),
        )
    this.#finish(claim, { messages, attributes: options.attributes })
    // large values are not copied, so they are written before the caller has them back
    if (isPlain && values.byteLength > MOST_CONTIGUOUS) await this.#parts.file.settled()
    else await this.#parts.file.room()
  }

  /** Text as variable-length UTF-8. Replaces what was at the path. */
  async strings(path: string, values: readonly string[], options: StringsOptions = {}): Promise<void> {
    const shape = options.shape ?? [values.length]
    if (shape.reduce((a, b) => a * b, 1) !== values.length)
      throw new RangeError(`${path}: shape and values disagree`)
    const claim = this.#claim(path)
    const bytes = values.length * REFERENCE_BYTES
    const isPlain =
      shape.length === 0 || bytes === 0 || (options.gzip === undefined && bytes <= MOST_CONTIGUOUS)
    let messages: Message[]
    if (isPlain) {
      const pieces: Uint8Array[] = []
      await this.#storeTexts(values, async (piece) => void pieces.push(piece))
      messages = this.#contiguous({ type: 'string', shape, bytes: Buffer.concat(pieces) })
    } else {
      const stream: StreamOptions = { type: 'string', rowShape: shape.slice(1), gzip: options.gzip }
      messages = await this.#chunked(stream, (data) =>
        this.#storeTexts(values, (piece) => data.appendBytes(piece)),
      )
    }
    this.#finish(claim, { messages, attributes: options.attributes })
    await this.#parts.file.room()
  }

  /** A list of records: one value of each field a row. Replaces what was at the path. */
  async records(path: string, fields: readonly Field[], attributes?: AttributesToWrite): Promise<void> {
    const rows = fields[0]?.values.length ?? 0
    if (fields.some(({ values }) => values.length !== rows))
      throw new RangeError(`${path}: fields differ in length`)
    const claim = this.#claim(path)
    const columns: { bytes: Uint8Array; width: number }[] = []
    for (const { type, values } of fields) {
      const pieces: Uint8Array[] = []
      if (Array.isArray(values)) await this.#storeTexts(values, async (piece) => void pieces.push(piece))
      else pieces.push(bytesOf(values as NumberArray))
      columns.push({ bytes: Buffer.concat(pieces), width: elementBytes(type) })
    }
    const messages = this.#contiguous({
      type: recordType(fields),
      shape: [rows],
      bytes: interleaved(columns, rows),
    })
    this.#finish(claim, { messages, attributes })
    await this.#parts.file.room()
  }

  /** Opens a dataset whose number of rows is not known. It has its name from now on and is there once closed. */
  stream(path: string, options: StreamOptions & { attributes?: AttributesToWrite }): DatasetStream {
    if (options.type === 'string') throw new TypeError('text cannot be streamed')
    const data = new ChunkedData(
      { ...this.#parts, pipeline: this.#pipeline, chunkK: this.#parts.sizes.chunkK },
      options,
    )
    const claim = this.#claim(path)
    return {
      append: (values) => data.append(values),
      close: async () =>
        this.#finish(claim, { messages: await data.finish(), attributes: options.attributes }),
    }
  }

  /** Writes what is left and puts the file in its place. On an error the draft is removed. */
  async close(): Promise<void> {
    const { file, root, sizes, writeSuperblock } = this.#parts
    try {
      await this.#pipeline.idle()
      this.#attributeHeap.flush()
      const written = await writeGroup(file, root, sizes)
      await file.settled()
      writeSuperblock(written)
      await file.commit()
    } catch (error) {
      await this.abort()
      throw error
    }
  }

  /** Leaves nothing behind, whatever was under way. */
  async abort(): Promise<void> {
    await this.#pipeline.idle().catch(() => {})
    await this.#parts.file.discard()
  }

  #attributes(attributes: AttributesToWrite): (Message & { name: string })[] {
    return Object.entries(attributes).map(([name, value]) => ({
      name,
      ...asMessage('attribute', encodeAttribute(name, value, this.#attributeHeap)),
    }))
  }

  #contiguous(what: {
    type: StoredType | Uint8Array
    shape: readonly number[]
    bytes: Uint8Array
  }): Message[] {
    const { type, shape, bytes } = what
    const address = bytes.length === 0 ? undefined : this.#parts.file.append(bytes)
    return [
      asMessage('dataspace', dataspaceMessage(shape, shape.length === 0 ? undefined : shape)),
      asMessage('datatype', typeof type === 'string' ? datatypeMessage(type) : type, 1),
      asMessage(
        'fillValue',
        fillMessage({ isChunked: false, isText: typeof type !== 'string' || type === 'string' }),
        1,
      ),
      asMessage('layout', contiguousMessage({ address, bytes: bytes.length })),
    ]
  }

  async #chunked(options: StreamOptions, fill: (data: ChunkedData) => Promise<void>): Promise<Message[]> {
    const { file, sizes } = this.#parts
    const data = new ChunkedData({ file, pipeline: this.#pipeline, chunkK: sizes.chunkK }, options)
    await fill(data)
    return data.finish()
  }

  async #storeTexts(
    values: readonly string[],
    take: (references: Uint8Array) => Promise<void>,
  ): Promise<void> {
    const heap = new StringHeap(this.#parts.file, { collectionBytes: collectionBytes(values) })
    for (let from = 0; from < values.length; from += STRINGS_AT_ONCE) {
      const some = values.slice(from, from + STRINGS_AT_ONCE)
      const references = new Fields(some.length * REFERENCE_BYTES)
      for (const text of some) heap.add(text, references)
      await take(references.bytes)
      await this.#parts.file.room()
    }
    heap.flush()
  }

  #claim(path: string): { parent: Group; name: string; entry: Entry } {
    const entry: Entry = { kind: 'open' }
    return { ...this.#tree.put(path, entry), entry }
  }

  #finish(
    claim: { parent: Group; name: string; entry: Entry },
    what: { messages: Message[]; attributes: AttributesToWrite | undefined },
  ): void {
    const { parent, name, entry } = claim
    if (parent.links.get(name) !== entry) throw new RangeError(`${name} was written twice`)
    const header = objectHeader([...what.messages, ...this.#attributes(what.attributes ?? {})])
    parent.links.set(name, { kind: 'hard', address: this.#parts.file.append(header) })
  }
}

/** Row by row: the first element of each column, then the second, ... */
function interleaved(columns: readonly { bytes: Uint8Array; width: number }[], rows: number): Uint8Array {
  const rowBytes = columns.reduce((sum, { width }) => sum + width, 0)
  const result = new Uint8Array(rows * rowBytes)
  let start = 0
  for (const { bytes, width } of columns) {
    for (let row = 0; row < rows; row++)
      result.set(bytes.subarray(row * width, (row + 1) * width), row * rowBytes + start)
    start += width
  }
  return result
}

function ownBytes(values: NumberArray): Uint8Array {
  const bytes = bytesOf(values)
  return bytes.length > MOST_CONTIGUOUS ? bytes : bytes.slice()
}

/** Collections of 64 KiB, or what few texts need. */
function collectionBytes(values: readonly string[]): number {
  let bytes = 16
  for (let i = 0; i < values.length && bytes < 65_536; i++) bytes += 24 + Buffer.byteLength(values[i]!)
  return Math.min(bytes - (bytes % 8), 65_536)
}
