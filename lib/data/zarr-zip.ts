/**
 * A zarr store in a zip, read in place: nothing is unpacked to disk and names never become paths.
 * Writers that change an object append it again under the same name: the last entry counts. A zip of the store's folder,
 * rather than of what is in it, is read too.
 */
import { promisify } from 'node:util'
import { crc32, inflateRaw } from 'node:zlib'
import { BadInput } from '../job/errors.ts'
import type { ByteSource } from './source.ts'
import { tooLarge, type ZarrLimits } from './zarr-limits.ts'
import { type KeyStore, nodesAmong, tooMany } from './zarr-store.ts'

interface Entry {
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

/** @throws BadInput ZIP_DAMAGED, ZARR_TOO_LARGE, KEY_UNSUPPORTED for names such as `../x` */
export async function openZipKeys(source: ByteSource, limits: ZarrLimits): Promise<KeyStore> {
  const all = await readDirectory(source, limits)
  const prefix = rootPrefix(all)
  const entries = new Map<string, Entry>()
  for (const [name, entry] of all) if (name.startsWith(prefix)) entries.set(name.slice(prefix.length), entry)
  const place = source.place
  let unpacked: { key: string; bytes: Uint8Array } | undefined
  return {
    place,
    size: async (key) => entries.get(key)?.size,
    async read(key, { offset, length }) {
      const entry = entries.get(key)
      if (entry === undefined || offset + length > entry.size)
        throw zipDamaged(`${place}:${key}`, 'an entry is too short')
      if (entry.method === 0 && length < entry.size) {
        return source.read((await dataOffset(source, { key, entry })) + offset, length)
      }
      if (entry.size > limits.chunkBytes) throw tooLarge(`${place}:${key}`, `an entry of ${entry.size} bytes`)
      if (unpacked?.key !== key) unpacked = { key, bytes: await readEntry(source, { key, entry }) }
      return unpacked.bytes.subarray(offset, offset + length)
    },
    nodes: nodesAmong(entries.keys(), place),
    close: () => source.close(),
  }
}

/** The one folder that holds the store's root, where the root of the zip does not. */
function rootPrefix(entries: Map<string, Entry>): string {
  const isRoot = (prefix: string) =>
    ['zarr.json', '.zgroup', '.zarray'].some((name) => entries.has(prefix + name))
  if (isRoot('')) return ''
  const tops = new Set<string>()
  for (const name of entries.keys()) tops.add(`${name.slice(0, name.indexOf('/'))}/`)
  const roots = [...tops].filter(isRoot)
  return roots.length === 1 ? (roots[0] ?? '') : ''
}

async function readDirectory(source: ByteSource, limits: ZarrLimits): Promise<Map<string, Entry>> {
  const { place } = source
  const { count, size, offset } = await findDirectory(source)
  if (count > limits.objects) throw tooMany(place, limits)
  if (size > longestDirectory) throw tooLarge(place, `a table of contents of ${size} bytes`)
  if (offset + size > source.size) throw zipDamaged(place, 'its table of contents lies outside of the file')
  const bytes = Buffer.from(await source.read(offset, size))
  const entries = new Map<string, Entry>()
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
    if (!name.endsWith('/') && !name.startsWith('__MACOSX/')) entries.set(name, entry)
    at = extraEnd + (commentLength ?? 0)
  }
  return entries
}

function parseEntry(fixed: Buffer, { extra }: { extra: Buffer }): Entry {
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

async function dataOffset(
  source: ByteSource,
  { key, entry }: { key: string; entry: Entry },
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

async function readEntry(
  source: ByteSource,
  { key, entry }: { key: string; entry: Entry },
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

function zipDamaged(place: string, problem: string, cause?: unknown): BadInput {
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
