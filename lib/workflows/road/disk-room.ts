/**
 * Whether the file of normalised expression fits the disk, asked before any step begins: a step that finds its disk full has cost its hours, and no
 * larger machine has a larger one. Publish of a machine in an account has copies of all inputs in its scratch folder and the file beside them. Locally
 * the file comes to lie three times: what Embed leaves in the work store, the file as it is written, and its copy among the results.
 */
import { existsSync } from 'node:fs'
import { stat, statfs } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { BadInput } from '../../job/errors.ts'
import type { InputPin } from '../../job/road.ts'
import type { ObjectStore } from '../../job/store.ts'
import { expressionNames } from '../../job/stored-names.ts'
import type { Environment, Stores } from '../../job/stores.ts'
import { mostExpressionBytes } from '../parts/expression-plan.ts'

export interface DiskDemand {
  /** of the file */
  bytes: number
  /** genes that it has */
  genes: number
  inputs: readonly Pick<InputPin, 'size'>[]
  /** prefix in the work store under which Embed leaves its blocks, and of the results in the outbox */
  blocks: string
  output: string
}

const gib = 2 ** 30
/** Bytes of a machine's disk that its system and the images take. */
const ofMachine = 10 * gib

/**
 * By what the installation says of its disks (CELLDROP_DISK_GIB), else by what is free where steps write (CELLDROP_SCRATCH and stores that are
 * folders); where neither is known, nothing is said.
 * @throws BadInput DISK_TOO_SMALL; CONFIGURATION
 */
export async function requireDisk(
  demand: DiskDemand,
  { stores, environment }: { stores: Pick<Stores, 'work' | 'outbox'>; environment: Environment },
): Promise<void> {
  if (demand.bytes === 0) return
  const { CELLDROP_DISK_GIB: told, CELLDROP_SCRATCH: scratch } = environment
  if (told) requireMachineDisk(demand, gibOf(told))
  else if (scratch) await requireFreeDisk(demand, { scratch, stores })
}

function gibOf(told: string): number {
  const size = /^\d{1,9}$/.test(told) ? Number(told) : 0
  if (size > 0) return size
  const remedy = 'Write a whole number of GiB, such as 100'
  throw new BadInput('CONFIGURATION', 'CELLDROP_DISK_GIB', 'this is not the size of a disk', remedy)
}

function requireMachineDisk(demand: DiskDemand, disk: number): void {
  const copies = demand.inputs.reduce((sum, { size }) => sum + size, 0)
  const free = disk * gib - ofMachine - copies
  if (demand.bytes <= free) return
  const enough = Math.ceil((demand.bytes + ofMachine + copies) / gib)
  throw tooSmall(demand, {
    room: free,
    problem: `its file takes ${needed(demand.bytes)}, and of the ${disk} GiB disk of a machine ${left(free)} beside the program (${needed(ofMachine)}) and copies of the inputs (${needed(copies)})`,
    otherwise: `have the machines deployed with a disk of ${enough} GiB or more: scratchGib`,
  })
}

async function requireFreeDisk(
  demand: DiskDemand,
  { scratch, stores: { work, outbox } }: { scratch: string; stores: Pick<Stores, 'work' | 'outbox'> },
): Promise<void> {
  if ((await outbox.head(`${demand.output}${expressionNames.file}`)) !== undefined) return
  // a job that goes on has left some of it before
  const blocks = Math.max(0, demand.bytes - (await bytesUnder(work, demand.blocks)))
  const writes = [
    { folder: scratch, bytes: demand.bytes },
    ...(isFolder(work) ? [{ folder: work.place, bytes: blocks }] : []),
    ...(isFolder(outbox) ? [{ folder: outbox.place, bytes: demand.bytes }] : []),
  ]
  for (const { folder, bytes, times, free } of await byDisk(writes)) {
    if (bytes <= free) continue
    const all = times === 1 ? '' : `, and lies there ${times} times before it is done (${needed(bytes)})`
    throw tooSmall(demand, {
      room: free / times,
      problem: `its file takes ${needed(demand.bytes)}${all}, and of the disk of ${folder} ${left(free)}`,
      otherwise: 'make room there',
    })
  }
}

function tooSmall(
  { bytes, genes }: DiskDemand,
  { room, problem, otherwise }: { room: number; problem: string; otherwise: string },
): BadInput {
  const fitting = Math.floor((genes * Math.min(room, mostExpressionBytes)) / bytes)
  const fewer =
    fitting < 1
      ? 'Leave out normalized_expression'
      : `Name the genes that you look at in expression_genes: ${fitting} or fewer`
  return new BadInput('DISK_TOO_SMALL', 'normalized_expression', problem, `${fewer}; or ${otherwise}`)
}

interface Write {
  folder: string
  bytes: number
}

interface Disk extends Write {
  /** how many of the writes are to it */
  times: number
  free: number
}

/** What is written to each disk, named by the first of its folders. */
async function byDisk(writes: readonly Write[]): Promise<Disk[]> {
  const disks = new Map<number, Disk>()
  for (const { folder, bytes } of writes) {
    const there = nearestFolder(folder)
    const { dev } = await stat(there)
    const { bavail, bsize } = await statfs(there)
    const known = disks.get(dev) ?? { folder, bytes: 0, times: 0, free: bavail * bsize }
    disks.set(dev, { ...known, bytes: known.bytes + bytes, times: known.times + 1 })
  }
  return [...disks.values()]
}

/** The folder itself may be made later. */
function nearestFolder(folder: string): string {
  const path = resolve(folder)
  return existsSync(path) || dirname(path) === path ? path : nearestFolder(dirname(path))
}

function isFolder({ place }: ObjectStore): boolean {
  return !/^(?:s3|gs|https?):\/\//.test(place)
}

async function bytesUnder(store: ObjectStore, prefix: string): Promise<number> {
  let bytes = 0
  for await (const { size } of store.list(prefix)) bytes += size
  return bytes
}

/** Rounded up, so that what is needed never looks like what is there. */
function needed(bytes: number): string {
  return `${Math.ceil((100 * bytes) / gib) / 100} GiB`
}

function left(bytes: number): string {
  return bytes <= 0 ? 'none is left' : `${Math.floor((100 * bytes) / gib) / 100} GiB are left`
}
