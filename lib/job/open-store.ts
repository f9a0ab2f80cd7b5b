/**
 * From what a user types to a store: a folder's path, `s3://bucket/prefix`, `gs://bucket/prefix`, and to read from only `https://host`.
 * Trap: any other `scheme://` would be a legal folder name too; it is refused, as is a bucket name that its service would not take.
 */
import { resolve } from 'node:path'
import { BadInput } from './errors.ts'
import { openFolderStore } from './folder-store.ts'
import { openGcsStore } from './gcs-store.ts'
import { openHttpStore } from './http-store.ts'
import { checkKey, printable } from './object-key.ts'
import { openS3Store } from './s3-store.ts'
import type { ObjectStore } from './store.ts'
import type { Environment } from './stores.ts'
import { parseWebAddress, shownLocation } from './web-address.ts'

export interface OpenStoreOptions {
  /** CELLDROP_LOCAL_FILES, GOOGLE_APPLICATION_CREDENTIALS, STORAGE_EMULATOR_HOST; that of the process when absent */
  environment?: Environment
  /** the query of a web address that was kept apart from it */
  access?: string
}

/** One object, and where it lies: `store.place`, `key` and `access` open it again. */
export interface OpenedObject {
  store: ObjectStore
  key: string
  /** of a web address with a query: needed to read it and never to be shown */
  access?: string
}

/** @throws BadInput LOCATION_UNSUPPORTED, NOT_A_FOLDER, KEY_UNSUPPORTED for the prefix */
export async function openStore(location: string, options: OpenStoreOptions = {}): Promise<ObjectStore> {
  const { environment = process.env, access } = options
  const isLocal = environment.CELLDROP_LOCAL_FILES === '1'
  const named = schemeOf(location)
  if (named === undefined) {
    if (location === '' || location.includes('\0'))
      throw badLocation(location, 'this is not the path of a folder')
    return openFolderStore(location)
  }
  if (/^https?$/.test(named.scheme))
    return openHttpStore(location, { isLocal, ...(access !== undefined && { access }) })
  const at = bucketOf(location, named)
  if (at.prefix !== '') checkKey(`${named.scheme}://${at.bucket}`, at.prefix)
  return named.scheme === 's3' ? openS3Store(at) : openGcsStore({ ...at, environment, isLocal })
}

/**
 * A location of one file (or of one folder of a zarr or of MTX, but on the web), taken apart into store and key. Nothing is read yet:
 * whether it is there, `head` tells.
 * @throws BadInput LOCATION_UNSUPPORTED, NOT_A_FOLDER, KEY_UNSUPPORTED
 */
export async function openObject(location: string, options: OpenStoreOptions = {}): Promise<OpenedObject> {
  const { environment = process.env } = options
  const named = schemeOf(location)
  if (named === undefined) {
    if (location === '' || location.includes('\0'))
      throw badLocation(location, 'this is not the path of a file')
    const path = resolve(location)
    const cut = Math.max(path.lastIndexOf('/'), path.lastIndexOf('\\'))
    const key = path.slice(cut + 1)
    if (key === '') throw badLocation(location, 'this is not the path of a file')
    return { store: await openStore(path.slice(0, cut) || '/', { environment }), key }
  }
  if (/^https?$/.test(named.scheme)) {
    const { origin, path, access } = parseWebAddress(location)
    if (path === '') throw badLocation(location, 'the address names no file')
    const kept = access === '' ? {} : { access }
    return { store: await openStore(origin, { environment, ...kept }), key: path, ...kept }
  }
  const { bucket, prefix: key } = bucketOf(location, named)
  if (key === '') throw badLocation(location, 'a bucket and a key are needed')
  const place = `${named.scheme}://${bucket}`
  checkKey(place, key)
  return { store: await openStore(place, { environment }), key }
}

interface Named {
  /** lower case */
  scheme: string
  rest: string
}

function schemeOf(location: string): Named | undefined {
  const [, scheme, rest = ''] = /^([a-z][a-z0-9+.-]*):\/\/(.*)$/is.exec(location) ?? []
  return scheme === undefined ? undefined : { scheme: scheme.toLowerCase(), rest }
}

/** Names as each service has them: Google's may hold "_" and, as domains, be longer. */
const bucketNames = new Map([
  ['s3', /^(?!.*\.\.)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/],
  ['gs', /^(?!.*\.\.)[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$/],
])

/** @throws BadInput LOCATION_UNSUPPORTED */
function bucketOf(location: string, { scheme, rest }: Named): { bucket: string; prefix: string } {
  const names = bucketNames.get(scheme)
  if (names === undefined) throw badLocation(location, `"${scheme}://" is not read here`)
  const slash = rest.indexOf('/')
  const bucket = slash < 0 ? rest : rest.slice(0, slash)
  if (!names.test(bucket)) throw badLocation(location, `"${printable(bucket)}" is not the name of a bucket`)
  return { bucket, prefix: slash < 0 ? '' : rest.slice(slash + 1).replace(/\/+$/, '') }
}

function badLocation(location: string, problem: string): BadInput {
  return new BadInput(
    'LOCATION_UNSUPPORTED',
    shownLocation(location) || 'location',
    problem,
    "Give a folder's path, s3://bucket/prefix, gs://bucket/prefix or https://host/path",
  )
}
