/**
 * From what a user types to a store: a folder's path, or `s3://bucket/prefix`.
 * Trap: any other `scheme://` would be a legal folder name too; it is refused, as is a bucket name that S3 would not take.
 */
import { BadInput } from './errors.ts'
import { openFolderStore } from './folder-store.ts'
import { checkKey, printable } from './object-key.ts'
import { openS3Store } from './s3-store.ts'
import type { ObjectStore } from './store.ts'

/** @throws BadInput LOCATION_UNSUPPORTED, NOT_A_FOLDER, KEY_UNSUPPORTED for the prefix */
export async function openStore(location: string): Promise<ObjectStore> {
  const named = /^([a-z][a-z0-9+.-]*):\/\/(.*)$/is.exec(location)
  if (!named) {
    if (location === '' || location.includes('\0'))
      throw badLocation(location, 'this is not the path of a folder')
    return openFolderStore(location)
  }
  const [, scheme = '', rest = ''] = named
  if (scheme.toLowerCase() !== 's3') throw badLocation(location, `"${scheme}://" is not read here`)
  const slash = rest.indexOf('/')
  const bucket = slash < 0 ? rest : rest.slice(0, slash)
  const prefix = slash < 0 ? '' : rest.slice(slash + 1).replace(/\/+$/, '')
  if (!/^(?!.*\.\.)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(bucket)) {
    throw badLocation(location, `"${printable(bucket)}" is not the name of a bucket`)
  }
  if (prefix !== '') checkKey(`s3://${bucket}`, prefix)
  return openS3Store({ bucket, prefix })
}

function badLocation(location: string, problem: string): BadInput {
  return new BadInput(
    'LOCATION_UNSUPPORTED',
    printable(location) || 'location',
    problem,
    "Give a folder's path or s3://bucket/prefix",
  )
}
