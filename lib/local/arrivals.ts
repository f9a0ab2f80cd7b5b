/**
 * Which objects of a watched store have arrived: those that looked the same twice in a row and are whole. A folder tells nobody when a copy
 * is complete, so an unfinished HDF5 file is known by its own first lines, and a job file waits for everything that lies beside it.
 */
import { readSuperblock } from '../data/hdf5/format/superblock.ts'
import { hashOf } from '../job/canonical.ts'
import { isCoded } from '../job/errors.ts'
import type { ObjectInfo, ObjectStore } from '../job/store.ts'
import { isJobFile, isJobUpload } from '../job/uploads.ts'

/** How often an object that declares more than it holds is looked at before it is taken for broken. */
const mostLooks = 30

export interface Look {
  objects: ReadonlyMap<string, ObjectInfo>
  /** how many looks in a row found the object as it is now */
  unchanged: ReadonlyMap<string, number>
}

export const nothingSeen: Look = { objects: new Map(), unchanged: new Map() }

export async function lookAround(store: ObjectStore, before: Look): Promise<Look> {
  const objects = new Map<string, ObjectInfo>()
  const unchanged = new Map<string, number>()
  for await (const object of store.list('')) {
    objects.set(object.key, object)
    const isSame = before.objects.get(object.key)?.etag === object.etag
    unchanged.set(object.key, isSame ? (before.unchanged.get(object.key) ?? 0) + 1 : 0)
  }
  return { objects, unchanged }
}

/** Uploads that begin a job and are complete, in key order. @param patient false: what is not whole will not become so */
export async function arrivedUploads(
  store: ObjectStore,
  look: Look,
  { patient }: { patient: boolean },
): Promise<ObjectInfo[]> {
  const arrived: ObjectInfo[] = []
  for (const object of uploadsIn(look)) {
    const parts = isJobFile(object.key) ? beside(object.key, look) : [object]
    const whole = await Promise.all(parts.map((part) => hasArrived(store, part, { look, patient })))
    if (whole.every(Boolean)) arrived.push(object)
  }
  return arrived
}

/** Uploads that begin a job, complete or not. */
export function uploadsIn({ objects }: Look): ObjectInfo[] {
  return [...objects.values()].filter(({ key, size }) => size > 0 && isJobUpload(key))
}

function beside(key: string, { objects }: Look): ObjectInfo[] {
  const folder = key.slice(0, key.lastIndexOf('/') + 1)
  return [...objects.values()].filter((object) => object.key.startsWith(folder))
}

async function hasArrived(
  store: ObjectStore,
  object: ObjectInfo,
  { look, patient }: { look: Look; patient: boolean },
): Promise<boolean> {
  const looks = look.unchanged.get(object.key) ?? 0
  if (looks === 0) return false
  if (!patient || looks >= mostLooks || !/\.h5(?:ad)?$/i.test(object.key)) return true
  return !(await isCutShort(store, object))
}

/** Anything else that may be wrong with a file is for its job to tell. */
async function isCutShort(store: ObjectStore, { key, etag, size }: ObjectInfo): Promise<boolean> {
  try {
    const head = await store.readRange(key, { offset: 0, length: Math.min(size, 104) }, { etag })
    readSuperblock((offset, length) => head.subarray(offset, offset + length), size)
    return false
  } catch (error) {
    return isCoded(error) && ['HDF5_TRUNCATED', 'OBJECT_CHANGED', 'OBJECT_MISSING'].includes(error.code)
  }
}

/** "Object Created" as EventBridge would tell it of a bucket. */
export function objectCreated(bucket: string, { key, size, etag, versionId, modified }: ObjectInfo) {
  return {
    version: '0',
    id: hashOf([bucket, key, etag]),
    'detail-type': 'Object Created',
    source: 'aws.s3',
    account: '000000000000',
    time: new Date(modified).toISOString(),
    region: 'local',
    resources: [`arn:aws:s3:::${bucket}`],
    detail: {
      version: '0',
      bucket: { name: bucket },
      object: {
        key,
        size,
        etag,
        ...(versionId !== undefined && { 'version-id': versionId }),
        sequencer: '0',
      },
      reason: 'PutObject',
    },
  }
}
