/**
 * A document of JSON from a service of the web: of bounded size, and what is not JSON is an error, whatever the server calls it.
 * Trap: a token may be sent with it, so no answer of the server is ever repeated in a message.
 */
import { StoreFailure } from '../job/errors.ts'
import { parseWebAddress } from '../job/web-address.ts'
import { badAnswer, statusFailure } from '../job/web-errors.ts'
import { letGo, readSmall, type Web } from '../job/web-request.ts'

export interface JsonRequest {
  web: Web
  mostBytes: number
  headers?: Readonly<Record<string, string>>
  /** sent as JSON by POST */
  body?: unknown
  /** what to do where access is denied */
  remedy?: string
  /** in place of StoreFailure OBJECT_MISSING where there is no such thing */
  missing?: () => Error
  signal?: AbortSignal | undefined
}

/** @throws BadInput LOCATION_UNSUPPORTED; StoreFailure OBJECT_TOO_LARGE, READ_FAILED, ACCESS_DENIED; StoreUnavailable */
export async function readWebJson(address: string, request: JsonRequest): Promise<unknown> {
  const { web, mostBytes, body, remedy, signal } = request
  const { origin, path, access } = parseWebAddress(address)
  const place = `${origin}/${path}`
  const sent = body === undefined ? undefined : JSON.stringify(body)
  const answer = await web.ask(new URL(`${place}${access}`), {
    place,
    bytes: mostBytes,
    headers: {
      accept: 'application/json',
      ...(sent !== undefined && { 'content-type': 'application/json' }),
      ...request.headers,
    },
    ...(sent !== undefined && { method: 'POST', body: sent }),
    ...(signal && { signal }),
  })
  const { status } = answer
  if (status < 200 || status > 299) {
    letGo(answer)
    if (status === 404 && request.missing) throw request.missing()
    throw statusFailure({ status, place, ...(remedy !== undefined && { remedy }) })
  }
  const bytes = await readSmall(answer, { place, mostBytes })
  if (bytes === undefined) {
    const problem = `the answer has more than ${mostBytes} bytes`
    throw new StoreFailure('OBJECT_TOO_LARGE', place, problem, 'Check that this is the intended service')
  }
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch {
    throw badAnswer(place, 'the answer is not JSON')
  }
}
