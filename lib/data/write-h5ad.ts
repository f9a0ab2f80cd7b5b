/**
 * Writes an h5ad as anndata 0.8 and later does, matrices streamed. The file appears at its path when it is whole.
 * All groups that AnnData has are there, empty or not, since readers older than 0.9 ask for some of them.
 */
import type { Table } from './cells.ts'
import { encoding, type H5adOptions, wrongShape } from './h5ad-arrays.ts'
import { type ElementToWrite, type PlainValue, plainElement, writeElement } from './h5ad-element.ts'
import { type MatrixToWrite, writeMatrix } from './h5ad-matrix.ts'
import { writeTable } from './h5ad-table.ts'
import { createHdf5 } from './hdf5/write/create.ts'
import { checkName } from './hdf5/write/object-tree.ts'
import type { Hdf5Writer } from './hdf5/write/writer.ts'

export type Elements = ReadonlyMap<string, ElementToWrite>
/** As elements, or as plain data: strings, numbers, lists, objects. */
export type Unstructured = Elements | { readonly [name: string]: PlainValue }

/** What stands beside X and the tables, by name. */
export interface OtherParts {
  layers?: ReadonlyMap<string, MatrixToWrite>
  obsm?: Elements
  varm?: Elements
  obsp?: Elements
  varp?: Elements
  uns?: Unstructured
}

export interface AnnDataToWrite extends OtherParts {
  x?: MatrixToWrite
  obs: Table
  var: Table
  raw?: { x: MatrixToWrite; var: Table; varm?: Elements }
}

/**
 * Writes the file; nothing that is there is overwritten.
 * @throws AlreadyExists OBJECT_EXISTS; BadInput ADDITION_SHAPE when parts do not fit obs and var, KEY_UNSUPPORTED, ELEMENT_UNSUPPORTED, TEXT_UNSUPPORTED
 */
export async function writeH5ad(
  path: string,
  parts: AnnDataToWrite,
  options: H5adOptions = {},
): Promise<void> {
  const writer = await createHdf5(path)
  try {
    await writeParts(writer, parts, options)
    await writer.close()
  } catch (error) {
    await writer.abort()
    throw error
  }
}

async function writeParts(writer: Hdf5Writer, parts: AnnDataToWrite, { gzip }: H5adOptions): Promise<void> {
  const cells = parts.obs.rows
  const genes = parts.var.rows
  writer.group('/', encoding('anndata', '0.1.0'))
  await writeTable(writer, '/obs', { table: parts.obs, gzip })
  await writeTable(writer, '/var', { table: parts.var, gzip })
  const mappings: [string, Elements | undefined, number[]][] = [
    ['/obsm', parts.obsm, [cells]],
    ['/varm', parts.varm, [genes]],
    ['/obsp', parts.obsp, [cells, cells]],
    ['/varp', parts.varp, [genes, genes]],
  ]
  for (const [path, elements, shape] of mappings) await writeElements(writer, path, { elements, shape, gzip })
  await writeElements(writer, '/uns', { elements: unsElements(parts.uns), shape: [], gzip })
  if (parts.x !== undefined)
    await writeAligned(writer, '/X', { matrix: parts.x, shape: [cells, genes], gzip })
  writer.group('/layers', encoding('dict', '0.1.0'))
  for (const [name, matrix] of parts.layers ?? []) {
    checkName(name, '/layers')
    await writeAligned(writer, `/layers/${name}`, { matrix, shape: [cells, genes], gzip })
  }
  if (parts.raw === undefined) return
  writer.group('/raw', encoding('raw', '0.1.0'))
  await writeTable(writer, '/raw/var', { table: parts.raw.var, gzip })
  await writeElements(writer, '/raw/varm', { elements: parts.raw.varm, shape: [parts.raw.var.rows], gzip })
  await writeAligned(writer, '/raw/X', { matrix: parts.raw.x, shape: [cells, parts.raw.var.rows], gzip })
}

export function unsElements(uns: Unstructured | undefined): Elements {
  if (uns instanceof Map) return uns
  return new Map(
    Object.entries(uns ?? {}).map(([name, value]) => [name, plainElement(value, `/uns/${name}`)]),
  )
}

/** A group of elements that fit the leading axes; made where it is not there. */
export async function writeElements(
  writer: Hdf5Writer,
  path: string,
  options: { elements: Elements | undefined; shape: readonly number[] } & H5adOptions,
): Promise<void> {
  if (writer.kindAt(path) === undefined) writer.group(path, encoding('dict', '0.1.0'))
  for (const [name, element] of options.elements ?? []) {
    checkName(name, path)
    const place = `${path}/${name}`
    const shape = leadingShape(element)
    const fits = options.shape.every((extent, axis) => shape?.[axis] === extent)
    if (!fits) throw wrongShape(place, `[${shape?.join(', ') ?? ''}]`, options.shape)
    await writeElement(writer, place, { element, gzip: options.gzip })
  }
}

function leadingShape(element: ElementToWrite): readonly number[] | undefined {
  if (element.kind === 'array' || element.kind === 'text') return element.shape
  if (element.kind === 'table') return [element.table.rows, element.table.columns.size]
  if (element.kind === 'matrix') return [element.matrix.rows, element.matrix.columns]
  return undefined
}

/** A matrix of exactly this shape. */
export async function writeAligned(
  writer: Hdf5Writer,
  path: string,
  options: { matrix: MatrixToWrite; shape: readonly number[] } & H5adOptions,
): Promise<void> {
  const { matrix, shape, gzip } = options
  if (matrix.rows !== shape[0] || matrix.columns !== shape[1]) {
    throw wrongShape(path, `[${matrix.rows}, ${matrix.columns}]`, shape)
  }
  await writeMatrix(writer, path, { matrix, gzip })
}
