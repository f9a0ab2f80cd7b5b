/**
 * Asking Google Cloud Storage: where it is, as whom, and how often. Public buckets need no credentials, others those of gcs-credentials.ts.
 *
 * STORAGE_EMULATOR_HOST names a server that stands in for Google's, as it does for Google's own libraries; only one on this machine counts.
 * Passing failures are tried again three times, after one second and then ever later. Trap: what writes asks for a token of its own, so that
 * who only reads never holds one that could write.
 */
import { BadInput } from './errors.ts'
import { gcsScopes, googleToken } from './gcs-credentials.ts'
import type { Environment } from './stores.ts'
import { isLoopbackHost } from './web-address.ts'
import { openWeb, type Web, type WebAnswer, type WebOptions, type WebRequest } from './web-request.ts'

export interface GcsServiceOptions extends WebOptions {
  /** GOOGLE_APPLICATION_CREDENTIALS, STORAGE_EMULATOR_HOST */
  environment: Environment
  /** milliseconds since 1970 */
  clock?: () => number
}

export type GcsAct = 'read' | 'write'

export interface GcsService {
  web: Web
  /** scheme and host, of Google or of what stands in for it */
  origin: string
  /** what to do where access is denied */
  signIn: Record<GcsAct, string>
  /** one request, with the credentials that there are for this act */
  ask(url: URL, request: WebRequest & { act: GcsAct }): Promise<WebAnswer>
}

const google = 'https://storage.googleapis.com'
const firstRestMs = 1000

/** No request is made yet. @throws BadInput CONFIGURATION where STORAGE_EMULATOR_HOST is not on this machine */
export function openGcsService({
  environment,
  clock = wallClock,
  ...options
}: GcsServiceOptions): GcsService {
  const emulator = emulatorOf(environment)
  const web = openWeb({ firstRestMs, ...options, isLocal: options.isLocal || emulator !== undefined })
  const file = environment.GOOGLE_APPLICATION_CREDENTIALS
  const tokenFor = (scope: string) =>
    file ? googleToken({ file, web, clock, scope, ...(emulator !== undefined && { emulator }) }) : undefined
  const tokens = { read: tokenFor(gcsScopes.read), write: tokenFor(gcsScopes.write) }
  return {
    web,
    origin: emulator ?? google,
    signIn: { read: remedyFor('read', file), write: remedyFor('write', file) },
    async ask(url, { act, headers, ...request }) {
      const token = await tokens[act]?.()
      const signed = { ...headers, ...(token !== undefined && { authorization: `Bearer ${token}` }) }
      return web.ask(url, { ...request, headers: signed })
    },
  }
}

function remedyFor(act: GcsAct, file: string | undefined): string {
  const role = act === 'read' ? 'Storage Object Viewer' : 'Storage Object User'
  return file
    ? `Give the account of ${file} the role "${role}" on this bucket`
    : `Set GOOGLE_APPLICATION_CREDENTIALS to the key file of an account that may ${act === 'read' ? 'read this bucket' : 'write to this bucket'}`
}

/** One object of a bucket, and who is asked for it. */
export interface GcsObject {
  service: GcsService
  bucket: string
  key: string
  /** with the prefix of the store */
  fullKey: string
  /** how it is named to a person */
  place: string
}

/** The address of an object's metadata, or of a bucket's list where there is no key. */
export function gcsUrl(
  { origin }: Pick<GcsService, 'origin'>,
  { bucket, fullKey, query }: { bucket: string; fullKey?: string; query: Record<string, string> },
): URL {
  const object = fullKey === undefined ? '' : `/${encodeURIComponent(fullKey)}`
  return new URL(
    `${origin}/storage/v1/b/${encodeURIComponent(bucket)}/o${object}?${new URLSearchParams(query)}`,
  )
}

function wallClock(): number {
  return performance.timeOrigin + performance.now()
}

function emulatorOf({ STORAGE_EMULATOR_HOST: host }: Environment): string | undefined {
  if (!host) return undefined
  const named = host.includes('://') ? host : `http://${host}`
  const url = URL.canParse(named) ? new URL(named) : undefined
  if (url && /^https?:$/.test(url.protocol) && isLoopbackHost(url.hostname)) return url.origin
  const remedy = 'Leave it unset, or name a server on this machine, such as localhost:4443'
  throw new BadInput('CONFIGURATION', 'STORAGE_EMULATOR_HOST', 'this is no server on this machine', remedy)
}
