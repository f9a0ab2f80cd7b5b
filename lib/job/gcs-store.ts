/**
 * The object store over a bucket of Google Cloud Storage, by its JSON API (gcs-service.ts asks, gcs-write.ts writes).
 * `@google-cloud/storage` is not worth its forty packages for six kinds of request.
 *
 * A content is pinned by its generation, which is asked for in every request. Traps: an object of another generation is 404, as is one
 * that is gone; what was stored with `Content-Encoding: gzip` is unpacked on its way and has no ranges.
 */
import { z } from 'zod'
import { StoreFailure } from './errors.ts'
import { infoOf, jsonAnswer, mostMetadataBytes, objectFields } from './gcs-answer.ts'
import {
  type GcsObject,
  type GcsService,
  type GcsServiceOptions,
  gcsUrl,
  openGcsService,
} from './gcs-service.ts'
import { removeGcsObject, writeGcsObject } from './gcs-write.ts'
import { checkKey, checkRange } from './object-key.ts'
import type { ObjectInfo, ObjectStore, Pin } from './store.ts'
import { pinnedHead, type WebSource } from './web-answer.ts'
import { badAnswer, unsupportedAnswer } from './web-errors.ts'
import { readWebObject, readWebRange, streamWebObject } from './web-read.ts'
import { letGo } from './web-request.ts'
import { takingCharge } from './write-body.ts'

export interface GcsStoreOptions extends GcsServiceOptions {
  bucket: string
  /** put before every key, with one slash between */
  prefix?: string
}

const mostListingBytes = 32 << 20

/** No request is made yet. @throws BadInput CONFIGURATION where STORAGE_EMULATOR_HOST is not on this machine */
export function openGcsStore({ bucket, prefix = '', ...options }: GcsStoreOptions): ObjectStore {
  const base = prefix.replace(/\/+$/, '') === '' ? '' : `${prefix.replace(/\/+$/, '')}/`
  const place = `gs://${bucket}/${base}`.replace(/\/$/, '')
  const service = openGcsService(options)
  const object = (key: string): GcsObject => {
    checkKey(place, key)
    checkKey(`gs://${bucket}`, base + key) // the limit of 1024 bytes counts the prefix
    return { service, bucket, key, fullKey: base + key, place: `${place}/${key}` }
  }
  const source = gcsSource(service, { place, object })
  /** An etag alone cannot be asked for: what lies there must have it, and its generation is then read. */
  const withVersion = async (key: string, pin: Pin) =>
    pin.versionId === undefined ? pinnedHead(source, key, pin) : pin
  return {
    place,
    head: async (key) => source.head(key),
    async readRange(key, range, pin) {
      checkRange(range)
      return readWebRange(source, key, { range, pin: await withVersion(key, pin) })
    },
    async read(key, { maxBytes, pin }) {
      return readWebObject(source, key, { maxBytes, ...(pin && { pin: await withVersion(key, pin) }) })
    },
    openRead: async (key, pin) => streamWebObject(source, key, pin),
    write: (key, body, written) =>
      takingCharge(body, async () => writeGcsObject(object(key), body, written ?? {})),
    async *list(keyPrefix) {
      for await (const info of listBucket(service, { bucket, place, prefix: base + keyPrefix })) {
        const key = info.key.slice(base.length)
        if (key !== '') yield { ...info, key }
      }
    },
    remove: async (key) => removeGcsObject(object(key)),
  }
}

function gcsSource(
  service: GcsService,
  { place, object }: { place: string; object: (key: string) => GcsObject },
): WebSource {
  const { web, signIn } = service
  const nameOf = (key: string) => `${place}/${key}`
  const urlOf = (key: string, query: Record<string, string>) => gcsUrl(service, { ...object(key), query })
  return {
    web,
    signIn: signIn.read,
    nameOf,
    async head(key) {
      const named = { place: nameOf(key), act: 'read' as const, bytes: mostMetadataBytes }
      const answer = await service.ask(urlOf(key, { fields: objectFields }), named)
      if (answer.status === 404) {
        letGo(answer)
        return undefined
      }
      const limits = { place: nameOf(key), mostBytes: mostMetadataBytes, signIn: signIn.read }
      const told = await jsonAnswer(answer, limits)
      refuseStoredGzip(told, nameOf(key))
      return infoOf(told, key, nameOf(key))
    },
    ask: (key, { pin, range, bytes }) =>
      service.ask(urlOf(key, { alt: 'media', ...generationOf(pin) }), {
        place: nameOf(key),
        act: 'read',
        bytes,
        ...(range !== undefined && { headers: { range } }),
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

function refuseStoredGzip(told: unknown, place: string): void {
  if (z.object({ contentEncoding: z.literal('gzip') }).safeParse(told).success)
    throw unsupportedAnswer(
      place,
      'it is stored with Content-Encoding: gzip, which Google unpacks on its way',
    )
}

const listingAnswer = z.object({
  items: z.array(z.unknown()).max(10_000).optional(),
  nextPageToken: z.string().min(1).optional(),
})

async function* listBucket(
  service: GcsService,
  { bucket, place, prefix }: { bucket: string; place: string; prefix: string },
): AsyncGenerator<ObjectInfo> {
  let pageToken: string | undefined
  let previous = Buffer.alloc(0)
  do {
    const fields = `items(${objectFields}),nextPageToken`
    const query = { prefix, fields, ...(pageToken !== undefined && { pageToken }) }
    const answer = await service.ask(gcsUrl(service, { bucket, query }), {
      place,
      act: 'read',
      bytes: mostListingBytes,
    })
    if (answer.status === 404) {
      letGo(answer)
      throw new StoreFailure('BUCKET_MISSING', place, 'there is no such bucket', 'Check the name')
    }
    const told = listingAnswer.safeParse(
      await jsonAnswer(answer, { place, mostBytes: mostListingBytes, signIn: service.signIn.read }),
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
