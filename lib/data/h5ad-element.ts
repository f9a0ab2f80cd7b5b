/**
 * Anything else that AnnData keeps: arrays, tables, matrices, nested dictionaries and plain values (obsm, uns, ...).
 * Plain numbers become int64 when they are whole and float64 else, as Python's would.
 */
import { BadInput } from '../job/errors.ts'
import type { Element } from './anndata/element.ts'
import { convert, encoding, type H5adOptions, storedType, writeArray, writeTexts } from './h5ad-arrays.ts'
import { type MatrixToWrite, writeMatrix } from './h5ad-matrix.ts'
import { writeColumn, writeTable } from './h5ad-table.ts'
import { checkName } from './hdf5/write/object-tree.ts'
import type { Hdf5Writer } from './hdf5/write/writer.ts'
import type { NumberArray, NumberType } from './tree.ts'

export type ElementToWrite = Exclude<Element, { kind: 'matrix' }> | { kind: 'matrix'; matrix: MatrixToWrite }

/** What `uns` takes without further words. Lists are of one kind; a number array keeps its type. */
export type PlainValue =
  | string
  | number
  | bigint
  | boolean
  | readonly string[]
  | readonly number[]
  | readonly boolean[]
  | NumberArray
  | { readonly [name: string]: PlainValue }

const MOST_DEPTH = 64

/** Replaces what was at the path. @throws BadInput KEY_UNSUPPORTED, ELEMENT_UNSUPPORTED, ADDITION_SHAPE */
export async function writeElement(
  writer: Hdf5Writer,
  path: string,
  options: { element: ElementToWrite; depth?: number } & H5adOptions,
): Promise<void> {
  const { element, gzip, depth = 0 } = options
  if (element.kind === 'matrix') return writeMatrix(writer, path, { matrix: element.matrix, gzip })
  if (element.kind === 'column') {
    const { column } = element
    const rows = column.kind === 'categorical' ? column.codes.length : column.values.length
    return writeColumn(writer, path, { column, rows, gzip })
  }
  writer.remove(path)
  if (element.kind === 'array') return writeArray(writer, path, { ...element, gzip })
  if (element.kind === 'text') return writeTexts(writer, path, { ...element, gzip })
  if (element.kind === 'records') return writeRecords(writer, path, element)
  if (element.kind === 'table') return writeTable(writer, path, { table: element.table, gzip })
  if (element.kind !== 'dict') throw unwritable(path, element.kind)
  if (depth > MOST_DEPTH) throw unwritable(path, 'a dictionary nested too deeply')
  writer.group(path, encoding('dict', '0.1.0'))
  for (const [name, inner] of element.entries) {
    checkName(name, path)
    await writeElement(writer, `${path}/${name}`, { element: inner, gzip, depth: depth + 1 })
  }
}

type Records = Extract<Element, { kind: 'records' }>

/** A record array (rec-array 0.2.0), as scanpy keeps its ranked genes. Its fields hold one value a row. */
async function writeRecords(writer: Hdf5Writer, path: string, { fields, shape }: Records): Promise<void> {
  const written = [...fields].map(([name, field]) => {
    const isList = (field.kind === 'array' || field.kind === 'text') && field.shape.length === 1
    if (!isList || shape.length !== 1)
      throw unwritable(`${path}.${name}`, 'a field of records that is no plain list')
    if (field.kind === 'text') return { name, type: 'string' as const, values: field.values }
    const type = storedType(field.type)
    return { name, type, values: convert(field.values, type) }
  })
  if (written.length === 0) throw unwritable(path, 'a record without fields')
  await writer.records(path, written, encoding('rec-array', '0.2.0'))
}

/** True for records that `writeElement` takes. */
export function isWritableRecords({ fields, shape }: Records): boolean {
  const isList = (field: Element): boolean =>
    (field.kind === 'array' || field.kind === 'text') && field.shape.length === 1
  return shape.length === 1 && fields.size > 0 && [...fields.values()].every(isList)
}

function unwritable(path: string, what: string): BadInput {
  return new BadInput('ELEMENT_UNSUPPORTED', path, `${what} cannot be stored in an h5ad`, 'Leave it out')
}

/** @throws BadInput ELEMENT_UNSUPPORTED for lists of mixed kinds and for what has no form in an h5ad */
export function plainElement(value: PlainValue, path: string, depth = 0): Element {
  if (depth > MOST_DEPTH) throw unwritable(path, 'a dictionary nested too deeply')
  if (typeof value === 'string') return { kind: 'text', shape: [], values: [value] }
  if (typeof value === 'boolean') return { ...numbers('boolean', Uint8Array.of(Number(value))), shape: [] }
  if (typeof value === 'bigint') return { ...numbers('int64', BigInt64Array.of(value)), shape: [] }
  if (typeof value === 'number') return { ...plainNumbers([value]), shape: [] }
  if (ArrayBuffer.isView(value)) return numbers(typeOf(value), value)
  if (isList(value)) return plainList(value, path)
  if (typeof value !== 'object' || value === null) throw unwritable(path, `a value of ${String(value)}`)
  const entries = new Map<string, Element>()
  for (const [name, inner] of Object.entries(value))
    entries.set(name, plainElement(inner, `${path}/${name}`, depth + 1))
  return { kind: 'dict', entries }
}

type PlainList = readonly string[] | readonly number[] | readonly boolean[]

type Scalar = string | number | boolean

function isList(value: PlainValue): value is PlainList {
  return Array.isArray(value)
}

function plainList(list: PlainList, path: string): Element {
  const items: readonly Scalar[] = list
  const all = <Kind extends Scalar>(test: (value: Scalar) => value is Kind): Kind[] | undefined => {
    const fitting = items.filter(test)
    return fitting.length === items.length ? fitting : undefined
  }
  const texts = all((value) => typeof value === 'string')
  if (texts !== undefined && texts.length > 0) return { kind: 'text', shape: [texts.length], values: texts }
  const flags = all((value) => typeof value === 'boolean')
  if (flags !== undefined && flags.length > 0) return numbers('boolean', Uint8Array.from(flags, Number))
  const values = all((value) => typeof value === 'number')
  if (values === undefined) throw unwritable(path, 'a list of mixed kinds')
  return values.length === 0 ? numbers('float64', new Float64Array(0)) : plainNumbers(values)
}

type ArrayElement = Extract<Element, { kind: 'array' }>

function numbers(type: NumberType | 'boolean', values: NumberArray): ArrayElement {
  return { kind: 'array', type, shape: [values.length], values }
}

function plainNumbers(values: readonly number[]): ArrayElement {
  return values.every(Number.isSafeInteger)
    ? numbers('int64', BigInt64Array.from(values, BigInt))
    : numbers('float64', Float64Array.from(values))
}

function typeOf(values: NumberArray): NumberType {
  if (values instanceof Int8Array) return 'int8'
  if (values instanceof Uint8Array) return 'uint8'
  if (values instanceof Int16Array) return 'int16'
  if (values instanceof Uint16Array) return 'uint16'
  if (values instanceof Int32Array) return 'int32'
  if (values instanceof Uint32Array) return 'uint32'
  if (values instanceof BigInt64Array) return 'int64'
  if (values instanceof BigUint64Array) return 'uint64'
  return values instanceof Float32Array ? 'float32' : 'float64'
}
