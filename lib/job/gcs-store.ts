/**
 * The read-only object store over a bucket of Google Cloud Storage, by its JSON API: public buckets without credentials, others with
 * those of gcs-credentials.ts. `@google-cloud/storage` is not worth its forty packages for three kinds of request.
 *
 * A content is pinned by its generation, which is asked for in every request. Its etag here is the MD5 that Google keeps, since Google's
 * own changes with the metadata too. Traps: an object of another generation is 404, as is one that is gone; what was stored with
 * `Content-Encoding: gzip` is unpacked on its way and has no ranges.
 */
import { z } from 'zod'
import { BadInput, StoreFailure } from './errors.ts'
import { googleToken } from './gcs-credentials.ts'
import { checkKey, checkRange } from './object-key.ts'
import type { ObjectInfo, ObjectStore, Pin } from './store.ts'
import type { Environment } from './stores.ts'
import { isLoopbackHost } from './web-address.ts'
import type { WebSource } from './web-answer.ts'
import { badAnswer, readOnly, statusFailure, unsupportedAnswer } from './web-errors.ts'
import { readWebObject, readWebRange, streamWebObject } from './web-read.ts'
import { letGo, openWeb, readSmall, type Web, type WebAnswer, type WebOptions } from './web-request.ts'
import { takingCharge } from './write-body.ts'

export interface GcsStoreOptions extends WebOptions {
  bucket: string
  /** put before every key, with one slash between */
  prefix?: string
  /** GOOGLE_APPLICATION_CREDENTIALS, STORAGE_EMULATOR_HOST */
  environment: Environment
  /** milliseconds since 1970 */
  clock?: () => number
}

const google = 'https://storage.googleapis.com'
const mostMetadataBytes = 1 << 20
const mostListingBytes = 32 << 20
const objectFields = 'name,size,generation,md5Hash,updated,contentEncoding'

/** No request is made yet. @throws BadInput CONFIGURATION where STORAGE_EMULATOR_HOST is not on this machine */
export function openGcsStore(options: GcsStoreOptions): ObjectStore {
  const { bucket, prefix = '' } = options
  const base = prefix.replace(/\/+$/, '') === '' ? '' : `${prefix.replace(/\/+$/, '')}/`
  const place = `gs://${bucket}/${base}`.replace(/\/$/, '')
  const service = serviceOf(options)
  const source = gcsSource({ bucket, base, place }, service)
  return {
    place,
    head: async (key) => source.head(key),
    async readRange(key, range, pin) {
      checkRange(range)
      return readWebRange(source, key, { range, pin })
    },
    read: async (key, asked) => readWebObject(source, key, asked),
    openRead: async (key, pin) => streamWebObject(source, key, pin),
    write: (key, body) => takingCharge(body, () => Promise.reject(readOnly(source.nameOf(key)))),
    async *list(keyPrefix) {
      for await (const info of listBucket({ bucket, place }, base + keyPrefix, service)) {
        const key = info.key.slice(base.length)
        if (key !== '') yield { ...info, key }
      }
    },
    remove: async (key) => {
      throw readOnly(source.nameOf(key))
    },
  }
}

interface Service {
  web: Web
  signIn: string
  /** a request below /storage/v1/, with the credentials that there are */
  ask(
    path: string,
    request: { place: string; query: Record<string, string>; range?: string; bytes: number },
  ): Promise<WebAnswer>
}

