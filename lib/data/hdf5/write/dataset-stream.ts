/**
 * A dataset that grows: rows are appended, full chunks leave at once, the header is written when the length is known.
 * Chunks hold whole rows. Several streams may be open at a time.
 */
import type { NumberArray } from '../../tree.ts'
import type { Message } from '../format/object-header.ts'
import type { ChunkEncoding, ChunkPipeline, StoredAt } from './chunk-pipeline.ts'
import { bytesOf, datatypeMessage, elementBytes, isOfType, type StoredType } from './datatype.ts'
import {
  asMessage,
  chunkedMessage,
  dataspaceMessage,
  type Fields,
  fillMessage,
  filterMessage,
} from './messages.ts'
import type { OutputFile } from './output-file.ts'
import { writeTree } from './tree-writer.ts'

/** libhdf5 keeps 1 MiB of chunks of a dataset by default; larger ones are unpacked again for each small read */
const CHUNK_BYTES = 256 * 1024

export interface StreamOptions {
  type: StoredType
  /** extents of one row; [] for one number */
  rowShape?: readonly number[]
  /** deflate level 1 to 9 */
  gzip?: number | undefined
  /** only with gzip */
  shuffle?: boolean
  chunkRows?: number
}

export interface DatasetStream {
  /** Whole rows, of the stream's type. @throws errors of the file, also of earlier rows */
  append(values: NumberArray): Promise<void>
  /** The number of rows is final; nothing can be appended after. */
  close(): Promise<void>
}

interface Parts {
  file: OutputFile
  pipeline: ChunkPipeline
  chunkK: number
}

export class ChunkedData {
  readonly #parts: Parts
  readonly #options: StreamOptions
  readonly #rowBytes: number
  readonly #chunkRows: number
  readonly #encoding: ChunkEncoding
  readonly #chunks: StoredAt[] = []
  #bytes = 0
  #chunk: Uint8Array | undefined
  #filled = 0

  constructor(parts: Parts, options: StreamOptions) {
    this.#parts = parts
    this.#options = options
    const width = elementBytes(options.type)
    this.#rowBytes = (options.rowShape ?? []).reduce((a, b) => a * b, width)
    this.#chunkRows = options.chunkRows ?? Math.max(1, Math.floor(CHUNK_BYTES / Math.max(1, this.#rowBytes)))
    if (this.#chunkRows * this.#rowBytes >= 2 ** 32)
      throw new RangeError('a chunk must be smaller than 4 GiB')
    // level 0 would still send every byte through the compressor
    const gzip = options.gzip === 0 ? undefined : options.gzip
    this.#encoding = { gzip, shuffleBytes: options.shuffle && gzip !== undefined ? width : 0 }
  }

  async append(values: NumberArray): Promise<void> {
    if (!isOfType(values, this.#options.type)) throw new TypeError(`the values are not ${this.#options.type}`)
    await this.appendBytes(bytesOf(values))
  }

  async appendBytes(bytes: Uint8Array): Promise<void> {
    const chunkBytes = this.#chunkRows * this.#rowBytes
    for (let done = 0; done < bytes.length; ) {
      this.#chunk ??= new Uint8Array(chunkBytes)
      const count = Math.min(bytes.length - done, chunkBytes - this.#filled)
      this.#chunk.set(bytes.subarray(done, done + count), this.#filled)
      this.#filled += count
      this.#bytes += count
      done += count
      if (this.#filled === chunkBytes) await this.#send(this.#chunk)
    }
  }

  async #send(chunk: Uint8Array): Promise<void> {
    this.#chunk = undefined
    this.#filled = 0
    await this.#parts.pipeline.add(chunk, this.#encoding, { placed: (at) => this.#chunks.push(at) })
  }

  /** The messages of the finished dataset. */
  async finish(): Promise<Message[]> {
    const { type, rowShape = [] } = this.#options
    const { gzip, shuffleBytes } = this.#encoding
    const rows = this.#rowBytes === 0 ? 0 : this.#bytes / this.#rowBytes
    if (!Number.isInteger(rows)) throw new RangeError('the last row is not whole')
    // a dataset of one chunk needs none larger than itself
    const chunkRows = rows > 0 && rows < this.#chunkRows ? rows : this.#chunkRows
    if (this.#chunk !== undefined) await this.#send(this.#chunk.subarray(0, chunkRows * this.#rowBytes))
    await this.#parts.pipeline.idle()
    const address = this.#chunks.length === 0 ? undefined : await this.#writeIndex(chunkRows)
    const shape = [rows, ...rowShape]
    const width = elementBytes(type)
    const messages = [
      asMessage('dataspace', dataspaceMessage(shape, [Number.POSITIVE_INFINITY, ...rowShape])),
      asMessage('datatype', datatypeMessage(type), 1),
      asMessage('fillValue', fillMessage({ isChunked: true, isText: type === 'string' }), 1),
      asMessage(
        'layout',
        chunkedMessage({ address, chunk: this.#chunkShape(chunkRows), elementBytes: width }),
      ),
    ]
    if (gzip !== undefined) {
      messages.push(asMessage('filters', filterMessage({ gzip, shuffleBytes }), 1))
    }
    return messages
  }

  /** Axes of no extent still need chunks of one. */
  #chunkShape(chunkRows: number): number[] {
    return [chunkRows, ...(this.#options.rowShape ?? [])].map((extent) => Math.max(1, extent))
  }

  #writeIndex(chunkRows: number): Promise<number> {
    const rest = this.#options.rowShape ?? []
    const width = elementBytes(this.#options.type)
    const chunks = this.#chunks
    const writeKey = (fields: Fields, i: number) => {
      const chunk = chunks[i]
      fields.u32(chunk?.storedBytes ?? 0).u32(0)
      // the last key lies above the last chunk in its second axis, as libhdf5 leaves it
      fields.u64(Math.min(i, chunks.length - 1) * chunkRows)
      for (const extent of [...rest, width]) fields.u64(chunk === undefined ? extent : 0)
    }
    return writeTree(this.#parts.file, {
      type: 1,
      fanout: 2 * this.#parts.chunkK,
      children: chunks.map(({ address }) => address),
      keyBytes: 8 + 8 * (rest.length + 2),
      writeKey,
    })
  }
}
