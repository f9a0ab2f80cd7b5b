/**
 * The result of an analysis beside its input: an h5ad that is a copy of a local file of cells, of any kind, with additions.
 * An h5ad keeps every byte that is not replaced; other kinds are written as a current h5ad first.
 */
import { type Additions, addToH5ad } from './add-to-h5ad.ts'
import type { AnnDataFile } from './anndata/file.ts'
import type { CellFile, Column, Table } from './cells.ts'
import { copyCells, isAnnData } from './copy-cells.ts'
import type { H5adOptions } from './h5ad-arrays.ts'
import type { ElementToWrite } from './h5ad-element.ts'
import { type OpenOptions, openCells } from './open-cells.ts'
import { type Elements, unsElements, writeH5ad } from './write-h5ad.ts'

/**
 * The file is opened first, as any untrusted file is: a copy never hands on what points outside of it.
 * @returns what an input that is no h5ad held and an h5ad has no form for, a line each
 * @throws BadInput as openCells, writeH5ad and addToH5ad
 */
export async function addToCells(
  source: string,
  destination: string,
  additions: Additions & H5adOptions & { open?: OpenOptions },
): Promise<{ leftOut: string[] }> {
  const file = await openCells(source, additions.open)
  try {
    if (file.format === 'h5ad' && isAnnData(file)) {
      await addToH5ad(source, destination, { ...additions, existing: await oldParts(file, additions) })
      return { leftOut: [] }
    }
    return await writeWith(file, destination, additions)
  } finally {
    await file.close()
  }
}

/** What of an old file lies in compound form and is added to: it has to be written anew. */
async function oldParts(file: AnnDataFile, additions: Additions) {
  const existing: { obs?: Table; var?: Table; obsm?: Elements; varm?: Elements } = {}
  for (const table of ['obs', 'var'] as const) {
    if (additions[table] !== undefined && (await file.columnsOf(table)) === undefined)
      existing[table] = await file[table]()
  }
  for (const group of ['obsm', 'varm'] as const) {
    const node = additions[group] === undefined ? undefined : await file.tree.node(`/${group}`)
    if (node?.kind === 'array') existing[group] = onlyWritable(await file.mapping(group))
  }
  return existing
}

function onlyWritable(elements: Awaited<ReturnType<AnnDataFile['mapping']>>): Map<string, ElementToWrite> {
  return new Map(
    [...elements].filter(([, { kind }]) => kind !== 'records' && kind !== 'unread' && kind !== 'null'),
  )
}

async function writeWith(
  file: CellFile,
  destination: string,
  additions: Additions & H5adOptions,
): Promise<{ leftOut: string[] }> {
  const { parts, leftOut } = await copyCells(file)
  const { without = {} } = additions
  parts.obs = { ...parts.obs, columns: lacking(parts.obs.columns, without.obs) }
  for (const group of ['obsm', 'obsp'] as const)
    if (parts[group] !== undefined) parts[group] = lacking(parts[group], without[group])
  parts.uns = lacking(unsElements(parts.uns), without.uns)
  parts.obs = withColumns(parts.obs, additions.obs)
  parts.var = withColumns(parts.var, additions.var)
  parts.layers = joined(parts.layers, additions.layers)
  for (const group of ['obsm', 'varm', 'obsp', 'varp'] as const)
    parts[group] = joined(parts[group], additions[group])
  parts.uns = joined(unsElements(parts.uns), unsElements(additions.uns))
  await writeH5ad(destination, parts, additions.gzip === undefined ? {} : { gzip: additions.gzip })
  return { leftOut }
}

function withColumns(table: Table, columns: ReadonlyMap<string, Column> = new Map()): Table {
  return { ...table, columns: joined(table.columns, columns) }
}

function lacking<Value>(
  entries: ReadonlyMap<string, Value>,
  names: readonly string[] = [],
): Map<string, Value> {
  return new Map([...entries].filter(([name]) => !names.includes(name)))
}

function joined<Value>(
  first: ReadonlyMap<string, Value> = new Map(),
  second: ReadonlyMap<string, Value> = new Map(),
): Map<string, Value> {
  return new Map([...first, ...second])
}
