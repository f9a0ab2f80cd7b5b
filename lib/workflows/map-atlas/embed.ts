/** Embed of `map-atlas`: where the cells of one shard lie, and the probabilities of their labels. */
import { readCellCodes } from '../parts/count-shards.ts'
import { embedShard } from '../parts/latent.ts'
import type { StepResult } from '../workflow.ts'
import { embeddingModel } from './atlas-model.ts'
import type { MapAtlasContext } from './context.ts'
import type { Prepared } from './prepare.ts'

export async function embed(context: MapAtlasContext): Promise<StepResult> {
  const before = context.before('Prepare')
  const prepared = (await before.finished()).value as Prepared
  const model = await embeddingModel(context, prepared)
  const codes = await readCellCodes(before)
  const { cells, notices } = await embedShard(context, { model, codes, place: 'query and atlas' })
  return { value: { cells }, notices }
}
