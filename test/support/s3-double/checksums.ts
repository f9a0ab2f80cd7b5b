/**
 * The checksums that S3 verifies on upload. An algorithm that is not here is refused, never skipped.
 */
import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { notImplemented, S3Error } from './s3-error.ts'

const algorithms = new Map<string, (bytes: Buffer) => Buffer>([
  ['crc32', (bytes) => bigEndian(crc32(bytes))],
  ['crc32c', (bytes) => bigEndian(crc32c(bytes))],
  ['sha1', (bytes) => createHash('sha1').update(bytes).digest()],
  ['sha256', (bytes) => createHash('sha256').update(bytes).digest()],
])

export interface Checksum {
  /** lower case, as in `x-amz-checksum-crc32` */
  algorithm: string
  /** base64; of parts of an upload `base64-N` */
  value: string
}

export function checksumOf(algorithm: string, bytes: Buffer): Checksum {
  const digest = algorithms.get(algorithm)
  if (!digest) throw notImplemented(`the checksum ${algorithm}`)
  return { algorithm, value: digest(bytes).toString('base64') }
}

/** The checksum of a whole upload: that of its parts' checksums, and how many they were. */
export function compositeChecksum(parts: Checksum[]): Checksum | undefined {
  const [first] = parts
  if (!first || parts.some(({ algorithm }) => algorithm !== first.algorithm)) return undefined
  const joined = Buffer.concat(parts.map(({ value }) => Buffer.from(value, 'base64')))
  const { value } = checksumOf(first.algorithm, joined)
  return { algorithm: first.algorithm, value: `${value}-${parts.length}` }
}

/** Checks the one checksum announced in headers or trailer. @returns it, if there is one */
export function verifyChecksum(headers: Map<string, string>, bytes: Buffer): Checksum | undefined {
  const md5 = headers.get('content-md5')
  if (md5 !== undefined && md5 !== createHash('md5').update(bytes).digest('base64')) {
    throw new S3Error(400, 'BadDigest', 'the Content-MD5 is not that of the body')
  }
  const announced = [...headers].filter(([name]) => /^x-amz-checksum-(?!mode$|type$|algorithm$)/.test(name))
  if (announced.length > 1) throw new S3Error(400, 'InvalidRequest', 'more than one checksum')
  const [[name, value] = ['', '']] = announced
  if (name === '') return undefined
  const checksum = checksumOf(name.slice('x-amz-checksum-'.length), bytes)
  if (checksum.value !== value) throw new S3Error(400, 'BadDigest', `the ${name} is not that of the body`)
  return checksum
}

function bigEndian(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

/** Castagnoli's polynomial, reflected, one bit at a time: the double is for small bodies. */
function crc32c(bytes: Buffer): number {
  let crc = 0xffffffff
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0)
  }
  return (crc ^ 0xffffffff) >>> 0
}
