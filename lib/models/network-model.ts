/**
 * A scVI or SCANVI model as it is kept: its card (network-card.ts) and its numbers, one tensor after the other in the card's order. `ScviModel` is
 * what everything computes with; card and numbers together say all that it says, and give the same model back.
 *
 * Trap: tensors that no computation needs are kept too, since scvi-tools loads no model that lacks one; only they may hold what is no number.
 */
import { createHash } from 'node:crypto'
import { BadInput } from '../job/errors.ts'
import { cardId, checkModelName, modelFormat, type OntologyTerm, sha256 } from './model-card.ts'
import { corrupt } from './model-errors.ts'
import {
  checkedNetworkCard,
  lengthOf,
  mostWeightBytes,
  type NetworkCard,
  termsOfNetwork,
} from './network-card.ts'
import { describeReference, type ReferenceCells, referenceFiles } from './reference-cells.ts'
import { type HistorySeries, predictedLabels, type ScviModel, type ScviTraining } from './scvi-model.ts'
import { checkWeights } from './scvi-weights.ts'
import type { Weight } from './state-dict.ts'

export interface NetworkModel {
  card: NetworkCard
  model: ScviModel
  /** cells that are kept of what it was made with; absent where none are, or they were not fetched (see `loadNetwork`) */
  reference?: ReferenceCells
}

/** What a card says besides what the model itself does. */
export interface NetworkFacts
  extends Pick<
    NetworkCard,
    | 'name'
    | 'version'
    | 'organism'
    | 'geneIds'
    | 'bins'
    | 'evaluation'
    | 'licence'
    | 'source'
    | 'details'
    | 'created'
  > {
  /** the Cell Ontology term of each predicted label that has one; of other labels none is kept */
  ontology: ReadonlyMap<string, OntologyTerm>
  training: Pick<NetworkCard['training'], 'epochs' | 'settings' | 'versions' | 'sources'>
}

/**
 * A whole model, its id computed. The same content has the same id, whenever it was created.
 * @param model tensors whole, as the state dict has them; what surgery added is settled (surgery.ts)
 * @param options.place where it came from, for messages; its name unless told
 * @param options.reference cells to keep with it; none unless given
 * @throws BadInput MODEL_NAME, MODEL_TOO_LARGE, MODEL_CORRUPT or MODEL_NOT_FINITE when shapes or numbers contradict each other
 */
export function makeNetworkModel(
  facts: NetworkFacts,
  model: ScviModel,
  { place = facts.name, reference }: { place?: string; reference?: ReferenceCells } = {},
): NetworkModel {
  checkModelName(facts.name)
  if (model.shape.added !== undefined) throw new RangeError('columns that surgery added are not settled')
  const { ontology, training, ...plain } = facts
  const labels = model.kind === 'scanvi' ? predictedLabels(model) : []
  const { blobs: own, ...kept } =
    reference === undefined
      ? { blobs: {} }
      : describeReference(reference, { place, latent: model.shape.latent })
  const named = {
    format: modelFormat,
    ...plain,
    ...kindOf(model),
    genes: [...model.genes],
    setup: setupOf(model),
    ontology: labels.flatMap((label) => {
      const term = ontology.get(label)
      return term === undefined ? [] : [{ label, ...term }]
    }),
    tensors: [...model.weights].map(([name, { shape }]) => ({ name, shape: [...shape] })),
    batchesTracked: [...model.batchesTracked].map(([name, steps]) => ({ name, steps })),
    decoder: model.decoder,
    training: { ...training, ...trainingOf(model) },
    ...kept,
    blobs: { ...blobsOf(model, place), ...own },
  }
  const card = checkedNetworkCard({ ...named, id: cardId(named) }, place)
  checkWeights(model, place)
  return { card, model, ...(reference !== undefined && { reference }) }
}

/** The model with other cells of its reference to keep. @throws BadInput MODEL_TOO_LARGE, MODEL_CORRUPT, MODEL_NOT_FINITE */
export function withReference({ card, model }: NetworkModel, reference: ReferenceCells): NetworkModel {
  const { epochs, settings, versions, sources } = card.training
  return makeNetworkModel(
    { ...factsOf(card), training: { epochs, settings, versions, sources }, ontology: termsOfNetwork(card) },
    model,
    { reference },
  )
}

function factsOf(card: NetworkCard): Omit<NetworkFacts, 'training' | 'ontology'> {
  const { name, version, organism, geneIds, bins } = card
  const { evaluation, licence, source, details, created } = card
  return { name, version, organism, geneIds, bins, evaluation, licence, source, details, created }
}

function kindOf(model: ScviModel) {
  const shape = { ...model.shape, categories: [...model.shape.categories] }
  if (model.kind === 'scvi') return { kind: model.kind, shape }
  const { kind, unlabelled, hasSoftmaxWithin } = model
  return { kind, shape, unlabelled, hasSoftmaxWithin }
}

function setupOf({ setup }: ScviModel): NetworkCard['setup'] {
  const { layer, batch, categorical, continuous, labels } = setup
  const own = (column: typeof batch) => ({ ...column, categories: [...column.categories] })
  return {
    layer,
    batch: own(batch),
    categorical: categorical.map(own),
    continuous: [...continuous],
    labels: own(labels),
  }
}

