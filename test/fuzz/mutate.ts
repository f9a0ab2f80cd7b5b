/** Ways to break an HDF5 file, each decided by a seeded generator so that a failure can be made again. */
import type { Random } from '../../lib/job/random.ts'

/** four letters that start the structures of HDF5: damage is done where it is felt */
const signatures = ['TREE', 'SNOD', 'HEAP', 'GCOL', 'OHDR', 'OCHK', 'FRHP', 'FHDB', 'BTHD', 'BTLF'].map(
  (text) => Buffer.from(text),
)
const extremes = [0n, 1n, 0xffn, 0xffffn, 0x7fffffffn, 0xffffffffn, 0x7fffffffffffffffn, 0xffffffffffffffffn]

type Mutation = (bytes: Buffer, random: Random) => Buffer

const truncate: Mutation = (bytes, random) => bytes.subarray(0, random.integer(bytes.length))

const flipBits: Mutation = (bytes, random) => {
  for (let left = 1 + random.integer(64); left > 0; left--) flip(bytes, random.integer(bytes.length), random)
  return bytes
}

const flipHeader: Mutation = (bytes, random) => {
  for (let left = 1 + random.integer(8); left > 0; left--)
    flip(bytes, random.integer(Math.min(bytes.length, 2048)), random)
  return bytes
}

const flipStructure: Mutation = (bytes, random) => {
  for (let left = 1 + random.integer(4); left > 0; left--) flip(bytes, structureByte(bytes, random), random)
  return bytes
}

const extremeField: Mutation = (bytes, random) => {
  const width = [1, 2, 4, 8][random.integer(4)]!
  const at = Math.min(structureByte(bytes, random), bytes.length - 8)
  const value = extremes[random.integer(extremes.length)]! & ((1n << BigInt(width * 8)) - 1n)
  for (let i = 0; i < width; i++) bytes[at + i] = Number((value >> BigInt(8 * i)) & 0xffn)
  return bytes
}

const copyBlock: Mutation = (bytes, random) => {
  const length = Math.min(512, bytes.length >> 1)
  const from = random.integer(bytes.length - length)
  bytes.copyWithin(random.integer(bytes.length - length), from, from + length)
  return bytes
}

const zeroBlock: Mutation = (bytes, random) => {
  const at = random.integer(bytes.length)
  bytes.fill(0, at, Math.min(bytes.length, at + 1 + random.integer(4096)))
  return bytes
}

const extend: Mutation = (bytes, random) =>
  Buffer.concat([bytes, Buffer.alloc(1 + random.integer(4096), random.integer(256))])

const mutations: Record<string, Mutation> = {
  truncate,
  flipBits,
  flipHeader,
  flipStructure,
  extremeField,
  copyBlock,
  zeroBlock,
  extend,
}

export function mutate(original: Buffer, random: Random): { bytes: Buffer; name: string } {
  const names = Object.keys(mutations)
  const name = names[random.integer(names.length)]!
  return { bytes: mutations[name]!(Buffer.from(original), random), name }
}

function flip(bytes: Buffer, at: number, random: Random): void {
  bytes[at] = bytes[at]! ^ (1 << random.integer(8))
}

/** A byte in or shortly behind a structure of the format. */
function structureByte(bytes: Buffer, random: Random): number {
  const wanted = signatures[random.integer(signatures.length)]!
  const found = bytes.indexOf(wanted, random.integer(bytes.length))
  const start = found < 0 ? random.integer(Math.min(bytes.length, 4096)) : found
  return Math.min(bytes.length - 1, start + random.integer(160))
}
