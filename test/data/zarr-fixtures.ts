/** Small zarr stores made by hand: documents and chunks by key, written as a folder or packed as a zip. */
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { crc32, deflateRawSync } from 'node:zlib'

export type Objects = Record<string, Uint8Array | string>

export const json = (value: unknown): string => JSON.stringify(value)

/** Document of a format 2 array. */
export function arrayV2(fields: Record<string, unknown>): string {
  const plain = { zarr_format: 2, compressor: null, filters: null, order: 'C', fill_value: 0 }
  return json({ ...plain, ...fields })
}

/** Document of a format 3 array. */
export function arrayV3(fields: Record<string, unknown>): string {
  const { chunks, ...others } = fields
  return json({
    zarr_format: 3,
    node_type: 'array',
    chunk_grid: { name: 'regular', configuration: { chunk_shape: chunks } },
    chunk_key_encoding: { name: 'default', configuration: { separator: '/' } },
    codecs: [{ name: 'bytes', configuration: { endian: 'little' } }],
    fill_value: 0,
    attributes: {},
    ...others,
  })
}

export const groupV2 = json({ zarr_format: 2 })

export function groupV3(attributes: Record<string, unknown> = {}): string {
  return json({ zarr_format: 3, node_type: 'group', attributes })
}

export function bytesOf(values: ArrayBufferView): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
}

/** What the codec vlen-utf8 makes of texts. */
export function textBytes(texts: string[]): Uint8Array {
  const length = (value: number) => bytesOf(Uint32Array.of(value))
  return Buffer.concat([
    length(texts.length),
    ...texts.flatMap((text) => [length(Buffer.byteLength(text)), Buffer.from(text)]),
  ])
}

export async function writeFolder(folder: string, objects: Objects): Promise<string> {
  for (const [key, content] of Object.entries(objects)) {
    await mkdir(dirname(join(folder, key)), { recursive: true })
    await writeFile(join(folder, key), content)
  }
  return folder
}

export interface ZipEntry {
  name: string
  content: Uint8Array | string
  deflate?: boolean
  /** size to claim instead of the true one */
  claim?: number
}

export function zipOf(objects: Objects | ZipEntry[]): Buffer {
  const entries = Array.isArray(objects)
    ? objects
    : Object.entries(objects).map(([name, content]): ZipEntry => ({ name, content }))
  const parts: Buffer[] = []
  const directory: Buffer[] = []
  let offset = 0
  for (const { name, content, deflate = false, claim } of entries) {
    const plain = Buffer.from(content)
    const packed = deflate ? deflateRawSync(plain) : plain
    const sizes = Buffer.alloc(12)
    sizes.writeUInt32LE(crc32(plain), 0)
    sizes.writeUInt32LE(packed.length, 4)
    sizes.writeUInt32LE(claim ?? plain.length, 8)
    const nameBytes = Buffer.from(name)
    const local = Buffer.alloc(30)
    local.writeUInt32LE(0x04034b50, 0)
    local.writeUInt16LE(deflate ? 8 : 0, 8)
    sizes.copy(local, 14)
    local.writeUInt16LE(nameBytes.length, 26)
    const central = Buffer.alloc(46)
    central.writeUInt32LE(0x02014b50, 0)
    central.writeUInt16LE(deflate ? 8 : 0, 10)
    sizes.copy(central, 16)
    central.writeUInt16LE(nameBytes.length, 28)
    central.writeUInt32LE(offset, 42)
    parts.push(local, nameBytes, packed)
    directory.push(central, nameBytes)
    offset += 30 + nameBytes.length + packed.length
  }
  const contents = Buffer.concat(directory)
  const end = Buffer.alloc(22)
  end.writeUInt32LE(0x06054b50, 0)
  end.writeUInt16LE(entries.length, 8)
  end.writeUInt16LE(entries.length, 10)
  end.writeUInt32LE(contents.length, 12)
  end.writeUInt32LE(offset, 16)
  return Buffer.concat([...parts, contents, end])
}
