/** All rows of the query over the model's genes, put together from the shards, for the checks that look at many cells at once. */
import type { Expression } from '../../labels/expression.ts'
import { readShard, shardRange, storedInShards } from '../parts/shards.ts'
import type { TypeCellsContext } from './context.ts'

export type QueryRows = Expression & { values: Float32Array }

export async function queryRows(
  { road, before }: TypeCellsContext,
  { cells, genes }: { cells: number; genes: number },
): Promise<QueryRows> {
  const prepared = before('Prepare')
  const stored = storedInShards(await prepared.finished(), road.shards)
  const indptr = new Float64Array(cells + 1)
  const indices = new Int32Array(stored)
  const values = new Float32Array(stored)
  let [row, at] = [0, 0]
  for (let number = 0; number < road.shards; number++) {
    const [start] = shardRange(number, { cells, shards: road.shards })
    const shard = await readShard(prepared, number, { start, columns: genes })
    for (let i = 1; i <= shard.rows; i++) indptr[row + i] = at + shard.indptr[i]!
    indices.set(shard.indices, at)
    values.set(shard.values as Float32Array, at)
    row += shard.rows
    at += shard.indices.length
  }
  return { rows: cells, columns: genes, indptr, indices, values }
}
