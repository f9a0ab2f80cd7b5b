/**
 * ValidateJob: an upload becomes a job. The settings get their defaults, every input and the model are pinned to the content they have
 * now, and whatever can be refused without opening a file is refused.
 */
import { resolve } from 'node:path'
import { allowedSources, isAllowedSource } from '../../job/allowed-sources.ts'
import { hashOf } from '../../job/canonical.ts'
import { BadInput, type ErrorReport } from '../../job/errors.ts'
import { checkSettings, longestManifest, parseManifest, type Settings } from '../../job/manifest.ts'
import { printable } from '../../job/object-key.ts'
import { openObject, openStore } from '../../job/open-store.ts'
import type { Document, InputPin, JobPart, RoadState, Start, Upload } from '../../job/road.ts'
import { readJson, writeJsonOnce } from '../../job/steps.ts'
import type { ObjectStore, Pin } from '../../job/store.ts'
import { type Environment, openStores, type Stores } from '../../job/stores.ts'
import { isJobFile, resultsPrefix } from '../../job/uploads.ts'
import { shownLocation } from '../../job/web-address.ts'
import { rulesOf } from '../rules.ts'
import { pinModels } from './pin-models.ts'

/** What ValidateJob writes beside the state: the whole job. */
export interface Job {
  workflow: Settings['workflow']
  name: string
  start: Start
  settings: Settings
  inputs: InputPin[]
  /** by setting */
  documents: Record<string, Document>
  /** content ids; none where the job names none */
  models: string[]
  /** what was remarked on its models */
  notices: ErrorReport[]
}

const mostFolderObjects = 100_000

/**
 * @throws BadInput UPLOAD_REPLACED, INPUT_NOT_FOUND, INPUT_NOT_ALLOWED, MODEL_REQUIRED, MODEL_MISSING, MODEL_KIND, MODELS_MISSING, MODEL_TWICE, and what parseManifest refuses
 */
export async function validateJob(state: RoadState, environment: Environment): Promise<RoadState> {
  const stores = await openStores(environment)
  const { start } = state
  const key = jobKey(start)
  // what ran first has pinned its inputs: a job that goes on works on the same content
  const known = await readJson<Job>(stores.work, key)
  const job = known ?? (await writeJsonOnce(stores.work, key, await makeJob({ start, stores, environment })))
  const part: JobPart = {
    workflow: job.workflow,
    name: job.name,
    key,
    // what opens a signed address stays in the work store
    inputs: job.inputs.map(({ access: _, ...pin }) => pin),
    announcement: { jobId: start.jobId, results: `${stores.outbox.place}/${start.output}` },
  }
  return { ...state, job: part }
}

async function makeJob(context: PinContext): Promise<Job> {
  const { start, stores, environment } = context
  const settings = await readSettings(start, stores, environment)
  const inputs: InputPin[] = []
  const rules = rulesOf(settings)
  await rules.admit?.(settings, { stores, environment })
  for (const { role, location } of rules.inputs(settings))
    inputs.push(await pinInput(role, location, context))
  const documents: Record<string, Document> = {}
  for (const { role, location } of rules.documents(settings))
    documents[role] = await readDocument(role, location, context)
  const named = rules.models(settings)
  const { ids, notices } =
    named === null
      ? { ids: [], notices: [] }
      : await pinModels(stores.models, { named, otherwise: () => defaultModel(environment) })
  const name = settings.name ?? start.jobId.replace(/-[0-9a-f]{12}$/, '')
  return { workflow: settings.workflow, name, start, settings, inputs, documents, models: ids, notices }
}

async function readSettings(start: Start, { inbox }: Stores, environment: Environment): Promise<Settings> {
  const { key } = start.upload
  const place = `${inbox.place}/${printable(key)}`
  if (!isJobFile(key)) {
    const query = key.slice(key.lastIndexOf('/') + 1)
    return checkSettings({ workflow: 'annotate', query, model: defaultModel(environment) }, place)
  }
  const pin = await pinUpload(inbox, start.upload)
  return parseManifest(await inbox.read(key, { maxBytes: longestManifest, pin }), place)
}

function defaultModel({ CELLDROP_DEFAULT_MODEL }: Environment): string {
  if (CELLDROP_DEFAULT_MODEL) return CELLDROP_DEFAULT_MODEL
  throw new BadInput(
    'MODEL_REQUIRED',
    'model',
    'the job names no model and there is no default one',
    'Set "model"; `celldrop models` lists them',
  )
}

interface PinContext {
  start: Start
  stores: Stores
  environment: Environment
}

/** Relative locations are relative to the upload, within the inbox. */
async function pinInput(role: string, location: string, context: PinContext): Promise<InputPin> {
  const { store, place, key, access } = await placeOf(role, location, context)
  const shown = `${role}: ${store.place}/${printable(key)}`
  const isUpload = place === 'inbox' && key === context.start.upload.key
  const found = isUpload ? await pinUpload(store, context.start.upload) : await store.head(key)
  if (found === undefined && store.unlisted) throw notFound(shown)
  if (found === undefined) return pinFolder({ role, place, key, store, shown })
  if (found.size === 0)
    throw new BadInput('INPUT_EMPTY', shown, 'the file is empty', 'Copy or upload it again')
  const { etag, versionId, size } = found
  return {
    role,
    place,
    key,
    etag,
    size,
    ...(versionId !== undefined && { versionId }),
    ...(access !== undefined && { access }),
  }
}

