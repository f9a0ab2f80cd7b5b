/**
 * A web server on loopback for tests: it knows ranges, ETags, dates and conditions as a careful server does, and `onCall` makes it do
 * otherwise. With `secure` it speaks TLS under a certificate that only tests trust: the key is here for all to see.
 */
import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'

export interface WebFile {
  bytes: Uint8Array
  /** '' for none; a strong one of the content when absent */
  etag?: string
  /** none when absent */
  modified?: string
}

export interface WebCall {
  method: string
  /** with its query */
  path: string
  headers: IncomingMessage['headers']
}

export interface WebDouble {
  address: string
  port: number
  calls: WebCall[]
  /** by path */
  files: Map<string, WebFile>
  knowsRanges: boolean
  /** true where it has answered itself */
  onCall: ((call: WebCall, response: ServerResponse) => boolean) | undefined
  /** connections that were made, whatever came of them */
  connections: number
  [Symbol.asyncDispose](): Promise<void>
}

export async function startWebDouble({ secure = false } = {}): Promise<WebDouble> {
  const listener: RequestListener = (request, response) => answer(double, request, response)
  const server = secure
    ? createTlsServer({ key: testKey, cert: testCertificate }, listener)
    : createServer(listener)
  server.on('connection', () => double.connections++)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const double: WebDouble = {
    address: `${secure ? 'https' : 'http'}://127.0.0.1:${port}`,
    port,
    calls: [],
    files: new Map(),
    knowsRanges: true,
    onCall: undefined,
    connections: 0,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  return double
}

export function etagOf(bytes: Uint8Array): string {
  return `"${createHash('sha1').update(bytes).digest('hex')}"`
}

function answer(double: WebDouble, request: IncomingMessage, response: ServerResponse): void {
  const call = { method: request.method ?? '', path: request.url ?? '', headers: request.headers }
  double.calls.push(call)
  response.on('error', () => undefined)
  if (double.onCall?.(call, response)) return
  const file = double.files.get(call.path.replace(/\?.*$/, ''))
  if (file === undefined) response.writeHead(404).end('not here')
  else sendFile(file, { call, response, knowsRanges: double.knowsRanges })
}

export function sendFile(
  { bytes, etag = etagOf(bytes), modified }: WebFile,
  { call, response, knowsRanges }: { call: WebCall; response: ServerResponse; knowsRanges: boolean },
): void {
  const { headers } = call
  const facts = { ...(etag && { etag }), ...(modified !== undefined && { 'last-modified': modified }) }
  const since = Date.parse(headers['if-unmodified-since'] ?? '')
  const isOther = headers['if-match'] !== undefined && headers['if-match'] !== etag
  if (isOther || (modified !== undefined && Date.parse(modified) > since)) {
    response.writeHead(412).end()
    return
  }
  const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(knowsRanges ? (headers.range ?? '') : '') ?? []
  const body = (content: Uint8Array) => (call.method === 'HEAD' ? undefined : content)
  if (first === undefined) {
    response.writeHead(200, { ...facts, 'content-length': bytes.length }).end(body(bytes))
  } else if (Number(first) >= bytes.length) {
    response.writeHead(416, { 'content-range': `bytes */${bytes.length}` }).end()
  } else {
    const end = Math.min(last ? Number(last) : Number.POSITIVE_INFINITY, bytes.length - 1)
    const part = bytes.subarray(Number(first), end + 1)
    const told = { 'content-range': `bytes ${first}-${end}/${bytes.length}`, 'content-length': part.length }
    response.writeHead(206, { ...facts, ...told }).end(body(part))
  }
}

export const testCertificate = `-----BEGIN CERTIFICATE-----
MIIBqzCCAVCgAwIBAgIUXUbo1Tx2Ec9h8mY+k/0AVRl17e8wCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMTEwNTg0M1oYDzIxMjYxMDI4
MTA1ODQzWjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAATNP9m/VEZWIzNdRrQOCPJuyyiDks7Vza/cjLIxmlApQQhNgfAeoyDQ
kFgMNSWLBMAw109VxThgAi/yNf+Rv6bIo34wfDAdBgNVHQ4EFgQUZKBzfgpnGgMH
enSaZRDmnKaE3ukwHwYDVR0jBBgwFoAUZKBzfgpnGgMHenSaZRDmnKaE3ukwDwYD
VR0TAQH/BAUwAwEB/zApBgNVHREEIjAggglsb2NhbGhvc3SCDWZpbGVzLmV4YW1w
bGWHBH8AAAEwCgYIKoZIzj0EAwIDSQAwRgIhAJYS1MsQOLK2p7zHdv41edCaR8T5
ieFfXva+OHu6Pz4lAiEAo5RFlyEUito+svNtX+Py5WcA9lykWbIrN68x8Jj2Uy0=
-----END CERTIFICATE-----`

const testKey = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg3/ySXapJxh98d0og
/UjnP67iSJBVMYNpzg62zkYz+fmhRANCAATNP9m/VEZWIzNdRrQOCPJuyyiDks7V
za/cjLIxmlApQQhNgfAeoyDQkFgMNSWLBMAw109VxThgAi/yNf+Rv6bI
-----END PRIVATE KEY-----`
