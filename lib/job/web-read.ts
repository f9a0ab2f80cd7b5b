/**
 * Reading what lies on the web, whatever the protocol above HTTP (answers are checked in web-answer.ts).
 *
 * A whole file is one request, taken up where it broke off: archives count requests and refuse those who make many. A body that breaks
 * off is fetched again; the requests themselves have been repeated already.
 */
import { Readable } from 'node:stream'
import { isCoded, StoreFailure } from './errors.ts'
import { objectChanged } from './s3-errors.ts'
import type { ObjectInfo, Pin } from './store.ts'
import { openPart, openWhole, type Part, pinnedHead, type WebSource } from './web-answer.ts'
import { badAnswer, brokenOff, noRanges } from './web-errors.ts'

interface ByteRange {
  offset: number
  length: number
}

export async function readWebRange(
  source: WebSource,
  key: string,
  { range, pin }: { range: ByteRange; pin: Pin },
): Promise<Uint8Array> {
  if (range.length > 0) {
    if (!source.hasIdentity(pin)) throw noRanges(source.nameOf(key))
    const last = range.offset + range.length - 1
    const bytes = await repeatedly(source, key, () =>
      fetchRange(source, key, { first: range.offset, last, pin }),
    )
    if (bytes) return bytes
  }
  const { size } = await pinnedHead(source, key, pin)
  if (range.length === 0 || size <= range.offset) return new Uint8Array(0)
  throw badAnswer(source.nameOf(key), 'a range inside the file was refused')
}

/** undefined when the server says that the range lies beyond the end */
async function fetchRange(source: WebSource, key: string, part: Part): Promise<Uint8Array | undefined> {
  const opened = await openPart(source, key, part)
  return opened && collect(opened.body, opened.length)
}

export async function readWebObject(
  source: WebSource,
  key: string,
  { maxBytes, pin }: { maxBytes: number; pin?: Pin },
): Promise<Uint8Array> {
  return repeatedly(source, key, async () => {
    const { body, length } = await openWhole(
      source,
      key,
      { bytes: maxBytes, ...(pin && { pin }) },
      (size) => {
        if (size <= maxBytes) return
        const problem = `the file has ${size} bytes, and at most ${maxBytes} are read here`
        throw new StoreFailure(
          'OBJECT_TOO_LARGE',
          source.nameOf(key),
          problem,
          'Check that this is the intended file',
        )
      },
    )
    return collect(body, length)
  })
}

/** The content from its first byte to its last. */
export async function streamWebObject(
  source: WebSource,
  key: string,
  pin: Pin | undefined,
): Promise<Readable> {
  const head = await pinnedHead(source, key, pin)
  return Readable.from(piecesOfObject(source, key, head), { objectMode: false, highWaterMark: 1 << 20 })
}

async function* piecesOfObject(source: WebSource, key: string, head: ObjectInfo): AsyncGenerator<Uint8Array> {
  const place = source.nameOf(key)
  const { size } = head
  let failures = 0
  for (let at = 0; at < size; ) {
    const { body } = await openFrom(source, key, { at, head })
    try {
      for await (const piece of body as AsyncIterable<Uint8Array>) {
        if (at + piece.length > size) throw badAnswer(place, `more than the ${size} bytes announced came`)
        at += piece.length
        failures = 0
        yield piece
      }
      if (at < size) throw new Error(`${at} of ${size} bytes came`)
    } catch (error) {
      if (isCoded(error)) throw error
      failures++
      if (at > 0 && !source.hasIdentity(head))
        throw brokenOff(place, 'the content broke off, and cannot be gone on with', error)
      if (failures === source.web.tries)
        throw brokenOff(place, `the content broke off ${failures} times`, error)
      await source.web.rest(failures)
    } finally {
      body.destroy()
    }
  }
}

async function openFrom(
  source: WebSource,
  key: string,
  { at, head }: { at: number; head: ObjectInfo },
): Promise<{ body: Readable }> {
  const place = source.nameOf(key)
  if (at === 0)
    return openWhole(source, key, { pin: head, bytes: head.size }, (size) => {
      if (size !== head.size) throw objectChanged(place)
    })
  try {
    const opened = await openPart(source, key, { first: at, last: head.size - 1, pin: head })
    if (opened) return opened
  } catch (error) {
    if (!isCoded(error) || error.code !== 'RANGES_UNSUPPORTED') throw error
  }
  throw brokenOff(place, 'the content broke off, and this server does not go on in the middle of a file')
}

/** Asks again when a body breaks off; the requests themselves have been repeated already. */
async function repeatedly<Value>(
  source: WebSource,
  key: string,
  fetch: () => Promise<Value>,
): Promise<Value> {
  for (let tried = 1; ; tried++) {
    try {
      return await fetch()
    } catch (error) {
      if (isCoded(error)) throw error
      if (tried === source.web.tries)
        throw brokenOff(source.nameOf(key), `the content broke off ${tried} times`, error)
    }
    await source.web.rest(tried)
  }
}

async function collect(body: Readable, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length)
  let filled = 0
  try {
    for await (const piece of body as AsyncIterable<Uint8Array>) {
      if (filled + piece.length > length) throw new Error(`more than the ${length} bytes announced came`)
      bytes.set(piece, filled)
      filled += piece.length
    }
  } finally {
    body.destroy()
  }
  if (filled !== length) throw new Error(`${filled} of ${length} bytes came`)
  return bytes
}