/**
 * The content that the event told of. Events carry ETags without their quotes.
 * @throws BadInput UPLOAD_REPLACED where that content is gone: what took its place has a job of its own
 */
async function pinUpload(inbox: ObjectStore, upload: Upload): Promise<Pin & { size: number }> {
  const now = await inbox.head(upload.key)
  if (now !== undefined && bare(now.etag) === bare(upload.etag)) return now
  if (upload.versionId !== undefined)
    return { etag: `"${bare(upload.etag)}"`, versionId: upload.versionId, size: upload.size }
  throw new BadInput(
    'UPLOAD_REPLACED',
    `${inbox.place}/${printable(upload.key)}`,
    'the upload was replaced or removed before its job began',
    'A newer upload has a job of its own: look for that, or upload the file again',
  )
}

function bare(etag: string): string {
  return etag.replace(/^"|"$/g, '')
}

/** @throws BadInput INPUT_NOT_FOUND; StoreFailure OBJECT_TOO_LARGE */
async function readDocument(role: string, location: string, context: PinContext): Promise<Document> {
  const { store, key } = await placeOf(role, location, context)
  const shown = `${role}: ${store.place}/${printable(key)}`
  const found = await store.head(key)
  if (found === undefined) throw notFound(shown)
  const bytes = await store.read(key, { maxBytes: longestManifest, pin: found })
  return { place: shownLocation(location), base64: Buffer.from(bytes).toString('base64') }
}

/** A zarr or MTX folder: all that lies in it, as one identity. */
async function pinFolder(at: {
  role: string
  place: string
  key: string
  store: ObjectStore
  shown: string
}): Promise<InputPin> {
  const content: [string, string][] = []
  let size = 0
  for await (const object of at.store.list(`${at.key.replace(/\/+$/, '')}/`)) {
    content.push([object.key, object.etag])
    size += object.size
    if (content.length > mostFolderObjects) {
      const problem = `the folder holds more than ${mostFolderObjects} objects`
      throw new BadInput('INPUT_TOO_LARGE', at.shown, problem, 'Give it as one h5ad')
    }
  }
  if (content.length === 0) throw notFound(at.shown)
  const { role, place, key } = at
  return { role, place, key, etag: hashOf(content), size, folder: true }
}

interface Placed {
  store: ObjectStore
  /** 'inbox', or what opens the store again */
  place: string
  key: string
  access?: string
}

async function placeOf(
  role: string,
  location: string,
  { start, stores, environment }: PinContext,
): Promise<Placed> {
  const inbox = stores.inbox.place
  if (location.startsWith(`${inbox}/`) && inbox.startsWith('s3://'))
    return { store: stores.inbox, place: 'inbox', key: location.slice(inbox.length + 1).replace(/\/+$/, '') }
  const isLocal = environment.CELLDROP_LOCAL_FILES === '1'
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(location)) {
    // references that were acquired are there to be learnt from
    const allowed = [...allowedSources(environment), stores.references.place]
    if (!isAllowedSource(location, allowed))
      throw notAllowed(
        role,
        location,
        `only ${inbox}, ${stores.references.place} and the places in CELLDROP_SOURCES are read by this installation`,
      )
    const { store, key, access } = await openObject(location, { environment })
    return { store, place: store.place, key, ...(access !== undefined && { access }) }
  }
  if (location.startsWith('/') || /^[A-Za-z]:[\\/]/.test(location)) {
    if (!isLocal) throw notAllowed(role, location, 'a path of another computer means nothing here')
    const path = resolve(location)
    const cut = Math.max(path.lastIndexOf('/'), path.lastIndexOf('\\'))
    const place = path.slice(0, cut) || '/'
    return { store: await openStore(place), place, key: path.slice(cut + 1) }
  }
  const folder = start.upload.key.slice(0, start.upload.key.lastIndexOf('/') + 1)
  return { store: stores.inbox, place: 'inbox', key: `${folder}${location.replace(/\/+$/, '')}` }
}

function notFound(shown: string): BadInput {
  const remedy = 'Check the name; upload inputs before the job file'
  return new BadInput('INPUT_NOT_FOUND', shown, 'there is no such file', remedy)
}

function notAllowed(role: string, location: string, problem: string): BadInput {
  const remedy = 'Upload the file beside the job file and name it alone'
  return new BadInput('INPUT_NOT_ALLOWED', `${role}: ${printable(shownLocation(location))}`, problem, remedy)
}

export function jobKey({ jobId, attempt }: Pick<Start, 'jobId' | 'attempt'>): string {
  return `${resultsPrefix(jobId, attempt)}job.json`
}

/** @throws StoreFailure OBJECT_MISSING when ValidateJob did not write it */
export async function readJob(work: ObjectStore, { key }: { key: string }): Promise<Job> {
  return JSON.parse(new TextDecoder().decode(await work.read(key, { maxBytes: 4 * longestManifest }))) as Job
}
