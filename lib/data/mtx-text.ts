/**
 * Text files that may be compressed: bytes as they are inside, and lines of UTF-8. Whether a file is gzip is told by its
 * first bytes, never by its name: browsers unpack downloads and keep ".gz". Members one after another are one text.
 */

import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import { BadInput, isCoded, StoreFailure } from '../job/errors.ts'

/** Opens a file anew, from its first byte, every time it is called. */
export interface TextFile {
  readonly place: string
  open(): Promise<Readable>
}

/** @throws BadInput GZIP_DAMAGED; StoreFailure READ_FAILED */
export async function* plainBytes(file: TextFile): AsyncGenerator<Uint8Array> {
  const stream = await file.open()
  const chunks: AsyncIterator<Uint8Array> = stream[Symbol.asyncIterator]()
  try {
    const head = await firstBytes(chunks)
    if (head[0] === 0x1f && head[1] === 0x8b) yield* unpacked(joined(head, chunks))
    else yield* joined(head, chunks)
  } catch (error) {
    throw readError(file.place, error)
  } finally {
    stream.destroy()
  }
}

async function firstBytes(chunks: AsyncIterator<Uint8Array>): Promise<Uint8Array> {
  let head = new Uint8Array()
  while (head.length < 2) {
    const next = await chunks.next()
    if (next.done) break
    head = Buffer.concat([head, next.value])
  }
  return head
}

async function* joined(head: Uint8Array, rest: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield head
  for (let next = await rest.next(); !next.done; next = await rest.next()) yield next.value
}

async function* unpacked(packed: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const gunzip = createGunzip({ chunkSize: 2 ** 18 })
  const done = pipeline(packed, gunzip)
  // the error also comes out of the loop below, which is where it is handled
  done.catch(() => {})
  try {
    for await (const chunk of gunzip) yield chunk
  } finally {
    gunzip.destroy()
  }
}

function readError(place: string, error: unknown): unknown {
  if (isCoded(error)) return error
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  if (code.startsWith('Z_')) {
    return new BadInput(
      'GZIP_DAMAGED',
      place,
      'the gzip data are cut short or damaged',
      'Download or copy the file again',
      {
        cause: error,
      },
    )
  }
  return new StoreFailure('READ_FAILED', place, `reading stopped: ${code || String(error)}`, 'Run again', {
    cause: error,
  })
}

const longestLine = 2 ** 16

/**
 * Lines without their ends (LF or CRLF), at most `most` of them. A last line feed starts no line.
 * @throws BadInput TEXT_ENCODING when it is not UTF-8, TEXT_LINE when a line is endless
 */
export async function* textLines(file: TextFile, most: number): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  const decode = (bytes?: Uint8Array): string => {
    try {
      return decoder.decode(bytes, { stream: bytes !== undefined })
    } catch (cause) {
      throw new BadInput(
        'TEXT_ENCODING',
        file.place,
        'it is not UTF-8 text',
        'Save it as UTF-8 without formatting',
        { cause },
      )
    }
  }
  let [rest, count] = ['', 0]
  for await (const bytes of plainBytes(file)) {
    const lines = (rest + decode(bytes)).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) {
      if (count++ === most) return
      yield line.endsWith('\r') ? line.slice(0, -1) : line
    }
    if (rest.length > longestLine) {
      const problem = `line ${count + 1} has more than ${longestLine} characters`
      throw new BadInput('TEXT_LINE', file.place, problem, 'Give a text file with one name a line')
    }
  }
  rest += decode()
  if (rest !== '' && count < most) yield rest.endsWith('\r') ? rest.slice(0, -1) : rest
}
