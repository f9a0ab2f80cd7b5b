/**
 * A server on loopback that speaks the part of S3's protocol that Celldrop uses, for tests: signatures, checksums and conditions are
 * verified, unknown requests are refused. Objects live in memory.
 *
 * `onCall` sees each request before it is performed and may break it: this is how tests meet a busy server, a lost answer, a body
 * that is cut short, or another writer between two ranges.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { buffer } from 'node:stream/consumers'
import { S3Client } from '@aws-sdk/client-s3'
import { type Bucket, makeBucket, putObject } from './objects.ts'
import { type Answer, type Call, perform } from './operations.ts'
import { S3Error } from './s3-error.ts'
import { type Credentials, type SignedRequest, verifySignature } from './signature.ts'
import { xmlDocument } from './xml.ts'

export type Fault =
  | { kind: 'answer'; status: number; code: string }
  /** the whole length is announced, and this many bytes come */
  | { kind: 'cut'; bytes: number }
  /** the request is performed, and its answer lost */
  | { kind: 'lose-answer' }

export interface S3Double {
  endpoint: string
  credentials: Credentials
  /** what has been asked, as `GET bucket/key` */
  calls: string[]
  buckets: Map<string, Bucket>
  onCall: ((call: Call) => Fault | undefined) | undefined
  client(): S3Client
  addBucket(name: string, options?: { versioned?: boolean }): void
  /** as another writer would, without a request */
  put(bucket: string, key: string, content: string): void
  [Symbol.asyncDispose](): Promise<void>
}

export const doubleCredentials: Credentials = {
  accessKeyId: 'AKIADOUBLE',
  secretAccessKey: 'known+to/both=sides',
}

export async function startS3Double(): Promise<S3Double> {
  const clients: S3Client[] = []
  const server = createServer((request, response) => {
    answer(double, request, response).catch(() => response.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the double has no port')
  const double: S3Double = {
    endpoint: `http://127.0.0.1:${address.port}`,
    credentials: doubleCredentials,
    calls: [],
    buckets: new Map(),
    onCall: undefined,
    client() {
      const client = new S3Client({
        endpoint: this.endpoint,
        region: 'us-east-1',
        credentials: this.credentials,
      })
      clients.push(client)
      return client
    },
    addBucket(name, { versioned = false } = {}) {
      this.buckets.set(name, makeBucket(versioned))
    },
    put(name, key, content) {
      const bucket = this.buckets.get(name)
      if (!bucket) throw new Error(`no bucket ${name}`)
      putObject(bucket, key, { content: { bytes: Buffer.from(content) }, headers: [], conditions: {} })
    },
    async [Symbol.asyncDispose]() {
      for (const client of clients) client.destroy()
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  return double
}

async function answer(double: S3Double, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const signed = readHead(request)
  const [bucket = '', ...rest] = signed.path.slice(1).split('/')
  const key = rest.join('/')
  let fault: Fault | undefined
  let result: Answer
  try {
    const body = await buffer(request)
    const signature = verifySignature(signed, double.credentials, new Date())
    if (bucket === '') throw new S3Error(501, 'NotImplemented', 'the double does not list buckets')
    const call: Call = { ...signed, ...withQueryHeaders(signed), bucket, key, body, signature }
    double.calls.push(`${call.method} ${bucket}/${key}`)
    fault = double.onCall?.(call)
    if (fault?.kind === 'answer')
      throw new S3Error(fault.status, fault.code, 'a fault that the test asked for')
    result = perform(call, double.buckets)
  } catch (error) {
    const { status, code, message } =
      error instanceof S3Error ? error : new S3Error(500, 'InternalError', String(error))
    const body = xmlDocument([
      'Error',
      [
        ['Code', code],
        ['Message', message],
      ],
    ])
    result = { status, headers: [['content-type', 'application/xml']], body }
  }
  if (fault?.kind === 'lose-answer') response.destroy()
  else send(request, response, { result, cut: fault?.kind === 'cut' ? fault.bytes : undefined })
}

function readHead(request: IncomingMessage): SignedRequest {
  const [path = '', query = ''] = (request.url ?? '').split(/\?(.*)/s)
  const pairs = query.split('&').filter(Boolean)
  return {
    method: request.method ?? '',
    path: decodeURIComponent(path),
    query: pairs.map((pair): [string, string] => {
      const [name = '', value = ''] = pair.split(/=(.*)/s)
      return [decodeURIComponent(name), decodeURIComponent(value)]
    }),
    headers: new Map(Object.entries(request.headers).map(([name, value]) => [name, String(value)])),
  }
}

/** Presigned links carry headers in the query; `x-id` only names the operation. */
function withQueryHeaders({ query, headers }: SignedRequest): Pick<Call, 'headers' | 'parameters'> {
  const parameters = query.filter(([name]) => !/^x-amz-/i.test(name) && name !== 'x-id')
  const hoisted = query.filter(([name]) => name.startsWith('x-amz-'))
  return { headers: new Map([...headers, ...hoisted]), parameters: new Map(parameters) }
}

function send(
  request: IncomingMessage,
  response: ServerResponse,
  { result, cut }: { result: Answer; cut: number | undefined },
): void {
  const body = Buffer.from(result.body ?? '')
  response.writeHead(
    result.status,
    [...(result.headers ?? []), ['content-length', String(body.length)]].flat(),
  )
  if (request.method === 'HEAD') response.end()
  else if (cut === undefined) response.end(body)
  else response.write(body.subarray(0, cut), () => response.destroy())
}
