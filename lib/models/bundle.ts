/**
 * Models in a store: `<name>/<id>/model.json` beside its blobs, and `<name>/latest.json`, which says which id the name means.
 *
 * What lies under an id never changes, since the id is its hash; several versions live side by side. The pointer is the one object
 * that moves, in one write. model.json is written last: where it is, everything is.
 */
import { AlreadyExists, BadInput, type ErrorReport, isCoded } from '../job/errors.ts'
import { openFolderStore } from '../job/folder-store.ts'
import type { ObjectStore } from '../job/store.ts'
import type { LinearModel, ModelCard } from './linear-model.ts'
import { modelName, sha256 } from './model-card.ts'
import { corrupt, shown } from './model-errors.ts'
import type { NetworkCard } from './network-card.ts'
import { type NetworkModel, readNetwork } from './network-model.ts'
import { type ReferenceCells, readReference, referenceMissing } from './reference-cells.ts'
import {
  checkedStoredCard,
  filesBeside,
  isLinearCard,
  labelsOfModel,
  type Reading,
  readLinear,
  readStored,
  type StoredCard,
  type StoredModel,
  wrongKind,
} from './stored-model.ts'

const maxCardBytes = 64 * 2 ** 20
const maxPointerBytes = 4096
const maxObjects = 100_000
const mostNamed = 20

export interface ModelSummary {
  name: string
  id: string
  kind: StoredCard['kind']
  version: string
  organism: string
  /** that it gives to cells: none of a scVI */
  labels: number
  genes: number
  /** cells of its reference that it keeps: of a network, others have none */
  referenceCells: number
  created: string
  /** the one that the name alone means */
  isLatest: boolean
}

/**
 * Stores a model under its card's name. A name that means another content stays as it is unless `replace` is set; the old content
 * stays in either case. Saving the same model twice changes nothing.
 * @throws AlreadyExists MODEL_EXISTS; BadInput MODEL_TOO_LARGE
 */
export async function saveModel(
  store: ObjectStore,
  model: StoredModel,
  { replace = false }: { replace?: boolean } = {},
): Promise<ModelSummary> {
  const { card } = model
  const before = replace ? undefined : await readPointer(store, card.name)
  if (before !== undefined && before !== card.id) throw nameTaken(store, card.name, before)
  const prefix = prefixOf(card)
  for (const { name, bytes } of filesBeside(model)) await writeContent(store, `${prefix}${name}`, bytes)
  if (!(await hasCard(store, prefix))) await store.write(`${prefix}model.json`, cardBytes(model))
  await movePointer(store, card, { replace })
  return summarise(card, card.id)
}

/**
 * A linear model by its name, `name@id` or id; of an id in `name@id` eight digits do. Every array is compared with its checksum.
 * @throws BadInput MODEL_MISSING (lists what there is), MODEL_KIND for a network, MODEL_CORRUPT
 */
export async function loadModel(store: ObjectStore, nameOrId: string): Promise<LinearModel> {
  const prefix = await findPrefix(store, nameOrId)
  return readLinear(linear(await readCard(store, prefix), store), readingOf(store, prefix))
}

/** A scVI or SCANVI model, without the cells of its reference. @throws BadInput MODEL_MISSING, MODEL_KIND for a linear one, MODEL_CORRUPT, MODEL_NOT_FINITE */
export async function loadNetwork(store: ObjectStore, nameOrId: string): Promise<NetworkModel> {
  const prefix = await findPrefix(store, nameOrId)
  return readNetwork(network(await readCard(store, prefix), store), readingOf(store, prefix))
}

/**
 * The cells that a scVI or SCANVI model keeps of its reference; of the model itself only the card is fetched.
 * @throws BadInput REFERENCE_CELLS_MISSING; MODEL_MISSING, MODEL_KIND for a linear one, MODEL_CORRUPT, MODEL_NOT_FINITE
 */
export async function loadReferenceCells(store: ObjectStore, nameOrId: string): Promise<ReferenceCells> {
  const prefix = await findPrefix(store, nameOrId)
  const card = network(await readCard(store, prefix), store)
  const reference = await readReference(card, readingOf(store, prefix))
  if (reference === undefined) throw referenceMissing(card.name, `${store.place}/${prefix}`)
  return reference
}

/** A model of whatever kind, with all that it keeps. @throws BadInput MODEL_MISSING, MODEL_CORRUPT, MODEL_NOT_FINITE */
export async function loadStoredModel(store: ObjectStore, nameOrId: string): Promise<StoredModel> {
  return readBundle(store, await findPrefix(store, nameOrId))
}

