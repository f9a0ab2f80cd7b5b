/** Embed of `annotate`: the scores of one shard's cells for every label of the model. */
import { loadModel } from '../../models/bundle.ts'
import { planOf } from '../parts/gene-maps.ts'
import { scoreShard } from '../parts/scores.ts'
import type { StepResult } from '../workflow.ts'
import { type AnnotateContext, modelOf } from './context.ts'
import type { Prepared } from './prepare.ts'

export async function embed(context: AnnotateContext): Promise<StepResult> {
  const { cells } = (await context.before('Prepare').finished()).value as Prepared
  const model = await loadModel(context.stores.models, modelOf(context))
  const present = new Uint8Array(model.card.genes.length)
  for (const gene of planOf(await context.geneMaps(), 'query').target) if (gene >= 0) present[gene] = 1
  return { value: { cells: await scoreShard(context, { model, present, cells }) }, notices: [] }
}
