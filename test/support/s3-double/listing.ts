/** ListObjectsV2: keys in byte order, in pages, with everything under a delimiter folded into one entry. */
import { type Bucket, currentKeys, findObject } from './objects.ts'
import { S3Error } from './s3-error.ts'
import { type Xml, xmlDocument } from './xml.ts'

const largestPage = 1000

export function listObjects(bucket: Bucket, name: string, query: Map<string, string>): string {
  const prefix = query.get('prefix') ?? ''
  const delimiter = query.get('delimiter') ?? ''
  const pageSize = Number(query.get('max-keys') ?? largestPage)
  if (!Number.isInteger(pageSize) || pageSize < 0) throw new S3Error(400, 'InvalidArgument', 'max-keys')
  const encoding = query.get('encoding-type')
  if (encoding !== undefined && encoding !== 'url') throw new S3Error(400, 'InvalidArgument', 'encoding-type')
  const written = (key: string) => (encoding === 'url' ? urlEncoded(key) : key)
  const token = query.get('continuation-token')
  const after =
    token === undefined ? (query.get('start-after') ?? '') : Buffer.from(token, 'base64url').toString()

  const entries = new Map<string, 'key' | 'prefix'>()
  let truncated = false
  for (const key of currentKeys(bucket)) {
    const end = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length)
    const entry = end < 0 ? key : key.slice(0, end + delimiter.length)
    if (!key.startsWith(prefix) || entries.has(entry) || !isAfter(entry, after)) continue
    truncated = entries.size >= Math.min(pageSize, largestPage)
    if (truncated) break
    entries.set(entry, end < 0 ? 'key' : 'prefix')
  }
  const last = [...entries.keys()].at(-1)
  const contents = [...entries].map(([entry, kind]): Xml => {
    if (kind === 'prefix') return ['CommonPrefixes', [['Prefix', written(entry)]]]
    const { etag, bytes, modified } = findObject(bucket, entry)
    return [
      'Contents',
      [
        ['Key', written(entry)],
        ['LastModified', modified.toISOString()],
        ['ETag', etag],
        ['Size', bytes.length],
        ['StorageClass', 'STANDARD'],
      ],
    ]
  })
  return xmlDocument([
    'ListBucketResult',
    [
      ['Name', name],
      ['Prefix', written(prefix)],
      ['KeyCount', entries.size],
      ['MaxKeys', pageSize],
      ['IsTruncated', truncated],
      ...(encoding === undefined ? [] : ([['EncodingType', encoding]] satisfies Xml[])),
      ...(truncated && last !== undefined
        ? ([['NextContinuationToken', Buffer.from(last).toString('base64url')]] satisfies Xml[])
        : []),
      ...contents,
    ],
  ])
}

function isAfter(entry: string, after: string): boolean {
  return Buffer.from(entry).compare(Buffer.from(after)) > 0
}

/** As S3 does it: a space becomes a plus, slashes stay. */
function urlEncoded(key: string): string {
  return encodeURIComponent(key).replaceAll('%20', '+').replaceAll('%2F', '/')
}