/** The card of a model of whatever kind, without its arrays. @throws BadInput MODEL_MISSING, MODEL_CORRUPT */
export async function loadCard(store: ObjectStore, nameOrId: string): Promise<StoredCard> {
  return readCard(store, await findPrefix(store, nameOrId))
}

/** @throws BadInput MODEL_MISSING, MODEL_KIND for a linear model, MODEL_CORRUPT */
export async function loadNetworkCard(store: ObjectStore, nameOrId: string): Promise<NetworkCard> {
  return network(await loadCard(store, nameOrId), store)
}

/** What `loadCard` would tell, in short. @throws BadInput MODEL_MISSING, MODEL_CORRUPT */
export async function findModel(store: ObjectStore, nameOrId: string): Promise<ModelSummary> {
  const card = await loadCard(store, nameOrId)
  return summarise(card, await readPointer(store, card.name))
}

/** A model of whatever kind in a plain folder: model.json and the files beside it. @throws BadInput MODEL_CORRUPT, MODEL_NOT_FINITE, NOT_A_FOLDER */
export async function loadModelFolder(folder: string): Promise<StoredModel> {
  return readBundle(await openFolderStore(folder), '')
}

/** Every stored model, by name; one that cannot be read is a notice and not a failure. */
export async function listModels(
  store: ObjectStore,
): Promise<{ models: ModelSummary[]; notices: ErrorReport[] }> {
  const models: ModelSummary[] = []
  const notices: ErrorReport[] = []
  for (const { name, id } of await bundlesIn(store)) {
    try {
      const card = await readCard(store, `${name}/${id}/`)
      models.push(summarise(card, await readPointer(store, name)))
    } catch (error) {
      if (!isCoded(error)) throw error
      const { code, place, problem, remedy } = error
      notices.push({ code, place, problem, remedy })
    }
  }
  return { models, notices }
}

/** What can be stored can be read again. @throws BadInput MODEL_TOO_LARGE */
function cardBytes({ card }: StoredModel): Uint8Array {
  const bytes = Buffer.from(JSON.stringify(card, null, 1))
  if (bytes.length <= maxCardBytes) return bytes
  const problem = `its card has ${bytes.length} bytes, and at most ${maxCardBytes} are read`
  throw new BadInput('MODEL_TOO_LARGE', card.name, problem, 'Give a model of fewer genes or categories')
}

function summarise(card: StoredCard, latest: string | undefined): ModelSummary {
  const { name, id, kind, version, organism, genes, created } = card
  const referenceCells = isLinearCard(card) ? 0 : (card.reference?.cells ?? 0)
  const counts = { labels: labelsOfModel(card).length, genes: genes.length, referenceCells }
  return { name, id, kind, version, organism, ...counts, created, isLatest: id === latest }
}

const prefixOf = ({ name, id }: { name: string; id: string }): string => `${name}/${id}/`
const pointerKey = (name: string): string => `${name}/latest.json`

function linear(card: StoredCard, { place }: ObjectStore): ModelCard {
  if (isLinearCard(card)) return card
  throw wrongKind(card, { wanted: 'linear', place })
}

function network(card: StoredCard, { place }: ObjectStore): NetworkCard {
  if (!isLinearCard(card)) return card
  throw wrongKind(card, { wanted: 'network', place })
}

async function findPrefix(store: ObjectStore, nameOrId: string): Promise<string> {
  if (modelName.safeParse(nameOrId).success) {
    const id = await readPointer(store, nameOrId)
    if (id !== undefined) return prefixOf({ name: nameOrId, id })
  }
  const [, name, start] = /^(?:(.+)@([0-9a-f]{8,64})|[0-9a-f]{64})$/.exec(nameOrId) ?? []
  const bundles = await bundlesIn(store)
  const found = bundles.filter((bundle) =>
    start === undefined ? bundle.id === nameOrId : bundle.name === name && bundle.id.startsWith(start),
  )
  // one content may have been stored under one name only: the name is part of what the id stands for
  if (found[0] === undefined || found.length > 1) throw missingModel(store, nameOrId, bundles)
  return prefixOf(found[0])
}

/** Names and ids of all bundles that are whole, by key. */
async function bundlesIn(store: ObjectStore): Promise<{ name: string; id: string }[]> {
  const bundles: { name: string; id: string }[] = []
  let seen = 0
  for await (const { key } of store.list('')) {
    if (++seen > maxObjects)
      throw corrupt(store.place, `more than ${maxObjects} objects are no store of models`)
    const [, name = '', id = ''] = /^([^/]+)\/([0-9a-f]{64})\/model\.json$/.exec(key) ?? []
    if (modelName.safeParse(name).success) bundles.push({ name, id })
  }
  return bundles
}

