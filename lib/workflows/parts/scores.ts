/** Scores of the cells for every label of linear models: computed shard by shard, read back as one matrix a model. */

import type { RowSlab } from '../../data/cells.ts'
import type { LinearModel } from '../../models/linear-model.ts'
import { createLinearScorer } from '../../models/linear-scorer.ts'
import { alignRows } from '../../prep/align-genes.ts'
import { rescaleRows } from '../../prep/rescale-rows.ts'
import type { CellsContext, StepContext } from '../workflow.ts'
import { readShard, shardRange } from './shards.ts'

/** cells scored between two looks at signals, where the job does not say how many */
const usualBatch = 2048

/** The rows of this shard. */
export async function shardRows(
  { road, shard, before }: StepContext,
  { cells, columns }: { cells: number; columns: number },
): Promise<RowSlab> {
  const [start] = shardRange(shard, { cells, shards: road.shards })
  return readShard(before('Prepare'), shard, { start, columns })
}

export interface Scoring {
  model: LinearModel
  /** of each column of the rows, its gene of the model or -1; genes that no column is count as average */
  genes: Int32Array
  /** cells are scaled anew over the genes that are left */
  isRescaled: boolean
  /** number of the model, where there are several */
  index?: number
}

/** Writes the scores of these rows by one model: rows x labels. */
export async function scoreRows(context: CellsContext, rows: RowSlab, scoring: Scoring): Promise<void> {
  const { model, genes, isRescaled, index = 0 } = scoring
  const present = new Uint8Array(model.card.genes.length)
  for (const gene of genes) if (gene >= 0) present[gene] = 1
  const scorer = createLinearScorer(model, present)
  const scores = new Float32Array(rows.rows * scorer.labels)
  const batch = batchOf(context)
  for (let from = 0; from < rows.rows; from += batch) {
    const to = Math.min(from + batch, rows.rows)
    const aligned = alignRows(rowsBetween(rows, from, to), {
      target: genes,
      genes: present.length,
      values: 'log1p',
      order: 'any',
    })
    const part = isRescaled
      ? { ...aligned, values: rescaleRows({ ...aligned, values: aligned.values as Float32Array }) }
      : aligned
    scores.set(scorer.score(part), from * scorer.labels)
    context.progress(to, rows.rows, 'cells', index === 0 ? 'scoring' : `scoring by ${model.card.name}`)
    await new Promise(setImmediate)
  }
  await context.step.writeBlock(scoresBlock(index), scores)
}

function batchOf({ road: { settings } }: CellsContext): number {
  const wanted = settings.workflow === 'annotate' ? settings.batch_size : settings.scoring_batch_size
  return wanted ?? usualBatch
}

function rowsBetween(rows: RowSlab, from: number, to: number): RowSlab {
  const [first, end] = [rows.indptr[from]!, rows.indptr[to]!]
  return {
    ...rows,
    start: rows.start + from,
    rows: to - from,
    indptr: rows.indptr.subarray(from, to + 1).map((offset) => offset - first),
    indices: rows.indices.subarray(first, end),
    values: rows.values.subarray(first, end),
  }
}

function scoresBlock(index: number): string {
  return index === 0 ? 'scores' : `scores-${index}`
}

/** Scores of all cells by one model, shard after shard: cells x its labels. */
export async function readScores(
  { road, before }: StepContext,
  { cells, classes, index = 0 }: { cells: number; classes: number; index?: number },
): Promise<Float32Array> {
  const scores = new Float32Array(cells * classes)
  let at = 0
  for (let shard = 0; shard < road.shards; shard++) {
    const part = await before('Embed', shard).readBlock(scoresBlock(index), Float32Array)
    scores.set(part, at)
    at += part.length
  }
  return scores
}
