/**
 * One column of several tables as one column, the rows of one table after those of the other. Numbers take the narrowest type that
 * holds all of them exactly; categories and texts become one categorical; rows of a table that lacks the column are missing.
 *
 * Trap: pandas makes a column without any value one of floats. A column that is missing throughout says nothing of its kind here.
 */
import type { Categories, Column } from './cells.ts'
import { convert } from './h5ad-arrays.ts'
import { NUMBERS, type StoredNumber } from './hdf5/write/datatype.ts'
import type { NumberArray, NumberType } from './tree.ts'

export interface ColumnPart {
  rows: number
  /** undefined where the table has no such column */
  column: Column | undefined
}

export type JoinedColumn = { column: Column; remark?: string } | { reason: string }

type Family = 'numbers' | 'flags' | 'text' | 'numbered categories' | 'categories of yes and no'
type Of<Kind extends Column['kind']> = Extract<Column, { kind: Kind }>
interface Placed<Kind extends Column> {
  at: number
  column: Kind
}

/** @returns the column, with a remark if something of it was lost, or the reason why there is none */
export function joinColumn(parts: readonly ColumnPart[]): JoinedColumn {
  const rows = parts.reduce((sum, part) => sum + part.rows, 0)
  let at = 0
  const present = parts.flatMap(({ rows: own, column }) => {
    const start = at
    at += own
    return column === undefined ? [] : [{ at: start, column }]
  })
  const telling = present.filter(({ column }) => !isMissing(column))
  const used = telling.length > 0 ? telling : present
  const families = new Map<Family, number>()
  for (const { column } of used) families.set(familyOf(column), (families.get(familyOf(column)) ?? 0) + 1)
  if (families.size !== 1) {
    const kinds = [...families].map(([family, tables]) => `${family} in ${tables}`).join(', ')
    return { reason: families.size === 0 ? 'no table has it' : `it holds ${kinds}` }
  }
  const [family] = families.keys()
  if (family === 'numbers') return joinNumbers(used as Placed<Of<'number'>>[], rows)
  if (family === 'flags') return { column: joinFlags(used as Placed<Of<'boolean'>>[], rows) }
  return used.every(({ column }) => column.kind === 'string')
    ? { column: joinTexts(used as Placed<Of<'string'>>[], rows) }
    : joinCategories(used as Placed<Of<'string' | 'categorical'>>[], rows)
}

function familyOf(column: Column): Family {
  if (column.kind === 'number') return 'numbers'
  if (column.kind === 'boolean') return 'flags'
  if (column.kind === 'string' || column.categories.kind === 'string') return 'text'
  return column.categories.kind === 'number' ? 'numbered categories' : 'categories of yes and no'
}

function isMissing(column: Column): boolean {
  if (column.kind === 'string') return column.values.every((value) => value === null)
  if (column.kind === 'categorical') return column.codes.every((code) => code < 0)
  const { values, mask } = column
  for (let i = 0; i < values.length; i++) if (mask?.[i] !== 1 && !Number.isNaN(values[i])) return false
  return true
}

function joinNumbers(parts: readonly Placed<Of<'number'>>[], rows: number): JoinedColumn {
  const type = widestType(parts.map(({ column }) => column))
  if (type === undefined) return { reason: 'no type holds all of its numbers exactly' }
  const isFloat = type.startsWith('float')
  const values = NUMBERS[type].make(rows)
  if (isFloat) (values as Float64Array).fill(Number.NaN)
  const mask = new Uint8Array(rows).fill(1)
  for (const { at, column } of parts) {
    put(values, convert(column.values, type), at)
    for (let i = 0; i < column.values.length; i++) {
      const missing = column.mask?.[i] === 1
      mask[at + i] = Number(missing)
      if (missing && isFloat) values[at + i] = Number.NaN
    }
  }
  const hasGaps = !isFloat && mask.includes(1)
  return { column: { kind: 'number', type, values, ...(hasGaps && { mask }) } }
}

/** Both of one type. */
function put(target: NumberArray, values: NumberArray, at: number): void {
  ;(target as Float64Array).set(values as Float64Array, at)
}

interface Numbers {
  type: NumberType
  values: NumberArray
}

