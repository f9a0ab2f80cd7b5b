/**
 * The aligned rows of all cells, cut into as many shards as the plan says; each is three blocks of a CSR matrix over the model's genes.
 * Shard s holds the cells from floor(s * cells / shards) to before the next one's first.
 */
import type { RowSlab } from '../../data/cells.ts'
import type { Step, StepRecord } from '../../job/steps.ts'

export function shardRange(
  shard: number,
  { cells, shards }: { cells: number; shards: number },
): [number, number] {
  return [Math.floor((shard * cells) / shards), Math.floor(((shard + 1) * cells) / shards)]
}

export interface ShardWriter {
  /** Slabs in order, of their own memory. */
  add(slab: RowSlab): Promise<void>
  finish(): Promise<void>
}

export function shardWriter(step: Step, size: { cells: number; shards: number }): ShardWriter {
  let shard = 0
  let held: RowSlab[] = []
  const flush = async () => {
    await writeShard(step, shard, held)
    held = []
    shard++
  }
  return {
    async add(slab) {
      let row = 0
      while (row < slab.rows) {
        const [, end] = shardRange(shard, size)
        const upTo = Math.min(slab.rows, end - slab.start)
        if (upTo > row) held.push(rowsOf(slab, row, upTo))
        row = Math.max(row, upTo)
        if (row < slab.rows) await flush()
      }
    },
    async finish() {
      while (shard < size.shards) await flush()
    },
  }
}

function rowsOf(slab: RowSlab, from: number, to: number): RowSlab {
  if (from === 0 && to === slab.rows) return slab
  const [first, end] = [slab.indptr[from]!, slab.indptr[to]!]
  return {
    start: slab.start + from,
    rows: to - from,
    columns: slab.columns,
    indptr: slab.indptr.subarray(from, to + 1).map((offset) => offset - first),
    indices: slab.indices.subarray(first, end),
    values: slab.values.subarray(first, end),
  }
}

const blockOf = (shard: number, part: string) => `shard-${String(shard).padStart(5, '0')}-${part}`

async function writeShard(step: Step, shard: number, slabs: readonly RowSlab[]): Promise<void> {
  const rows = slabs.reduce((sum, slab) => sum + slab.rows, 0)
  const stored = slabs.reduce((sum, slab) => sum + slab.indices.length, 0)
  const indptr = new Float64Array(rows + 1)
  const indices = new Int32Array(stored)
  const values = new Float32Array(stored)
  let [row, at] = [0, 0]
  for (const slab of slabs) {
    indices.set(slab.indices, at)
    values.set(slab.values, at)
    for (let i = 1; i <= slab.rows; i++) indptr[row + i] = at + slab.indptr[i]!
    row += slab.rows
    at += slab.indices.length
  }
  await step.writeBlock(blockOf(shard, 'indptr'), indptr)
  await step.writeBlock(blockOf(shard, 'indices'), indices)
  await step.writeBlock(blockOf(shard, 'values'), values)
}

/** @param of first cell of the shard, and genes of the model */
export async function readShard(
  step: Step,
  shard: number,
  { start, columns }: { start: number; columns: number },
): Promise<RowSlab> {
  const indptr = await step.readBlock(blockOf(shard, 'indptr'), Float64Array)
  const indices = await step.readBlock(blockOf(shard, 'indices'), Int32Array)
  const values = await step.readBlock(blockOf(shard, 'values'), Float32Array)
  return { start, rows: indptr.length - 1, columns, indptr, indices, values }
}

/** Entries of all shards together, of the record of the step that wrote them. */
export function storedInShards({ blocks }: StepRecord, shards: number): number {
  let stored = 0
  for (let shard = 0; shard < shards; shard++) stored += blocks[blockOf(shard, 'indices')]!.length
  return stored
}