async function readPointer(store: ObjectStore, name: string): Promise<string | undefined> {
  const place = `${store.place}/${pointerKey(name)}`
  const bytes = await readIfThere(store, pointerKey(name), maxPointerBytes)
  if (bytes === undefined) return undefined
  const pointer = parseJson(bytes, place)
  const id = typeof pointer === 'object' && pointer !== null && 'id' in pointer ? pointer.id : undefined
  if (typeof id !== 'string' || !/^[0-9a-f]{64}$/.test(id)) throw corrupt(place, 'it names no model')
  return id
}

async function movePointer(
  store: ObjectStore,
  card: StoredCard,
  { replace }: { replace: boolean },
): Promise<void> {
  const body = Buffer.from(`${JSON.stringify({ id: card.id })}\n`)
  try {
    await store.write(pointerKey(card.name), body, { onlyIfAbsent: !replace })
  } catch (error) {
    if (!(error instanceof AlreadyExists)) throw error
    const there = await readPointer(store, card.name)
    if (there !== card.id) throw nameTaken(store, card.name, there)
  }
}

async function readBundle(store: ObjectStore, prefix: string): Promise<StoredModel> {
  return readStored(await readCard(store, prefix), readingOf(store, prefix))
}

function readingOf(store: ObjectStore, prefix: string): Reading {
  return {
    place: `${store.place}/${prefix}`,
    async read(file, size) {
      const key = `${prefix}${file}`
      const bytes = await readIfThere(store, key, size)
      if (bytes?.length === size) return bytes
      throw corrupt(`${store.place}/${key}`, bytes === undefined ? 'it is missing' : 'it is cut short')
    },
  }
}

async function readCard(store: ObjectStore, prefix: string): Promise<StoredCard> {
  const card = await cardAt(store, `${prefix}model.json`)
  const place = `${store.place}/${prefix}model.json`
  if (card === undefined) throw corrupt(place, 'it is missing')
  // a plain folder has no prefix, and may be called anything
  if (prefix !== '' && prefix !== prefixOf(card)) throw corrupt(place, 'it is the card of another model')
  return card
}

/** Whether a model was saved whole before; a damaged card is none, and is written anew. */
async function hasCard(store: ObjectStore, prefix: string): Promise<boolean> {
  try {
    await readCard(store, prefix)
    return true
  } catch (error) {
    if (isCoded(error) && error.code === 'MODEL_CORRUPT') return false
    throw error
  }
}

async function cardAt(store: ObjectStore, key: string): Promise<StoredCard | undefined> {
  const bytes = await readIfThere(store, key, maxCardBytes)
  const place = `${store.place}/${key}`
  return bytes === undefined ? undefined : checkedStoredCard(parseJson(bytes, place), place)
}

function parseJson(bytes: Uint8Array, place: string): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (error) {
    throw corrupt(place, 'it is no JSON', error)
  }
}

/** @throws BadInput MODEL_CORRUPT when it is larger than it may be */
async function readIfThere(
  store: ObjectStore,
  key: string,
  maxBytes: number,
): Promise<Uint8Array | undefined> {
  try {
    return await store.read(key, { maxBytes })
  } catch (error) {
    if (isCoded(error) && error.code === 'OBJECT_MISSING') return undefined
    if (isCoded(error) && error.code === 'OBJECT_TOO_LARGE')
      throw corrupt(`${store.place}/${key}`, `it is larger than ${maxBytes} bytes`, error)
    throw error
  }
}

/** What a key's hash stands for: kept where it is there, set right where it was damaged. */
async function writeContent(store: ObjectStore, key: string, bytes: Uint8Array): Promise<void> {
  const there = await store.head(key)
  if (there?.size === bytes.length) {
    const stored = await store.read(key, { maxBytes: bytes.length, pin: there })
    if (sha256(stored) === sha256(bytes)) return
  }
  await store.write(key, bytes)
}

function nameTaken(store: ObjectStore, name: string, id = ''): AlreadyExists {
  const problem = `the name stands for another model already (${id.slice(0, 12)})`
  return new AlreadyExists(
    'MODEL_EXISTS',
    `${store.place}/${name}`,
    problem,
    'Choose another name, or replace it',
  )
}

function missingModel(
  store: ObjectStore,
  nameOrId: string,
  bundles: readonly { name: string; id: string }[],
): BadInput {
  const names = [...new Set(bundles.map(({ name }) => name))]
  const more = names.length > mostNamed ? `, and ${names.length - mostNamed} more` : ''
  const remedy =
    names.length === 0
      ? 'There is no model yet: import one with "celldrop import-model"'
      : `There are: ${names.slice(0, mostNamed).join(', ')}${more}`
  const problem = `there is no model "${shown(nameOrId)}"`
  return new BadInput('MODEL_MISSING', store.place, problem, remedy)
}
