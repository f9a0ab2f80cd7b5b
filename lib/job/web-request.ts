/**
 * Requests to the web: redirects followed with care, passing failures tried again, and none of it without an end.
 *
 * A server that is silent for a minute, or slower than 16 KiB/s on the whole, counts as broken. Redirects lead to https only, within
 * reach (web-guard.ts), and credentials stay with the host that they were meant for. Trap: a connection that is kept alive was let
 * through under one reach and must not serve another, so each reach has its own.
 */
import { Agent, type IncomingHttpHeaders, type IncomingMessage, request as requestHttp } from 'node:http'
import { request as requestHttps, Agent as TlsAgent } from 'node:https'
import { setTimeout as waitFor } from 'node:timers/promises'
import { isCoded, StoreFailure, StoreUnavailable } from './errors.ts'
import { product } from './product.ts'
import { isLoopbackHost } from './web-address.ts'
import { brokenOff, connectionFailure, isPassing } from './web-errors.ts'
import { checkHost, guardedLookup, type Reach } from './web-guard.ts'

export interface WebOptions {
  /** on a person's own machine, where private networks and servers on the machine may be read */
  isLocal: boolean
  /** of the network and its servers; a test gives its own */
  wait?: (milliseconds: number) => Promise<unknown>
  /** how often one thing is asked for, 4 when absent */
  tries?: number
  /** the first rest between tries, a quarter of a second when absent; each is three times the last */
  firstRestMs?: number
  /** silence that counts as broken, a minute when absent */
  patienceMs?: number
  /** PEM of authorities that sign certificates, in place of the public ones */
  authorities?: string
}

export interface WebRequest {
  /** how the object is named to a person */
  place: string
  method?: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE'
  headers?: Readonly<Record<string, string>>
  body?: string | Uint8Array
  /** in place of the usual number, for what must not be sent twice unasked */
  tries?: number
  /** how much is expected at most: a limit of time follows from it */
  bytes?: number
  /** where the address came from a redirect: the reach that it was followed under */
  reach?: Reach
  signal?: AbortSignal
}

export interface WebAnswer {
  status: number
  headers: IncomingHttpHeaders
  body: IncomingMessage
  /** where the answer came from in the end, and how far it was allowed to lead */
  url: URL
  reach: Reach
}

export interface Web {
  readonly tries: number
  /** Backs off: longer after each failure. */
  rest(failures: number): Promise<unknown>
  /**
   * The first answer that is neither a redirect nor a passing failure, whatever its status. Its body must be read or let go.
   * @throws BadInput SOURCE_REFUSED; StoreFailure REDIRECT_REFUSED, HOST_NOT_FOUND, CERTIFICATE_REFUSED; StoreUnavailable READ_FAILED
   */
  ask(url: URL, request: WebRequest): Promise<WebAnswer>
}

const mostRedirects = 10
const longestRestMs = 60_000
const slowestBytesPerMs = 16.384
const longestTimerMs = 2 ** 31 - 1

/** No request is made yet. */
export function openWeb(options: WebOptions): Web {
  const { wait = waitFor, tries = 4, firstRestMs = 250, patienceMs = 60_000 } = options
  const agentOf = agents(options)
  const rest = (failures: number) => wait(Math.min(longestRestMs, firstRestMs * 3 ** (failures - 1)))
  const send = (hop: Hop, request: WebRequest) =>
    exchange(hop, request, { agent: agentOf(hop), patienceMs }).catch((error: unknown) => {
      request.signal?.throwIfAborted()
      throw connectionFailure(error, request.place)
    })
  return {
    tries,
    rest,
    async ask(url, request) {
      const most = request.tries ?? tries
      for (let tried = 1; ; tried++) {
        const answer = await follow(url, request, { send, isLocal: options.isLocal }).catch(
          (error: unknown) => {
            if (error instanceof StoreUnavailable && tried < most) return undefined
            throw error
          },
        )
        if (answer && (!isPassing(answer.status) || answer.status === 501)) return answer
        if (answer) {
          letGo(answer)
          const pause = pauseOf(answer)
          if (tried === most || pause > longestRestMs) throw busy(request.place, answer.status)
          if (pause > 0) await wait(pause)
        }
        await rest(tried)
      }
    },
  }
}

/** A body that is not wanted: read to its end where that is cheaper than a new connection. */
export function letGo({ body }: Pick<WebAnswer, 'body'>): void {
  const isSmall = Number(body.headers['content-length'] ?? Number.NaN) <= 1 << 16
  if (isSmall || body.complete) body.resume()
  else body.destroy()
}

interface Hop {
  url: URL
  reach: Reach
}

interface Route {
  send(hop: Hop, request: WebRequest): Promise<IncomingMessage>
  isLocal: boolean
}

