/**
 * A resumable upload to Google Cloud Storage: begun, sent part by part, given up. A part that got no answer is not sent again blindly: the
 * upload is asked what it holds, and is gone on with from there. So a lost last answer is told from another writer's object too, since
 * the upload itself knows that it is done.
 *
 * Trap: an upload takes the name only with its last part, whose MD5 goes along: a damaged body is refused before. One that is not given up
 * by name is kept for a week.
 */
import { StoreFailure, StoreUnavailable } from './errors.ts'
import { infoOf, jsonAnswer, mostMetadataBytes, objectFields } from './gcs-answer.ts'
import type { GcsObject } from './gcs-service.ts'
import { objectExists } from './s3-errors.ts'
import type { ObjectInfo, WriteOptions } from './store.ts'
import { brokenOff, statusFailure } from './web-errors.ts'
import { letGo, type WebAnswer } from './web-request.ts'

export const runAgain = 'Run again; nothing was marked as done'

/** The address that takes the parts. Trap: whoever has it can write, so it leads to Google itself and is never shown. */
export async function startUpload(
  { service, bucket, fullKey, place }: GcsObject,
  { onlyIfAbsent = false, contentType }: WriteOptions,
): Promise<URL> {
  const query = new URLSearchParams({
    uploadType: 'resumable',
    name: fullKey,
    fields: objectFields,
    ...(onlyIfAbsent && { ifGenerationMatch: '0' }),
  })
  const url = new URL(`${service.origin}/upload/storage/v1/b/${encodeURIComponent(bucket)}/o?${query}`)
  const answer = await service.ask(url, {
    place,
    act: 'write',
    method: 'POST',
    headers: { 'content-type': 'application/json; charset=utf-8' },
    body: JSON.stringify(contentType === undefined ? {} : { contentType }),
  })
  letGo(answer)
  const { status, headers } = answer
  if (status === 412) throw objectExists(place, undefined)
  if (status === 404)
    throw new StoreFailure('BUCKET_MISSING', `gs://${bucket}`, 'there is no such bucket', 'Check the name')
  if (status !== 200 && status !== 201) throw statusFailure({ status, place, remedy: service.signIn.write })
  const session = URL.canParse(headers.location ?? '') ? new URL(headers.location ?? '') : undefined
  if (session?.origin !== service.origin) throw unconfirmed(place, 'the upload was given no address to go to')
  return session
}

export interface UploadPart {
  bytes: Uint8Array
  /** of its first byte in the object */
  offset: number
  /** of the whole object, which ends with this part */
  md5?: Buffer
}

/** What was written, once the last part has arrived. */
export async function sendPart(
  object: GcsObject,
  session: URL,
  part: UploadPart,
): Promise<ObjectInfo | undefined> {
  const { service, place } = object
  const end = part.offset + part.bytes.length
  let at = part.offset
  for (let failures = 0; ; ) {
    const answer = await put(object, session, { part, at }).catch((error: unknown) => {
      if (!(error instanceof StoreUnavailable)) throw error
      failures++
      return undefined
    })
    if (answer === undefined) {
      if (failures === service.web.tries) throw brokenOff(place, `the upload broke off ${failures} times`)
      await service.web.rest(failures)
    }
    const state = await stateOf(object, answer ?? (await askState(object, session)))
    if (state.written) {
      if (part.md5 !== undefined) return state.written
      throw unconfirmed(place, 'the upload ended before its last part')
    }
    if (state.held < at || state.held > end)
      throw unconfirmed(place, 'the upload holds other bytes than were sent')
    if (state.held === end && part.md5 === undefined) return undefined
    if (state.held > at) failures = 0
    else if (answer !== undefined && ++failures === service.web.tries)
      throw brokenOff(place, 'the upload takes no more bytes')
    at = state.held
  }
}

function put(
  { service, place }: GcsObject,
  session: URL,
  { part: { bytes, offset, md5 }, at }: { part: UploadPart; at: number },
): Promise<WebAnswer> {
  const end = offset + bytes.length
  const total = md5 === undefined ? '*' : String(end)
  const range = at === end ? `bytes */${total}` : `bytes ${at}-${end - 1}/${total}`
  const body = bytes.subarray(at - offset)
  return service.ask(session, {
    place,
    act: 'write',
    method: 'PUT',
    tries: 1,
    headers: { 'content-range': range, ...(md5 && { 'x-goog-hash': `md5=${md5.toString('base64')}` }) },
    body,
    bytes: body.length,
  })
}

function askState({ service, place }: GcsObject, session: URL): Promise<WebAnswer> {
  const headers = { 'content-range': 'bytes */*' }
  return service.ask(session, { place, act: 'write', method: 'PUT', headers, body: '' })
}

/** How many bytes the upload holds, or what it has become. */
async function stateOf(
  { service, key, place }: GcsObject,
  answer: WebAnswer,
): Promise<{ held: number; written?: ObjectInfo }> {
  const { status, headers } = answer
  if (status === 200) {
    const limits = { place, mostBytes: mostMetadataBytes, signIn: service.signIn.write }
    const written = infoOf(await jsonAnswer(answer, limits), key, place)
    return { held: written.size, written }
  }
  letGo(answer)
  if (status === 308) {
    const { range } = headers
    const [, last] = /^bytes=0-(\d{1,15})$/.exec(range ?? '') ?? []
    if (range !== undefined && last === undefined)
      throw unconfirmed(place, 'the upload does not say what it holds')
    return { held: last === undefined ? 0 : Number(last) + 1 }
  }
  if (status === 412) throw objectExists(place, undefined)
  if (status === 404 || status === 410) throw brokenOff(place, 'the upload is not known any more')
  if (status === 400) throw unconfirmed(place, 'the service refused what arrived')
  throw statusFailure({ status, place, remedy: service.signIn.write })
}

/** Best effort: the failure that led here is what the user should read. */
export async function giveUp({ service, place }: GcsObject, session: URL): Promise<void> {
  await service
    .ask(session, { place, act: 'write', method: 'DELETE', tries: 1 })
    .then(letGo)
    .catch(() => undefined)
}

export function unconfirmed(place: string, problem: string): StoreFailure {
  return new StoreFailure('WRITE_FAILED', place, problem, runAgain)
}
