/**
 * A job file and its inputs, uploaded: the inputs first, the job file last, because its arrival starts the job. In the inbox the inputs lie
 * beside the job file; what it says of paths of this computer is changed accordingly, and nothing else of it.
 */
import { createReadStream } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { basename, dirname, isAbsolute, join, resolve } from 'node:path'
import { parse } from 'yaml'
import { BadInput } from '../job/errors.ts'
import { ignoreMissing, onReading } from '../job/folder-errors.ts'
import { longestManifest, parseManifest, type Settings } from '../job/manifest.ts'
import { checkKey } from '../job/object-key.ts'
import { openStore } from '../job/open-store.ts'
import type { Start } from '../job/road.ts'
import type { ObjectStore } from '../job/store.ts'
import { startOf } from '../job/uploads.ts'
import { rulesOf } from '../workflows/rules.ts'

export interface Submission {
  /** place of the inbox */
  inbox: string
  /** ISO 8601 */
  created: string
  signal: AbortSignal
  progress(text: string): void
}

/**
 * @returns how the state machine will start the job, whose id is known from what was uploaded
 * @throws BadInput of the job file; INPUT_NOT_FOUND before anything is uploaded
 */
export async function submitJob(
  path: string,
  { inbox, created, signal, progress }: Submission,
): Promise<Start> {
  const file = await openStore(dirname(resolve(path)))
  const bytes = await file.read(basename(path), { maxBytes: longestManifest })
  const settings = parseManifest(bytes, path)
  const name = settings.name ?? basename(path).replace(/(?<=.)\..*$/, '')
  const folder = `jobs/${name}`
  const inputs = await inputsOf(settings, { base: dirname(resolve(path)), folder })
  const store = await openStore(inbox)
  for (const { key } of inputs.flatMap(({ files }) => files)) checkKey(inbox, key)
  for (const { key, source, size } of inputs.flatMap(({ files }) => files)) {
    signal.throwIfAborted()
    progress(`uploading ${key} (${(size / 1e6).toFixed(1)} MB)`)
    await store.write(key, createReadStream(source, { signal }))
  }
  const given = parse(new TextDecoder().decode(bytes)) as Settings
  // what is looked up or written in the account is not of this computer
  const places = rulesOf(settings).places(settings)
  const locations = [...inputs, ...places].map(({ location }) => location)
  signal.throwIfAborted()
  return startOf(
    await writeJobFile(store, `${folder}/job.json`, rulesOf(settings).relocated(given, locations)),
    {
      inbox,
      created,
    },
  )
}

interface LocalInput {
  role: string
  /** relative to the job file in the inbox */
  location: string
  files: { key: string; source: string; size: number }[]
}

/** Inputs in buckets stay where they are. */
async function inputsOf(
  settings: Settings,
  { base, folder }: { base: string; folder: string },
): Promise<LocalInput[]> {
  const inputs: LocalInput[] = []
  const taken = new Set(['job.json'])
  const rules = rulesOf(settings)
  for (const { role, location } of [...rules.inputs(settings), ...rules.documents(settings)]) {
    if (/^[a-z][a-z0-9+.-]*:\/\//i.test(location)) {
      inputs.push({ role, location, files: [] })
      continue
    }
    const source = isAbsolute(location) ? location : resolve(base, location)
    const plain = basename(source)
    const name = taken.has(plain) ? `${role}-${plain}` : plain
    taken.add(name)
    inputs.push({ role, location: name, files: await filesOf(source, `${folder}/${name}`) })
  }
  return inputs
}

async function filesOf(source: string, key: string): Promise<LocalInput['files']> {
  const found = await onReading(source, () => stat(source).catch(ignoreMissing))
  if (found === undefined)
    throw new BadInput(
      'INPUT_NOT_FOUND',
      source,
      'there is no such file',
      'Check the name; paths are relative to the job file',
    )
  if (found.isFile()) return [{ key, source, size: found.size }]
  const names = await readdir(source, { recursive: true, withFileTypes: true })
  const paths = names.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  const files = paths.sort().map(async (path) => ({
    key: `${key}/${path
      .slice(source.length)
      .replace(/^[\\/]+/, '')
      .replaceAll('\\', '/')}`,
    source: path,
    size: (await stat(path)).size,
  }))
  return Promise.all(files)
}

async function writeJobFile(store: ObjectStore, key: string, job: unknown) {
  const body = new TextEncoder().encode(`${JSON.stringify(job, null, 2)}\n`)
  const { etag, versionId, size } = await store.write(key, body, { contentType: 'application/json' })
  // as the event will tell it: without quotes
  return { key, etag: etag.replace(/^"|"$/g, ''), size, ...(versionId !== undefined && { versionId }) }
}
