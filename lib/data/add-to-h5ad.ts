/**
 * Adds columns, arrays and layers to a copy of an h5ad, beside what is there; what has the same name is replaced. X and
 * all that is not replaced stay bit for bit. Works on every layout since anndata 0.5.
 *
 * Trap: obs of anndata 0.6 and before is one compound dataset; it becomes a group, for which the caller gives its columns.
 */
import { BadInput } from '../job/errors.ts'
import type { Column, Table } from './cells.ts'
import { encoding, type H5adOptions } from './h5ad-arrays.ts'
import { checkColumnName, columnOrder, writeColumn, writeTable } from './h5ad-table.ts'
import { appendHdf5, type Hdf5Addition } from './hdf5/write/append.ts'
import { checkName } from './hdf5/write/object-tree.ts'
import { type Elements, type OtherParts, unsElements, writeAligned, writeElements } from './write-h5ad.ts'

/** An entry of uns is replaced as a whole. */
export interface Additions extends OtherParts {
  /** columns of the cells' table, by name */
  obs?: ReadonlyMap<string, Column>
  var?: ReadonlyMap<string, Column>
  /** names that are not to be in the result unless they are added: what an earlier run left and this one does not write */
  without?: { readonly [group in 'obs' | 'obsm' | 'obsp' | 'uns']?: readonly string[] }
}

export interface AddOptions extends H5adOptions {
  /** what the file holds in the old compound form, decoded: needed only where something is added to it */
  existing?: { obs?: Table; var?: Table; obsm?: Elements; varm?: Elements }
}

/**
 * The source is not changed; the destination appears when it is whole.
 * @throws BadInput ADDITION_SHAPE, KEY_UNSUPPORTED, ADDITION_OLD_LAYOUT, NOT_ANNDATA, and the codes of damaged files
 */
export async function addToH5ad(
  source: string,
  destination: string,
  additions: Additions & AddOptions,
): Promise<void> {
  const file = await appendHdf5(source, destination)
  try {
    await addAll(file, additions)
    await file.writer.close()
  } catch (error) {
    await file.writer.abort()
    throw error
  }
}

async function addAll(file: Hdf5Addition, additions: Additions & AddOptions): Promise<void> {
  const { writer } = file
  const { gzip, existing = {}, without = {} } = additions
  for (const group of ['obsm', 'obsp', 'uns'] as const)
    for (const name of without[group] ?? []) writer.remove(`/${group}/${name}`)
  const cells = rowsOf(file, '/obs')
  const genes = rowsOf(file, '/var')
  await addColumns(file, '/obs', {
    columns: additions.obs,
    table: existing.obs,
    rows: cells,
    gzip,
    without: without.obs,
  })
  await addColumns(file, '/var', { columns: additions.var, table: existing.var, rows: genes, gzip })
  const mappings: [string, Elements | undefined, number[], (Elements | undefined)?][] = [
    ['/obsm', additions.obsm, [cells], existing.obsm],
    ['/varm', additions.varm, [genes], existing.varm],
    ['/obsp', additions.obsp, [cells, cells]],
    ['/varp', additions.varp, [genes, genes]],
    ['/uns', additions.uns && unsElements(additions.uns), []],
  ]
  for (const [path, elements, shape, old] of mappings) {
    if (elements === undefined || elements.size === 0) continue
    const isOld = requireGroup(file, path, { hasOld: old !== undefined })
    await writeElements(writer, path, {
      elements: isOld ? new Map([...(old ?? []), ...elements]) : elements,
      shape,
      gzip,
    })
  }
  for (const [name, matrix] of additions.layers ?? []) {
    checkName(name, '/layers')
    requireGroup(file, '/layers', { hasOld: false })
    if (writer.kindAt('/layers') === undefined) writer.group('/layers', encoding('dict', '0.1.0'))
    await writeAligned(writer, `/layers/${name}`, { matrix, shape: [cells, genes], gzip })
  }
}

/** Makes room for a group where an old file has one dataset; true when it had. */
function requireGroup(
  { writer, existing }: Hdf5Addition,
  path: string,
  { hasOld }: { hasOld: boolean },
): boolean {
  const shape = existing.shape(path)
  if (shape === undefined || shape === 'group') return false
  if (!hasOld) throw oldLayout(path)
  writer.remove(path)
  return true
}

function oldLayout(path: string): BadInput {
  return new BadInput(
    'ADDITION_OLD_LAYOUT',
    path,
    'the file has it in the form of anndata 0.6 and before, to which nothing can be added',
    'Write the file again with a current anndata (`adata.write_h5ad`)',
  )
}

async function addColumns(
  file: Hdf5Addition,
  path: '/obs' | '/var',
  what: {
    columns: ReadonlyMap<string, Column> | undefined
    table: Table | undefined
    rows: number
    without?: readonly string[] | undefined
  } & H5adOptions,
): Promise<void> {
  const { columns, table, rows, gzip, without = [] } = what
  const { writer, existing } = file
  if (columns === undefined || columns.size === 0) return
  if (requireGroup(file, path, { hasOld: table !== undefined }) && table !== undefined) {
    const all = new Map([...table.columns].filter(([name]) => !without.includes(name)).concat([...columns]))
    for (const [name, column] of all) {
      if (columns.has(name) || column.kind === 'categorical') removeOldCategories(file, name)
    }
    return writeTable(writer, path, { table: { ...table, columns: all }, gzip })
  }
  const indexName = indexNameOf(file, path)
  const names =
    existing.texts(path, 'column-order') ?? existing.names(path).filter((name) => name !== '__categories')
  const order = new Set(names.filter((name) => name !== indexName && !without.includes(name)))
  for (const name of without) {
    if (name === indexName) continue
    writer.remove(`${path}/${name}`)
    writer.remove(`${path}/__categories/${name}`)
    removeOldCategories(file, name)
  }
  for (const [name, column] of columns) {
    checkColumnName(name, { path, indexName })
    await writeColumn(writer, `${path}/${name}`, { column, rows, gzip })
    // the categories that anndata 0.7 keeps aside belong to the column that was replaced
    writer.remove(`${path}/__categories/${name}`)
    removeOldCategories(file, name)
    order.add(name)
  }
  writer.group(path, { 'column-order': columnOrder([...order]) })
}

/** anndata takes `uns/<column>_categories` for the names of that column's codes, and fails where they have names. */
function removeOldCategories({ writer }: Hdf5Addition, name: string): void {
  writer.remove(`/uns/${name}_categories`)
}

function indexNameOf({ existing }: Hdf5Addition, path: string): string {
  const stored = existing.texts(path, '_index')?.[0]
  if (stored !== undefined) return stored
  return existing.names(path).includes('_index') ? '_index' : 'index'
}

/** Rows of obs or var, by their index. */
function rowsOf(file: Hdf5Addition, path: string): number {
  const shape = file.existing.shape(path)
  if (shape !== 'group') {
    if (shape?.[0] === undefined) throw notAnnData(path, 'there is no such table')
    return shape[0]
  }
  const index = `${path}/${indexNameOf(file, path)}`
  for (const place of [index, `${index}/codes`, `${index}/values`]) {
    const found = file.existing.shape(place)
    if (found !== undefined && found !== 'group' && found[0] !== undefined) return found[0]
  }
  throw notAnnData(path, 'the table has no index, so its rows cannot be counted')
}

function notAnnData(path: string, problem: string): BadInput {
  return new BadInput('NOT_ANNDATA', path, problem, 'Give an AnnData file (.h5ad)')
}
