/** Embed of `type-cells`: the scores of one shard's cells for every class of the model that Fit made. */
import { loadModel } from '../../models/bundle.ts'
import { scoreRows, shardRows } from '../parts/scores.ts'
import type { StepResult } from '../workflow.ts'
import type { TypeCellsContext } from './context.ts'
import type { Fitted } from './fit.ts'
import type { Prepared } from './prepare.ts'

export async function embed(context: TypeCellsContext): Promise<StepResult> {
  const { cells, modelGenes } = (await context.before('Prepare').finished()).value as Prepared
  const { model: id } = (await context.before('Fit').finished()).value as Fitted
  const model = await loadModel(context.stores.models, id)
  const place = new Map(model.card.genes.map((gene, at) => [gene, at]))
  const genes = Int32Array.from(modelGenes, (gene) => place.get(gene) ?? -1)
  const rows = await shardRows(context, { cells, columns: genes.length })
  const isRescaled = model.card.genes.length !== genes.length
  await scoreRows(context, rows, { model, genes, isRescaled })
  return { value: { cells: rows.rows }, notices: [] }
}
