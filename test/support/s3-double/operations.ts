/**
 * What the double can do, each operation known by its method and the names in its query; everything else is refused with 501.
 */
import { decodeBody } from './chunked-body.ts'
import { listObjects } from './listing.ts'
import {
  type Bucket,
  completeUpload,
  deleteObject,
  findObject,
  findUpload,
  makeBucket,
  putObject,
  putPart,
  type StoredObject,
  startUpload,
} from './objects.ts'
import { notImplemented, S3Error } from './s3-error.ts'
import type { Signature, SignedRequest } from './signature.ts'
import { readElements, type Xml, xmlDocument } from './xml.ts'

export interface Call extends SignedRequest {
  bucket: string
  /** empty for a request to the bucket itself */
  key: string
  /** the query without what only signs or names the request */
  parameters: Map<string, string>
  body: Buffer
  signature: Signature
}

export interface Answer {
  status: number
  headers?: [string, string][]
  body?: string | Buffer
}

interface Operation {
  /** names in the query that say which operation is meant */
  needs: string[]
  /** names in the query that it may have besides */
  allows?: string[]
  act: (call: Call, buckets: Map<string, Bucket>) => Answer
}

const onBuckets: Record<string, Operation[]> = {
  PUT: [{ needs: [], act: createBucket }],
  HEAD: [{ needs: [], act: headBucket }],
  GET: [
    {
      needs: ['list-type'],
      allows: ['prefix', 'delimiter', 'max-keys', 'continuation-token', 'start-after', 'encoding-type'],
      act: list,
    },
  ],
  POST: [{ needs: ['delete'], act: deleteMany }],
}

const onObjects: Record<string, Operation[]> = {
  GET: [
    { needs: ['uploadId'], act: listParts },
    { needs: [], allows: ['versionId'], act: getObject },
  ],
  HEAD: [{ needs: [], allows: ['versionId'], act: getObject }],
  PUT: [
    { needs: ['uploadId', 'partNumber'], act: uploadPart },
    { needs: [], act: put },
  ],
  POST: [
    { needs: ['uploads'], act: createUpload },
    { needs: ['uploadId'], act: complete },
  ],
  DELETE: [
    { needs: ['uploadId'], act: abortUpload },
    { needs: [], allows: ['versionId'], act: remove },
  ],
}

const knownHeaders =
  /^x-amz-(date|content-sha256|decoded-content-length|trailer|sdk-checksum-algorithm|user-agent|meta-.+)$|^x-amz-checksum-(algorithm|mode|type|crc32|crc32c|sha1|sha256)$/

export function perform(call: Call, buckets: Map<string, Bucket>): Answer {
  const names = [...call.parameters.keys()]
  const operations = (call.key === '' ? onBuckets : onObjects)[call.method] ?? []
  const operation = operations.find(({ needs, allows = [] }) => {
    return (
      needs.every((name) => names.includes(name)) &&
      names.every((name) => [...needs, ...allows].includes(name))
    )
  })
  if (!operation) throw notImplemented(`${call.method} with the query ${names.join(', ') || '(none)'}`)
  const headers = [...call.headers.keys()]
  const unknown = headers.find((name) => name.startsWith('x-amz-') && !knownHeaders.test(name))
  if (unknown !== undefined) throw notImplemented(`the header ${unknown}`)
  const condition = headers.find((name) => /^if-(modified|unmodified)-since$/.test(name))
  if (condition !== undefined) throw notImplemented(`the header ${condition}`)
  return operation.act(call, buckets)
}

function bucketOf({ bucket }: Call, buckets: Map<string, Bucket>): Bucket {
  const found = buckets.get(bucket)
  if (!found) throw new S3Error(404, 'NoSuchBucket', 'no such bucket')
  return found
}

function createBucket({ bucket }: Call, buckets: Map<string, Bucket>): Answer {
  if (buckets.has(bucket)) throw new S3Error(409, 'BucketAlreadyOwnedByYou', 'the bucket exists')
  buckets.set(bucket, makeBucket(false))
  return { status: 200, headers: [['location', `/${bucket}`]] }
}

function headBucket(call: Call, buckets: Map<string, Bucket>): Answer {
  bucketOf(call, buckets)
  return { status: 200 }
}

function list(call: Call, buckets: Map<string, Bucket>): Answer {
  if (call.parameters.get('list-type') !== '2') throw notImplemented('the first version of listing')
  return xml(200, listObjects(bucketOf(call, buckets), call.bucket, call.parameters))
}

function getObject(call: Call, buckets: Map<string, Bucket>): Answer {
  const object = findObject(bucketOf(call, buckets), call.key, call.parameters.get('versionId'))
  const ifMatch = call.headers.get('if-match')
  if (ifMatch !== undefined && unquoted(ifMatch) !== unquoted(object.etag)) {
    throw new S3Error(412, 'PreconditionFailed', 'the object is another')
  }
  const headers: [string, string][] = [...object.headers, ...identity(object), ['accept-ranges', 'bytes']]
  headers.push(['last-modified', object.modified.toUTCString()])
  const ifNoneMatch = call.headers.get('if-none-match')
  if (ifNoneMatch === '*' || (ifNoneMatch !== undefined && unquoted(ifNoneMatch) === unquoted(object.etag))) {
    return { status: 304, headers }
  }
  const range = readRange(call.headers.get('range'), object.bytes.length)
  if (!range) {
    if (object.checksum && call.headers.get('x-amz-checksum-mode') === 'ENABLED')
      headers.push(...checksumHeaders(object))
    return { status: 200, headers, body: object.bytes }
  }
  headers.push(['content-range', `bytes ${range.first}-${range.last}/${object.bytes.length}`])
  return { status: 206, headers, body: object.bytes.subarray(range.first, range.last + 1) }
}

