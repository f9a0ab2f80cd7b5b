/**
 * A zip, read in place: its table of contents once, then entries or parts of them. Nothing is unpacked to disk and names never become
 * paths. Entries are stored or deflated; zip64 is read; encryption is not.
 *
 * Trap: one name may stand twice. Writers that change an object append it again, so the last one counts; `repeated` tells, for formats
 * in which no honest writer does that.
 */
import { promisify } from 'node:util'
import { crc32, inflateRaw } from 'node:zlib'
import { BadInput } from '../job/errors.ts'
import type { ByteSource } from './source.ts'

export interface ZipDirectory {
  entries: ReadonlyMap<string, ZipEntry>
  /** names that stand more than once */
  repeated: readonly string[]
}

export interface ZipEntry {
  /** 0 stored, 8 deflated */
  method: number
  isEncrypted: boolean
  crc: number
  packedSize: number
  size: number
  /** of the local header */
  offset: number
}

const signature = {
  end: 0x06054b50,
  end64: 0x06064b50,
  locator64: 0x07064b50,
  central: 0x02014b50,
  local: 0x04034b50,
}
const endBytes = 22
const localBytes = 30
const longestDirectory = 256 * 2 ** 20

/** @throws BadInput ZIP_DAMAGED, and what the caller says of too many entries or too long a table of contents */
export async function readZipDirectory(
  source: ByteSource,
  limits: { mostEntries: number; tooMany(): BadInput; tooLarge(problem: string): BadInput },
): Promise<ZipDirectory> {
  const { place } = source
  const { count, size, offset } = await findDirectory(source)
  if (count > limits.mostEntries) throw limits.tooMany()
  if (size > longestDirectory) throw limits.tooLarge(`a table of contents of ${size} bytes`)
  if (offset + size > source.size) throw zipDamaged(place, 'its table of contents lies outside of the file')
  const bytes = Buffer.from(await source.read(offset, size))
  const entries = new Map<string, ZipEntry>()
  const repeated: string[] = []
  let at = 0
  for (let i = 0; i < count; i++) {
    if (at + 46 > size || bytes.readUInt32LE(at) !== signature.central)
      throw zipDamaged(place, `entry ${i + 1} of ${count}`)
    const [nameLength, extraLength, commentLength] = [28, 30, 32].map((field) =>
      bytes.readUInt16LE(at + field),
    )
    const nameEnd = at + 46 + (nameLength ?? 0)
    const extraEnd = nameEnd + (extraLength ?? 0)
    if (extraEnd > size) throw zipDamaged(place, `entry ${i + 1} of ${count}`)
    const name = bytes.toString('utf8', at + 46, nameEnd)
    const entry = parseEntry(bytes.subarray(at, nameEnd), { extra: bytes.subarray(nameEnd, extraEnd) })
    if (entries.has(name)) repeated.push(name)
    if (!name.endsWith('/') && !name.startsWith('__MACOSX/')) entries.set(name, entry)
    at = extraEnd + (commentLength ?? 0)
  }
  return { entries, repeated }
}

function parseEntry(fixed: Buffer, { extra }: { extra: Buffer }): ZipEntry {
  const wide = wideFields(extra)
  /** sizes that do not fit are ones, and stand in the extra field in this order */
  const field = (at: number): number => {
    const value = fixed.readUInt32LE(at)
    return value === 0xffffffff ? (wide.shift() ?? value) : value
  }
  const size = field(24)
  const packedSize = field(20)
  return {
    method: fixed.readUInt16LE(10),
    isEncrypted: (fixed.readUInt16LE(8) & 1) === 1,
    crc: fixed.readUInt32LE(16),
    packedSize,
    size,
    offset: field(42),
  }
}

function wideFields(extra: Buffer): number[] {
  for (let at = 0; at + 4 <= extra.length; ) {
    const length = extra.readUInt16LE(at + 2)
    const content = extra.subarray(at + 4, at + 4 + length)
    if (extra.readUInt16LE(at) === 1) {
      return Array.from({ length: Math.floor(content.length / 8) }, (_, i) =>
        Number(content.readBigUInt64LE(i * 8)),
      )
    }
    at += 4 + length
  }
  return []
}

