/** Embed of `fit-reference`: where the cells of one shard lie in the space of the trained model, the probabilities of their labels, their expression. */
import { loadNetwork } from '../../models/bundle.ts'
import { readCellCodes } from '../parts/count-shards.ts'
import { expressing } from '../parts/expression-blocks.ts'
import { embedShard } from '../parts/latent.ts'
import type { StepResult } from '../workflow.ts'
import type { FitReferenceContext } from './context.ts'
import type { Fitted } from './fit.ts'
import type { Prepared } from './prepare.ts'

export async function embed(context: FitReferenceContext): Promise<StepResult> {
  const { road, stores, before } = context
  const fitted = (await before('Fit').finished()).value as Fitted
  const { model } = await loadNetwork(stores.models, fitted.model)
  const codes = await readCellCodes(before('Prepare'))
  const { expression } = (await before('Prepare').finished()).value as Prepared
  const place = road.inputs[0]!.facts.inspection.place
  const looks = expression === null ? [] : [expressing(expression, road.settings)]
  const { cells, notices } = await embedShard(context, { model, codes, place, looks })
  return { value: { cells }, notices }
}