function serviceOf({ bucket: _, environment, clock = wallClock, ...options }: GcsStoreOptions): Service {
  const emulator = emulatorOf(environment)
  const web = openWeb({ ...options, isLocal: options.isLocal || emulator !== undefined })
  const file = environment.GOOGLE_APPLICATION_CREDENTIALS
  const token = file
    ? googleToken({ file, web, clock, ...(emulator !== undefined && { emulator }) })
    : undefined
  const signIn = file
    ? `Give the account of ${file} the role "Storage Object Viewer" on this bucket`
    : 'Set GOOGLE_APPLICATION_CREDENTIALS to the key file of an account that may read this bucket'
  return {
    web,
    signIn,
    async ask(path, { place, query, range, bytes }) {
      const url = new URL(`${emulator ?? google}/storage/v1/${path}?${new URLSearchParams(query)}`)
      const headers = {
        ...(range !== undefined && { range }),
        ...(token && { authorization: `Bearer ${await token()}` }),
      }
      return web.ask(url, { place, headers, bytes })
    },
  }
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

interface Bucket {
  bucket: string
  /** of the keys: '' or ending in a slash */
  base: string
  place: string
}

function gcsSource({ bucket, base, place }: Bucket, { web, ask, signIn }: Service): WebSource {
  const nameOf = (key: string) => `${place}/${key}`
  const pathOf = (key: string) => {
    checkKey(place, key)
    checkKey(`gs://${bucket}`, base + key)
    return `b/${encodeURIComponent(bucket)}/o/${encodeURIComponent(base + key)}`
  }
  return {
    web,
    signIn,
    nameOf,
    async head(key) {
      const named = { place: nameOf(key), query: { fields: objectFields }, bytes: mostMetadataBytes }
      const answer = await ask(pathOf(key), named)
      if (answer.status === 404) {
        letGo(answer)
        return undefined
      }
      const told = await jsonAnswer(answer, { place: nameOf(key), mostBytes: mostMetadataBytes, signIn })
      refuseStoredGzip(told, nameOf(key))
      return infoOf(told, key, nameOf(key))
    },
    ask: (key, { pin, range, bytes }) =>
      ask(pathOf(key), {
        place: nameOf(key),
        bytes,
        query: { alt: 'media', ...generationOf(pin) },
        ...(range !== undefined && { range }),
      }),
    isPinned: ({ headers }, _, { versionId }) => {
      const generation = headers['x-goog-generation']
      return generation === undefined || versionId === undefined || generation === versionId
    },
    hasIdentity: ({ versionId }) => versionId !== undefined,
  }
}

function generationOf(pin: Pin | undefined): Record<string, string> {
  if (pin?.versionId === undefined) return {}
  return { generation: pin.versionId, ifGenerationMatch: pin.versionId }
}

const objectAnswer = z.object({
  name: z.string(),
  size: z.string().regex(/^\d{1,15}$/),
  generation: z.string().regex(/^\d{1,20}$/),
  md5Hash: z
    .string()
    .regex(/^[A-Za-z0-9+/]{22}==$/)
    .optional(),
  updated: z.iso.datetime({ offset: true }),
})

function infoOf(told: unknown, key: string, place: string): ObjectInfo {
  const parsed = objectAnswer.safeParse(told)
  if (!parsed.success) throw badAnswer(place, 'the answer lacks size, generation or date')
  const { size, generation, md5Hash, updated } = parsed.data
  const md5 = md5Hash === undefined ? undefined : Buffer.from(md5Hash, 'base64').toString('hex')
  return {
    key,
    size: Number(size),
    etag: md5 === undefined ? `"generation-${generation}"` : `"${md5}"`,
    versionId: generation,
    modified: Date.parse(updated),
    ...(md5 !== undefined && { md5 }),
  }
}

function refuseStoredGzip(told: unknown, place: string): void {
  if (z.object({ contentEncoding: z.literal('gzip') }).safeParse(told).success)
    throw unsupportedAnswer(
      place,
      'it is stored with Content-Encoding: gzip, which Google unpacks on its way',
    )
}

async function jsonAnswer(
  answer: WebAnswer,
  { place, mostBytes, signIn }: { place: string; mostBytes: number; signIn: string },
): Promise<unknown> {
  const { status } = answer
  if (status !== 200) {
    letGo(answer)
    throw statusFailure({ status, place, remedy: signIn })
  }
  const bytes = await readSmall(answer, { place, mostBytes })
  try {
    return JSON.parse(new TextDecoder().decode(bytes))
  } catch {
    throw badAnswer(place, 'the answer is not JSON')
  }
}

const listingAnswer = z.object({
  items: z.array(z.unknown()).max(10_000).optional(),
  nextPageToken: z.string().min(1).optional(),
})

async function* listBucket(
  { bucket, place }: { bucket: string; place: string },
  prefix: string,
  { ask, signIn }: Service,
): AsyncGenerator<ObjectInfo> {
  let pageToken: string | undefined
  let previous = Buffer.alloc(0)
  do {
    const fields = `items(${objectFields}),nextPageToken`
    const query = { prefix, fields, ...(pageToken !== undefined && { pageToken }) }
    const path = `b/${encodeURIComponent(bucket)}/o`
    const answer = await ask(path, { place, query, bytes: mostListingBytes })
    if (answer.status === 404) {
      letGo(answer)
      throw new StoreFailure('BUCKET_MISSING', place, 'there is no such bucket', 'Check the name')
    }
    const told = listingAnswer.safeParse(
      await jsonAnswer(answer, { place, mostBytes: mostListingBytes, signIn }),
    )
    if (!told.success) throw badAnswer(place, 'the listing cannot be used')
    for (const item of told.data.items ?? []) {
      const { name: key } = z.object({ name: z.string() }).catch({ name: '' }).parse(item)
      const bytes = Buffer.from(key)
      if (!key.startsWith(prefix) || bytes.compare(previous) <= 0)
        throw badAnswer(place, 'the listing cannot be used: it is out of order')
      previous = bytes
      yield infoOf(item, key, `gs://${bucket}/${key}`)
    }
    pageToken = told.data.nextPageToken
  } while (pageToken !== undefined)
}
