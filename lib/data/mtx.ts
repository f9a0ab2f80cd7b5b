/**
 * MatrixMarket coordinate files as a stream of entries (https://math.nist.gov/MatrixMarket/formats.html).
 * Stricter than most readers: only `general` matrices of integer, real or pattern entries, no comments or blank lines
 * between entries, and exactly as many entries as the size line promises - a file cut short is an error, not a smaller matrix.
 */
import { BadInput } from '../job/errors.ts'
import { type MtxField, type MtxHeader, MtxParser, remedy, shown, textOf } from './mtx-parser.ts'
import type { EntryBatch } from './row-spill-file.ts'

export type { MtxField, MtxHeader } from './mtx-parser.ts'

const longestLine = 1024
const longestHeader = 2 ** 20
const newline = 10

/**
 * Reads up to the size line.
 * @throws BadInput MTX_HEADER, MTX_UNSUPPORTED for other kinds of matrix, MTX_SIZE
 */
export async function readMtxHeader(content: AsyncIterable<Uint8Array>, place: string): Promise<MtxHeader> {
  let field: MtxField | undefined
  let [lines, bytes] = [0, 0]
  for await (const line of headerLines(content)) {
    const text = textOf(line).trim()
    lines++
    bytes += line.length
    if (field === undefined) field = parseBanner(text, place)
    else if (!text.startsWith('%')) return { ...parseSize(text, { place, line: lines }), field, lines, bytes }
  }
  if (bytes === 0) throw headerError(place, 'the file is empty')
  throw sizeError(place, 'there is no size line below the header')
}

/** Lines with their line feeds, while they are few enough to be a header. */
async function* headerLines(content: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let rest = new Uint8Array()
  let read = 0
  for await (const chunk of content) {
    rest = Buffer.concat([rest, chunk])
    let start = 0
    for (let end = rest.indexOf(newline); end >= 0; end = rest.indexOf(newline, start)) {
      yield rest.subarray(start, end + 1)
      start = end + 1
    }
    rest = rest.subarray(start)
    read += chunk.length
    if (read > longestHeader) break
  }
  if (rest.length > 0) yield rest
}

function parseBanner(text: string, place: string): MtxField {
  const [banner, object, format, field, symmetry] = text.toLowerCase().split(/\s+/)
  if (banner !== '%%matrixmarket')
    throw headerError(place, `the first line is not a MatrixMarket header ("${shown(text)}")`)
  const isReadable = field === 'integer' || field === 'real' || field === 'pattern'
  if (object !== 'matrix' || format !== 'coordinate' || symmetry !== 'general' || !isReadable) {
    throw new BadInput(
      'MTX_UNSUPPORTED',
      place,
      `"${shown(text)}" is not a kind of matrix that holds counts`,
      'Write it as "matrix coordinate integer general" or "matrix coordinate real general"',
    )
  }
  return field
}

interface Where {
  place: string
  line: number
}

function parseSize(text: string, { place, line }: Where): Pick<MtxHeader, 'rows' | 'columns' | 'entries'> {
  if (!/^\d+[ \t]+\d+[ \t]+\d+$/.test(text)) {
    throw sizeError(place, `line ${line} ("${shown(text)}") is not the size: rows, columns and entries`)
  }
  const [rows = 0, columns = 0, entries = 0] = text.split(/[ \t]+/).map(Number)
  if (rows > 2 ** 31 - 1 || columns > 2 ** 31 - 1)
    throw sizeError(place, `a matrix of ${rows} x ${columns} is too large`)
  if (entries > rows * columns || !Number.isSafeInteger(entries)) {
    throw sizeError(place, `${entries} entries do not fit in ${rows} x ${columns}`)
  }
  return { rows, columns, entries }
}

/**
 * All entries in the order of the file, rows and columns counted from 0, in batches whose arrays are used again.
 * `content` is the whole file, of which `header` was read before.
 * @throws BadInput MTX_ENTRY with the line, MTX_COUNT
 */
export async function* mtxEntries(
  content: AsyncIterable<Uint8Array>,
  { header, place }: { header: MtxHeader; place: string },
): AsyncGenerator<EntryBatch> {
  const parser = new MtxParser(header, place)
  for await (const lines of wholeLines(content, { header, place })) {
    let at = 0
    while (at < lines.length) {
      at = parser.parse(lines, at, lines.length)
      if (parser.isFull) yield parser.take()
    }
  }
  yield parser.take()
  parser.finish()
}

/** What follows the header, cut behind line feeds; a last line without one gets it. */
async function* wholeLines(
  content: AsyncIterable<Uint8Array>,
  { header, place }: { header: MtxHeader; place: string },
): AsyncGenerator<Uint8Array> {
  let toSkip = header.bytes
  let rest: Uint8Array = new Uint8Array()
  for await (const chunk of content) {
    const fresh = chunk.subarray(Math.min(toSkip, chunk.length))
    toSkip -= chunk.length - fresh.length
    const last = fresh.lastIndexOf(newline)
    if (last < 0) {
      rest = Buffer.concat([rest, fresh])
    } else {
      const first = rest.length > 0 ? fresh.indexOf(newline) + 1 : 0
      if (first > 0) yield Buffer.concat([rest, fresh.subarray(0, first)])
      yield fresh.subarray(first, last + 1)
      rest = fresh.subarray(last + 1)
    }
    if (rest.length > longestLine) throw lineError(place)
  }
  if (rest.length > 0) yield Buffer.concat([rest, Uint8Array.of(newline)])
}

function headerError(place: string, problem: string): BadInput {
  return new BadInput(
    'MTX_HEADER',
    place,
    problem,
    'The first line must be "%%MatrixMarket matrix coordinate integer general" or the like: write or download the file again',
  )
}

function sizeError(place: string, problem: string): BadInput {
  return new BadInput('MTX_SIZE', place, problem, remedy)
}

function lineError(place: string): BadInput {
  return new BadInput('MTX_ENTRY', place, `a line of more than ${longestLine} characters is no entry`, remedy)
}
