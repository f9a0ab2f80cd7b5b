/**
 * obs and var: data frames as groups of columns (anndata 0.7 and later) or as one compound dataset (0.5 and 0.6), whose
 * categories lie in uns under `<column>_categories`. In the compound form the first member is the index.
 */
import { BadInput } from '../../job/errors.ts'
import type { Column, Table } from '../cells.ts'
import type { ArrayNode, GroupNode, Tree } from '../tree.ts'
import { namesOf, textOf } from './attributes.ts'
import {
  categorical,
  columnOf,
  damaged,
  isNumbers,
  isText,
  lengthOf,
  readColumn,
  requireNode,
} from './column.ts'

/** @throws BadInput when the index is missing, lengths differ or codes leave their categories */
export async function readTable(tree: Tree, path: string): Promise<Table> {
  const node = await requireNode(tree, path)
  return node.kind === 'group' ? readGroupTable(tree, node) : readCompoundTable(tree, node)
}

/** Rows of a data frame without reading its columns. */
export async function countRows(tree: Tree, path: string): Promise<number> {
  const node = await requireNode(tree, path)
  if (node.kind === 'array') return node.shape?.[0] ?? 0
  const index = await requireNode(tree, `${path}/${indexNameOf(tree, node)}`)
  if (index.kind === 'array') return index.shape?.[0] ?? 0
  // an index stored as a group (categorical or nullable strings) has one code or value a row
  for (const part of ['codes', 'values']) {
    const node = index.children.includes(part) ? await tree.node(`${index.path}/${part}`) : undefined
    if (node?.kind === 'array') return node.shape?.[0] ?? 0
  }
  throw damaged(`${tree.place}:${index.path}`, 'the index has no values')
}

/** Names of the columns in stored order, without the index. */
export function columnNames(tree: Tree, node: GroupNode): string[] {
  const index = indexNameOf(tree, node)
  const order = namesOf(node.attributes['column-order'])
  const names = order ?? node.children.filter((name) => name !== '__categories')
  return names.filter((name) => name !== index)
}

function indexNameOf(tree: Tree, node: GroupNode): string {
  const name = textOf(node.attributes._index)
  if (name !== undefined) return name
  if (node.children.includes('_index')) return '_index'
  if (node.children.includes('index')) return 'index'
  throw new BadInput(
    'TABLE_INDEX_MISSING',
    `${tree.place}:${node.path}`,
    'the table has no index, so its rows have no names',
    'Write the file again with a current anndata (`adata.write_h5ad`)',
  )
}

async function readGroupTable(tree: Tree, node: GroupNode): Promise<Table> {
  const indexName = indexNameOf(tree, node)
  const index = indexValues(`${tree.place}:${node.path}`, await readColumn(tree, `${node.path}/${indexName}`))
  const columns = new Map<string, Column>()
  const unread: { name: string; reason: string }[] = []
  for (const name of columnNames(tree, node)) {
    try {
      const column = await readColumn(tree, `${node.path}/${name}`)
      if (lengthOf(column) !== index.length) {
        throw damaged(
          `${tree.place}:${node.path}/${name}`,
          `${lengthOf(column)} values for ${index.length} rows`,
        )
      }
      columns.set(name, column)
    } catch (error) {
      if (!(error instanceof BadInput && error.code === 'ELEMENT_UNSUPPORTED')) throw error
      unread.push({ name, reason: error.problem })
    }
  }
  return { rows: index.length, indexName, index, columns, ...(unread.length > 0 && { unread }) }
}

function indexValues(place: string, column: Column): string[] {
  if (column.kind === 'string') return column.values.map((value) => value ?? '')
  if (column.kind === 'number') return Array.from(column.values as Int32Array, (value) => String(value))
  if (column.kind === 'categorical') {
    const { values } = column.categories
    return Array.from(column.codes, (code) => (code < 0 ? '' : String(values[code])))
  }
  throw damaged(place, 'the index is neither text nor numbers')
}

async function readCompoundTable(tree: Tree, node: ArrayNode): Promise<Table> {
  const values = await tree.read(node.path)
  if (node.element.kind !== 'compound' || isText(values) || isNumbers(values) || node.shape?.length !== 1) {
    throw damaged(`${tree.place}:${node.path}`, 'this is not a table')
  }
  const [first, ...others] = node.element.members
  const stored = first && values.members.get(first.name)
  const column = first && stored && columnOf(first.element, stored)
  if (first === undefined || column === undefined)
    throw damaged(`${tree.place}:${node.path}`, 'the table has no index')
  const index = indexValues(`${tree.place}:${node.path}`, column)
  const columns = new Map<string, Column>()
  const unread: { name: string; reason: string }[] = []
  for (const { name, element } of others) {
    const stored = values.members.get(name)
    const column = stored && columnOf(element, stored)
    if (column === undefined || lengthOf(column) !== index.length) {
      unread.push({ name, reason: 'not one number or text for each row' })
    } else columns.set(name, await withOldCategories(tree, { name, column }))
  }
  return { rows: index.length, indexName: first.name, index, columns, ...(unread.length > 0 && { unread }) }
}

/** The categories of `name` lie in `uns/<name>_categories`; as anndata does, they count only where every code fits. */
async function withOldCategories(
  tree: Tree,
  { name, column }: { name: string; column: Column },
): Promise<Column> {
  if (column.kind !== 'number') return column
  const uns = await tree.node('/uns')
  if (uns?.kind !== 'group' || !uns.children.includes(`${name}_categories`)) return column
  const path = `/uns/${name}_categories`
  const node = await requireNode(tree, path)
  if (node.kind !== 'array') return column
  const categories = columnOf(node.element, await tree.read(path))
  if (categories === undefined || categories.kind === 'categorical') return column
  const known =
    categories.kind === 'string'
      ? { kind: 'string' as const, values: categories.values.map(String) }
      : categories
  const fits = Array.from(column.values as Int32Array).every(
    (code) => code >= -1 && code < known.values.length,
  )
  if (!fits) return column
  return categorical(`${tree.place}:${path}`, { codes: column.values, categories: known, ordered: false })
}
