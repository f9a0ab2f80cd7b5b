/**
 * Unpacks the bytes of one chunk. Everything is bounded by what the chunk may decode to: a small object that unpacks to
 * gigabytes is refused before the memory is taken, and what is left over or missing is damage.
 */
import { promisify } from 'node:util'
import { gunzip, inflate, zstdDecompress } from 'node:zlib'
import { bloscHeader, expandBlosc, expandLz4, isBloscCompressor } from './blosc.ts'
import { damaged, tooLarge, unsupported } from './zarr-limits.ts'
import type { Codec } from './zarr-metadata.ts'

interface Bounds {
  /** decoded bytes, where the type tells; a text chunk has any number up to `most` */
  exact?: number
  most: number
  place: string
}

type Decoder = (bytes: Uint8Array, bounds: Bounds) => Promise<Uint8Array> | Uint8Array

const unpackGzip = promisify(gunzip)
const unpackZlib = promisify(inflate)
const unpackZstd = promisify(zstdDecompress)

const decoders = new Map<string, Decoder>([
  ['gzip', (bytes, { most }) => unpackGzip(bytes, { maxOutputLength: most })],
  ['zlib', (bytes, { most }) => unpackZlib(bytes, { maxOutputLength: most })],
  ['zstd', (bytes, { most }) => unpackZstd(bytes, { maxOutputLength: most })],
  ['blosc', unpackBlosc],
  ['lz4', unpackLz4],
  ['crc32c', checkCrc],
])

export function isKnownCodec(name: string): boolean {
  return decoders.has(bareName(name))
}

function bareName(name: string): string {
  return name.replace(/^numcodecs\./, '')
}

/** @throws BadInput ZARR_DAMAGED, ZARR_TOO_LARGE, ZARR_UNSUPPORTED */
export async function unpack(packed: Uint8Array, codecs: Codec[], bounds: Bounds): Promise<Uint8Array> {
  let bytes = packed
  for (const [i, { name }] of codecs.toReversed().entries()) {
    const decode = decoders.get(bareName(name))
    if (decode === undefined) throw unsupported(bounds.place, `the codec ${JSON.stringify(name)}`)
    // what a codec was given may be a little longer than the chunk: packing makes random bytes longer
    const isLast = i === codecs.length - 1
    const most = isLast ? bounds.most : bounds.most + (bounds.most >> 3) + 65_536
    bytes = await attempt(() => decode(bytes, { ...bounds, most }), { name, place: bounds.place })
  }
  if (bounds.exact !== undefined && bytes.length !== bounds.exact) {
    throw damaged(
      bounds.place,
      `the chunk holds ${bytes.length} bytes where its type and shape ask for ${bounds.exact}`,
    )
  }
  return bytes
}

async function attempt(
  decode: () => Promise<Uint8Array> | Uint8Array,
  { name, place }: { name: string; place: string },
): Promise<Uint8Array> {
  try {
    return await decode()
  } catch (error) {
    if (error instanceof Error && error.name === 'BadInput') throw error
    const isBomb = error instanceof Error && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE'
    if (isBomb) throw damaged(place, `the ${name} data unpack to more bytes than the chunk may have`, error)
    throw damaged(place, `the ${name} data cannot be unpacked`, error)
  }
}

function unpackBlosc(bytes: Uint8Array, { most, place }: Bounds): Uint8Array {
  const header = bloscHeader(bytes)
  if (header === undefined) throw damaged(place, `the blosc data are only ${bytes.length} bytes`)
  if (header.bytes > most) throw tooLarge(place, `the blosc data claim to unpack to ${header.bytes} bytes`)
  if (header.packedBytes !== bytes.length) {
    throw damaged(place, `the blosc data are ${bytes.length} bytes and say they are ${header.packedBytes}`)
  }
  if (!header.isStored && !isBloscCompressor(header.compressor)) {
    throw unsupported(place, `compressor ${header.compressor} of blosc`)
  }
  const unpacked = expandBlosc(bytes, header)
  if (unpacked === undefined) throw damaged(place, 'the blosc data are damaged')
  return unpacked
}

/** numcodecs writes the length before the block. */
function unpackLz4(bytes: Uint8Array, { most, place }: Bounds): Uint8Array {
  if (bytes.length < 4) throw damaged(place, `the lz4 data are only ${bytes.length} bytes`)
  const length = new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0, true)
  if (length > most) throw tooLarge(place, `the lz4 data claim to unpack to ${length} bytes`)
  const unpacked = expandLz4(bytes.subarray(4), length)
  if (unpacked === undefined) throw damaged(place, 'the lz4 data are damaged')
  return unpacked
}

const crcTable = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1
  return crc
})

/** The last four bytes are the CRC-32C of those before. */
function checkCrc(bytes: Uint8Array, { place }: Bounds): Uint8Array {
  const length = bytes.length - 4
  if (length < 0) throw damaged(place, 'its checksum is missing')
  let crc = 0xffffffff
  for (let i = 0; i < length; i++) crc = (crcTable[(crc ^ (bytes[i] ?? 0)) & 255] ?? 0) ^ (crc >>> 8)
  const stored = new DataView(bytes.buffer, bytes.byteOffset + length, 4).getUint32(0, true)
  if ((crc ^ 0xffffffff) >>> 0 !== stored) throw damaged(place, 'its checksum is wrong')
  return bytes.subarray(0, length)
}

/** Texts of the codec vlen-utf8: how many, then each with its length before it. */
export function decodeTexts(bytes: Uint8Array, { count, place }: { count: number; place: string }): string[] {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const found = view.length < 4 ? 0 : view.readUInt32LE(0)
  if (found !== count)
    throw damaged(place, `the chunk holds ${found} texts where its shape asks for ${count}`)
  const texts = new Array<string>(count)
  let at = 4
  for (let i = 0; i < count; i++) {
    const start = at + 4
    const end = start <= view.length ? start + view.readUInt32LE(at) : Number.POSITIVE_INFINITY
    if (end > view.length) throw damaged(place, `text ${i + 1} of ${count} runs beyond the chunk`)
    texts[i] = view.toString('utf8', start, end)
    at = end
  }
  return texts
}
