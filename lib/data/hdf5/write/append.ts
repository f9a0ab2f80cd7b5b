/**
 * Adds to a copy of an existing HDF5 file: new objects go behind its end, changed groups are written anew with links to
 * the old objects, and of what was there only the superblock changes. Arrays that are not replaced stay where they
 * are, bit for bit, so references to them stay valid.
 *
 * Trap: what was replaced still takes its space, as it does in files that h5py changes.
 */
import { damaged } from '../format/bytes.ts'
import { metadataChecksum } from '../format/checksum.ts'
import type { Superblock } from '../format/superblock.ts'
import { type ExistingFile, openExisting } from './existing-file.ts'
import { Fields } from './messages.ts'
import { OutputFile } from './output-file.ts'
import { Hdf5Writer, type WrittenRoot } from './writer.ts'

export interface Hdf5Addition {
  writer: Hdf5Writer
  /** the file as it was */
  existing: ExistingFile
}

/**
 * Opens a copy of `source` that appears at `destination` when the writer is closed. The source is never written to.
 * @throws BadInput HDF5_NOT, HDF5_TRUNCATED, HDF5_DAMAGED, HDF5_UNSUPPORTED
 */
export async function appendHdf5(source: string, destination: string): Promise<Hdf5Addition> {
  const file = await OutputFile.open(destination, { copyOf: source })
  try {
    const existing = openExisting(file.descriptor, file.end)
    const { superblock } = existing
    const root = existing.group(superblock.rootAddress)
    if (root === undefined) throw damaged('the root is not a group', { address: superblock.rootAddress })
    const writer = new Hdf5Writer({
      file,
      root,
      sizes: superblock,
      load: existing.group,
      writeSuperblock: (written) => patchSuperblock(file, { superblock, written }),
    })
    return { writer, existing }
  } catch (error) {
    await file.discard()
    throw error
  }
}

function patchSuperblock(file: OutputFile, change: { superblock: Superblock; written: WrittenRoot }): void {
  const { superblock, written } = change
  if (superblock.version >= 2) {
    const fields = new Fields(48)
    fields.u8(0x89).text('HDF\r\n').u8(0x1a, 0x0a).u8(superblock.version, 8, 8, superblock.consistencyFlags)
    fields.u64(0).u64(superblock.extensionAddress).u64(file.end).u64(written.header)
    fields.u32(metadataChecksum(fields.bytes.subarray(0, 44)))
    file.writeAt(0, fields.bytes)
    return
  }
  // fields from the end of the file on; version 1 has four bytes more before them
  const at = superblock.version === 0 ? 40 : 44
  file.writeAt(at, new Fields(8).u64(file.end).bytes)
  const entry = new Fields(32).u64(written.header)
  if (written.table !== undefined) entry.u32(1).u32(0).u64(written.table.tree).u64(written.table.heap)
  file.writeAt(at + 24, entry.bytes)
}
