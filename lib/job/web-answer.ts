/**
 * Answers with content, measured before they are believed: of the pinned object or an error, the part that was asked for or an error.
 *
 * Traps: a server that does not know ranges answers 200 with the whole; one that does not heed conditions answers with newer content;
 * a range beyond the end is answered 416 without saying whose end it was.
 */
import type { Readable } from 'node:stream'
import { objectChanged } from './s3-errors.ts'
import type { ObjectInfo, Pin } from './store.ts'
import { badAnswer, noRanges, statusFailure, unsupportedAnswer, webObjectMissing } from './web-errors.ts'
import { letGo, type Web, type WebAnswer } from './web-request.ts'

/** What the answer with content must be of. */
export interface Asked {
  pin?: Pin
  /** value of the Range header */
  range?: string
  bytes: number
}

export interface WebSource {
  web: Pick<Web, 'tries' | 'rest'>
  /** how an object is named to a person */
  nameOf(key: string): string
  head(key: string): Promise<ObjectInfo | undefined>
  ask(key: string, asked: Asked): Promise<WebAnswer>
  /** whether an answer with content, of an object of `size` bytes, is of what was pinned */
  isPinned(answer: WebAnswer, size: number, pin: Pin): boolean
  /** whether two answers of this pin can be told to be of one content */
  hasIdentity(pin: Pin): boolean
  /** what to do where access is denied */
  signIn?: string
}

/** What `head` says now of the pinned content. @throws StoreFailure OBJECT_MISSING, OBJECT_CHANGED */
export async function pinnedHead(source: WebSource, key: string, pin: Pin | undefined): Promise<ObjectInfo> {
  const head = await source.head(key)
  if (!head) throw webObjectMissing(source.nameOf(key))
  if (pin && !isSame(head, pin)) throw objectChanged(source.nameOf(key))
  return head
}

function isSame(head: ObjectInfo, pin: Pin): boolean {
  return head.etag === pin.etag && (pin.versionId === undefined || head.versionId === pin.versionId)
}

export interface Part {
  first: number
  last: number
  pin: Pin
}

/** An answer that holds the part, as far as the object goes. @throws StoreFailure RANGES_UNSUPPORTED */
export async function openPart(
  source: WebSource,
  key: string,
  { first, last, pin }: Part,
): Promise<{ body: Readable; length: number } | undefined> {
  const place = source.nameOf(key)
  const range = `bytes=${first}-${last}`
  const answer = await source.ask(key, { pin, range, bytes: last - first + 1 })
  try {
    if (answer.status === 416) return letGoOf(answer)
    if (answer.status === 200) {
      if (source.isPinned(answer, lengthOf(answer) ?? -1, pin)) throw noRanges(place)
      throw objectChanged(place)
    }
    if (answer.status !== 206) throw await refusal(source, key, { answer, pin })
    const { 'content-range': told = '' } = answer.headers
    const [, from, to, size] = /^bytes (\d{1,16})-(\d{1,16})\/(\d{1,16})$/.exec(told)?.map(Number) ?? []
    if (from === undefined || to === undefined || size === undefined)
      throw badAnswer(place, 'a part came without saying which')
    if (!source.isPinned(answer, size, pin)) throw objectChanged(place)
    if (from !== first || to !== Math.min(last, size - 1))
      throw badAnswer(place, `bytes ${first}-${last} were asked for, and bytes ${from}-${to} of ${size} came`)
    const length = to - from + 1
    if ((lengthOf(answer) ?? length) !== length)
      throw badAnswer(place, `${length} bytes were announced, and then another number of them`)
    refusePacked(answer, place)
    return { body: answer.body, length }
  } catch (error) {
    letGo(answer)
    throw error
  }
}

/** An answer that holds all of the object; `check` sees its size before any of it is read. */
export async function openWhole(
  source: WebSource,
  key: string,
  asked: Asked,
  check: (size: number) => void,
): Promise<{ body: Readable; length: number }> {
  const place = source.nameOf(key)
  const answer = await source.ask(key, asked)
  try {
    const { pin } = asked
    if (answer.status !== 200) throw await refusal(source, key, { answer, ...(pin && { pin }) })
    refusePacked(answer, place)
    const length = lengthOf(answer)
    if (length === undefined) throw unsupportedAnswer(place, 'the server does not say how large the file is')
    if (pin && !source.isPinned(answer, length, pin)) throw objectChanged(place)
    check(length)
    return { body: answer.body, length }
  } catch (error) {
    letGo(answer)
    throw error
  }
}

async function refusal(
  source: WebSource,
  key: string,
  { answer: { status }, pin }: { answer: WebAnswer; pin?: Pin },
): Promise<Error> {
  const place = source.nameOf(key)
  if (status === 412) return objectChanged(place)
  // a content that was asked for by its version may be gone while another has its name
  if (status === 404 && pin && (await source.head(key))) return objectChanged(place)
  return statusFailure({ status, place, ...(source.signIn !== undefined && { remedy: source.signIn }) })
}

/** Packed on its way or for good: its bytes are not those of the file, and its ranges are ranges of something else. */
export function refusePacked({ headers }: WebAnswer, place: string): void {
  const { 'content-encoding': packed = 'identity' } = headers
  if (packed.toLowerCase() !== 'identity')
    throw unsupportedAnswer(place, 'the server sends this file compressed')
}

/** undefined when the server does not say, or says nonsense */
export function lengthOf({ headers }: Pick<WebAnswer, 'headers'>): number | undefined {
  const told = headers['content-length'] ?? ''
  return /^\d{1,15}$/.test(told) ? Number(told) : undefined
}

function letGoOf(answer: WebAnswer): undefined {
  letGo(answer)
}
