/** The kinds of models that a store keeps, behind one form: a card, and files beside it. What is asked of the wrong kind is told what it is for. */
import { BadInput } from '../job/errors.ts'
import {
  type BlobName,
  blobNames,
  bytesOf,
  checkedCard,
  checkedModel,
  type LinearArrays,
  type LinearModel,
  type ModelCard,
} from './linear-model.ts'
import { corrupt } from './model-errors.ts'
import { checkedNetworkCard, labelsOfNetwork, type NetworkCard } from './network-card.ts'
import { type NetworkModel, networkFiles, readNetwork } from './network-model.ts'
import { readReference } from './reference-cells.ts'

export type StoredCard = ModelCard | NetworkCard
export type StoredModel = LinearModel | NetworkModel
/** what callers tell apart: networks are scVI and SCANVI */
export type ModelFamily = 'linear' | 'network'

/** weights of 2,000 labels x 60,000 genes */
const mostLinearBytes = 2 ** 30

export function familyOf({ kind }: Pick<StoredCard, 'kind'>): ModelFamily {
  return kind === 'linear' ? 'linear' : 'network'
}

export function isLinearCard(card: StoredCard): card is ModelCard {
  return card.kind === 'linear'
}

export function isNetwork(model: StoredModel): model is NetworkModel {
  return !isLinearCard(model.card)
}

/** @throws BadInput MODEL_CORRUPT */
export function checkedStoredCard(raw: unknown, place: string): StoredCard {
  const kind = typeof raw === 'object' && raw !== null && 'kind' in raw ? raw.kind : undefined
  return kind === 'scvi' || kind === 'scanvi' ? checkedNetworkCard(raw, place) : checkedCard(raw, place)
}

/** Labels that it gives to cells. */
export function labelsOfModel(card: StoredCard): readonly string[] {
  return isLinearCard(card) ? card.labels : labelsOfNetwork(card)
}

/** The files beside the card. */
export function filesBeside(model: StoredModel): { name: string; bytes: Uint8Array }[] {
  if (isNetwork(model)) return networkFiles(model)
  return blobNames.flatMap((name) => {
    const values = model[name]
    return values === undefined ? [] : [{ name: fileOf(name), bytes: bytesOf(values) }]
  })
}

const fileOf = (name: BlobName): string => `${name}.f64`

export interface Reading {
  /** exactly so many bytes of the file of that name beside the card */
  read(file: string, size: number): Promise<Uint8Array>
  place: string
}

/** @throws BadInput MODEL_CORRUPT, MODEL_NOT_FINITE */
export async function readStored(card: StoredCard, reading: Reading): Promise<StoredModel> {
  return isLinearCard(card) ? readLinear(card, reading) : readWholeNetwork(card, reading)
}

async function readWholeNetwork(card: NetworkCard, reading: Reading): Promise<NetworkModel> {
  const network = await readNetwork(card, reading)
  const reference = await readReference(card, reading)
  return reference === undefined ? network : { ...network, reference }
}

/** @throws BadInput MODEL_CORRUPT */
export async function readLinear(card: ModelCard, { read, place }: Reading): Promise<LinearModel> {
  const numbers = async (name: BlobName): Promise<Float64Array> => {
    const { bytes: size } = card.blobs[name]!
    if (size > mostLinearBytes)
      throw corrupt(`${place}${fileOf(name)}`, `${size} bytes are more than a model has`)
    const bytes = await read(fileOf(name), size)
    return new Float64Array(new Uint8Array(bytes).buffer)
  }
  const arrays: LinearArrays = {
    weights: await numbers('weights'),
    intercept: await numbers('intercept'),
    mean: await numbers('mean'),
    scale: await numbers('scale'),
    ...(card.blobs.reference !== undefined && { reference: await numbers('reference') }),
  }
  return checkedModel({ card, arrays, place })
}

/** The refusal of a model that does something else than is asked for. */
export function wrongKind(
  { name, kind }: Pick<StoredCard, 'name' | 'kind'>,
  { wanted, place }: { wanted: ModelFamily; place: string },
): BadInput {
  const remedy =
    wanted === 'linear'
      ? 'Name a linear model, as CellTypist models are, or name this one alone'
      : 'Name a model that fit-reference made or that was imported from scvi-tools, or run annotate with this one'
  return new BadInput('MODEL_KIND', place, `the model "${name}" is ${purposes[kind]}`, remedy)
}

const purposes: Readonly<Record<StoredCard['kind'], string>> = {
  linear: 'a linear one: it labels cells in the workflow annotate',
  scvi: 'a network (scVI): it places cells among those of its reference',
  scanvi: 'a network (SCANVI): it places cells among those of its reference and labels them',
}
