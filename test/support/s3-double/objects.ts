/**
 * What the double keeps: buckets of objects in memory, with versions where asked for, and unfinished uploads in parts.
 *
 * Conditions are judged and content is put in place in one synchronous step, so that of two writers exactly one is first.
 */
import { createHash, randomUUID } from 'node:crypto'
import { type Checksum, compositeChecksum } from './checksums.ts'
import type { Content } from './chunked-body.ts'
import { S3Error } from './s3-error.ts'

export interface StoredObject extends Content {
  /** with its quotes */
  etag: string
  modified: Date
  versionId?: string
  /** the headers that come back on reading: content-type and x-amz-meta-* */
  headers: [string, string][]
}

interface DeleteMarker {
  versionId: string
}

export interface Part extends Content {
  etag: string
}

interface MultipartUpload {
  key: string
  headers: [string, string][]
  checksumAlgorithm: string | undefined
  parts: Map<number, Part>
}

export interface Bucket {
  versioned: boolean
  /** oldest first; without versioning at most one */
  objects: Map<string, (StoredObject | DeleteMarker)[]>
  uploads: Map<string, MultipartUpload>
}

export interface WriteConditions {
  ifMatch?: string | undefined
  ifNoneMatch?: string | undefined
}

const smallestPart = 5 << 20

export function makeBucket(versioned: boolean): Bucket {
  return { versioned, objects: new Map(), uploads: new Map() }
}

function isObject(found: StoredObject | DeleteMarker | undefined): found is StoredObject {
  return found !== undefined && 'bytes' in found
}

export function findObject(bucket: Bucket, key: string, versionId?: string): StoredObject {
  const versions = bucket.objects.get(key) ?? []
  const found =
    versionId === undefined ? versions.at(-1) : versions.find((one) => one.versionId === versionId)
  if (isObject(found)) return found
  if (versionId === undefined) throw new S3Error(404, 'NoSuchKey', 'no such key')
  if (found) throw new S3Error(405, 'MethodNotAllowed', 'this version is a delete marker')
  throw new S3Error(404, 'NoSuchVersion', 'no such version')
}

export function currentObject(bucket: Bucket, key: string): StoredObject | undefined {
  const latest = bucket.objects.get(key)?.at(-1)
  return isObject(latest) ? latest : undefined
}

/** In the order of their UTF-8 bytes. */
export function currentKeys(bucket: Bucket): string[] {
  return [...bucket.objects.keys()]
    .filter((key) => currentObject(bucket, key))
    .sort((a, b) => Buffer.from(a).compare(Buffer.from(b)))
}

export interface Writing {
  content: Content
  headers: [string, string][]
  conditions: WriteConditions
  etag?: string
}

export function putObject(bucket: Bucket, key: string, writing: Writing): StoredObject {
  judge(currentObject(bucket, key), writing.conditions)
  const { content, headers, etag = `"${md5(content.bytes).toString('hex')}"` } = writing
  const version = bucket.versioned ? { versionId: randomUUID() } : {}
  const object: StoredObject = { ...content, headers, etag, modified: new Date(), ...version }
  bucket.objects.set(key, bucket.versioned ? [...(bucket.objects.get(key) ?? []), object] : [object])
  return object
}

function judge(current: StoredObject | undefined, { ifMatch, ifNoneMatch }: WriteConditions): void {
  if (ifNoneMatch !== undefined && ifNoneMatch !== '*')
    throw new S3Error(501, 'NotImplemented', 'If-None-Match: *')
  if (ifNoneMatch !== undefined && current) throw new S3Error(412, 'PreconditionFailed', 'the object exists')
  if (ifMatch === undefined) return
  if (!current) throw new S3Error(404, 'NoSuchKey', 'no such key')
  if (ifMatch !== current.etag) throw new S3Error(412, 'PreconditionFailed', 'the object is another')
}

