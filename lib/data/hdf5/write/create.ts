/**
 * A new HDF5 file with a version 0 superblock.
 */
import { Fields } from './messages.ts'
import { newGroup } from './object-tree.ts'
import { OutputFile } from './output-file.ts'
import { Hdf5Writer, type WrittenRoot } from './writer.ts'

const SIZES = { groupLeafK: 4, groupInternalK: 16, chunkK: 32 }
const SUPERBLOCK_BYTES = 96

/** Nothing is at the path before the writer is closed. @throws AlreadyExists OBJECT_EXISTS, BadInput FOLDER_MISSING */
export async function createHdf5(path: string): Promise<Hdf5Writer> {
  const file = await OutputFile.open(path)
  const at = file.reserve(SUPERBLOCK_BYTES)
  return new Hdf5Writer({
    file,
    root: newGroup(),
    sizes: SIZES,
    load: () => undefined,
    writeSuperblock: (root) => file.writeAt(at, superblock(root, file.end)),
  })
}

function superblock({ header, table }: WrittenRoot, end: number): Uint8Array {
  const fields = new Fields(SUPERBLOCK_BYTES)
  fields.u8(0x89).text('HDF\r\n').u8(0x1a, 0x0a)
  fields.u8(0, 0, 0, 0, 0, 8, 8, 0).u16(SIZES.groupLeafK).u16(SIZES.groupInternalK).u32(0)
  fields.u64(0).u64(undefined).u64(end).u64(undefined)
  // the root's entry; cache type 1 repeats where its symbol table lies
  fields.u64(0).u64(header).u32(1).u32(0)
  return fields.u64(table?.tree).u64(table?.heap).bytes
}
