/** The network that cells are embedded with: as it is stored, or as Fit adapted it, with a batch more where cells are of no batch that it knows. */
import { withAverageBatch } from '../../models/adapt-model.ts'
import { loadNetwork } from '../../models/bundle.ts'
import type { ScviModel } from '../../models/scvi-model.ts'
import { withPackedWeights } from '../parts/surgery.ts'
import type { AnnotateContext } from './context.ts'
import { adaptationOf, type Fitted } from './fit.ts'
import type { NetworkCells } from './network-cells.ts'

export async function embeddingNetwork(context: AnnotateContext, cells: NetworkCells): Promise<ScviModel> {
  const { average, reference } = cells.batches
  const model = await learntNetwork(context, cells)
  return average === null ? model : withAverageBatch(model, { name: average, batches: reference.length })
}

/** The stored one where Fit had nothing to train. */
async function learntNetwork(
  { road: { settings, models }, stores, before }: AnnotateContext,
  cells: NetworkCells,
): Promise<ScviModel> {
  const reference = await loadNetwork(stores.models, models[0]!)
  if (settings.mapping === 'frozen') return reference.model
  const fit = before('Fit')
  if (((await fit.finished()).value as Fitted).cells === 0) return reference.model
  const adaptation = adaptationOf(reference, { settings, cells })
  const packed = await fit.readBlock('weights', Float32Array)
  return withPackedWeights(reference.model, { adaptation, packed })
}
