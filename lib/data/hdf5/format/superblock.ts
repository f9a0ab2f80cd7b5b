/**
 * The first structure of an HDF5 file: versions 0 to 3, at byte 0 only (a user block before it is refused).
 * Trap: a file cut short in a transfer still opens here, so the end it declares is compared with its size.
 */
import { BadInput } from '../../../job/errors.ts'
import { Cursor, damaged, type ReadBytes, readExactly, unsupported } from './bytes.ts'
import { metadataChecksum } from './checksum.ts'

const SIGNATURE = [0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a]

export interface Superblock {
  version: 0 | 1 | 2 | 3
  /** object header of the root group */
  rootAddress: number
  /** first byte after the file's content, as declared */
  endAddress: number
  /** half the number of symbols in a node and of children in a group's tree; versions 2 and 3 keep them elsewhere */
  groupLeafK: number
  groupInternalK: number
  /** half the number of children in a tree of chunks */
  chunkK: number
  /** non-zero: not closed properly by the last writer (version 3) */
  consistencyFlags: number
  /** object header with settings of the whole file (versions 2 and 3) */
  extensionAddress: number | undefined
  driverAddress: number | undefined
}

/** @throws BadInput HDF5_NOT, HDF5_TRUNCATED, HDF5_DAMAGED, HDF5_UNSUPPORTED */
export function readSuperblock(read: ReadBytes, fileSize: number): Superblock {
  if (fileSize < 48) throw notHdf5()
  const head = readExactly(read, { offset: 0, length: Math.min(fileSize, 104) })
  if (SIGNATURE.some((byte, i) => head[i] !== byte)) throw notHdf5()
  const version = head[8]
  const superblock =
    version === 0 || version === 1
      ? parseOld(head, version)
      : version === 2 || version === 3
        ? parseNew(head, version)
        : undefined
  if (superblock === undefined) throw unsupported(`superblock version ${version}`, { address: 8 })
  if (superblock.endAddress > fileSize) {
    throw new BadInput(
      'HDF5_TRUNCATED',
      'HDF5 file',
      `${superblock.endAddress} bytes are declared, the file has ${fileSize}`,
      'Copy or download the file again',
    )
  }
  if (superblock.rootAddress >= fileSize) throw damaged('the root group lies outside of the file')
  return superblock
}

function notHdf5(): BadInput {
  return new BadInput(
    'HDF5_NOT',
    'HDF5 file',
    'the file does not start as HDF5 does',
    'Check that it is the file you meant',
  )
}

function checkSizes(offsets: number, lengths: number): void {
  if (offsets !== 8 || lengths !== 8)
    throw unsupported(`addresses of ${offsets} and sizes of ${lengths} bytes`)
}

function parseOld(head: Uint8Array, version: 0 | 1): Superblock {
  const cursor = new Cursor(head, { position: 13 })
  checkSizes(cursor.u8(), cursor.u8())
  cursor.skip(1)
  const groupLeafK = cursor.u16()
  const groupInternalK = cursor.u16()
  const consistencyFlags = cursor.u32()
  let chunkK = 32
  if (version === 1) {
    chunkK = cursor.u16()
    cursor.skip(2)
  }
  if (cursor.u64() !== 0) throw unsupported('a base address other than 0')
  cursor.skip(8)
  const endAddress = cursor.u64()
  const driverAddress = cursor.address()
  cursor.skip(8)
  const rootAddress = cursor.u64()
  if (groupLeafK === 0 || groupInternalK === 0 || chunkK === 0) throw damaged('tree sizes of 0 are declared')
  return {
    version,
    rootAddress,
    endAddress,
    groupLeafK,
    groupInternalK,
    chunkK,
    consistencyFlags,
    extensionAddress: undefined,
    driverAddress,
  }
}

function parseNew(head: Uint8Array, version: 2 | 3): Superblock {
  const cursor = new Cursor(head, { position: 9 })
  checkSizes(cursor.u8(), cursor.u8())
  const consistencyFlags = cursor.u8()
  if (cursor.u64() !== 0) throw unsupported('a base address other than 0')
  const extensionAddress = cursor.address()
  const endAddress = cursor.u64()
  const rootAddress = cursor.u64()
  if (cursor.u32() !== metadataChecksum(head.subarray(0, 44)))
    throw damaged('the checksum of the superblock is wrong')
  return {
    version,
    rootAddress,
    endAddress,
    groupLeafK: 4,
    groupInternalK: 16,
    chunkK: 32,
    consistencyFlags,
    extensionAddress,
    driverAddress: undefined,
  }
}
