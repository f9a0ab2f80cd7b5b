/**
 * Entry lines of a MatrixMarket coordinate file, bytes to numbers. Written for speed: whole lines only, no strings but for
 * numbers that need more than 15 digits or an exponent, so that every value is the double nearest to what is written.
 * Anything that is not an entry is an error with its line number; a blank line is one unless nothing follows it.
 */
import { BadInput } from '../job/errors.ts'
import type { EntryBatch } from './row-spill-file.ts'

export type MtxField = 'integer' | 'real' | 'pattern'

export interface MtxHeader {
  rows: number
  columns: number
  /** how many entries the size line promises */
  entries: number
  field: MtxField
  /** lines and bytes before the first entry */
  lines: number
  bytes: number
}

export const remedy = 'Write the matrix again from the program that made it, or download it again'

const batchEntries = 65_536
const powersOfTen = Array.from({ length: 16 }, (_, i) => 10 ** i)
const [tab, newline, carriageReturn, space, plus, minus, dot, zero, nine] = [
  9, 10, 13, 32, 43, 45, 46, 48, 57,
]

export class MtxParser {
  readonly #header: MtxHeader
  readonly #place: string
  readonly #rows = new Int32Array(batchEntries)
  readonly #columns = new Int32Array(batchEntries)
  readonly #values = new Float64Array(batchEntries)
  #filled = 0
  #taken = 0
  #line: number
  #blankLine = 0
  /** behind the number that was read last */
  #at = 0

  constructor(header: MtxHeader, place: string) {
    this.#header = header
    this.#place = place
    this.#line = header.lines
  }

  get isFull(): boolean {
    return this.#filled === batchEntries
  }

  /**
   * Reads lines of bytes[from, end), which ends with a line feed, until the batch is full. Answers how far it came.
   * @throws BadInput MTX_ENTRY
   */
  parse(bytes: Uint8Array, from: number, end: number): number {
    const { rows, columns, field } = this.#header
    let lineStart = from
    while (lineStart < end && this.#filled < batchEntries) {
      this.#line++
      let at = skipBlanks(bytes, lineStart)
      if (bytes[at] === newline) {
        this.#blankLine ||= this.#line
        lineStart = at + 1
        continue
      }
      const row = this.#index(bytes, at)
      const column = this.#index(bytes, skipBlanks(bytes, this.#at))
      const value = field === 'pattern' ? 1 : this.#value(bytes, skipBlanks(bytes, this.#at))
      at = skipBlanks(bytes, this.#at)
      const isEntry = bytes[at] === newline && row >= 1 && row <= rows && column >= 1 && column <= columns
      if (!isEntry || Number.isNaN(value) || this.#blankLine > 0) throw this.#entryError(bytes, lineStart)
      const filled = this.#filled++
      this.#rows[filled] = row - 1
      this.#columns[filled] = column - 1
      this.#values[filled] = value
      lineStart = at + 1
    }
    return lineStart
  }

  /** The entries since the last call; the arrays are used again. @throws BadInput MTX_COUNT when more than promised */
  take(): EntryBatch {
    const filled = this.#filled
    this.#filled = 0
    this.#taken += filled
    if (this.#taken > this.#header.entries) throw this.#countError('more entries follow')
    return {
      rows: this.#rows.subarray(0, filled),
      columns: this.#columns.subarray(0, filled),
      values: this.#values.subarray(0, filled),
    }
  }

  /** @throws BadInput MTX_COUNT when fewer than promised */
  finish(): void {
    if (this.#taken < this.#header.entries) throw this.#countError(`only ${this.#taken} are there`)
  }

  /** A whole number that a blank or the line's end follows; NaN for anything else. */
  #index(bytes: Uint8Array, start: number): number {
    let at = start
    let value = 0
    let byte = bytes[at] ?? newline
    while (byte >= zero && byte <= nine) {
      value = value * 10 + (byte - zero)
      byte = bytes[++at] ?? newline
    }
    this.#at = at
    return at > start && byte <= space ? value : Number.NaN
  }

  #value(bytes: Uint8Array, start: number): number {
    let at = start
    let byte = bytes[at] ?? newline
    const isNegative = byte === minus
    if (isNegative || byte === plus) byte = bytes[++at] ?? newline
    const firstDigit = at
    let point = -1
    let digits = 0
    for (; (byte >= zero && byte <= nine) || (byte === dot && point < 0); byte = bytes[++at] ?? newline) {
      if (byte === dot) point = at
      else digits = digits * 10 + (byte - zero)
    }
    const count = at - firstDigit - (point < 0 ? 0 : 1)
    if (byte > space || count === 0 || count > 15) return this.#rareValue(bytes, start)
    this.#at = at
    if (point >= 0) {
      if (this.#header.field === 'integer') return Number.NaN
      digits /= powersOfTen[at - point - 1] ?? 1
    }
    return isNegative ? -digits : digits
  }

  /** Exponents and long numbers. NaN for what is no finite number, or no exact whole one where whole ones are promised. */
  #rareValue(bytes: Uint8Array, start: number): number {
    let end = start
    while ((bytes[end] ?? newline) > space) end++
    this.#at = end
    const text = textOf(bytes.subarray(start, end))
    const isInteger = this.#header.field === 'integer'
    if (!(isInteger ? /^[+-]?\d+$/ : /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/).test(text)) return Number.NaN
    const value = Number(text)
    const isExact = isInteger ? Number.isSafeInteger(value) : Number.isFinite(value)
    return isExact ? value : Number.NaN
  }

  #entryError(bytes: Uint8Array, lineStart: number): BadInput {
    const { rows, columns, field } = this.#header
    const blank = this.#blankLine
    if (blank > 0) return entryError(this.#place, blank, 'is blank, and entries follow it')
    const text = textOf(bytes.subarray(lineStart, bytes.indexOf(newline, lineStart))).trim()
    const [row, column] = text.split(/[ \t]+/).map(Number)
    const isInside = (value: number | undefined, most: number) =>
      !(value !== undefined && (value < 1 || value > most))
    if (!isInside(row, rows) || !isInside(column, columns)) {
      return entryError(
        this.#place,
        this.#line,
        `("${shown(text)}") lies outside the ${rows} x ${columns} of the size line`,
      )
    }
    const form = field === 'pattern' ? 'a row and a column' : `a row, a column and one ${field} number`
    return entryError(this.#place, this.#line, `("${shown(text)}") is not ${form}`)
  }

  #countError(problem: string): BadInput {
    return new BadInput(
      'MTX_COUNT',
      this.#place,
      `the size line promises ${this.#header.entries} entries, but ${problem}`,
      'The file is cut short or was put together wrongly: download it again, or write it again from the program that made it',
    )
  }
}

function skipBlanks(bytes: Uint8Array, start: number): number {
  let at = start
  let byte = bytes[at]
  while (byte === space || byte === tab || byte === carriageReturn) byte = bytes[++at]
  return at
}

export function entryError(place: string, line: number, problem: string): BadInput {
  return new BadInput('MTX_ENTRY', place, `line ${line} ${problem}`, remedy)
}

export function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
}

/** The start of a line as it can be shown: nothing that a terminal would act on. */
export function shown(text: string): string {
  return text.slice(0, 60).replace(/[^\x20-\x7e]/g, '?')
}
