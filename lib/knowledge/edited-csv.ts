/**
 * A CSV table as it comes back from a spreadsheet: with or without a byte order mark, in UTF-8, UTF-16 or (Excel's plain "CSV")
 * Windows-1252, with whatever separator csv-table.ts finds its header by. The apostrophe that lib/report/csv.ts puts
 * before what a spreadsheet would run as a formula is taken away again.
 */
import type { ErrorReport } from '../job/errors.ts'
import { BadInput } from '../job/errors.ts'
import { type CsvTable, csvTable } from './csv-table.ts'

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
  const { names, rows } = tableOf(text, { options, fail })
  const named = names.filter((name) => name !== '')
  if (new Set(named).size < named.length) throw fail('two columns have the same name', ', row 1')
  const cells = rows.map(({ row: number, fields }) => {
    if (fields.slice(names.length).some((field) => field.trim() !== ''))
      throw fail(`${fields.length} cells for ${names.length} columns`, `, row ${number}`)
    return { number, cells: new Map(names.map((name, column) => [name, unguard(fields[column] ?? '')])) }
  })
  return { rows: cells, notices }
}

function tableOf(
  text: string,
  {
    options: { required },
    fail,
  }: { options: EditedTableOptions; fail(problem: string, where?: string): BadInput },
): CsvTable {
  const nameOf = (field: string) => field.trim().toLowerCase()
  let table: CsvTable | undefined
  try {
    table = csvTable(text, { required, nameOf, lenient: true })
  } catch (error) {
    throw error instanceof RangeError ? fail(error.message) : error
  }
  if (table === undefined) throw fail(`there is no header with the columns ${required.join(', ')}`, ', row 1')
  return table
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
