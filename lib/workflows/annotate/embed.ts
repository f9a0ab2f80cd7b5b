/** Embed of `annotate`: the scores of one shard's cells for every label of every model, one model after the other. */
import { loadModel } from '../../models/bundle.ts'
import { scoreRows, shardRows } from '../parts/scores.ts'
import type { StepResult } from '../workflow.ts'
import type { AnnotateContext } from './context.ts'
import type { Prepared } from './prepare.ts'
import { scoredGenes } from './scored-genes.ts'

export async function embed(context: AnnotateContext): Promise<StepResult> {
  const { cells } = (await context.before('Prepare').finished()).value as Prepared
  const maps = await context.geneMaps()
  const { columns, targets } = scoredGenes(maps)
  const rows = await shardRows(context, { cells, columns })
  for (const [index, { id, scaledOver }] of maps.models.entries()) {
    const model = await loadModel(context.stores.models, id)
    const isRescaled = scaledOver === 'genes'
    await scoreRows(context, rows, { model, genes: targets[index]!, isRescaled, index })
  }
  return { value: { cells: rows.rows }, notices: [] }
}
