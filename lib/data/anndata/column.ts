/**
 * One column of a data frame, in every way anndata has stored it: plain arrays, `categorical` groups (0.2.0), codes with a
 * reference to `__categories` (0.7), and nullable values with a mask. Codes are checked against their categories.
 */
import { BadInput } from '../../job/errors.ts'
import type { Categories, Column } from '../cells.ts'
import type { ArrayNode, ArrayValues, NumberArray, NumberType, Tree, TreeNode } from '../tree.ts'
import { encodingOf, isTrue, referenceOf, textOf } from './attributes.ts'

/** more categories than this are not labels, whatever the file says */
export const maxCategories = 2_000_000

export async function readColumn(tree: Tree, path: string): Promise<Column> {
  const node = await requireNode(tree, path)
  if (node.kind === 'array') return readArrayColumn(tree, node)
  const encoding = encodingOf(node)
  if (encoding === 'categorical') {
    const codes = await readValues(tree, `${path}/codes`)
    const categories = await readCategories(tree, `${path}/categories`)
    return categorical(`${tree.place}:${path}`, {
      codes,
      categories,
      ordered: isTrue(node.attributes.ordered),
    })
  }
  if (encoding.startsWith('nullable-')) return readNullable(tree, path)
  throw unsupported(tree, path, encoding === '' ? 'a group without an encoding' : `encoding '${encoding}'`)
}

async function readArrayColumn(tree: Tree, node: ArrayNode): Promise<Column> {
  if (node.shape?.length !== 1) throw unsupported(tree, node.path, `an array of shape [${node.shape ?? ''}]`)
  const reference = categoriesPath(tree, node)
  const values = await tree.read(node.path)
  if (reference === undefined) return plainColumn(tree, node, values)
  const target = await requireNode(tree, reference)
  const categories = await readCategories(tree, reference)
  return categorical(`${tree.place}:${node.path}`, {
    codes: values,
    categories,
    ordered: isTrue(target.attributes.ordered) || isTrue(node.attributes.ordered),
  })
}

/** HDF5 refers to the categories by their address; zarr, which has none, by a path below the table. */
function categoriesPath(tree: Tree, { attributes, path }: ArrayNode): string | undefined {
  const relative = tree.format === 'zarr' ? textOf(attributes.categories) : undefined
  return relative === undefined
    ? referenceOf(attributes, 'categories')
    : `${path.slice(0, path.lastIndexOf('/'))}/${relative}`
}

function plainColumn(tree: Tree, node: ArrayNode, values: ArrayValues): Column {
  const column = columnOf(node.element, values)
  if (column === undefined) throw unsupported(tree, node.path, node.element.kind)
  return column
}

/** Flat values of an element type as a column; undefined for what a column cannot be. */
export function columnOf(element: ArrayNode['element'], values: ArrayValues): Column | undefined {
  if (isText(values)) return { kind: 'string', values }
  if (!isNumbers(values)) return undefined
  if (element.kind === 'boolean') return { kind: 'boolean', values: Uint8Array.from(values as Uint8Array) }
  if (element.kind === 'number') return { kind: 'number', type: storedType(element.type), values }
  if (element.kind === 'enum') return enumColumn(element.names, values)
  return undefined
}

function storedType(type: NumberType): NumberType {
  return type === 'float16' ? 'float32' : type
}

/** An HDF5 enumeration other than TRUE/FALSE is a categorical: its names are the categories. */
function enumColumn(names: Record<string, number>, values: NumberArray): Column {
  const entries = Object.entries(names)
  const codeOf = new Map(entries.map(([, value], code) => [value, code]))
  const codes = Int32Array.from(values as Int32Array, (value) => codeOf.get(Number(value)) ?? -1)
  return {
    kind: 'categorical',
    codes,
    categories: { kind: 'string', values: entries.map(([name]) => name) },
    ordered: false,
  }
}

async function readNullable(tree: Tree, path: string): Promise<Column> {
  const column = await readColumn(tree, `${path}/values`)
  const mask = await readValues(tree, `${path}/mask`)
  if (!(mask instanceof Uint8Array) || mask.length !== lengthOf(column)) {
    throw damaged(`${tree.place}:${path}/mask`, 'the mask is not one true or false for each value')
  }
  if (column.kind === 'string') {
    return { kind: 'string', values: column.values.map((value, i) => (mask[i] === 0 ? value : null)) }
  }
  if (column.kind === 'categorical') throw unsupported(tree, path, 'a masked categorical')
  return { ...column, mask }
}

async function readCategories(tree: Tree, path: string): Promise<Categories> {
  const node = await requireNode(tree, path)
  const count = node.kind === 'array' ? (node.shape?.[0] ?? 0) : 0
  if (count > maxCategories) throw damaged(`${tree.place}:${path}`, `${count} categories`)
  const column = await readColumn(tree, path)
  if (column.kind === 'categorical')
    throw unsupported(tree, path, 'categories that are themselves categorical')
  if (column.kind === 'string') return { kind: 'string', values: column.values.map((value) => value ?? '') }
  return column.kind === 'number' ? column : { kind: 'boolean', values: column.values }
}

interface CategoricalParts {
  codes: ArrayValues
  categories: Categories
  ordered: boolean
}

export function categorical(place: string, { codes, categories, ordered }: CategoricalParts): Column {
  if (!isNumbers(codes)) throw damaged(place, 'the codes are not numbers')
  const count = categories.values.length
  const checked = new Int32Array(codes.length)
  for (let i = 0; i < codes.length; i++) {
    const code = Number(codes[i])
    if (!Number.isInteger(code) || code < -1 || code >= count) {
      throw damaged(place, `code ${code} of row ${i} is not one of ${count} categories`)
    }
    checked[i] = code
  }
  return { kind: 'categorical', codes: checked, categories, ordered }
}

export function lengthOf(column: Column): number {
  return column.kind === 'categorical' ? column.codes.length : column.values.length
}

export function isText(values: ArrayValues): values is string[] {
  return Array.isArray(values)
}

export function isNumbers(values: ArrayValues): values is NumberArray {
  return ArrayBuffer.isView(values)
}

async function readValues(tree: Tree, path: string): Promise<ArrayValues> {
  await requireNode(tree, path)
  return tree.read(path)
}

export async function requireNode(tree: Tree, path: string): Promise<TreeNode> {
  const node = await tree.node(path)
  if (node === undefined) {
    throw new BadInput(
      'ELEMENT_MISSING',
      `${tree.place}:${path}`,
      'this part of the file is missing',
      'Write the file again with a current anndata (`adata.write_h5ad`)',
    )
  }
  return node
}

export function unsupported(tree: Tree, path: string, what: string): BadInput {
  return new BadInput(
    'ELEMENT_UNSUPPORTED',
    `${tree.place}:${path}`,
    `${what} is not something Celldrop reads`,
    'Convert or drop it in Python and write the file again',
  )
}

export function damaged(place: string, problem: string): BadInput {
  return new BadInput(
    'ELEMENT_DAMAGED',
    place,
    problem,
    'The stored parts contradict each other: write the file again from the program that made it',
  )
}
