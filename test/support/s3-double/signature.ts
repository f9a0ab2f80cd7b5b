/**
 * Signature Version 4 as a server checks it: in the Authorization header, or in the query of a presigned link.
 *
 * Trap: the canonical form is made from the decoded path and query, encoded anew the one way that AWS prescribes; hashing the URL
 * as it came would accept clients that real S3 refuses.
 */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import { S3Error } from './s3-error.ts'

export interface Credentials {
  accessKeyId: string
  secretAccessKey: string
}

export interface SignedRequest {
  method: string
  /** decoded */
  path: string
  /** decoded, in order of appearance */
  query: [string, string][]
  headers: Map<string, string>
}

/** What the chunks of a signed body go on from. */
export interface Signature {
  value: string
  key: Buffer
  date: string
  scope: string
}

const algorithm = 'AWS4-HMAC-SHA256'
const allowedSkewMs = 15 * 60 * 1000

export function verifySignature(request: SignedRequest, credentials: Credentials, now: Date): Signature {
  const presigned = request.query.some(([name]) => name === 'X-Amz-Signature')
  const claim = presigned ? queryClaim(request, now) : headerClaim(request, now)
  const [accessKeyId, day = '', region = '', service = '', end] = claim.credential.split('/')
  if (accessKeyId !== credentials.accessKeyId)
    throw new S3Error(403, 'InvalidAccessKeyId', 'unknown access key')
  if (service !== 's3' || end !== 'aws4_request' || !claim.date.startsWith(day)) {
    throw new S3Error(400, 'AuthorizationHeaderMalformed', 'the credential scope is not of this request')
  }
  checkSignedHeaders(request, claim.signedHeaders)
  const scope = `${day}/${region}/${service}/aws4_request`
  const canonical = canonicalRequest(request, claim)
  const text = [algorithm, claim.date, scope, sha256(canonical)].join('\n')
  const key = [day, region, service, 'aws4_request'].reduce<Buffer>(
    (last, part) => hmac(last, part),
    Buffer.from(`AWS4${credentials.secretAccessKey}`),
  )
  const value = hmac(key, text).toString('hex')
  if (!equal(value, claim.signature)) {
    throw new S3Error(403, 'SignatureDoesNotMatch', 'the signature is not that of the request')
  }
  return { value, key, date: claim.date, scope }
}

interface Claim {
  credential: string
  signedHeaders: string[]
  signature: string
  date: string
  payload: string
}

function headerClaim({ headers }: SignedRequest, now: Date): Claim {
  const authorization = headers.get('authorization')
  if (authorization === undefined) throw new S3Error(403, 'AccessDenied', 'the request is not signed')
  const pattern = /^AWS4-HMAC-SHA256 Credential=([^, ]+), ?SignedHeaders=([^, ]+), ?Signature=([0-9a-f]{64})$/
  const [, credential, signedHeaders, signature] = pattern.exec(authorization) ?? []
  const date = headers.get('x-amz-date') ?? ''
  const payload = headers.get('x-amz-content-sha256')
  if (!credential || !signedHeaders || !signature || payload === undefined) {
    throw new S3Error(400, 'AuthorizationHeaderMalformed', 'the Authorization header cannot be read')
  }
  if (Math.abs(now.getTime() - parseDate(date)) > allowedSkewMs) {
    throw new S3Error(403, 'RequestTimeTooSkewed', 'the clocks differ too much')
  }
  return { credential, signedHeaders: signedHeaders.split(';'), signature, date, payload }
}

function queryClaim({ query }: SignedRequest, now: Date): Claim {
  const values = new Map(query)
  const get = (name: string) => values.get(`X-Amz-${name}`) ?? ''
  const age = now.getTime() - parseDate(get('Date'))
  const lifetime = Number(get('Expires'))
  if (get('Algorithm') !== algorithm || !(lifetime > 0 && lifetime <= 604800)) {
    throw new S3Error(400, 'AuthorizationQueryParametersError', 'the signature in the query cannot be read')
  }
  if (age < -allowedSkewMs || age > lifetime * 1000)
    throw new S3Error(403, 'AccessDenied', 'the link has expired')
  return {
    credential: get('Credential'),
    signedHeaders: get('SignedHeaders').split(';'),
    signature: get('Signature'),
    date: get('Date'),
    payload: 'UNSIGNED-PAYLOAD',
  }
}

function checkSignedHeaders({ headers }: SignedRequest, signed: string[]): void {
  const needed = [...headers.keys()].filter((name) => name === 'host' || name.startsWith('x-amz-'))
  const unsigned = needed.find((name) => !signed.includes(name))
  if (unsigned !== undefined) throw new S3Error(403, 'AccessDenied', `the header ${unsigned} is not signed`)
}

function canonicalRequest({ method, path, query, headers }: SignedRequest, claim: Claim): string {
  const pairs = query
    .filter(([name]) => name !== 'X-Amz-Signature')
    .map(([name, value]) => [encode(name), encode(value)] as const)
    .sort(([a, x], [b, y]) => (a < b || (a === b && x < y) ? -1 : 1))
  const lines = claim.signedHeaders.map(
    (name) => `${name}:${(headers.get(name) ?? '').trim().replace(/ +/g, ' ')}`,
  )
  return [
    method,
    path.split('/').map(encode).join('/'),
    pairs.map((pair) => pair.join('=')).join('&'),
    `${lines.join('\n')}\n`,
    claim.signedHeaders.join(';'),
    claim.payload,
  ].join('\n')
}

/** Everything but letters, digits and `-._~`, as AWS prescribes. */
function encode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (mark) => `%${mark.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}

function parseDate(date: string): number {
  const parsed = Date.parse(date.replace(/^(\d{4})(\d\d)(\d\dT\d\d)(\d\d)(\d\dZ)$/, '$1-$2-$3:$4:$5'))
  if (Number.isNaN(parsed)) throw new S3Error(403, 'AccessDenied', 'the date of the request cannot be read')
  return parsed
}

export function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}

export function sha256(data: string | Buffer): string {
  return createHash('sha256').update(data).digest('hex')
}

export function equal(a: string, b: string): boolean {
  return a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b))
}
