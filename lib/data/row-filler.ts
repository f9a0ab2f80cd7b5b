/**
 * Entries of some neighbouring rows, given in any order, made into slabs of rows (CSR). How many entries each row has is
 * known beforehand, so every entry is placed once. Columns of a row come out ascending; an entry given twice is an error,
 * as neither adding up nor keeping the last is what a count matrix means.
 */
import { BadInput, StoreFailure } from '../job/errors.ts'
import type { RowSlab, SlabValues } from './cells.ts'
import type { NumberType } from './tree.ts'

export interface Shape {
  rows: number
  columns: number
  type: NumberType
}

/** of values and columns in one slab, where nothing else is asked for */
export const defaultSlabBytes = 16 * 2 ** 20

const valueBytes: Record<NumberType, number> = {
  int8: 1,
  uint8: 1,
  int16: 2,
  uint16: 2,
  int32: 4,
  uint32: 4,
  int64: 8,
  uint64: 8,
  float16: 4,
  float32: 4,
  float64: 8,
}

/** Bytes that one entry takes in a slab: its value and its column. */
export function entryBytes(type: NumberType): number {
  return valueBytes[type] + 4
}

/** Room for values of a matrix: 64-bit integers as Float64Array, float16 as Float32Array. */
export function newValues(type: NumberType, length: number): SlabValues {
  if (type === 'int8') return new Int8Array(length)
  if (type === 'uint8') return new Uint8Array(length)
  if (type === 'int16') return new Int16Array(length)
  if (type === 'uint16') return new Uint16Array(length)
  if (type === 'int32') return new Int32Array(length)
  if (type === 'uint32') return new Uint32Array(length)
  if (type === 'float16' || type === 'float32') return new Float32Array(length)
  return new Float64Array(length)
}

/**
 * First rows of the slabs that [from, to) is cut into, and `to` at the end: each fits in `slabBytes`, but a row that
 * alone is larger is a slab of its own.
 */
export function cutIntoSlabs(
  counts: Int32Array,
  options: { from: number; to: number; slabBytes: number; type: NumberType },
): number[] {
  const { from, to, slabBytes } = options
  const perEntry = entryBytes(options.type)
  const starts: number[] = []
  let bytes = 0
  for (let row = from; row < to; row++) {
    const more = (counts[row] ?? 0) * perEntry + 4
    if (row === from || bytes + more > slabBytes) {
      starts.push(row)
      bytes = 0
    }
    bytes += more
  }
  if (starts.length > 0) starts.push(to)
  return starts
}

export interface RowRange {
  /** first row, and the row behind the last */
  start: number
  end: number
  /** entries of each row of the whole matrix */
  counts: Int32Array
  /** for messages */
  place: string
}

export class RowFiller {
  readonly start: number
  readonly end: number
  readonly #shape: Shape
  readonly #place: string
  /** where each row begins; one more for the end */
  readonly #offsets: Float64Array
  /** where the next entry of each row goes */
  readonly #next: Float64Array
  readonly #columns: Int32Array
  readonly #values: SlabValues

  constructor(shape: Shape, { start, end, counts, place }: RowRange) {
    this.start = start
    this.end = end
    this.#shape = shape
    this.#place = place
    this.#offsets = new Float64Array(end - start + 1)
    let total = 0
    for (let row = start; row < end; row++) {
      this.#offsets[row - start] = total
      total += counts[row] ?? 0
    }
    this.#offsets[end - start] = total
    this.#next = this.#offsets.slice(0, -1)
    this.#columns = new Int32Array(total)
    this.#values = newValues(shape.type, total)
  }

  /** @throws StoreFailure OBJECT_CHANGED when a row gets more entries than were counted */
  place(row: number, column: number, value: number): void {
    const at = this.#next[row - this.start] ?? 0
    if (!(at < (this.#offsets[row - this.start + 1] ?? 0))) throw changed(this.#place, row)
    this.#columns[at] = column
    this.#values[at] = value
    this.#next[row - this.start] = at + 1
  }

  /** Rows [from, to) of those filled. @throws BadInput DUPLICATE_ENTRY */
  slab(from: number, to: number): RowSlab {
    const base = this.#offsets[from - this.start] ?? 0
    const indptr = new Int32Array(to - from + 1)
    for (let row = from; row < to; row++) {
      const begin = this.#offsets[row - this.start] ?? 0
      const end = this.#offsets[row - this.start + 1] ?? 0
      if (this.#next[row - this.start] !== end) throw changed(this.#place, row)
      this.#sortRow(row, begin, end)
      indptr[row - from + 1] = end - base
    }
    const last = this.#offsets[to - this.start] ?? 0
    return {
      start: from,
      rows: to - from,
      columns: this.#shape.columns,
      indptr,
      indices: this.#columns.subarray(base, last),
      values: this.#values.subarray(base, last),
    }
  }

  #sortRow(row: number, begin: number, end: number): void {
    const columns = this.#columns
    const direction = directionOf(columns, begin, end)
    if (direction === 'rising') return
    if (direction === 'falling') {
      columns.subarray(begin, end).reverse()
      this.#values.subarray(begin, end).reverse()
      return
    }
    const sorted = sortPairs(columns.subarray(begin, end), this.#values.subarray(begin, end))
    if (sorted !== undefined) throw duplicate(this.#place, row, sorted)
  }
}

/** Real files hold the genes of a cell in rising or (Cell Ranger 3) falling order; only the rest is sorted. */
function directionOf(columns: Int32Array, begin: number, end: number): 'rising' | 'falling' | 'none' {
  let rising = true
  let falling = true
  for (let i = begin + 1; i < end; i++) {
    const step = (columns[i] ?? 0) - (columns[i - 1] ?? 0)
    rising &&= step > 0
    falling &&= step < 0
    if (!rising && !falling) return 'none'
  }
  return rising ? 'rising' : 'falling'
}

/** Sorts both by column, in place; answers a column that is there twice. */
function sortPairs(columns: Int32Array, values: SlabValues): number | undefined {
  const order = Uint32Array.from(columns, (_, i) => i)
  const width = columns.length
  const widest = columns.reduce((most, column) => Math.max(most, column), 0)
  if ((widest + 1) * width <= Number.MAX_SAFE_INTEGER) {
    // column and position in one number: sorting numbers is several times faster than asking a function
    const keys = Float64Array.from(columns, (column, i) => column * width + i).sort()
    for (let i = 0; i < width; i++) order[i] = (keys[i] ?? 0) % width
  } else {
    order.sort((a, b) => (columns[a] ?? 0) - (columns[b] ?? 0))
  }
  const oldColumns = columns.slice()
  const oldValues = values.slice()
  for (let i = 0; i < width; i++) {
    const from = order[i] ?? 0
    columns[i] = oldColumns[from] ?? 0
    values[i] = oldValues[from] ?? 0
    if (i > 0 && columns[i] === columns[i - 1]) return columns[i]
  }
  return undefined
}

function duplicate(place: string, row: number, column: number): BadInput {
  return new BadInput(
    'DUPLICATE_ENTRY',
    place,
    `row ${row + 1} has two values for column ${column + 1}`,
    'Write the matrix again with one value for each cell and gene',
  )
}

function changed(place: string, row: number): StoreFailure {
  return new StoreFailure(
    'OBJECT_CHANGED',
    place,
    `row ${row + 1} does not hold as many values as it did a moment ago`,
    'Run again when the file is no longer being written',
  )
}
