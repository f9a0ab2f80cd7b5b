/** The model that a job maps with: a SCANVI of the model store, as it is or as Fit adapted it. */
import type { ObjectStore } from '../../job/store.ts'
import { withAverageBatch } from '../../models/adapt-model.ts'
import { loadNetwork } from '../../models/bundle.ts'
import type { NetworkModel } from '../../models/network-model.ts'
import type { ScanviModel } from '../../models/scvi-model.ts'
import { loadAtlasCard, otherKind } from './atlas-card.ts'
import type { MapAtlasContext } from './context.ts'
import type { Fitted } from './fit.ts'
import type { Prepared } from './prepare.ts'

export interface AtlasModel extends NetworkModel {
  model: ScanviModel
}

/** @throws BadInput MODEL_KIND, MODEL_CORRUPT */
export async function loadAtlasModel(models: ObjectStore, id: string): Promise<AtlasModel> {
  const card = await loadAtlasCard(models, id)
  const { model } = await loadNetwork(models, id)
  if (model.kind !== 'scanvi') throw otherKind(card)
  return { card, model }
}

/** The one that cells are embedded with: after a surgery the adapted one, with a batch more where cells are of no batch that it knows. */
export async function embeddingModel(context: MapAtlasContext, prepared: Prepared): Promise<ScanviModel> {
  const { road, stores } = context
  const fitted =
    road.settings.mode === 'extend' ? ((await context.before('Fit').finished()).value as Fitted) : null
  const { model } = await loadAtlasModel(stores.models, fitted?.model ?? road.models[0]!)
  const { average, reference } = prepared.batches
  return average === null ? model : withAverageBatch(model, { name: average, batches: reference.length })
}
