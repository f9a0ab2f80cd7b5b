/**
 * Data frames and their columns as anndata 0.8 and later stores them (dataframe 0.2.0).
 * Text with missing values becomes a categorical with code -1, as anndata does on writing; missing floats become NaN.
 */
import { BadInput } from '../job/errors.ts'
import type { Categories, Column, Table } from './cells.ts'
import { convert, encoding, type H5adOptions, writeArray, writeTexts, wrongShape } from './h5ad-arrays.ts'
import type { AttributeToWrite } from './hdf5/write/attributes.ts'
import { checkName } from './hdf5/write/object-tree.ts'
import type { Hdf5Writer } from './hdf5/write/writer.ts'

/** @throws BadInput KEY_UNSUPPORTED, ADDITION_SHAPE */
export async function writeTable(
  writer: Hdf5Writer,
  path: string,
  { table, gzip }: { table: Table } & H5adOptions,
): Promise<void> {
  if (table.index.length !== table.rows)
    throw wrongShape(path, `an index of ${table.index.length}`, [table.rows])
  // a column and the index cannot share a name; anndata takes '_index' for the index, always
  const indexName = table.indexName === '' || table.columns.has(table.indexName) ? '_index' : table.indexName
  checkName(indexName, path)
  writer.group(path, {
    _index: indexName,
    'column-order': columnOrder([...table.columns.keys()]),
    ...encoding('dataframe', '0.2.0'),
  })
  await writeTexts(writer, `${path}/${indexName}`, { values: table.index, gzip })
  for (const [name, column] of table.columns) {
    checkColumnName(name, { path, indexName })
    await writeColumn(writer, `${path}/${name}`, { column, rows: table.rows, gzip })
  }
}

export function checkColumnName(
  name: string,
  { path, indexName }: { path: string; indexName: string },
): void {
  checkName(name, path)
  if (name !== indexName && name !== '_index' && name !== '__categories') return
  throw new BadInput(
    'KEY_UNSUPPORTED',
    path,
    `a column cannot be named ${JSON.stringify(name)}: the table uses that name itself`,
    'Give it another name',
  )
}

/** A list of no names is a list of no numbers, as numpy makes it. */
export function columnOrder(names: readonly string[]): AttributeToWrite {
  return names.length === 0 ? { type: 'float64', values: new Float64Array(0) } : names
}

/** Replaces what was at the path. @throws BadInput ADDITION_SHAPE when it has not one value a row */
export async function writeColumn(
  writer: Hdf5Writer,
  path: string,
  options: { column: Column; rows: number } & H5adOptions,
): Promise<void> {
  const { rows, gzip } = options
  const column = storable(options.column)
  const length = column.kind === 'categorical' ? column.codes.length : column.values.length
  if (length !== rows) throw wrongShape(path, `${length} values`, [rows])
  writer.remove(path)
  if (column.kind === 'string') await writeTexts(writer, path, { values: column.values.map(String), gzip })
  else if (column.kind === 'categorical') await writeCategorical(writer, path, { column, gzip })
  else if (column.mask === undefined) await writeArray(writer, path, { ...flat(column), gzip })
  else await writeNullable(writer, path, { column, mask: column.mask, gzip })
}

type NumberColumn = Extract<Column, { kind: 'number' | 'boolean' }>
type Categorical = Extract<Column, { kind: 'categorical' }>

const flat = (column: NumberColumn) => ({
  type: column.kind === 'boolean' ? ('boolean' as const) : column.type,
  shape: [column.values.length],
  values: column.values,
})

/** The same column in a form that has an encoding. */
function storable(column: Column): Column {
  if (column.kind === 'string') return column.values.includes(null) ? asCategorical(column.values) : column
  if (column.kind !== 'number' || column.mask === undefined || !column.type.startsWith('float')) return column
  const { mask } = column
  const stored = convert(column.values, 'float64')
  const values = Float64Array.from({ length: stored.length }, (_, i) =>
    mask[i] ? Number.NaN : Number(stored[i]),
  )
  return { kind: 'number', type: column.type, values }
}

function asCategorical(values: readonly (string | null)[]): Categorical {
  const present = new Set(values)
  present.delete(null)
  const names = [...present].map(String).sort(byCodePoint)
  const codeOf = new Map<string | null, number>(names.map((name, code) => [name, code]))
  const codes = Int32Array.from(values, (value) => codeOf.get(value) ?? -1)
  return { kind: 'categorical', codes, categories: { kind: 'string', values: names }, ordered: false }
}

/** The order of Python's strings. */
const byCodePoint = (a: string, b: string) => Buffer.compare(Buffer.from(a), Buffer.from(b))

async function writeCategorical(
  writer: Hdf5Writer,
  path: string,
  { column, gzip }: { column: Categorical } & H5adOptions,
): Promise<void> {
  const { codes, categories } = column
  const count = categories.values.length
  const place = codes.findIndex((code) => code < -1 || code >= count)
  if (place >= 0) throw new RangeError(`${path}: code ${codes[place]} has no category`)
  writer.group(path, { ordered: column.ordered, ...encoding('categorical', '0.2.0') })
  // pandas takes the smallest type that has room
  const type = count < 2 ** 7 ? 'int8' : count < 2 ** 15 - 1 ? 'int16' : 'int32'
  await writeArray(writer, `${path}/codes`, { type, shape: [codes.length], values: codes, gzip })
  await writeCategories(writer, `${path}/categories`, { categories, gzip })
}

async function writeCategories(
  writer: Hdf5Writer,
  path: string,
  { categories, gzip }: { categories: Categories } & H5adOptions,
): Promise<void> {
  if (categories.kind === 'string') return writeTexts(writer, path, { values: categories.values, gzip })
  return writeArray(writer, path, { ...flat(categories), gzip })
}

async function writeNullable(
  writer: Hdf5Writer,
  path: string,
  { column, mask, gzip }: { column: NumberColumn; mask: Uint8Array } & H5adOptions,
): Promise<void> {
  if (mask.length !== column.values.length)
    throw wrongShape(path, `a mask of ${mask.length}`, [column.values.length])
  writer.group(path, encoding(column.kind === 'boolean' ? 'nullable-boolean' : 'nullable-integer', '0.1.0'))
  await writeArray(writer, `${path}/values`, { ...flat(column), gzip })
  await writeArray(writer, `${path}/mask`, { type: 'boolean', shape: [mask.length], values: mask, gzip })
}
