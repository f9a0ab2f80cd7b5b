/**
 * Chunks of zarr arrays, decoded: bytes of items, or texts. A chunk lies in an object of its own or in a shard, whose index
 * says where. Decoded chunks are kept for a while, as slabs of rows seldom end where chunks do.
 */
import { decodeTexts, unpack } from './zarr-codecs.ts'
import { damaged, tooLarge, type ZarrLimits } from './zarr-limits.ts'
import type { ZarrArray } from './zarr-metadata.ts'
import { below, type KeyStore } from './zarr-store.ts'

/** undefined: not stored, all of it is the fill value */
export type Chunk = Uint8Array | string[] | undefined

interface Kept {
  chunk: Promise<Chunk>
  bytes: number
}

export class ChunkReader {
  readonly #store: KeyStore
  readonly #limits: ZarrLimits
  /** oldest first */
  readonly #kept = new Map<string, Kept>()
  #keptBytes = 0

  constructor(store: KeyStore, limits: ZarrLimits) {
    this.#store = store
    this.#limits = limits
  }

  /** @throws BadInput ZARR_DAMAGED, ZARR_TOO_LARGE */
  chunk(array: ZarrArray, coordinates: number[]): Promise<Chunk> {
    return this.#keep(`${array.path}|${coordinates}`, chunkBytes(array), () => this.#load(array, coordinates))
  }

  #keep(name: string, bytes: number, load: () => Promise<Chunk>): Promise<Chunk> {
    const kept = this.#kept.get(name) ?? { chunk: load(), bytes }
    this.#keptBytes += this.#kept.delete(name) ? 0 : bytes
    this.#kept.set(name, kept)
    kept.chunk.catch(() => this.#forget(name))
    for (const oldest of this.#kept.keys()) {
      if (this.#keptBytes <= this.#limits.cacheBytes || oldest === name) break
      this.#forget(oldest)
    }
    return kept.chunk
  }

  #forget(name: string): void {
    this.#keptBytes -= this.#kept.get(name)?.bytes ?? 0
    this.#kept.delete(name)
  }

  async #load(array: ZarrArray, coordinates: number[]): Promise<Chunk> {
    const { shard } = array
    if (shard === undefined) {
      const key = below(array.path, array.keyOf(coordinates))
      const size = await this.#store.size(key)
      return size === undefined ? undefined : this.#decode(array, { key, offset: 0, length: size })
    }
    const perShard = shard.shape.map((length, axis) => length / (array.chunks[axis] ?? 1))
    const outer = coordinates.map((at, axis) => Math.floor(at / (perShard[axis] ?? 1)))
    const inner = coordinates.reduce(
      (at, here, axis) => at * (perShard[axis] ?? 1) + (here % (perShard[axis] ?? 1)),
      0,
    )
    const key = below(array.path, array.keyOf(outer))
    const chunks = perShard.reduce((product, length) => product * length, 1)
    const index = await this.#keep(`${key}|index`, chunks * 16, () => this.#index(array, { key, chunks }))
    if (!(index instanceof Uint8Array)) return undefined
    const entry = new DataView(index.buffer, index.byteOffset + inner * 16, 16)
    const [offset, length] = [entry.getBigUint64(0, true), entry.getBigUint64(8, true)]
    if (offset === absent && length === absent) return undefined
    return this.#decode(array, { key, offset: Number(offset), length: Number(length) })
  }

  /** Offset and length of each chunk of a shard, 16 bytes each. */
  async #index(
    array: ZarrArray,
    { key, chunks }: { key: string; chunks: number },
  ): Promise<Uint8Array | undefined> {
    const { indexCodecs = [], indexAt = 'end' } = array.shard ?? {}
    const place = `${this.#store.place}/${key}`
    const size = await this.#store.size(key)
    if (size === undefined) return undefined
    const exact = chunks * 16
    if (exact > this.#limits.chunkBytes) throw tooLarge(array.place, `shards of ${chunks} chunks`)
    const length = exact + indexCodecs.length * 4
    if (length > size) throw damaged(place, 'it is too short for the index of a shard')
    const packed = await this.#store.read(key, { offset: indexAt === 'end' ? size - length : 0, length })
    return unpack(packed, indexCodecs, { exact, most: exact, place })
  }

  async #decode(array: ZarrArray, range: { key: string; offset: number; length: number }): Promise<Chunk> {
    const { key, offset, length } = range
    const place = `${this.#store.place}/${key}`
    const size = (await this.#store.size(key)) ?? 0
    if (offset + length > size) throw damaged(place, 'the index names a chunk outside of the shard')
    const count = itemsOf(array.chunks)
    const { type } = array
    const most = type.kind === 'fixed' ? count * type.size : this.#limits.chunkBytes
    if (length > this.#limits.chunkBytes + 2 ** 20) throw tooLarge(place, `a packed chunk of ${length} bytes`)
    const packed = await this.#store.read(key, { offset, length })
    const bytes = await unpack(packed, array.codecs, {
      most,
      place,
      ...(type.kind === 'fixed' && { exact: most }),
    })
    return type.kind === 'fixed' ? bytes : decodeTexts(bytes, { count, place })
  }
}

const absent = 2n ** 64n - 1n

export function itemsOf(shape: readonly number[]): number {
  return shape.reduce((product, length) => product * length, 1)
}

/** Decoded bytes of a chunk; of texts a guess. */
export function chunkBytes(array: ZarrArray): number {
  return itemsOf(array.chunks) * (array.type.kind === 'fixed' ? array.type.size : 32)
}
