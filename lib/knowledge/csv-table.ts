/**
 * A small table as CSV (RFC 4180): quotes doubled within quotes, any of the three line ends, commas or what a spreadsheet put in their
 * place. What is open to two readings (a quote inside of a plain field, text behind a closing quote) is an error with its line, or with
 * `lenient` what a spreadsheet makes of it.
 */

export interface CsvRow {
  /** from 1, of its first line in the text */
  line: number
  /** from 1, as a spreadsheet numbers it */
  row: number
  fields: string[]
}

export interface CsvOptions {
  /** one character: a comma */
  separator?: string
  /** take quotes within a field as they stand, and what stands behind a closing one into the field: false */
  lenient?: boolean
}

/**
 * Rows of a text without a mark at its start; lines without any character are passed over.
 * @throws RangeError that says what is wrong and in which line
 */
export function csvRows(text: string, options: CsvOptions = {}): CsvRow[] {
  return [...eachRow(text, options)]
}

export interface CsvTable {
  /** of the columns, as `nameOf` has them; '' where a column has none */
  names: string[]
  separator: string
  rows: CsvRow[]
}

/** What spreadsheets put between fields, by the country they are set to. */
const separators = [',', ';', '\t']
/** By this first line some spreadsheets are told which it is. */
const told = /^sep=[,;\t](?:\r\n|\r|\n)/i

/**
 * The table under the header that has the required columns, whichever separator it takes. Rows with nothing in any field are left out.
 * @returns undefined where no separator gives such a header
 * @throws RangeError as `csvRows`
 */
export function csvTable(
  text: string,
  {
    required,
    nameOf,
    lenient = false,
  }: { required: readonly string[]; nameOf(field: string): string; lenient?: boolean },
): CsvTable | undefined {
  const [above = ''] = told.exec(text) ?? []
  const body = text.slice(above.length)
  const down = above === '' ? 0 : 1
  for (const separator of separators) {
    const names = headerOf(body, { separator, lenient }).map(nameOf)
    if (!required.every((name) => names.includes(name))) continue
    const [, ...rows] = csvRows(body, { separator, lenient })
    const filled = rows.filter(({ fields }) => fields.some((field) => field.trim() !== ''))
    const shifted = filled.map(({ line, row, fields }) => ({ line: line + down, row: row + down, fields }))
    return { names, separator, rows: shifted }
  }
  return undefined
}

/** Fields of the first row; none where they cannot be read, as may be under a separator that is not the table's. */
export function headerOf(text: string, options: CsvOptions = {}): string[] {
  try {
    const first = eachRow(text, options).next()
    return first.done ? [] : first.value.fields
  } catch (error) {
    if (error instanceof RangeError) return []
    throw error
  }
}

function* eachRow(
  text: string,
  { separator = ',', lenient = false }: CsvOptions,
): Generator<CsvRow, undefined> {
  let at = 0
  let line = 1
  for (let number = 1; at < text.length; number++) {
    const row: CsvRow = { line, row: number, fields: [] }
    let isOpen = true
    while (isOpen) {
      const place = { at, line, separator, lenient }
      const field = text[at] === '"' ? quotedField(text, place) : plainField(text, place)
      row.fields.push(field.value)
      line += field.lines
      at = field.end
      isOpen = text[at] === separator
      if (isOpen) at++
    }
    if (at < text.length) {
      at += text[at] === '\r' && text[at + 1] === '\n' ? 2 : 1
      line++
    }
    if (row.fields.length > 1 || row.fields[0] !== '') yield row
  }
}

interface Place extends Required<CsvOptions> {
  at: number
  line: number
}

interface Field {
  value: string
  /** where the separator, line end or end of the text behind it is */
  end: number
  /** line ends within it */
  lines: number
}

function plainField(text: string, { at, line, separator, lenient }: Place): Field {
  let end = at
  for (; end < text.length; end++) {
    const character = text[end]
    if (character === separator || character === '\n' || character === '\r') break
    if (character === '"' && !lenient)
      throw new RangeError(`line ${line} has a quote inside of a field without quotes`)
  }
  return { value: text.slice(at, end), end, lines: 0 }
}

function quotedField(text: string, place: Place): Field {
  const { at, line, separator, lenient } = place
  let end = at + 1
  for (;;) {
    end = text.indexOf('"', end)
    if (end < 0) throw new RangeError(`a quote that opens in line ${line} is never closed`)
    if (text[end + 1] !== '"') break
    end += 2
  }
  const value = text.slice(at + 1, end).replaceAll('""', '"')
  const lines = value.match(/\r\n|\r|\n/g)?.length ?? 0
  const behind = text[end + 1]
  if (behind === undefined || behind === separator || '\r\n'.includes(behind))
    return { value, end: end + 1, lines }
  if (!lenient) throw new RangeError(`line ${line} has text behind a closing quote`)
  const tail = plainField(text, { ...place, at: end + 1 })
  return { value: value + tail.value, end: tail.end, lines }
}
