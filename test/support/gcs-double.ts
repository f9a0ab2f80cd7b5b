/**
 * A server on loopback that speaks the part of Google Cloud Storage's JSON API that is used here, for tests: metadata, media with ranges
 * and generations, listings in pages, resumable uploads (gcs-double-uploads.ts), and the token endpoint, which verifies what it is sent.
 * Unknown requests are refused, and so is a write with a token that only reads.
 *
 * Only the newest generation of an object is kept, as in a bucket without versions.
 */
import { createHash, createVerify, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { answerUpload, type UploadFault, type UploadSession } from './gcs-double-uploads.ts'
import { sendFile } from './web-double.ts'

export interface GcsObject {
  bytes: Buffer
  generation: string
  facts: Record<string, unknown>
}

export interface GcsBucket {
  objects: Map<string, GcsObject>
  /** anybody may read */
  isPublic: boolean
  /** anybody may write too */
  isOpen?: boolean
}

export interface GcsDouble {
  address: string
  /** below /storage/v1/ and /upload/, without the query, and the authorisation that came with it */
  calls: {
    method: string
    path: string
    query: URLSearchParams
    authorization: string | undefined
    range: string | undefined
  }[]
  buckets: Map<string, GcsBucket>
  /** entries of one page of a listing */
  pageSize: number
  uploads: {
    sessions: Map<string, UploadSession>
    /** of the parts that come next, one each */
    faults: UploadFault[]
    /** Content-Range of every part and question */
    parts: string[]
  }
  tokens: { grants: URLSearchParams[]; lasts: number; refuses: boolean; writing: Set<string> }
  serviceKey: { privateKey: KeyObject; publicKey: KeyObject }
  /** true where it has answered itself */
  onCall: ((path: string, response: ServerResponse) => boolean) | undefined
  put(bucket: string, key: string, content: string | Buffer, facts?: Record<string, unknown>): void
  /** what a key file of a service account of this server holds */
  keyFile(): Record<string, unknown>
  [Symbol.asyncDispose](): Promise<void>
}

export async function startGcsDouble(): Promise<GcsDouble> {
  let generation = 1_700_000_000_000_000
  const server = createServer((request, response) => {
    answer(double, request, response).catch(() => response.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const double: GcsDouble = {
    address,
    calls: [],
    buckets: new Map(),
    pageSize: 2,
    uploads: { sessions: new Map(), faults: [], parts: [] },
    tokens: { grants: [], lasts: 3600, refuses: false, writing: new Set() },
    serviceKey: generateKeyPairSync('rsa', { modulusLength: 2048 }),
    onCall: undefined,
    put(bucket, key, content, facts = {}) {
      const bytes = Buffer.from(content)
      this.buckets.get(bucket)?.objects.set(key, { bytes, generation: String(++generation), facts })
    },
    keyFile() {
      return {
        type: 'service_account',
        client_email: 'reader@project.iam.gserviceaccount.com',
        private_key: this.serviceKey.privateKey.export({ type: 'pkcs8', format: 'pem' }),
        private_key_id: 'key-1',
        token_uri: `${address}/token`,
      }
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  return double
}

async function answer(double: GcsDouble, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '', double.address)
  const json = (status: number, body: object) =>
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  if (url.pathname === '/token') return void giveToken(double, await text(request), json)
  const { authorization, range } = request.headers
  const { method = '' } = request
  double.calls.push({ method, path: url.pathname, query: url.searchParams, authorization, range })
  if (double.onCall?.(url.pathname, response)) return
  if (url.pathname.startsWith('/upload/')) return answerUpload(double, { request, response, url })
  const [, name = '', , key] = /^\/storage\/v1\/b\/([^/]+)\/o(\/([^/]+))?$/.exec(url.pathname) ?? []
  const bucket = double.buckets.get(decodeURIComponent(name))
  if (bucket === undefined) return void json(404, { error: { code: 404, message: 'no such bucket' } })
  if (!bucket.isPublic && !/^Bearer token-\d+$/.test(authorization ?? ''))
    return void json(401, { error: { code: 401, message: 'Anonymous caller' } })
  if (key === undefined) return void json(200, listing(double, bucket.objects, url.searchParams))
  if (method === 'DELETE')
    return void removeObject(double, { bucket, key: decodeURIComponent(key), url, request, response })
  if (method !== 'GET') return void json(405, { error: { code: 405 } })
  const found = bucket.objects.get(decodeURIComponent(key))
  const wanted = url.searchParams.get('generation')
  if (found === undefined || (wanted !== null && wanted !== found.generation))
    return void json(404, { error: { code: 404, message: 'No such object' } })
  if (url.searchParams.get('alt') !== 'media') return void json(200, metadata(decodeURIComponent(key), found))
  response.setHeader('x-goog-generation', found.generation)
  const call = { method, path: url.pathname, headers: { range } }
  sendFile({ bytes: found.bytes, etag: 'CAE=' }, { call, response, knowsRanges: true })
}

export function mayWrite(double: GcsDouble, bucket: GcsBucket, request: IncomingMessage): boolean {
  const [, token = ''] = /^Bearer (.+)$/.exec(request.headers.authorization ?? '') ?? []
  return bucket.isOpen === true || double.tokens.writing.has(token)
}

interface Removal {
  bucket: GcsBucket
  key: string
  url: URL
  request: IncomingMessage
  response: ServerResponse
}

function removeObject(double: GcsDouble, { bucket, key, url, request, response }: Removal): void {
  const found = bucket.objects.get(key)
  const wanted = url.searchParams.get('ifGenerationMatch') ?? found?.generation
  if (!mayWrite(double, bucket, request)) response.writeHead(403).end()
  else if (found === undefined) response.writeHead(404).end()
  else if (wanted !== found.generation) response.writeHead(412).end()
  else {
    bucket.objects.delete(key)
    response.writeHead(204).end()
  }
}

export function metadata(name: string, { bytes, generation, facts }: GcsObject): object {
  const md5Hash = createHash('md5').update(bytes).digest('base64')
  const updated = '2026-01-03T10:00:00.000Z'
  return { name, size: String(bytes.length), generation, md5Hash, updated, ...facts }
}

function listing({ pageSize }: GcsDouble, objects: Map<string, GcsObject>, query: URLSearchParams): object {
  const keys = [...objects.keys()]
    .filter((key) => key.startsWith(query.get('prefix') ?? ''))
    .sort((a, b) => Buffer.from(a).compare(Buffer.from(b)))
  const from = Number(query.get('pageToken') ?? 0)
  const items = keys.slice(from, from + pageSize).map((key) => metadata(key, objects.get(key)!))
  const isLast = from + pageSize >= keys.length
  return { ...(items.length > 0 && { items }), ...(!isLast && { nextPageToken: String(from + pageSize) }) }
}

/** Google refuses a claim that is not signed, not for it, or whose times are not now; so does this. */
function giveToken(double: GcsDouble, body: string, json: (status: number, body: object) => void): void {
  const grant = new URLSearchParams(body)
  double.tokens.grants.push(grant)
  const isUser = grant.get('grant_type') === 'refresh_token' && grant.get('refresh_token') === 'refresh-me'
  const scope = isUser ? 'read_write' : scopeOfClaim(double, grant.get('assertion') ?? '')
  if (double.tokens.refuses || scope === undefined)
    return void json(400, { error: 'invalid_grant', error_description: `hunter2 ${body}` })
  const token = `token-${double.tokens.grants.length}`
  if (scope === 'read_write') double.tokens.writing.add(token)
  json(200, { access_token: token, expires_in: double.tokens.lasts })
}

function scopeOfClaim(double: GcsDouble, assertion: string): string | undefined {
  const [header = '', claim = '', signature = ''] = assertion.split('.')
  const verifier = createVerify('RSA-SHA256').update(`${header}.${claim}`)
  if (!verifier.verify(double.serviceKey.publicKey, signature, 'base64url')) return undefined
  const { alg, kid } = JSON.parse(Buffer.from(header, 'base64url').toString())
  const { iss, scope, aud, iat, exp } = JSON.parse(Buffer.from(claim, 'base64url').toString())
  const isClaim =
    alg === 'RS256' &&
    kid === 'key-1' &&
    /^reader@/.test(iss) &&
    aud === `${double.address}/token` &&
    Number.isInteger(iat) &&
    exp - iat === 3600
  return isClaim ? /\/devstorage\.(read_only|read_write)$/.exec(scope)?.[1] : undefined
}