/** A range that cannot be read as one is ignored, as HTTP says; one that lies beyond the end is an error. */
function readRange(header: string | undefined, size: number): { first: number; last: number } | undefined {
  const [, from, to] = /^bytes=(\d*)-(\d*)$/.exec(header ?? '') ?? []
  if (from === undefined || to === undefined || from + to === '') return undefined
  const first = from === '' ? Math.max(0, size - Number(to)) : Number(from)
  const last = from === '' || to === '' ? size - 1 : Math.min(Number(to), size - 1)
  if (from !== '' && to !== '' && Number(to) < first) return undefined
  if (first >= size || (from === '' && Number(to) === 0)) {
    throw new S3Error(416, 'InvalidRange', 'the range lies beyond the end')
  }
  return { first, last }
}

function put(call: Call, buckets: Map<string, Bucket>): Answer {
  const bucket = bucketOf(call, buckets)
  const content = decodeBody(call.headers, call.body, call.signature)
  const object = putObject(bucket, call.key, {
    content,
    headers: keptHeaders(call),
    conditions: conditions(call),
  })
  return { status: 200, headers: [...identity(object), ...checksumHeaders(object)] }
}

function remove(call: Call, buckets: Map<string, Bucket>): Answer {
  deleteObject(bucketOf(call, buckets), call.key, call.parameters.get('versionId'))
  return { status: 204 }
}

function deleteMany(call: Call, buckets: Map<string, Bucket>): Answer {
  const bucket = bucketOf(call, buckets)
  const content = decodeBody(call.headers, call.body, call.signature)
  const keys = readElements(content.bytes, 'Object').map((one) => {
    if ([...one.keys()].some((name) => name !== 'Key'))
      throw notImplemented('deleting more than the current version')
    return one.get('Key') ?? ''
  })
  for (const key of keys) deleteObject(bucket, key)
  return xml(200, xmlDocument(['DeleteResult', keys.map((key) => ['Deleted', [['Key', key]]])]))
}

function createUpload(call: Call, buckets: Map<string, Bucket>): Answer {
  const checksumAlgorithm = call.headers.get('x-amz-checksum-algorithm')?.toLowerCase()
  if (call.headers.get('x-amz-checksum-type') === 'FULL_OBJECT')
    throw notImplemented('full-object checksums of uploads')
  const id = startUpload(bucketOf(call, buckets), {
    key: call.key,
    headers: keptHeaders(call),
    checksumAlgorithm,
  })
  return xml(200, uploadDocument('InitiateMultipartUploadResult', call, [['UploadId', id]]))
}

function uploadPart(call: Call, buckets: Map<string, Bucket>): Answer {
  const upload = findUpload(bucketOf(call, buckets), call.key, uploadId(call))
  const content = decodeBody(call.headers, call.body, call.signature)
  const part = putPart(upload, Number(call.parameters.get('partNumber')), content)
  return { status: 200, headers: [['etag', part.etag], ...checksumHeaders(part)] }
}

function complete(call: Call, buckets: Map<string, Bucket>): Answer {
  const { bytes } = decodeBody(call.headers, call.body, call.signature)
  const claimed = readElements(bytes, 'Part')
  const target = { key: call.key, id: uploadId(call) }
  const object = completeUpload(bucketOf(call, buckets), target, { claimed, conditions: conditions(call) })
  const answer = xml(200, uploadDocument('CompleteMultipartUploadResult', call, [['ETag', object.etag]]))
  return { ...answer, headers: [...(answer.headers ?? []), ...identity(object)] }
}

function listParts(call: Call, buckets: Map<string, Bucket>): Answer {
  const { parts } = findUpload(bucketOf(call, buckets), call.key, uploadId(call))
  const listed = [...parts].sort(([a], [b]) => a - b)
  const entries = listed.map(([number, { etag, bytes }]): Xml => {
    return [
      'Part',
      [
        ['PartNumber', number],
        ['ETag', etag],
        ['Size', bytes.length],
      ],
    ]
  })
  return xml(
    200,
    uploadDocument('ListPartsResult', call, [
      ['UploadId', uploadId(call)],
      ['IsTruncated', false],
      ...entries,
    ]),
  )
}

function abortUpload(call: Call, buckets: Map<string, Bucket>): Answer {
  const bucket = bucketOf(call, buckets)
  findUpload(bucket, call.key, uploadId(call))
  bucket.uploads.delete(uploadId(call))
  return { status: 204 }
}

function uploadId({ parameters }: Call): string {
  return parameters.get('uploadId') ?? ''
}

function conditions({ headers }: Call) {
  return { ifMatch: headers.get('if-match'), ifNoneMatch: headers.get('if-none-match') }
}

function keptHeaders({ headers }: Call): [string, string][] {
  const kept = [...headers].filter(([name]) => name === 'content-type' || name.startsWith('x-amz-meta-'))
  return headers.has('content-type') ? kept : [['content-type', 'binary/octet-stream'], ...kept]
}

function identity({ etag, versionId }: StoredObject): [string, string][] {
  return versionId === undefined
    ? [['etag', etag]]
    : [
        ['etag', etag],
        ['x-amz-version-id', versionId],
      ]
}

function checksumHeaders({ checksum }: Pick<StoredObject, 'checksum'>): [string, string][] {
  return checksum ? [[`x-amz-checksum-${checksum.algorithm}`, checksum.value]] : []
}

function unquoted(etag: string): string {
  return etag.replaceAll('"', '')
}

function uploadDocument(name: string, { bucket, key }: Call, more: Xml[]): string {
  return xmlDocument([name, [['Bucket', bucket], ['Key', key], ...more]])
}

function xml(status: number, body: string): Answer {
  return { status, headers: [['content-type', 'application/xml']], body }
}
