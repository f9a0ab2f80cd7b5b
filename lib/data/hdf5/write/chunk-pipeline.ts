/**
 * Compresses chunks on several threads at once and stores them in the order they were given, so that the same input
 * gives the same file. How many are under way is bounded, and so is memory.
 */
import { availableParallelism } from 'node:os'
import { promisify } from 'node:util'
import { deflate } from 'node:zlib'
import type { OutputFile } from './output-file.ts'

const deflateAsync = promisify(deflate)

export interface ChunkEncoding {
  /** deflate level; undefined: stored as they are */
  gzip: number | undefined
  /** element size when bytes of equal rank are put together first, else 0 */
  shuffleBytes: number
}

export interface StoredAt {
  address: number
  storedBytes: number
}

export class ChunkPipeline {
  readonly #file: OutputFile
  readonly #mostUnderWay = availableParallelism() + 6
  #underWay = 0
  #last: Promise<void> = Promise.resolve()
  #failure: { error: unknown } | undefined
  #wake: (() => void) | undefined

  constructor(file: OutputFile) {
    this.#file = file
  }

  /**
   * Takes a chunk over; waits while too many are under way. `placed` is called, in order, when its place is known.
   * @throws the first error of any chunk before
   */
  async add(
    bytes: Uint8Array,
    encoding: ChunkEncoding,
    options: { placed: (at: StoredAt) => void },
  ): Promise<void> {
    while (this.#underWay >= this.#mostUnderWay) {
      await new Promise<void>((resolve) => {
        const next = this.#wake
        this.#wake = () => {
          resolve()
          next?.()
        }
      })
    }
    this.#throwFailure()
    this.#underWay++
    const encoded = encode(bytes, encoding)
    // its own place in the queue looks at the error; until then nobody does
    encoded.catch(() => {})
    this.#last = this.#last.then(async () => {
      try {
        const stored = await encoded
        if (this.#failure === undefined) {
          options.placed({ address: this.#file.append(stored), storedBytes: stored.length })
          await this.#file.room()
        }
      } catch (error) {
        this.#failure ??= { error }
      }
      this.#underWay--
      const wake = this.#wake
      this.#wake = undefined
      wake?.()
    })
  }

  /** All chunks given so far have their place. */
  async idle(): Promise<void> {
    await this.#last
    this.#throwFailure()
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure.error
  }
}

async function encode(bytes: Uint8Array, { gzip, shuffleBytes }: ChunkEncoding): Promise<Uint8Array> {
  if (gzip === undefined) return bytes
  const input = shuffleBytes > 1 ? shuffled(bytes, shuffleBytes) : bytes
  // room for the worst case makes it one trip to the thread
  return deflateAsync(input, { level: gzip, chunkSize: input.length + (input.length >> 9) + 1024 })
}

/** All first bytes of the elements, then all second bytes, ... */
function shuffled(bytes: Uint8Array, elementBytes: number): Uint8Array {
  const result = new Uint8Array(bytes.length)
  const count = bytes.length / elementBytes
  if (elementBytes % 4 !== 0) {
    for (let rank = 0, to = 0; rank < elementBytes; rank++) {
      for (let from = rank, i = 0; i < count; i++, from += elementBytes) result[to++] = bytes[from]!
    }
    return result
  }
  // four bytes at a time, which is several times faster
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4)
  const step = elementBytes / 4
  for (let word = 0; word < step; word++) {
    const lane = result.subarray(word * 4 * count)
    for (let from = word, i = 0; i < count; i++, from += step) {
      const value = words[from]!
      lane[i] = value
      lane[count + i] = value >>> 8
      lane[2 * count + i] = value >>> 16
      lane[3 * count + i] = value >>> 24
    }
  }
  return result
}
