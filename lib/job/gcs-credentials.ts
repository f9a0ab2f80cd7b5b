/**
 * Who asks Google Cloud Storage: the account whose key file GOOGLE_APPLICATION_CREDENTIALS names, or nobody in particular, which
 * public buckets allow. Keys of service accounts and the sign-in of a user (`gcloud auth application-default login`) are understood.
 *
 * google-auth-library would do this and twenty things more; a signed claim (RFC 7523) and a refresh token (RFC 6749, 6) are two small
 * requests. Trap: the file may come from anybody. It is read to a limit, sends its secret to googleapis.com only, and no error quotes it.
 */
import { createPrivateKey, createSign, type KeyObject } from 'node:crypto'
import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { z } from 'zod'
import { StoreFailure } from './errors.ts'
import { hasCode } from './folder-errors.ts'
import { readSmall, type Web } from './web-request.ts'

/** What a token allows, asked for by whoever needs it; a user's sign-in has the rights that it was given. */
export const gcsScopes = {
  read: 'https://www.googleapis.com/auth/devstorage.read_only',
  write: 'https://www.googleapis.com/auth/devstorage.read_write',
} as const

export interface GoogleCredentials {
  /** path of the key file */
  file: string
  web: Web
  /** milliseconds since 1970 */
  clock: () => number
  scope: string
  /** origin of a server that stands in for Google's, which may then hand out tokens too */
  emulator?: string
}

const mostKeyBytes = 64 << 10
const mostAnswerBytes = 64 << 10
const googleTokens = 'https://oauth2.googleapis.com/token'
/** a token is renewed before it ends: a request begun with it must not meet its end */
const marginMs = 120_000
const claimSeconds = 3600

const text = z.string().min(1).max(16_384)
const keyFile = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('service_account'),
    client_email: text,
    private_key: text,
    private_key_id: text.optional(),
    token_uri: text.default(googleTokens),
  }),
  z.object({
    type: z.literal('authorized_user'),
    client_id: text,
    client_secret: text,
    refresh_token: text,
    token_uri: text.default(googleTokens),
  }),
])
type KeyFile = z.infer<typeof keyFile>

const tokenAnswer = z.object({
  access_token: z
    .string()
    .max(8192)
    .regex(/^[\x21-\x7e]+$/),
  expires_in: z.number().positive().max(86_400).default(claimSeconds),
})

/**
 * A function that gives a token, asking for a new one when the last is about to end. Many callers at once make one request.
 * @throws StoreFailure CREDENTIALS_UNUSABLE, ACCESS_DENIED; StoreUnavailable READ_FAILED
 */
export function googleToken(credentials: GoogleCredentials): () => Promise<string> {
  let current: { token: Promise<string>; ends: number } | undefined
  const renew = async (): Promise<string> => {
    const fetched = await fetchToken(credentials)
    current = {
      token: Promise.resolve(fetched.token),
      ends: credentials.clock() + fetched.lastsMs - marginMs,
    }
    return fetched.token
  }
  return () => {
    if (current === undefined || credentials.clock() >= current.ends) {
      const token = renew().catch((error: unknown) => {
        current = undefined
        throw error
      })
      current = { token, ends: Number.POSITIVE_INFINITY }
    }
    return current.token
  }
}

async function fetchToken(credentials: GoogleCredentials): Promise<{ token: string; lastsMs: number }> {
  const { file, web, clock, scope } = credentials
  const key = await readKeyFile(file)
  const url = tokenUrl(key, credentials)
  const body = new URLSearchParams(
    key.type === 'service_account'
      ? {
          grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
          assertion: signedClaim(key, { now: clock(), scope, file }),
        }
      : {
          grant_type: 'refresh_token',
          client_id: key.client_id,
          client_secret: key.client_secret,
          refresh_token: key.refresh_token,
        },
  ).toString()
  const place = url.host
  const headers = { 'content-type': 'application/x-www-form-urlencoded' }
  const answer = await web.ask(url, { place, method: 'POST', headers, body, bytes: mostAnswerBytes })
  const told = await readSmall(answer, { place, mostBytes: mostAnswerBytes })
  const parsed = tokenAnswer.safeParse(jsonOf(told))
  if (answer.status === 200 && parsed.success)
    return { token: parsed.data.access_token, lastsMs: parsed.data.expires_in * 1000 }
  const remedy = 'Make a new key, or sign in again with `gcloud auth application-default login`'
  const problem = `${place} gave no token for this key (HTTP ${answer.status})`
  throw new StoreFailure('ACCESS_DENIED', file, problem, remedy)
}