function trainingOf({ training, version }: ScviModel) {
  const { cells, isTrained, history, trainIndices, validationIndices } = training
  return {
    cells,
    isTrained,
    history: [...history].map(([figure, { epochs, values }]) => ({
      figure,
      epochs: [...epochs],
      values: Array.from(values, (value) => (Number.isFinite(value) ? value : String(value))),
    })),
    scviTools: version,
    split: { training: trainIndices?.length ?? null, validation: validationIndices?.length ?? null },
  }
}

function blobsOf({ weights, training }: ScviModel, place: string) {
  const hash = createHash('sha256')
  let bytes = 0
  for (const [name, { shape, data }] of weights) {
    if (data.length !== lengthOf(shape))
      throw corrupt(place, `${name} has ${data.length} numbers and not ${lengthOf(shape)}`)
    hash.update(bytesOf(data))
    bytes += data.byteLength
  }
  if (bytes > mostWeightBytes)
    throw new BadInput(
      'MODEL_TOO_LARGE',
      place,
      `its weights are ${bytes} bytes, and at most ${mostWeightBytes} are kept`,
      'Give a model of fewer genes or batches',
    )
  const rows = rowBytes(training)
  return {
    weights: { bytes, sha256: hash.digest('hex'), dtype: 'float32' },
    ...(rows && { rows: { bytes: rows.length, sha256: sha256(rows), dtype: 'int32' } }),
  }
}

function bytesOf(values: Float32Array | Int32Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
}

/** Rows trained on, then rows validated on; none where neither is known. */
function rowBytes({ trainIndices, validationIndices }: ScviTraining): Uint8Array | undefined {
  if (trainIndices === null && validationIndices === null) return undefined
  return Buffer.concat([trainIndices, validationIndices].flatMap((rows) => (rows ? [bytesOf(rows)] : [])))
}

/** The files that lie beside the card. @throws RangeError where the cells of its reference were not fetched */
export function networkFiles({
  card,
  model,
  reference,
}: NetworkModel): { name: string; bytes: Uint8Array }[] {
  if ((card.reference === undefined) !== (reference === undefined))
    throw new RangeError(`the cells of the reference of "${card.name}" were not fetched with it`)
  const rows = rowBytes(model.training)
  return [
    { name: weightsFile, bytes: Buffer.concat([...model.weights.values()].map(({ data }) => bytesOf(data))) },
    ...(rows === undefined ? [] : [{ name: rowsFile, bytes: rows }]),
    ...(reference === undefined ? [] : referenceFiles(reference)),
  ]
}

const weightsFile = 'weights.f32'
const rowsFile = 'rows.i32'

/**
 * A model of its card and its files, compared with each other; without the cells of its reference, which most jobs need not fetch.
 * @param read exactly so many bytes of the file of that name beside the card
 * @throws BadInput MODEL_CORRUPT, MODEL_NOT_FINITE
 */
export async function readNetwork(
  card: NetworkCard,
  { read, place }: { read(file: string, size: number): Promise<Uint8Array>; place: string },
): Promise<NetworkModel> {
  const checked = async (file: string, blob: { bytes: number; sha256: string }) => {
    const bytes = await read(file, blob.bytes)
    if (sha256(bytes) !== blob.sha256) throw corrupt(place, `${file} is not what the card says`)
    return bytes
  }
  const weights = weightsOf(card, await checked(weightsFile, card.blobs.weights))
  const rows =
    card.blobs.rows === undefined
      ? new Int32Array()
      : new Int32Array(copied(await checked(rowsFile, card.blobs.rows)))
  const model = modelOf(card, { weights, rows })
  checkWeights(model, place)
  return { card, model }
}

/** Each tensor in memory of its own, so that one can be handed to a thread without the others. */
function weightsOf({ tensors }: NetworkCard, bytes: Uint8Array): Map<string, Weight> {
  const weights = new Map<string, Weight>()
  let offset = 0
  for (const { name, shape } of tensors) {
    const end = offset + 4 * lengthOf(shape)
    weights.set(name, { shape, data: new Float32Array(copied(bytes.subarray(offset, end))) })
    offset = end
  }
  return weights
}

/** A copy, even of a Buffer, whose own `slice` makes none. */
function copied(bytes: Uint8Array): ArrayBuffer {
  return new Uint8Array(bytes).buffer
}

function modelOf(
  card: NetworkCard,
  { weights, rows }: { weights: ReadonlyMap<string, Weight>; rows: Int32Array },
): ScviModel {
  const { genes, setup, decoder, training } = card
  const { cells, isTrained, split, scviTools } = training
  const known = split.training ?? 0
  const common = {
    weights,
    batchesTracked: new Map(card.batchesTracked.map(({ name, steps }) => [name, steps])),
    ...{ genes, setup, decoder, version: scviTools },
    training: {
      ...{ cells, isTrained },
      trainIndices: split.training === null ? null : rows.slice(0, known),
      validationIndices: split.validation === null ? null : rows.slice(known),
      history: historyOf(training),
    },
  }
  if (card.kind === 'scvi') return { kind: card.kind, shape: card.shape, ...common }
  const { kind, shape, unlabelled, hasSoftmaxWithin } = card
  return { kind, shape, unlabelled, hasSoftmaxWithin, ...common }
}

function historyOf({ history }: NetworkCard['training']): Map<string, HistorySeries> {
  return new Map(
    history.map(({ figure, epochs, values }) => [
      figure,
      { epochs: Float64Array.from(epochs), values: Float64Array.from(values, Number) },
    ]),
  )
}
