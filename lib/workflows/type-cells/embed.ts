/** Embed of `type-cells`: the scores of one shard's cells for every class of the model that Fit made. */
import { loadModel } from '../../models/bundle.ts'
import { scoreShard } from '../parts/scores.ts'
import type { StepResult } from '../workflow.ts'
import type { TypeCellsContext } from './context.ts'
import type { Fitted } from './fit.ts'
import type { Prepared } from './prepare.ts'

export async function embed(context: TypeCellsContext): Promise<StepResult> {
  const { cells, modelGenes } = (await context.before('Prepare').finished()).value as Prepared
  const { model: id } = (await context.before('Fit').finished()).value as Fitted
  const model = await loadModel(context.stores.models, id)
  const present = new Uint8Array(model.card.genes.length).fill(1)
  const place = new Map(model.card.genes.map((gene, at) => [gene, at]))
  const genes = Int32Array.from(modelGenes, (gene) => place.get(gene) ?? -1)
  return { value: { cells: await scoreShard(context, { model, present, cells, genes }) }, notices: [] }
}
