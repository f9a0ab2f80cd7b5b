/**
 * Embed of `annotate`: the scores of one shard's cells for every label of every model, one model after the other; or where a network places these
 * cells among those of its reference.
 */
import { loadModel } from '../../models/bundle.ts'
import { readCellCodes } from '../parts/count-shards.ts'
import { embedShard } from '../parts/latent.ts'
import { scoreRows, shardRows } from '../parts/scores.ts'
import type { StepResult } from '../workflow.ts'
import type { AnnotateContext } from './context.ts'
import { embeddingNetwork } from './network.ts'
import type { NetworkCells } from './network-cells.ts'
import type { Prepared } from './prepare.ts'
import { scoredGenes } from './scored-genes.ts'

export async function embed(context: AnnotateContext): Promise<StepResult> {
  const prepared = (await context.before('Prepare').finished()).value as Prepared
  if (prepared.network !== null) return embedByNetwork(context, prepared.network)
  const { cells } = prepared
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

async function embedByNetwork(context: AnnotateContext, cells: NetworkCells): Promise<StepResult> {
  const { cells: embedded, notices } = await embedShard(context, {
    model: await embeddingNetwork(context, cells),
    codes: await readCellCodes(context.before('Prepare')),
    place: context.road.inputs[0]!.facts.inspection.place,
  })
  return { value: { cells: embedded }, notices }
}
