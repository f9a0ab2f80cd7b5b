/**
 * Everything of an opened file, ready to be written as a current h5ad: tables and arrays read, matrices to be streamed.
 * What has no form in an h5ad any more is left out, and named.
 */
import type { Element } from './anndata/element.ts'
import type { AnnDataFile } from './anndata/file.ts'
import type { CellFile } from './cells.ts'
import { type ElementToWrite, isWritableRecords } from './h5ad-element.ts'
import type { MatrixToWrite } from './h5ad-matrix.ts'
import type { AnnDataToWrite } from './write-h5ad.ts'

export interface CellCopy {
  parts: AnnDataToWrite
  /** one line for each thing that is not in the parts */
  leftOut: string[]
}

export async function copyCells(file: CellFile): Promise<CellCopy> {
  const leftOut: string[] = []
  const layers = new Map<string, MatrixToWrite>()
  for (const name of file.matrices) {
    if (name.startsWith('layers/')) layers.set(name.slice('layers/'.length), await matrixOf(file, name))
  }
  const [obs, genes] = [await file.obs(), await file.var()]
  for (const [table, { unread = [] }] of [
    ['obs', obs],
    ['var', genes],
  ] as const) {
    leftOut.push(...unread.map(({ name, reason }) => `${table}/${name}: ${reason}`))
  }
  const parts: AnnDataToWrite = { obs, var: genes, layers }
  if (file.matrices.includes('X')) parts.x = await matrixOf(file, 'X')
  if (file.matrices.includes('raw/X')) {
    parts.raw = { x: await matrixOf(file, 'raw/X'), var: await file.genesOf('raw/X') }
  }
  if (isAnnData(file)) await addOthers(parts, file, leftOut)
  return { parts, leftOut }
}

async function matrixOf(file: CellFile, name: string): Promise<MatrixToWrite> {
  const matrix = await file.matrix(name)
  return { ...matrix, layout: matrix.encoding === 'dense' ? 'dense' : 'csr' }
}

export function isAnnData(file: CellFile): file is AnnDataFile {
  return file.format === 'h5ad' || file.format === 'zarr'
}

async function addOthers(parts: AnnDataToWrite, file: AnnDataFile, leftOut: string[]): Promise<void> {
  for (const group of ['obsm', 'varm', 'obsp', 'varp'] as const) {
    parts[group] = writable(await file.mapping(group), { path: group, leftOut })
  }
  const uns = new Map<string, Element>()
  const used = await usedCategories(parts, file)
  for (const name of file.namesIn('uns')) if (!used.has(name)) uns.set(name, await file.unstructured(name))
  const neighbours = uns.get('neighbors')
  // graphs that lay in uns before there was obsp stand there now
  if (neighbours?.kind === 'dict')
    for (const name of parts.obsp?.keys() ?? []) neighbours.entries.delete(name)
  parts.uns = writable(uns, { path: 'uns', leftOut })
}

/** Categories that lay in uns because the tables were compound: they are in the columns now, and anndata trips over both. */
async function usedCategories(parts: AnnDataToWrite, file: AnnDataFile): Promise<Set<string>> {
  const names: string[] = []
  for (const table of ['obs', 'var'] as const) {
    if ((await file.columnsOf(table)) !== undefined) continue
    for (const [name, column] of parts[table].columns)
      if (column.kind === 'categorical') names.push(`${name}_categories`)
  }
  return new Set(names)
}

function writable(
  elements: ReadonlyMap<string, Element>,
  { path, leftOut }: { path: string; leftOut: string[] },
): Map<string, ElementToWrite> {
  const kept = new Map<string, ElementToWrite>()
  for (const [name, element] of elements) {
    const place = `${path}/${name}`
    if (element.kind === 'dict')
      kept.set(name, { kind: 'dict', entries: plain(writable(element.entries, { path: place, leftOut })) })
    else if (element.kind === 'unread') leftOut.push(`${place}: ${element.reason}`)
    else if (element.kind === 'null' || (element.kind === 'records' && !isWritableRecords(element)))
      leftOut.push(`${place}: ${element.kind} cannot be written`)
    else kept.set(name, element)
  }
  return kept
}

/** What a dictionary of a file holds was an element of that file, matrices included. */
function plain(elements: Map<string, ElementToWrite>): Map<string, Element> {
  return elements as Map<string, Element>
}
