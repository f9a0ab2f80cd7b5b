/**
 * Text lies in global heap collections; a dataset or attribute holds references of 16 bytes: length, collection, number.
 * An empty text is an object of no bytes (as h5py stores it), not a missing one.
 *
 * Trap: readers take a text up to its first NUL, so a text with one inside would come back cut, and is refused.
 */
import { BadInput } from '../../../job/errors.ts'
import { type Fields, roundUp8 } from './messages.ts'
import type { OutputFile } from './output-file.ts'

export const REFERENCE_BYTES = 16
const SMALLEST_COLLECTION = 4096
const MOST_OBJECTS = 0xfff0

export class StringHeap {
  readonly #file: OutputFile
  readonly #collectionBytes: number
  #address = 0
  #buffer: Buffer | undefined
  #used = 0
  #objects = 0

  constructor(file: OutputFile, options: { collectionBytes: number }) {
    this.#file = file
    this.#collectionBytes = options.collectionBytes
  }

  /** Stores a text and writes the reference to it. */
  add(text: string, reference: Fields): void {
    if (text.includes('\0')) throw textWithNul(text)
    const length = Buffer.byteLength(text)
    const needed = 16 + roundUp8(length)
    if (
      this.#buffer === undefined ||
      this.#used + needed > this.#buffer.length ||
      this.#objects >= MOST_OBJECTS
    ) {
      this.flush()
      this.#start(needed)
    }
    const buffer = this.#buffer!
    this.#objects++
    buffer.writeUInt16LE(this.#objects, this.#used)
    buffer.writeUInt16LE(1, this.#used + 2)
    buffer.writeBigUInt64LE(BigInt(length), this.#used + 8)
    buffer.write(text, this.#used + 16, length)
    this.#used += needed
    reference.u32(length).u64(this.#address).u32(this.#objects)
  }

  /** Hands the collection in progress to the file; the next text starts another. */
  flush(): void {
    const buffer = this.#buffer
    if (buffer === undefined) return
    // what is left is object 0, the free space, where there is room to say so
    const left = buffer.length - this.#used
    if (left >= 16) buffer.writeBigUInt64LE(BigInt(left), this.#used + 8)
    this.#file.writeAt(this.#address, buffer)
    this.#buffer = undefined
  }

  #start(needed: number): void {
    const bytes = Math.max(SMALLEST_COLLECTION, this.#collectionBytes, 16 + needed)
    const buffer = Buffer.alloc(bytes)
    buffer.write('GCOL', 0)
    buffer[4] = 1
    buffer.writeBigUInt64LE(BigInt(bytes), 8)
    this.#address = this.#file.reserve(bytes)
    this.#buffer = buffer
    this.#used = 16
    this.#objects = 0
  }
}

function textWithNul(text: string): BadInput {
  const shown = JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}...` : text)
  return new BadInput(
    'TEXT_UNSUPPORTED',
    shown,
    'a text has a NUL character inside',
    'Remove the NUL character',
  )
}