async function findDirectory(source: ByteSource): Promise<{ count: number; size: number; offset: number }> {
  const length = Math.min(source.size, endBytes + 65_535 + 20)
  const tail = Buffer.from(await source.read(source.size - length, length))
  for (let at = tail.length - endBytes; at >= 0; at--) {
    const isEnd =
      tail.readUInt32LE(at) === signature.end && at + endBytes + tail.readUInt16LE(at + 20) === tail.length
    if (!isEnd) continue
    const [count, size, offset] = [
      tail.readUInt16LE(at + 10),
      tail.readUInt32LE(at + 12),
      tail.readUInt32LE(at + 16),
    ]
    const isWide = count === 0xffff || size === 0xffffffff || offset === 0xffffffff
    const hasLocator = at >= 20 && tail.readUInt32LE(at - 20) === signature.locator64
    if (!isWide || !hasLocator) return { count, size, offset }
    return findWideDirectory(source, Number(tail.readBigUInt64LE(at - 20 + 8)))
  }
  throw zipDamaged(source.place, 'its end is missing')
}

async function findWideDirectory(
  source: ByteSource,
  at: number,
): Promise<{ count: number; size: number; offset: number }> {
  if (at + 56 > source.size) throw zipDamaged(source.place, 'its table of contents lies outside of the file')
  const end = Buffer.from(await source.read(at, 56))
  if (end.readUInt32LE(0) !== signature.end64) throw zipDamaged(source.place, 'its end is damaged')
  const [count = 0, size = 0, offset = 0] = [32, 40, 48].map((field) => Number(end.readBigUInt64LE(field)))
  return { count, size, offset }
}

/** Where an entry's bytes begin, packed or stored. @throws BadInput ZIP_DAMAGED, ZIP_UNSUPPORTED */
export async function dataOffset(
  source: ByteSource,
  { key, entry }: { key: string; entry: ZipEntry },
): Promise<number> {
  const place = `${source.place}:${key}`
  if (entry.isEncrypted) throw zipUnsupported(place, 'it is encrypted')
  if (entry.method !== 0 && entry.method !== 8)
    throw zipUnsupported(place, `it is packed by method ${entry.method}`)
  if (entry.method === 0 && entry.size !== entry.packedSize)
    throw zipDamaged(place, 'its sizes contradict each other')
  if (entry.offset + localBytes > source.size) throw zipDamaged(place, 'it lies outside of the file')
  const header = Buffer.from(await source.read(entry.offset, localBytes))
  const start = entry.offset + localBytes + header.readUInt16LE(26) + header.readUInt16LE(28)
  if (header.readUInt32LE(0) !== signature.local) throw zipDamaged(place, 'its header is damaged')
  if (start + entry.packedSize > source.size) throw zipDamaged(place, 'it lies outside of the file')
  return start
}

const inflate = promisify(inflateRaw)

/** A whole entry, its checksum compared. The caller has looked at its size. @throws BadInput ZIP_DAMAGED, ZIP_UNSUPPORTED */
export async function readZipEntry(
  source: ByteSource,
  { key, entry }: { key: string; entry: ZipEntry },
): Promise<Uint8Array> {
  const place = `${source.place}:${key}`
  const start = await dataOffset(source, { key, entry })
  const packed = await source.read(start, entry.packedSize)
  const bytes =
    entry.method === 0 || entry.size === 0
      ? packed
      : await inflate(packed, { maxOutputLength: entry.size }).catch((cause) => {
          throw zipDamaged(place, 'it cannot be unpacked to its size', cause)
        })
  const isRight = entry.size === 0 || (bytes.length === entry.size && crc32(bytes) === entry.crc)
  if (!isRight) throw zipDamaged(place, 'its checksum is wrong')
  return bytes
}

export function zipDamaged(place: string, problem: string, cause?: unknown): BadInput {
  return new BadInput('ZIP_DAMAGED', place, `the zip is damaged: ${problem}`, 'Copy or download it again', {
    cause,
  })
}

function zipUnsupported(place: string, problem: string): BadInput {
  return new BadInput(
    'ZIP_UNSUPPORTED',
    place,
    problem,
    'Pack it again without encryption, stored or deflated',
  )
}