async function readKeyFile(file: string): Promise<KeyFile> {
  const bytes = await readBounded(file)
  const value = jsonOf(bytes)
  const parsed = keyFile.safeParse(value)
  if (parsed.success) return parsed.data
  const known = z
    .object({ type: z.enum(['external_account', 'impersonated_service_account']) })
    .safeParse(value)
  if (known.success) throw unusable(file, `credentials of the type ${known.data.type} are not understood`)
  throw unusable(file, 'this is neither the key of a service account nor the sign-in of a user')
}

/** A pipe or a device would not end: only so much is read of whatever it is. */
async function readBounded(file: string): Promise<Uint8Array> {
  const handle = await open(file, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0)).catch(
    (error: unknown) => {
      throw unusable(file, hasCode(error, 'ENOENT') ? 'there is no such file' : 'the file cannot be read')
    },
  )
  try {
    if (!(await handle.stat()).isFile()) throw unusable(file, 'this is no plain file')
    const bytes = new Uint8Array(mostKeyBytes + 1)
    let filled = 0
    while (filled < bytes.length) {
      const { bytesRead } = await handle.read(bytes, filled, bytes.length - filled)
      if (bytesRead === 0) return bytes.subarray(0, filled)
      filled += bytesRead
    }
  } finally {
    await handle.close()
  }
  throw unusable(file, `the file is larger than ${mostKeyBytes} bytes`)
}

function jsonOf(bytes: Uint8Array | undefined): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes))
  } catch {
    return undefined // the parser's message would quote the file
  }
}

function tokenUrl({ token_uri: uri }: KeyFile, { file, emulator }: GoogleCredentials): URL {
  const url = URL.canParse(uri) ? new URL(uri) : undefined
  const isGoogle =
    url?.protocol === 'https:' && url.port === '' && /^[a-z0-9-]+\.googleapis\.com$/.test(url.hostname)
  if (url && url.username === '' && (isGoogle || (emulator !== undefined && url.origin === emulator)))
    return url
  throw unusable(file, 'its "token_uri" is not one of googleapis.com')
}

function signedClaim(
  key: Extract<KeyFile, { type: 'service_account' }>,
  { now, scope, file }: { now: number; scope: string; file: string },
): string {
  const issued = Math.floor(now / 1000)
  const header = {
    alg: 'RS256',
    typ: 'JWT',
    ...(key.private_key_id !== undefined && { kid: key.private_key_id }),
  }
  const claim = { iss: key.client_email, scope, aud: key.token_uri, iat: issued, exp: issued + claimSeconds }
  const content = [header, claim]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.')
  const signature = createSign('RSA-SHA256')
    .update(content)
    .sign(privateKey(key.private_key, file), 'base64url')
  return `${content}.${signature}`
}

function privateKey(pem: string, file: string): KeyObject {
  let key: KeyObject | undefined
  try {
    key = createPrivateKey(pem)
  } catch {
    // the error of the library may quote the key
  }
  if (key?.asymmetricKeyType === 'rsa') return key
  throw unusable(file, 'its "private_key" is not an RSA key')
}

function unusable(file: string, problem: string): StoreFailure {
  const remedy =
    'Set GOOGLE_APPLICATION_CREDENTIALS to a key file that is in order, or leave it unset for public buckets'
  return new StoreFailure('CREDENTIALS_UNUSABLE', file, problem, remedy)
}
