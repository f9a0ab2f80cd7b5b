/**
 * Reading the fields of an HDF5 file out of bytes that nobody vouches for. Layouts follow the "HDF5 File Format
 * Specification" 3.0; offsets and lengths of 8 bytes only, which is what every writer of AnnData files makes.
 *
 * Trap: a 64-bit field is a file position, a size or "undefined" (all ones); above 2^53 it can only be damage.
 */
import { BadInput } from '../../../job/errors.ts'

/** Exactly `length` bytes at `offset`; a shorter answer means that the file ends before. */
export type ReadBytes = (offset: number, length: number) => Uint8Array

/** No single structure of a sane file is larger; a declared size above it is not believed. */
const LARGEST_PIECE = 64 * 1024 * 1024

export function damaged(what: string, options: { address?: number; cause?: unknown } = {}): BadInput {
  return new BadInput('HDF5_DAMAGED', placeOf(options.address), what, 'Copy or download the file again', {
    cause: options.cause,
  })
}

export function unsupported(what: string, options: { address?: number } = {}): BadInput {
  return new BadInput(
    'HDF5_UNSUPPORTED',
    placeOf(options.address),
    what,
    'Write the file again with h5py or anndata and their default settings',
  )
}

function placeOf(address: number | undefined): string {
  return address === undefined ? 'HDF5 file' : `HDF5 file, byte ${address}`
}

/** Refuses what lies outside of the file before anything is read or allocated. */
export function boundedRead(read: ReadBytes, fileSize: number): ReadBytes {
  return (offset, length) => {
    if (offset + length > fileSize) {
      throw damaged(`${length} bytes are expected here, the file ends at ${fileSize}`, { address: offset })
    }
    return readExactly(read, { offset, length })
  }
}

export function readExactly(
  read: ReadBytes,
  { offset, length }: { offset: number; length: number },
): Uint8Array {
  if (!Number.isSafeInteger(offset) || offset < 0) throw damaged('an address is not a position in a file')
  if (!Number.isSafeInteger(length) || length < 0 || length > LARGEST_PIECE) {
    throw damaged(`a structure of ${length} bytes is declared`, { address: offset })
  }
  const bytes = read(offset, length)
  if (bytes.length !== length) {
    throw damaged(`${length} bytes are expected here, ${bytes.length} are there`, { address: offset })
  }
  return bytes
}

/** Little-endian fields one after another; going past the end is damage. */
export class Cursor {
  readonly bytes: Uint8Array
  position: number
  readonly #view: DataView
  readonly #address: number | undefined

  constructor(bytes: Uint8Array, options: { address?: number; position?: number } = {}) {
    this.bytes = bytes
    this.position = options.position ?? 0
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#address = options.address
  }

  get left(): number {
    return this.bytes.length - this.position
  }

  /** Position of the next `count` bytes, which are consumed. */
  #step(count: number): number {
    if (count < 0 || count > this.left) {
      throw damaged('a structure ends before its last field', { address: this.#address ?? 0 })
    }
    const at = this.position
    this.position += count
    return at
  }

  take(count: number): Uint8Array {
    const at = this.#step(count)
    return this.bytes.subarray(at, at + count)
  }

  skip(count: number): void {
    this.#step(count)
  }

  u8(): number {
    return this.#view.getUint8(this.#step(1))
  }

  u16(): number {
    return this.#view.getUint16(this.#step(2), true)
  }

  u32(): number {
    return this.#view.getUint32(this.#step(4), true)
  }

  /** A number of `width` bytes, 1 to 8. */
  uint(width: number): number {
    const at = this.#step(width)
    let value = 0
    for (let i = width - 1; i >= 0; i--) value = value * 256 + this.#view.getUint8(at + i)
    if (!Number.isSafeInteger(value)) {
      throw damaged('a size or position is far beyond any file', { address: this.#address ?? 0 })
    }
    return value
  }

  u64(): number {
    return this.uint(8)
  }

  /** undefined where the field holds "no address" */
  address(): number | undefined {
    if (this.left >= 8 && this.#view.getBigUint64(this.position, true) === 0xffff_ffff_ffff_ffffn) {
      this.skip(8)
      return undefined
    }
    return this.u64()
  }

  /** @throws BadInput HDF5_DAMAGED when the four letters are others */
  signature(expected: string): void {
    const at = this.#step(4)
    for (let i = 0; i < 4; i++) {
      if (this.bytes[at + i] !== expected.charCodeAt(i)) {
        throw damaged(`"${expected}" is expected here`, { address: this.#address ?? 0 })
      }
    }
  }
}

export function decodeText(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes)
}
