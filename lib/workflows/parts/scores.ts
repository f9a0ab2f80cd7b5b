/** Scores of the cells for every label of a linear model: computed shard by shard, read back as one matrix. */

import type { RowSlab } from '../../data/cells.ts'
import type { LinearModel } from '../../models/linear-model.ts'
import { createLinearScorer } from '../../models/linear-scorer.ts'
import { alignRows } from '../../prep/align-genes.ts'
import { rescaleRows } from '../../prep/rescale-rows.ts'
import type { StepContext } from '../workflow.ts'
import { readShard, shardRange } from './shards.ts'

/** rows scored between two looks at signals */
const rowsAtOnce = 2048

/**
 * Writes block `scores` of this shard: its cells x labels.
 * @param of.present 1 for each gene of the model that the query has
 * @param of.genes of each column of the shards, its gene of the model or -1; they are the same unless told
 * @returns how many cells the shard has
 */
export async function scoreShard(
  context: StepContext,
  {
    model,
    present,
    cells,
    genes,
  }: { model: LinearModel; present: Uint8Array; cells: number; genes?: Int32Array },
): Promise<number> {
  const { road, shard, step } = context
  const [start] = shardRange(shard, { cells, shards: road.shards })
  const columns = model.card.genes.length
  const stored = await readShard(context.before('Prepare'), shard, {
    start,
    columns: genes?.length ?? columns,
  })
  const rows = genes === undefined ? stored : overGenes(stored, { target: genes, genes: columns })
  const scorer = createLinearScorer(model, present)
  const scores = new Float32Array(rows.rows * scorer.labels)
  for (let from = 0; from < rows.rows; from += rowsAtOnce) {
    const to = Math.min(from + rowsAtOnce, rows.rows)
    const first = rows.indptr[from]!
    const part = {
      ...rows,
      start: start + from,
      rows: to - from,
      indptr: rows.indptr.subarray(from, to + 1).map((offset) => offset - first),
      indices: rows.indices.subarray(first, rows.indptr[to]),
      values: rows.values.subarray(first, rows.indptr[to]),
    }
    scores.set(scorer.score(part), from * scorer.labels)
    context.progress(to, rows.rows, 'cells', 'scoring')
    await new Promise(setImmediate)
  }
  await step.writeBlock('scores', scores)
  return rows.rows
}

/** Scaled anew where genes are left out. */
function overGenes(rows: RowSlab, { target, genes }: { target: Int32Array; genes: number }): RowSlab {
  const aligned = alignRows(rows, { target, genes, order: 'any' })
  if (genes === rows.columns) return aligned
  return { ...aligned, values: rescaleRows({ ...aligned, values: aligned.values as Float32Array }) }
}

/** Scores of all cells, shard after shard: cells x labels of the model. */
export async function readScores({ road, before }: StepContext, size: { cells: number; classes: number }) {
  const scores = new Float32Array(size.cells * size.classes)
  let at = 0
  for (let shard = 0; shard < road.shards; shard++) {
    const part = await before('Embed', shard).readBlock('scores', Float32Array)
    scores.set(part, at)
    at += part.length
  }
  return scores
}
