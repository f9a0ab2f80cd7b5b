/**
 * The adapted model as it goes into the model store: what its card says, and under which name. A name goes on meaning what it meant, unless
 * that is an earlier adaptation of the same reference, which a new one replaces; its content stays there under its id.
 */
import { type ErrorReport, isCoded } from '../../job/errors.ts'
import { product } from '../../job/product.ts'
import type { MapAtlasSettings } from '../../job/settings/map-atlas.ts'
import type { ObjectStore } from '../../job/store.ts'
import { type Adaptation, adaptedModel } from '../../models/adapt-model.ts'
import { loadCard, loadReferenceCells } from '../../models/bundle.ts'
import type { FittedNetwork } from '../../models/fit-network.ts'
import { type NetworkCard, termsOfNetwork } from '../../models/network-card.ts'
import { historyOf } from '../../models/network-history.ts'
import { makeNetworkModel, type NetworkModel } from '../../models/network-model.ts'
import type { ReferenceCells } from '../../models/reference-cells.ts'
import type { AtlasModel } from './atlas-model.ts'
import type { MapAtlasContext } from './context.ts'

interface Made {
  reference: AtlasModel
  adaptation: Adaptation
  fitted: FittedNetwork
  name: string
  /** that it goes on keeping */
  kept: ReferenceCells | undefined
}

export function adaptedNetwork(
  { road, job }: MapAtlasContext,
  { reference, adaptation, fitted, name, kept }: Made,
): NetworkModel {
  const { settings, inputs } = road
  const { card, model } = reference
  const { split } = fitted
  const { history } = fitted.state
  const cells = split.train.length + split.validation.length
  const adapted = adaptedModel(model, {
    ...adaptation,
    weights: fitted.weights,
    training: {
      cells,
      isTrained: true,
      trainIndices: split.train,
      validationIndices: split.validation,
      history: historyOf(history),
    },
  })
  const { pin } = inputs[0]!
  return makeNetworkModel(
    {
      name,
      version: '1',
      organism: card.organism,
      geneIds: card.geneIds,
      ontology: termsOfNetwork(card),
      bins: card.bins,
      // what was measured of the reference says nothing of the query
      evaluation: null,
      licence: card.licence,
      source: sourceOf(card),
      details: `${card.name}, adapted to ${adaptation.surgery.shape.categories[0]} batches by surgery`,
      created: job.created,
      training: {
        epochs: history.length,
        settings: trainingSettings(settings),
        versions: { [product.name.toLowerCase()]: product.version },
        sources: [{ name: pin.key.slice(pin.key.lastIndexOf('/') + 1), etag: pin.etag, cells }],
      },
    },
    adapted,
    kept === undefined ? {} : { reference: kept },
  )
}

/**
 * Cells of the reference that the adapted model may keep: where surgery leaves them in their places.
 * @throws BadInput MODEL_CORRUPT
 */
export async function cellsToKeep(
  models: ObjectStore,
  { card, adaptation }: { card: NetworkCard; adaptation: Adaptation },
): Promise<{ kept: ReferenceCells | undefined; notices: ErrorReport[] }> {
  if (card.reference === undefined) return { kept: undefined, notices: [] }
  if (!adaptation.movesReference) return { kept: await loadReferenceCells(models, card.id), notices: [] }
  const { cells } = card.reference
  const notice = {
    code: 'REFERENCE_CELLS_MOVED',
    place: `model: ${card.name}`,
    problem: `the encoder learns more than columns of new batches: the ${cells} cells that the model keeps of its reference no longer lie where they did, and the adapted model keeps none`,
    remedy: 'Leave the encoder frozen, or take them in anew by import-model with --reference-cells',
  }
  return { kept: undefined, notices: [notice] }
}

/** What a card of an adapted model says of the reference. */
function sourceOf({ name, id }: NetworkCard): string {
  return `${name} (${id})`
}

const trained = [
  ...['batch_key', 'max_epochs', 'batch_size', 'lr', 'weight_decay', 'n_epochs_kl_warmup'],
  ...['freeze_dropout', 'freeze_expression', 'freeze_decoder_first_layer', 'freeze_batchnorm_encoder'],
  ...['freeze_batchnorm_decoder', 'freeze_classifier', 'classifier_drift', 'unfrozen', 'seed'],
] as const satisfies (keyof MapAtlasSettings)[]

function trainingSettings(settings: MapAtlasSettings): Record<string, string | number | boolean> {
  return Object.fromEntries(trained.map((name) => [name, settings[name]]))
}

/** The name that the job has for it, or one beside it where that means another model. */
export async function adaptedName(
  { road, job, stores }: MapAtlasContext,
  reference: NetworkCard,
): Promise<{ name: string; notices: ErrorReport[] }> {
  const { settings } = road
  const wanted = plainName(settings.model_name ?? settings.name ?? job.name)
  for (let number = 1; ; number++) {
    const name = number === 1 ? wanted : `${wanted}-extended${number === 2 ? '' : `-${number - 1}`}`
    if (!(settings.overwrite && name !== reference.name) && (await isAnother(stores.models, name, reference)))
      continue
    return { name, notices: name === wanted ? [] : [nameTaken({ wanted, name, place: stores.models.place })] }
  }
}

/** As names of models are written, with room for what may follow. */
function plainName(wanted: string): string {
  const plain = wanted.replace(/[^A-Za-z0-9._-]+/g, '-').replace(/^[^A-Za-z0-9]+/, '')
  return plain.slice(0, 48).replace(/[^A-Za-z0-9]+$/, '') || 'mapped'
}

async function isAnother(models: ObjectStore, name: string, reference: NetworkCard): Promise<boolean> {
  try {
    const card = await loadCard(models, name)
    return card.kind === 'linear' || card.source !== sourceOf(reference)
  } catch (error) {
    if (isCoded(error) && error.code === 'MODEL_MISSING') return false
    throw error
  }
}

function nameTaken({ wanted, name, place }: { wanted: string; name: string; place: string }): ErrorReport {
  return {
    code: 'MODEL_NAME_TAKEN',
    place: `${place}/${wanted}`,
    problem: `the name stands for another model already: the adapted one is called "${name}"`,
    remedy: 'Give it a name of its own with model_name',
  }
}
