/**
 * The read-only object store over a web server: `https://` anywhere, `http://` on this machine. A key is the rest of an address's path.
 *
 * Objects are looked at by a GET of their first byte, because HEAD is refused by many servers and by every signed address; it also tells
 * whether there are ranges. What a redirect led to is remembered until it is refused: archives hand out addresses that live for seconds.
 * Trap: what tells contents apart is only as good as the server (web-identity.ts); `identityNotice` says where it is weak.
 */
import { StoreFailure } from './errors.ts'
import { checkRange } from './object-key.ts'
import type { ObjectInfo, ObjectStore } from './store.ts'
import { parseWebAddress, webUrl } from './web-address.ts'
import { lengthOf, refusePacked, type WebSource } from './web-answer.ts'
import { readOnly, statusFailure, unsupportedAnswer } from './web-errors.ts'
import { conditionsOf, identityOf, kindOfIdentity, modifiedOf } from './web-identity.ts'
import { readWebObject, readWebRange, streamWebObject } from './web-read.ts'
import { letGo, openWeb, type Web, type WebAnswer, type WebOptions } from './web-request.ts'
import { takingCharge } from './write-body.ts'

export interface HttpStoreOptions extends WebOptions {
  /** the query put after every address, with its question mark; never told to anybody */
  access?: string
}

/**
 * No request is made yet. Reads throw RANGES_UNSUPPORTED where the server has no ranges: copy the object first, by `openRead`.
 * @throws BadInput LOCATION_UNSUPPORTED
 */
export function openHttpStore(base: string, options: HttpStoreOptions): ObjectStore {
  const address = parseWebAddress(base)
  const place = `${address.origin}/${address.path}`.replace(/\/+$/, '')
  const { access = address.access } = options
  const source = httpSource({ place, access, web: openWeb(options) })
  return {
    place,
    unlisted: true,
    head: async (key) => source.head(key),
    async readRange(key, range, pin) {
      checkRange(range)
      return readWebRange(source, key, { range, pin })
    },
    read: async (key, asked) => readWebObject(source, key, asked),
    openRead: async (key, pin) => streamWebObject(source, key, pin),
    write: (key, body) => takingCharge(body, () => Promise.reject(readOnly(source.nameOf(key)))),
    list: (prefix) => listNothing(`${place}/${prefix}`),
    remove: async (key) => {
      throw readOnly(source.nameOf(key))
    },
  }
}

// biome-ignore lint/correctness/useYield: the interface asks for an iterable, and a web server tells of no list
async function* listNothing(place: string): AsyncGenerator<ObjectInfo> {
  const problem = 'a web server does not tell what lies in a folder'
  throw new StoreFailure('LISTING_UNSUPPORTED', place, problem, 'Give the address of one file')
}

function httpSource({ place, access, web }: { place: string; access: string; web: Web }): WebSource {
  const ask = askerOf({ place, access, web })
  const nameOf = (key: string) => `${place}/${key}`
  return {
    web,
    nameOf,
    head: (key) => lookAt(key, nameOf(key), ask),
    ask: (key, { pin, range, bytes }) =>
      ask(key, {
        bytes,
        headers: { ...(pin && conditionsOf(pin.etag)), ...(range !== undefined && { range }) },
      }),
    isPinned: ({ headers }, size, pin) => identityOf(headers, size) === pin.etag,
    hasIdentity: ({ etag }) => kindOfIdentity(etag) !== 'size',
  }
}

interface Question {
  method?: 'GET' | 'HEAD'
  headers?: Record<string, string>
  bytes: number
}

type Asker = (key: string, question: Question) => Promise<WebAnswer>

function askerOf({ place, access, web }: { place: string; access: string; web: Web }): Asker {
  const landed = new Map<string, Pick<WebAnswer, 'url' | 'reach'>>()
  return async (key, question) => {
    const url = webUrl(place, key, access)
    const request = { ...question, place: `${place}/${key}` }
    const shortcut = landed.get(key)
    if (shortcut !== undefined) {
      const answer = await web.ask(shortcut.url, { ...request, reach: shortcut.reach })
      if (![400, 401, 403, 404, 410].includes(answer.status)) return answer
      letGo(answer)
      landed.delete(key)
    }
    const answer = await web.ask(url, request)
    if (answer.url.href !== url.href && answer.status < 300)
      landed.set(key, { url: answer.url, reach: answer.reach })
    return answer
  }
}

async function lookAt(key: string, place: string, ask: Asker): Promise<ObjectInfo | undefined> {
  const answer = await ask(key, { headers: { range: 'bytes=0-0' }, bytes: 1 })
  letGo(answer)
  const { status } = answer
  if (status === 404 || status === 410) return undefined
  if (status === 206 || status === 200) {
    refusePacked(answer, place)
    const size = status === 206 ? totalOf(answer) : lengthOf(answer)
    if (size !== undefined) return infoOf(key, size, answer)
  } else if (![400, 405, 416, 501].includes(status)) throw statusFailure({ status, place })
  return lookByHead(key, place, ask)
}

/** For servers that do not answer a range of one byte: also those of an empty file. */
async function lookByHead(key: string, place: string, ask: Asker): Promise<ObjectInfo | undefined> {
  const answer = await ask(key, { method: 'HEAD', bytes: 0 })
  letGo(answer)
  const { status } = answer
  if (status === 404 || status === 410) return undefined
  if (status !== 200) throw statusFailure({ status, place })
  refusePacked(answer, place)
  const size = lengthOf(answer)
  if (size === undefined) throw unsupportedAnswer(place, 'the server does not say how large the file is')
  return infoOf(key, size, answer)
}

function infoOf(key: string, size: number, { headers }: WebAnswer): ObjectInfo {
  return { key, size, etag: identityOf(headers, size), modified: modifiedOf(headers) ?? 0 }
}

function totalOf({ headers }: WebAnswer): number | undefined {
  const [, total] = /^bytes 0-0\/(\d{1,15})$/.exec(headers['content-range'] ?? '') ?? []
  return total === undefined ? undefined : Number(total)
}
