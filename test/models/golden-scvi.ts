/** Models of scvi-tools, the cells that they were made with, and what it computed of these, from shared/golden/scvi. */
import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import type { RowSlab } from '../../lib/data/cells.ts'
import { openFileSource } from '../../lib/data/file-source.ts'
import { openCells } from '../../lib/data/open-cells.ts'
import { importScvi } from '../../lib/models/scvi-import.ts'
import type { ScanviModel, ScviModel } from '../../lib/models/scvi-model.ts'
import { sharedPath } from '../support/shared.ts'

export async function goldenModel(name: string): Promise<ScviModel> {
  const source = await openFileSource(sharedPath('golden', 'scvi', name, 'model.pt'))
  const { model } = await importScvi(source)
  await source.close()
  return model
}

export async function goldenScanvi(name: string): Promise<ScanviModel> {
  const model = await goldenModel(name)
  if (model.kind !== 'scanvi') throw new Error(`${name} is no SCANVI`)
  return model
}

export interface GoldenRows {
  /** names of cells */
  cells: string[]
  columns: string[]
  /** fields of each cell, as text */
  fields: string[][]
}

/** Fields may be quoted: labels hold commas. */
export function goldenRows(name: string): GoldenRows {
  const text = gunzipSync(readFileSync(sharedPath('golden', 'scvi', `${name}.csv.gz`))).toString('utf8')
  const rows = text
    .trimEnd()
    .split('\n')
    .map((line) => [...line.matchAll(/(?:^|,)(?:"([^"]*)"|([^",]*))/g)].map((found) => found[1] ?? found[2]!))
  const [header, ...others] = rows
  return {
    cells: others.map(([cell]) => cell!),
    columns: header!.slice(1),
    fields: others.map((row) => row.slice(1)),
  }
}

/** Largest difference, of the numbers themselves or as a share of the expected ones. */
export function worst(
  ours: ArrayLike<number>,
  { fields }: GoldenRows,
  { relative = false, column }: { relative?: boolean; column?: number } = {},
): number {
  const theirs = fields.flatMap((row) => (column === undefined ? row : [row[column]!])).map(Number)
  if (theirs.length !== ours.length) throw new Error(`${ours.length} numbers and not ${theirs.length}`)
  return theirs.reduce(
    (most, value, i) => Math.max(most, Math.abs(ours[i]! - value) / (relative ? Math.abs(value) : 1)),
    0,
  )
}

const files = {
  kang: () => sharedPath('golden', 'scvi', 'kang_2000x1500_counts.h5ad'),
  muscat: () => sharedPath('data', 'kang_ifnb', 'kang_muscat_ctrl_stim.h5ad'),
}

export interface GoldenCells {
  slab: RowSlab
  /** of a column of obs, one for each row */
  texts(column: string): Promise<(string | null)[]>
}

/** These cells, in this order, over these genes. */
export async function goldenCells(
  of: keyof typeof files,
  { genes, cells }: { genes: readonly string[]; cells: readonly string[] },
): Promise<GoldenCells> {
  const file = await openCells(files[of]())
  const [obs, vars] = [await file.obs(), await file.var()]
  const places = new Map(genes.map((gene, i) => [gene, i]))
  const columns = vars.index.map((gene) => places.get(gene) ?? -1)
  const rowOf = new Map(obs.index.map((cell, row) => [cell, row]))
  const byRow = new Map<number, { index: number; value: number }[]>()
  for await (const { start, rows, indptr, indices, values } of (await file.matrix('X')).slabs())
    for (let row = 0; row < rows; row++) {
      const entries: { index: number; value: number }[] = []
      for (let k = indptr[row]!; k < indptr[row + 1]!; k++)
        if (columns[indices[k]!]! >= 0) entries.push({ index: columns[indices[k]!]!, value: values[k]! })
      byRow.set(
        start + row,
        entries.sort((a, b) => a.index - b.index),
      )
    }
  await file.close()
  const chosen = cells.map((cell) => rowOf.get(cell)!)
  return {
    slab: slabOf(
      chosen.map((row) => byRow.get(row)!),
      genes.length,
    ),
    async texts(column) {
      const found = obs.columns.get(column)
      if (found?.kind === 'string') return chosen.map((row) => found.values[row]!)
      if (found?.kind !== 'categorical' || found.categories.kind !== 'string')
        throw new Error(`${column} is no column of names`)
      const { values } = found.categories
      return chosen.map((row) => values[found.codes[row]!] ?? null)
    },
  }
}

export function slabOf(
  rows: readonly (readonly { index: number; value: number }[])[],
  columns: number,
  start = 0,
): RowSlab {
  const indptr = new Float64Array(rows.length + 1)
  for (const [i, row] of rows.entries()) indptr[i + 1] = indptr[i]! + row.length
  const all = rows.flat()
  return {
    ...{ start, rows: rows.length, columns, indptr },
    indices: Int32Array.from(all, ({ index }) => index),
    values: Float32Array.from(all, ({ value }) => value),
  }
}

/** Rows [from, to) of it, as a slab of their own. */
export function partOf(slab: RowSlab, { from, to }: { from: number; to: number }): RowSlab {
  const [first, last] = [slab.indptr[from]!, slab.indptr[to]!]
  return {
    ...{ start: slab.start + from, rows: to - from, columns: slab.columns },
    indptr: Float64Array.from(slab.indptr.subarray(from, to + 1), (at) => at - first),
    indices: slab.indices.subarray(first, last),
    values: slab.values.subarray(first, last),
  }
}
