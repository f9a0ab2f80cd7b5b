/**
 * A CSV table as it comes back from a spreadsheet: with or without a byte order mark, in UTF-8, UTF-16 or (Excel's plain "CSV")
 * Windows-1252, with commas, semicolons or tabs, CRLF or LF, perhaps a first line "sep=;". The apostrophe that lib/report/csv.ts puts
 * before what a spreadsheet would run as a formula is taken away again.
 */
import type { ErrorReport } from '../job/errors.ts'
import { BadInput } from '../job/errors.ts'

export interface EditedTable {
  /** cells by column; the row's number is the one that a spreadsheet shows */
  rows: { number: number; cells: ReadonlyMap<string, string> }[]
  notices: ErrorReport[]
}

export interface EditedTableOptions {
  place: string
  /** of the errors */
  code: string
  /** columns that must be there, in lower case; others are let through */
  required: readonly string[]
}

const mostBytes = 32 * 2 ** 20
const guarded = /^'+[=+\-@\t\r\n＝＋－＠]/
const remedy = 'Save the table as CSV with the columns it had'

/** @throws BadInput of the given code when it is no such table */
export function readEditedCsv(bytes: Uint8Array, options: EditedTableOptions): EditedTable {
  const fail = (problem: string, where = '') =>
    new BadInput(options.code, `${options.place}${where}`, problem, remedy)
  if (bytes.length > mostBytes) throw fail(`${bytes.length} bytes are more than a table of labels has`)
  const { text, notices } = decode(bytes, options)
  const body = text.replace(/^sep=[,;\t]\r?\n/i, '')
  const skipped = body.length < text.length ? 1 : 0
  const { header, records } = withHeader(body, { options, fail })
  const rows: EditedTable['rows'] = []
  for (const [i, record] of records.entries()) {
    const number = i + 2 + skipped
    if (record.every((cell) => cell.trim() === '')) continue
    if (record.slice(header.length).some((cell) => cell.trim() !== ''))
      throw fail(`${record.length} cells for ${header.length} columns`, `, row ${number}`)
    rows.push({ number, cells: new Map(header.map((name, column) => [name, unguard(record[column] ?? '')])) })
  }
  return { rows, notices }
}

const unguard = (cell: string) => (guarded.test(cell) ? cell.slice(1) : cell)

function decode(
  bytes: Uint8Array,
  { place, code }: EditedTableOptions,
): { text: string; notices: ErrorReport[] } {
  const [first, second] = bytes
  if (first === 0xff && second === 0xfe)
    return { text: new TextDecoder('utf-16le').decode(bytes), notices: [] }
  if (first === 0xfe && second === 0xff)
    return { text: new TextDecoder('utf-16be').decode(bytes), notices: [] }
  try {
    return { text: new TextDecoder('utf-8', { fatal: true }).decode(bytes), notices: [] }
  } catch {
    const notice = {
      code: `${code}_ENCODING`,
      place,
      problem: 'the table is not UTF-8; it was read as Windows-1252, which has no Greek letters',
      remedy: 'Save it as "CSV UTF-8" if a label is missing below',
    }
    return { text: new TextDecoder('windows-1252').decode(bytes), notices: [notice] }
  }
}

type Fail = (problem: string, where?: string) => BadInput

/** The separator is the one under which the required columns are there. */
function withHeader(
  text: string,
  { options, fail }: { options: EditedTableOptions; fail: Fail },
): { header: string[]; records: string[][] } {
  for (const separator of [',', ';', '\t']) {
    const line = split(text, { separator, records: 1 }).records[0] ?? []
    const header = line.map((cell) => cell.trim().toLowerCase())
    if (!options.required.every((name) => header.includes(name))) continue
    const named = header.filter((name) => name !== '')
    if (new Set(named).size < named.length) throw fail('two columns have the same name', ', row 1')
    const { records, open } = split(text, { separator })
    if (open !== undefined) throw fail('a quotation mark is never closed', `, row ${open}`)
    return { header, records: records.slice(1) }
  }
  throw fail(`there is no header with the columns ${options.required.join(', ')}`, ', row 1')
}

/** Records of cells, RFC 4180; `open` is the record in which a quotation mark stays open. */
function split(
  text: string,
  { separator, records: most = Number.POSITIVE_INFINITY }: { separator: string; records?: number },
): { records: string[][]; open?: number } {
  const records: string[][] = []
  let record: string[] = []
  let at = 0
  while (at < text.length && records.length < most) {
    const cell = text[at] === '"' ? quotedCell(text, { at, separator }) : plainCell(text, { at, separator })
    if (cell.open) return { records, open: records.length + 1 }
    record.push(cell.text)
    at = cell.end
    if (text[at] === separator) {
      at++
      if (at === text.length) record.push('')
      else continue
    }
    records.push(record)
    record = []
    at += text.startsWith('\r\n', at) ? 2 : 1
  }
  return { records }
}

interface Cell {
  text: string
  end: number
  open: boolean
}

function quotedCell(text: string, { at: start, separator }: { at: number; separator: string }): Cell {
  let cell = ''
  let at = start + 1
  for (;;) {
    const quote = text.indexOf('"', at)
    if (quote < 0) return { text: cell, end: text.length, open: true }
    cell += text.slice(at, quote)
    if (text[quote + 1] !== '"') {
      // what stands between the closing mark and the separator belongs to the cell, as spreadsheets have it
      const tail = plainCell(text, { at: quote + 1, separator })
      return { ...tail, text: cell + tail.text }
    }
    cell += '"'
    at = quote + 2
  }
}

function plainCell(text: string, { at, separator }: { at: number; separator: string }): Cell {
  let end = at
  while (end < text.length && text[end] !== separator && text[end] !== '\n' && text[end] !== '\r') end++
  return { text: text.slice(at, end), end, open: false }
}
