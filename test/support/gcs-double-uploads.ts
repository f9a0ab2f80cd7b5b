/**
 * The resumable uploads of Google Cloud Storage's JSON API, for its double: a session is begun, takes parts of whole 256 KiB at the offset
 * that it holds, is asked what it holds, and gives the object its name with the last part, if the MD5 and the precondition then agree.
 * Faults are given part by part.
 */
import { createHash, randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { buffer } from 'node:stream/consumers'
import { type GcsDouble, type GcsObject, mayWrite, metadata } from './gcs-double.ts'

export interface UploadSession {
  bucket: string
  key: string
  facts: Record<string, unknown>
  onlyIfAbsent: boolean
  held: Buffer
  written?: GcsObject
  query: URLSearchParams
}

/** A status in place of an answer; nothing taken; all taken, or a quarter MiB of it, and no answer; taken with a bit turned over. */
export type UploadFault = number | 'lost' | 'unanswered' | 'broken off' | 'damaged' | 'none'

interface Exchange {
  request: IncomingMessage
  response: ServerResponse
  url: URL
}

const unit = 256 << 10

export async function answerUpload(double: GcsDouble, exchange: Exchange): Promise<void> {
  const { request, response, url } = exchange
  const id = url.searchParams.get('upload_id')
  if (id === null) return begin(double, exchange, String(await buffer(request)))
  const session = double.uploads.sessions.get(id)
  if (request.method === 'DELETE') {
    double.uploads.sessions.delete(id)
    response.writeHead(session ? 499 : 404).end()
  } else if (session === undefined) response.writeHead(404).end()
  else if (request.method === 'PUT') await takePart(double, exchange, session)
  else response.writeHead(405).end()
}

function begin(double: GcsDouble, { request, response, url }: Exchange, body: string): void {
  const [, name = ''] = /^\/upload\/storage\/v1\/b\/([^/]+)\/o$/.exec(url.pathname) ?? []
  const bucket = double.buckets.get(decodeURIComponent(name))
  const key = url.searchParams.get('name')
  const onlyIfAbsent = url.searchParams.get('ifGenerationMatch') === '0'
  if (request.method !== 'POST' || url.searchParams.get('uploadType') !== 'resumable' || key === null)
    response.writeHead(400).end()
  else if (bucket === undefined) response.writeHead(404).end()
  else if (!mayWrite(double, bucket, request)) response.writeHead(403).end()
  else if (onlyIfAbsent && bucket.objects.has(key)) response.writeHead(412).end()
  else {
    const id = randomUUID()
    const facts: Record<string, unknown> = JSON.parse(body)
    const query = url.searchParams
    double.uploads.sessions.set(id, {
      bucket: decodeURIComponent(name),
      key,
      facts,
      onlyIfAbsent,
      held: Buffer.alloc(0),
      query,
    })
    response.writeHead(200, { location: `${double.address}${url.pathname}?upload_id=${id}` }).end()
  }
}

async function takePart(
  double: GcsDouble,
  { request, response }: Exchange,
  session: UploadSession,
): Promise<void> {
  const body = await buffer(request)
  const range = request.headers['content-range'] ?? ''
  double.uploads.parts.push(range)
  const isQuestion = range === 'bytes */*'
  const fault = isQuestion ? 'none' : (double.uploads.faults.shift() ?? 'none')
  if (typeof fault === 'number') return void response.writeHead(fault).end()
  if (fault === 'lost') return void response.destroy()
  if (fault === 'damaged') body[0] = Number(body[0]) ^ 1
  const taken = fault === 'broken off' ? body.subarray(0, unit) : body
  const status =
    isQuestion || session.written ? 200 : store(double, session, { range, taken, whole: body, request })
  if (fault === 'unanswered' || fault === 'broken off') return void response.destroy()
  if (status !== 200) response.writeHead(status).end()
  else if (session.written)
    response
      .writeHead(200, { 'content-type': 'application/json' })
      .end(JSON.stringify(metadata(session.key, session.written)))
  else {
    const { length } = session.held
    response.writeHead(308, length > 0 ? { range: `bytes=0-${length - 1}` } : {}).end()
  }
}

interface Arrived {
  range: string
  taken: Buffer
  whole: Buffer
  request: IncomingMessage
}

/** The status, 200 for what was taken. */
function store(double: GcsDouble, session: UploadSession, { range, taken, whole, request }: Arrived): number {
  const [, span = '', total = ''] = /^bytes (\*|\d+-\d+)\/(\*|\d+)$/.exec(range) ?? []
  const [first = session.held.length, last = first - 1] = span === '*' ? [] : span.split('-').map(Number)
  if (first !== session.held.length || last - first + 1 !== whole.length) return 503
  if (total === '*' && whole.length % unit !== 0) return 400
  session.held = Buffer.concat([session.held, taken])
  if (total === '*' || session.held.length !== Number(total)) return 200
  const md5 = createHash('md5').update(session.held).digest('base64')
  const told = /md5=(\S+)/.exec(String(request.headers['x-goog-hash'] ?? ''))?.[1]
  if (told !== undefined && told !== md5) return 400
  const bucket = double.buckets.get(session.bucket)
  if (session.onlyIfAbsent && bucket?.objects.has(session.key)) return 412
  double.put(session.bucket, session.key, session.held, session.facts)
  const written = bucket?.objects.get(session.key)
  if (written) session.written = written
  return 200
}
