/** Embed of `map-atlas`: where the cells of one shard lie, the probabilities of their labels, how well the model explains them, and their expression. */
import type { ErrorReport } from '../../job/errors.ts'
import { requireDecoder } from '../../models/scvi-model.ts'
import { type CellCodes, readCellCodes } from '../parts/count-shards.ts'
import { explaining } from '../parts/explained-cells.ts'
import { expressing } from '../parts/expression-blocks.ts'
import { embedShard, type ShardLook } from '../parts/latent.ts'
import type { StepResult } from '../workflow.ts'
import { type Embedding, embeddingModel } from './atlas-model.ts'
import type { MapAtlasContext } from './context.ts'
import type { Prepared } from './prepare.ts'

export async function embed(context: MapAtlasContext): Promise<StepResult> {
  const before = context.before('Prepare')
  const prepared = (await before.finished()).value as Prepared
  const embedding = await embeddingModel(context, { prepared, codes: await readCellCodes(before) })
  const asked = looksOf(context, { prepared, embedding })
  const { looks } = asked
  const { cells, notices } = await embedShard(context, { ...embedding, place: 'query and atlas', looks })
  return { value: { cells }, notices: [...asked.notices, ...notices] }
}

/** @throws BadInput MODEL_DECODER, TRANSFORM_BATCH_UNKNOWN */
function looksOf(
  { road }: MapAtlasContext,
  { prepared, embedding }: { prepared: Prepared; embedding: Embedding },
): { looks: ShardLook[]; notices: ErrorReport[] } {
  const { settings } = road
  const { model, codes } = embedding
  const looks: ShardLook[] = []
  if (prepared.expression !== null) {
    requireDecoder(model, 'model')
    looks.push(expressing(prepared.expression, settings))
  }
  if (!settings.elbo) return { looks, notices: [] }
  const obstacle =
    model.decoder === 'not-computed'
      ? 'the decoder of the model is of a kind that is not computed here'
      : hasUnknown(codes, model.shape.categories)
        ? 'the model was not adapted to new categories of its further covariates'
        : null
  if (obstacle === null) return { looks: [...looks, explaining()], notices: [] }
  return { looks, notices: [notAssessed(obstacle)] }
}

function hasUnknown({ categories, leftOut }: CellCodes, counts: readonly number[]): boolean {
  return categories.some((codes, i) => codes.some((code, cell) => leftOut[cell] === 0 && code >= counts[i]!))
}

function notAssessed(why: string): ErrorReport {
  return {
    code: 'ELBO_NOT_ASSESSED',
    place: 'elbo',
    problem: `how well the model explains the cells was not assessed: ${why}`,
    remedy: 'Places and labels are as good without it; set elbo: false to leave it out',
  }
}
