/** Embed of `annotate`: the scores of one shard's cells for every label of the model. */
import { loadModel } from '../../models/bundle.ts'
import { createLinearScorer } from '../../models/linear-scorer.ts'
import type { StepContext, StepResult } from '../workflow.ts'
import type { Prepared } from './prepare.ts'
import { readShard, shardRange } from './shards.ts'

/** rows scored between two looks at signals */
const rowsAtOnce = 2048

export async function embed(context: StepContext): Promise<StepResult> {
  const { road, shard, step, stores } = context
  const before = context.before('Prepare')
  const { cells } = (await before.finished()).value as Prepared
  const [start] = shardRange(shard, { cells, shards: road.shards })
  const model = await loadModel(stores.models, road.model)
  const columns = model.card.genes.length
  const rows = await readShard(before, shard, { start, columns })
  const scorer = createLinearScorer(model, presentGenes((await context.genePlan()).target, columns))
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
  return { value: { cells: rows.rows }, notices: [] }
}

function presentGenes(target: readonly number[], genes: number): Uint8Array {
  const present = new Uint8Array(genes)
  for (const gene of target) if (gene >= 0) present[gene] = 1
  return present
}