/** The narrowest type that holds every number of these exactly; undefined where there is none. */
function widestType(columns: readonly Numbers[]): StoredNumber | undefined {
  const bits = (kind: string) =>
    Math.max(0, ...columns.filter(({ type }) => type.startsWith(kind)).map(({ type }) => bitsOf(type)))
  const [signed, unsigned, float] = [bits('int'), bits('uint'), bits('float')]
  if (float > 0) {
    const isNarrow = Math.max(signed, unsigned) <= 16 && float <= 32
    return isNarrow ? 'float32' : columns.every(hasExactDoubles) ? 'float64' : undefined
  }
  if (signed === 0) return `uint${unsigned}` as StoredNumber
  const needed = unsigned === 0 ? signed : Math.max(signed, 2 * unsigned)
  if (needed <= 64) return `int${needed}` as StoredNumber
  return columns.every(({ type, values }) => type !== 'uint64' || fitSigned(values)) ? 'int64' : undefined
}

const bitsOf = (type: NumberType): number => Number(/\d+$/.exec(type)![0])

function hasExactDoubles({ type, values }: Numbers): boolean {
  if (!type.endsWith('int64')) return true
  for (const value of values) if (BigInt(Number(value)) !== BigInt(value)) return false
  return true
}

function fitSigned(values: NumberArray): boolean {
  for (const value of values) if (BigInt(value) >= 2n ** 63n) return false
  return true
}

function joinFlags(parts: readonly Placed<Of<'boolean'>>[], rows: number): Column {
  const values = new Uint8Array(rows)
  const mask = new Uint8Array(rows).fill(1)
  for (const { at, column } of parts) {
    values.set(column.values, at)
    mask.set(column.mask ?? new Uint8Array(column.values.length), at)
  }
  return { kind: 'boolean', values, ...(mask.includes(1) && { mask }) }
}

function joinTexts(parts: readonly Placed<Of<'string'>>[], rows: number): Column {
  const values = new Array<string | null>(rows).fill(null)
  for (const { at, column } of parts) for (const [i, text] of column.values.entries()) values[at + i] = text
  return { kind: 'string', values }
}

type Category = string | number | bigint

/** Categories in the order in which they first come, as pandas unites them. An order of theirs stays where all agree on it. */
function joinCategories(parts: readonly Placed<Of<'string' | 'categorical'>>[], rows: number): JoinedColumn {
  const categorical = parts.flatMap(({ column }) => (column.kind === 'categorical' ? [column] : []))
  const numbered = categorical.flatMap(({ categories }) => (categories.kind === 'number' ? [categories] : []))
  const type = numbered.length === 0 ? 'none' : widestType(numbered)
  if (type === undefined) return { reason: 'no type holds all of its numbers exactly' }
  const valuesOf = (of: Categories): ArrayLike<Category> =>
    of.kind === 'number' && type !== 'none' ? convert(of.values, type) : of.values
  const codes = new Int32Array(rows).fill(-1)
  const numbers = new Map<Category, number>()
  const codeOf = (category: Category): number => {
    const known = numbers.get(category) ?? numbers.size
    numbers.set(category, known)
    return known
  }
  for (const { at, column } of parts) {
    if (column.kind === 'string') {
      for (const [i, text] of column.values.entries()) codes[at + i] = text === null ? -1 : codeOf(text)
      continue
    }
    const own = Array.from(valuesOf(column.categories), codeOf)
    for (const [i, code] of column.codes.entries()) codes[at + i] = own[code] ?? -1
  }
  const wasOrdered = categorical.some(({ ordered }) => ordered)
  const ordered = wasOrdered && categorical.length === parts.length && haveOneOrder(categorical)
  return {
    column: {
      kind: 'categorical',
      codes,
      categories: categoriesOf([...numbers.keys()], { like: categorical[0]!.categories, type }),
      ordered,
    },
    ...(wasOrdered && !ordered && { remark: 'its categories come in another order: it has none now' }),
  }
}

function categoriesOf(
  values: readonly Category[],
  { like, type }: { like: Categories; type: StoredNumber | 'none' },
): Categories {
  if (type === 'none')
    return like.kind === 'boolean'
      ? { kind: 'boolean', values: Uint8Array.from(values, Number) }
      : { kind: 'string', values: values.map(String) }
  const numbers = NUMBERS[type].make(values.length)
  // they come out of an array of this very type
  for (const [i, value] of values.entries()) numbers[i] = value as number
  return { kind: 'number', type, values: numbers }
}

function haveOneOrder(columns: readonly Of<'categorical'>[]): boolean {
  const textOf = ({ ordered, categories }: Of<'categorical'>) =>
    `${ordered} ${JSON.stringify(Array.from(categories.values as ArrayLike<Category>, String))}`
  return new Set(columns.map(textOf)).size === 1
}
