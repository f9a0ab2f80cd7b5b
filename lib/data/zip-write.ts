/** Writes a zip whose entries are stored as they are, with their checksums and without times: the same entries are the same file. */
import { crc32 } from 'node:zlib'

export interface StoredEntry {
  name: string
  bytes: Uint8Array
}

const most = 2 ** 32 - 1

/** @throws RangeError above 4 GiB or 65,534 entries, where this form of zip ends */
export function storedZip(entries: readonly StoredEntry[]): Uint8Array {
  const parts: Uint8Array[] = []
  const directory: Uint8Array[] = []
  let at = 0
  for (const { name, bytes } of entries) {
    const nameBytes = Buffer.from(name)
    const common = Buffer.alloc(26)
    // version 2.0, names in UTF-8; stored; 1 January 1980, so that the same model is the same file
    common.writeUInt16LE(20, 0)
    common.writeUInt16LE(0x800, 2)
    common.writeUInt16LE(0x21, 8)
    common.writeUInt32LE(crc32(bytes), 10)
    common.writeUInt32LE(bytes.length, 14)
    common.writeUInt32LE(bytes.length, 18)
    common.writeUInt16LE(nameBytes.length, 22)
    const rest = Buffer.alloc(14)
    rest.writeUInt32LE(at, 10)
    directory.push(Buffer.from('PK\x01\x02\x14\x00', 'latin1'), common, rest, nameBytes)
    parts.push(Buffer.from('PK\x03\x04', 'latin1'), common, nameBytes, bytes)
    at += 30 + nameBytes.length + bytes.length
    if (at > most) throw new RangeError('a zip of more than 4 GiB cannot be written')
  }
  if (entries.length > 65_534) throw new RangeError(`${entries.length} entries cannot be written in one zip`)
  const end = Buffer.alloc(22)
  end.write('PK\x05\x06', 'latin1')
  end.writeUInt16LE(entries.length, 8)
  end.writeUInt16LE(entries.length, 10)
  end.writeUInt32LE(
    directory.reduce((length, part) => length + part.length, 0),
    12,
  )
  end.writeUInt32LE(at, 16)
  return Buffer.concat([...parts, ...directory, end])
}