async function follow(start: URL, request: WebRequest, { send, isLocal }: Route): Promise<WebAnswer> {
  let url = start
  let reach: Reach = isLocal ? (request.reach ?? 'all') : 'public'
  let asked = request
  for (let redirects = 0; ; redirects++) {
    checkHost(url, reach)
    const body = await send({ url, reach }, asked)
    const status = body.statusCode ?? 0
    const { location } = body.headers
    if (![301, 302, 303, 307, 308].includes(status) || location === undefined)
      return { status, headers: body.headers, body, url, reach }
    letGo({ body })
    if (redirects === mostRedirects) throw redirectRefused(request.place, 'it never ends')
    if (!/^(GET|HEAD)$/.test(request.method ?? 'GET'))
      throw redirectRefused(request.place, 'nothing is sent to where it leads')
    const next = nextUrl(location, url, request.place)
    if (isLocal) reach = isLoopbackHost(url.hostname) ? 'all' : 'network'
    if (next.protocol !== 'https:' && !(reach === 'all' && isLoopbackHost(next.hostname)))
      throw redirectRefused(request.place, 'it leads to an address that is not https://')
    if (next.origin !== url.origin) asked = withoutCredentials(asked)
    url = next
  }
}

function nextUrl(location: string, from: URL, place: string): URL {
  if (!URL.canParse(location, from.href)) throw redirectRefused(place, 'it leads to no address')
  const next = new URL(location, from)
  if (next.username !== '' || next.password !== '')
    throw redirectRefused(place, 'it leads to an address with a password')
  if (!/^https?:$/.test(next.protocol)) throw redirectRefused(place, 'it leads out of the web')
  return next
}

function withoutCredentials(request: WebRequest): WebRequest {
  const { authorization: _, ...headers } = request.headers ?? {}
  return { ...request, headers }
}

interface Connection {
  agent: Agent
  patienceMs: number
}

function exchange(
  { url }: Hop,
  request: WebRequest,
  { agent, patienceMs }: Connection,
): Promise<IncomingMessage> {
  const expectedMs = Math.ceil((request.bytes ?? 1 << 20) / slowestBytesPerMs)
  const longestMs = Math.min(longestTimerMs, patienceMs + expectedMs)
  const limit = AbortSignal.timeout(longestMs)
  const signal = request.signal ? AbortSignal.any([request.signal, limit]) : limit
  const headers = {
    'user-agent': `${product.name}/${product.version}`,
    'accept-encoding': 'identity',
    ...request.headers,
    ...(request.body !== undefined && { 'content-length': String(Buffer.byteLength(request.body)) }),
  }
  return new Promise((resolve, reject) => {
    const open = url.protocol === 'https:' ? requestHttps : requestHttp
    const sent = open(url, { method: request.method ?? 'GET', headers, agent, signal, timeout: patienceMs })
    sent.on('timeout', () => sent.destroy(new Error('the server was silent for too long')))
    sent.on('error', reject)
    sent.on('response', (answer) => {
      answer.on('error', () => undefined) // whoever reads it gets the error
      resolve(answer)
    })
    sent.end(request.body)
  })
}

function agents({ authorities }: WebOptions): (hop: Hop) => Agent {
  const made = new Map<string, Agent>()
  return ({ url, reach }) => {
    const name = `${url.protocol}${reach}`
    let agent = made.get(name)
    if (agent === undefined) {
      const shared = { keepAlive: true, maxSockets: 8, lookup: guardedLookup(reach) }
      agent =
        url.protocol === 'https:'
          ? new TlsAgent({ ...shared, ...(authorities !== undefined && { ca: authorities }) })
          : new Agent(shared)
      made.set(name, agent)
    }
    return agent
  }
}

/** How long the server asks to be left alone, beyond what is waited anyway. Dates are not heeded. */
function pauseOf({ headers }: WebAnswer): number {
  const asked = headers['retry-after']
  return asked !== undefined && /^\d{1,6}$/.test(asked) ? Number(asked) * 1000 : 0
}

function busy(place: string, status: number): StoreUnavailable {
  const remedy = 'Run again in a while'
  return new StoreUnavailable('READ_FAILED', place, `the server answered ${status} and stays busy`, remedy)
}

function redirectRefused(place: string, problem: string): StoreFailure {
  const remedy = 'Open the address in a browser and give the one that the download comes from'
  return new StoreFailure('REDIRECT_REFUSED', place, `the server redirects, and ${problem}`, remedy)
}

/** A whole body of at most so many bytes. @returns undefined where there are more. @throws StoreUnavailable when it breaks off */
export async function readSmall(
  answer: WebAnswer,
  { place, mostBytes }: { place: string; mostBytes: number },
): Promise<Uint8Array | undefined> {
  const pieces: Uint8Array[] = []
  let size = 0
  try {
    for await (const piece of answer.body as AsyncIterable<Uint8Array>) {
      size += piece.length
      if (size > mostBytes) return undefined
      pieces.push(piece)
    }
  } catch (error) {
    throw isCoded(error) ? error : brokenOff(place, 'the content broke off', error)
  } finally {
    answer.body.destroy()
  }
  return Buffer.concat(pieces)
}
