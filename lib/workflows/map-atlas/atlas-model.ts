/** The model that a job maps with: a SCANVI of the model store, as it is or as Fit adapted it. */
import type { ObjectStore } from '../../job/store.ts'
import { withAverageBatch } from '../../models/adapt-model.ts'
import { loadNetwork } from '../../models/bundle.ts'
import type { NetworkModel } from '../../models/network-model.ts'
import type { ScanviModel } from '../../models/scvi-model.ts'
import type { CellCodes } from '../parts/count-shards.ts'
import { averageBatch } from '../parts/covariate-codes.ts'
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

export interface Embedding {
  model: ScanviModel
  codes: CellCodes
}

/**
 * The one that cells are embedded with: after a surgery the adapted one, with a batch more where cells are of no batch that it knows. Where there was
 * nothing to learn of new batches, since no place depends on them, they are decoded as that batch, too.
 */
export async function embeddingModel(
  context: MapAtlasContext,
  { prepared, codes }: { prepared: Prepared; codes: CellCodes },
): Promise<Embedding> {
  const { road, stores } = context
  const fitted =
    road.settings.mode === 'extend' ? ((await context.before('Fit').finished()).value as Fitted) : null
  const { model } = await loadAtlasModel(stores.models, fitted?.model ?? road.models[0]!)
  const { average, reference, added } = prepared.batches
  const known = reference.length
  const isUnlearnt = added.length > 0 && fitted?.model == null && model.decoder === 'computed'
  if (average === null && !isUnlearnt) return { model, codes }
  const name = average ?? averageBatch
  return {
    model: withAverageBatch(model, { name, batches: known }),
    codes: isUnlearnt ? { ...codes, categories: withOneAfter(codes.categories, known) } : codes,
  }
}

/** Batches beyond those known as the one that follows them. */
function withOneAfter([batches, ...others]: readonly Int32Array[], known: number): Int32Array[] {
  return [batches!.map((code) => Math.min(code, known)), ...others]
}
