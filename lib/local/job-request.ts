/**
 * From what a user typed to a job: settings with inputs named in full, and a name that says what the job is. The name holds a hash of the
 * settings and of what inputs and model contain now, so the same command finds its own earlier run, and an altered input is another job.
 */
import { basename, dirname, isAbsolute, join, resolve } from 'node:path'
import { hashOf } from '../job/canonical.ts'
import { BadInput } from '../job/errors.ts'
import type { Settings } from '../job/manifest.ts'
import { checkKey } from '../job/object-key.ts'
import { openObject, openStore } from '../job/open-store.ts'
import type { Start } from '../job/road.ts'
import { readJson, writeJsonOnce } from '../job/steps.ts'
import { startOf } from '../job/uploads.ts'
import { findModel } from '../models/bundle.ts'
import { rulesOf } from '../workflows/rules.ts'
import { within } from './places.ts'

export interface JobRequest {
  settings: Settings
  name: string
  /** hash of all that decides the result, short of the code */
  identity: string
}

export interface RequestContext {
  /** folder that relative inputs are relative to */
  base: string
  /** name of the job where its settings have none */
  otherwise: string
  /** place of the model store, and the model of a job that names none */
  models: string
  defaultModel: string | undefined
}

export async function requestJob(
  given: Settings,
  { base, otherwise, models, defaultModel }: RequestContext,
): Promise<JobRequest> {
  const rules = rulesOf(given)
  const full = ({ location }: { location: string }) => inFull(location, base)
  const locations = [...rules.inputs(given), ...rules.documents(given)].map(full)
  const places = rules.places(given).map(full)
  const name = given.name ?? plainName(otherwise)
  checkKey('name', name)
  const settings: Settings = { ...rules.relocated(given, [...locations, ...places]), name }
  const contents = await Promise.all(locations.map(contentOf))
  const named = rules.models(settings)
  const names = named?.names.length === 0 ? [defaultModel] : (named?.names ?? [])
  const ids = await Promise.all(names.map((one) => one && contentOfModel(one, models)))
  return { settings, name, identity: hashOf([settings, contents, ids], 12) }
}

/**
 * Places the job file in an inbox of its own, where nothing ever changes it, and tells how the job starts. A job that was begun before
 * keeps the time at which it began, so that going on with it gives the same bytes.
 */
export async function placeJob(
  { settings, name, identity }: JobRequest,
  { inbox, work, now, output }: { inbox: string; work: string; now: number; output: string },
): Promise<{ start: Start; inbox: string }> {
  const place = within(within(inbox, 'runs'), identity)
  const store = await openStore(place)
  const key = `jobs/${name}/job.json`
  await writeJsonOnce(store, key, settings)
  const { etag, versionId, size } = (await store.head(key))!
  const upload = { key, etag, size, ...(versionId !== undefined && { versionId }) }
  const created = new Date(now).toISOString()
  const named = startOf({ key, etag: identity, size }, { inbox: 'local', created, output })
  return { start: await beginOnce(work, { ...named, upload }), inbox: place }
}

/** @returns the start with the time of the first of its kind */
export async function beginOnce(work: string, start: Start): Promise<Start> {
  const first = await writeJsonOnce(await openStore(work), `jobs/${start.jobId}/begun.json`, {
    created: start.created,
  })
  return { ...start, created: first.created }
}

/**
 * Which attempt is the next: results that were removed, or are wanted in another place too, are made again, and a step that was done for an
 * attempt is not done again for the same one.
 */
export async function nextAttempt(work: string, { jobId }: Start): Promise<number> {
  const last = await readJson<{ attempt: number }>(await openStore(work), finishedKey(jobId))
  return (last?.attempt ?? 0) + 1
}

export async function noteFinished(work: string, { jobId, attempt }: Start): Promise<void> {
  const body = new TextEncoder().encode(JSON.stringify({ attempt }))
  await (await openStore(work)).write(finishedKey(jobId), body)
}

function finishedKey(jobId: string): string {
  return `jobs/${jobId}/finished.json`
}

/** Name of a file without what follows its first dot. */
export function stemOf(path: string): string {
  return basename(path).replace(/(?<=.)\..*$/, '')
}

/** As the setting `name` allows it. */
function plainName(text: string): string {
  return text.replace(/[^A-Za-z0-9_.-]+/g, '-').slice(0, 100) || 'job'
}

function inFull(location: string, base: string): string {
  return isAddress(location) || isAbsolute(location) ? location : resolve(base, location)
}

/** `s3://`, `gs://`, `https://`: somewhere else than on this disk. */
function isAddress(location: string): boolean {
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(location)
}

/** What makes the content of a file or folder known; undefined where there is none, which the road will tell. */
async function contentOf(location: string): Promise<unknown> {
  const environment = { ...process.env, CELLDROP_LOCAL_FILES: '1' }
  const { store, key } = isAddress(location)
    ? await openObject(location, { environment })
    : { store: await openStore(dirname(location)), key: basename(join(location, '.')) }
  const found = await store.head(key)
  if (found !== undefined) return [found.etag, found.versionId]
  const content: [string, string][] = []
  if (store.unlisted) return content
  for await (const object of store.list(`${key}/`)) content.push([object.key, object.etag])
  return content
}

/** Two models may have had one name, one after the other. A name that no model has is for the road to tell. */
async function contentOfModel(name: string, models: string): Promise<string | undefined> {
  const store = await openStore(models)
  return findModel(store, name).then(
    ({ id }) => id,
    (error) => {
      if (error instanceof BadInput) return undefined
      throw error
    },
  )
}
