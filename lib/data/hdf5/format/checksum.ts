/**
 * The checksum of HDF5 metadata since version 2 of its structures: Bob Jenkins' lookup3 (hashlittle), start value 0,
 * as libhdf5's H5_checksum_metadata. Trap: the last 1 to 12 bytes go through the final mixing, not through the loop.
 */
import { Cursor, damaged, type ReadBytes, readExactly } from './bytes.ts'

const rotate = (value: number, bits: number) => (value << bits) | (value >>> (32 - bits))

export function metadataChecksum(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let a = (0xdeadbeef + bytes.length) | 0
  let b = a
  let c = a
  let at = 0
  for (; bytes.length - at > 12; at += 12) {
    a = (a + view.getUint32(at, true)) | 0
    b = (b + view.getUint32(at + 4, true)) | 0
    c = (c + view.getUint32(at + 8, true)) | 0
    a = (a - c) ^ rotate(c, 4)
    c = (c + b) | 0
    b = (b - a) ^ rotate(a, 6)
    a = (a + c) | 0
    c = (c - b) ^ rotate(b, 8)
    b = (b + a) | 0
    a = (a - c) ^ rotate(c, 16)
    c = (c + b) | 0
    b = (b - a) ^ rotate(a, 19)
    a = (a + c) | 0
    c = (c - b) ^ rotate(b, 4)
    b = (b + a) | 0
  }
  if (at === bytes.length) return c >>> 0
  const tail = new Uint8Array(12)
  tail.set(bytes.subarray(at))
  const words = new DataView(tail.buffer)
  a = (a + words.getUint32(0, true)) | 0
  b = (b + words.getUint32(4, true)) | 0
  c = (c + words.getUint32(8, true)) | 0
  c = ((c ^ b) - rotate(b, 14)) | 0
  a = ((a ^ c) - rotate(c, 11)) | 0
  b = ((b ^ a) - rotate(a, 25)) | 0
  c = ((c ^ b) - rotate(b, 16)) | 0
  a = ((a ^ c) - rotate(c, 4)) | 0
  b = ((b ^ a) - rotate(a, 14)) | 0
  c = ((c ^ b) - rotate(b, 24)) | 0
  return c >>> 0
}

/** The piece without its last four bytes, which are its checksum. */
export function checkedPiece(
  read: ReadBytes,
  { address, length }: { address: number; length: number },
): Uint8Array {
  const bytes = readExactly(read, { offset: address, length })
  if (length < 4) throw damaged('a structure is too short', { address })
  const content = bytes.subarray(0, length - 4)
  const stored = new Cursor(bytes, { address, position: length - 4 }).u32()
  if (stored !== metadataChecksum(content)) throw damaged('a checksum is wrong', { address })
  return content
}