export function deleteObject(bucket: Bucket, key: string, versionId?: string): void {
  const versions = bucket.objects.get(key) ?? []
  if (versionId !== undefined) {
    bucket.objects.set(
      key,
      versions.filter((version) => version.versionId !== versionId),
    )
  } else if (bucket.versioned) bucket.objects.set(key, [...versions, { versionId: randomUUID() }])
  else bucket.objects.delete(key)
}

export function startUpload(bucket: Bucket, upload: Omit<MultipartUpload, 'parts'>): string {
  const id = randomUUID()
  bucket.uploads.set(id, { ...upload, parts: new Map() })
  return id
}

export function findUpload(bucket: Bucket, key: string, id: string): MultipartUpload {
  const upload = bucket.uploads.get(id)
  if (upload?.key !== key) throw new S3Error(404, 'NoSuchUpload', 'no such upload')
  return upload
}

export function putPart(upload: MultipartUpload, number: number, content: Content): Part {
  if (!(Number.isInteger(number) && number >= 1 && number <= 10_000)) {
    throw new S3Error(400, 'InvalidArgument', 'part numbers go from 1 to 10000')
  }
  const wanted = upload.checksumAlgorithm
  if (wanted !== undefined && content.checksum && content.checksum.algorithm !== wanted) {
    throw new S3Error(400, 'InvalidRequest', `the upload was begun with ${wanted}`)
  }
  const part = { ...content, etag: `"${md5(content.bytes).toString('hex')}"` }
  upload.parts.set(number, part)
  return part
}

/** `claimed` is what the client believes to have sent; the upload ends only if everything agrees. */
export function completeUpload(
  bucket: Bucket,
  { key, id }: { key: string; id: string },
  { claimed, conditions }: { claimed: Map<string, string>[]; conditions: WriteConditions },
): StoredObject {
  const upload = findUpload(bucket, key, id)
  const numbers = claimed.map((part) => Number(part.get('PartNumber')))
  if (numbers.some((number, index) => index > 0 && number <= (numbers[index - 1] ?? 0))) {
    throw new S3Error(400, 'InvalidPartOrder', 'the parts are not in order')
  }
  const parts = claimed.map((part) => agreedPart(upload, part))
  if (parts.slice(0, -1).some((part) => part.bytes.length < smallestPart)) {
    throw new S3Error(400, 'EntityTooSmall', 'a part before the last is smaller than 5 MiB')
  }
  const checksums = parts.map((part) => part.checksum).filter((checksum) => checksum !== undefined)
  const checksum = checksums.length === parts.length ? compositeChecksum(checksums) : undefined
  const bytes = Buffer.concat(parts.map((part) => part.bytes))
  const digests = Buffer.concat(parts.map((part) => md5(part.bytes)))
  const etag = `"${md5(digests).toString('hex')}-${parts.length}"`
  const content = checksum ? { bytes, checksum } : { bytes }
  const object = putObject(bucket, key, { content, headers: upload.headers, conditions, etag })
  bucket.uploads.delete(id)
  return object
}

function agreedPart(upload: MultipartUpload, claimed: Map<string, string>): Part {
  const part = upload.parts.get(Number(claimed.get('PartNumber')))
  const etag = claimed.get('ETag')?.replaceAll('"', '')
  const invalid = new S3Error(400, 'InvalidPart', 'a part is not the one that was uploaded')
  if (!part || part.etag !== `"${etag}"`) throw invalid
  const wanted = upload.checksumAlgorithm
  if (wanted !== undefined && !claimsChecksum(claimed, part.checksum)) throw invalid
  return part
}

function claimsChecksum(claimed: Map<string, string>, checksum: Checksum | undefined): boolean {
  return (
    checksum !== undefined && claimed.get(`Checksum${checksum.algorithm.toUpperCase()}`) === checksum.value
  )
}

function md5(bytes: Buffer): Buffer {
  return createHash('md5').update(bytes).digest()
}
