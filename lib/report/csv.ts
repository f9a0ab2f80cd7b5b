/**
 * Tables as CSV (RFC 4180: commas, CRLF, quotes doubled; UTF-8 without a mark), streamed in pieces of some 64 kB.
 *
 * The trap: a spreadsheet runs a cell that starts with = + - @ (also in full width), a tab or a line end as a formula. Such text,
 * and text that starts with apostrophes before one of them, gets one more apostrophe in front; taking one away again from what
 * matches the same rule gives the original. Numbers, also as text, cannot do harm and stay numbers.
 */
export type CsvCell = string | number | boolean | null | undefined

/** One value a row, or codes into categories (-1: missing). */
export type CsvColumn = { name: string } & (
  | { values: ArrayLike<CsvCell> }
  | { codes: ArrayLike<number>; categories: readonly string[] }
)

const formula = /^'*[=+\-@\t\r\n＝＋－＠]/
const plainNumber = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/
const pieceLength = 65_536

/**
 * A header and one line a row. Missing values (null, NaN, code -1) are empty; empty text is `""`. Numbers of a Float32Array are
 * written with the fewest digits that give the same float32 again.
 * @throws RangeError when columns differ in length
 */
export async function* writeCsv(columns: readonly CsvColumn[]): AsyncGenerator<string, void, undefined> {
  const rows = columns.length === 0 ? 0 : lengthOf(columns[0]!)
  for (const column of columns)
    if (lengthOf(column) !== rows)
      throw new RangeError(`column '${column.name}' has ${lengthOf(column)} values, not ${rows}`)
  const writers = columns.map(cellWriter)
  let piece = line(columns.map(({ name }) => textCell(name)))
  for (let row = 0; row < rows; row++) {
    piece += line(writers.map((write) => write(row)))
    if (piece.length < pieceLength) continue
    yield piece
    piece = ''
  }
  if (piece !== '') yield piece
}

function lengthOf(column: CsvColumn): number {
  return 'codes' in column ? column.codes.length : column.values.length
}

/** A lone missing value is written as `""`: readers pass over lines without any character. */
function line(cells: string[]): string {
  return `${cells.length === 1 && cells[0] === '' ? '""' : cells.join(',')}\r\n`
}

function cellWriter(column: CsvColumn): (row: number) => string {
  if ('codes' in column) {
    const cells = column.categories.map(textCell)
    return (row) => cells[column.codes[row]!] ?? ''
  }
  const { values } = column
  const shorten = values instanceof Float32Array ? float32Digits : String
  return (row) => {
    const value = values[row]
    if (value === null || value === undefined) return ''
    return typeof value === 'number' ? numberCell(value, shorten) : textCell(String(value))
  }
}

function numberCell(value: number, shorten: (value: number) => string): string {
  if (Number.isNaN(value)) return ''
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf'
  return Object.is(value, -0) ? '0' : shorten(value)
}

function float32Digits(value: number): string {
  for (let digits = 6; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits))
    if (Math.fround(short) === value) return String(short)
  }
  return String(Number(value.toPrecision(9)))
}

function textCell(text: string): string {
  const guarded = formula.test(text) && !plainNumber.test(text) ? `'${text}` : text
  const quoted = guarded === '' || /[",;\t\r\n]|^\s|\s$/.test(guarded)
  return (quoted ? `"${guarded.replaceAll('"', '""')}"` : guarded).toWellFormed()
}
