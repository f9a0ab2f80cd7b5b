/**
 * Names of cells and genes beside a 10x matrix: `barcodes.tsv` and `features.tsv` (or `genes.tsv`), as tables.
 * The index of genes is the feature id as stored; symbols are a column and are never made unique by renaming.
 */
import { BadInput } from '../job/errors.ts'
import type { Column, Table } from './cells.ts'
import { type TextFile, textLines } from './mtx-text.ts'

/** Columns behind the id, by how many columns the file has. Six: gene and peak coordinates of multiome features. */
const featureColumns: Record<number, readonly string[]> = {
  1: [],
  2: ['gene_symbols'],
  3: ['gene_symbols', 'feature_types'],
  4: ['gene_symbols', 'feature_types', 'genome'],
  6: ['gene_symbols', 'feature_types', 'chromosome', 'start', 'end'],
}

/** @throws BadInput TENX_NAMES for an empty or quoted name, or more than one column */
export async function readBarcodes(file: TextFile, most: number): Promise<Table> {
  const [index = []] = await readColumns(file, { most, isAllowed: (width) => width === 1 })
  return { rows: index.length, indexName: 'barcodes', index, columns: new Map() }
}

/** @throws BadInput TENX_NAMES */
export async function readFeatures(file: TextFile, most: number): Promise<Table> {
  const [index = [], ...others] = await readColumns(file, {
    most,
    isAllowed: (width) => width in featureColumns,
  })
  const names = featureColumns[others.length + 1] ?? []
  const columns = new Map<string, Column>(
    names.map((name, i) => [name, { kind: 'string', values: others[i] ?? [] }]),
  )
  return { rows: index.length, indexName: 'gene_ids', index, columns }
}

/** The file column by column; every line has as many as the first. */
async function readColumns(
  file: TextFile,
  { most, isAllowed }: { most: number; isAllowed: (width: number) => boolean },
): Promise<string[][]> {
  const columns: string[][] = []
  let line = 0
  for await (const text of textLines(file, most)) {
    line++
    const cells = text.split('\t')
    if (line === 1) {
      if (!isAllowed(cells.length)) throw namesError(file, `line 1 has ${cells.length} tab-separated columns`)
      for (const _ of cells) columns.push([])
    }
    if (cells.length !== columns.length) {
      throw namesError(
        file,
        `line ${line} has ${cells.length} tab-separated columns, line 1 has ${columns.length}`,
      )
    }
    const name = cells[0] ?? ''
    if (name.trim() === '') throw namesError(file, `line ${line} has no name`)
    if (name.startsWith('"')) throw namesError(file, `the name in line ${line} is in quotes`)
    for (const [i, column] of columns.entries()) column.push(cells[i] ?? '')
  }
  return columns
}

function namesError(file: TextFile, problem: string): BadInput {
  return new BadInput(
    'TENX_NAMES',
    file.place,
    problem,
    'Give it as Cell Ranger writes it: no header, no quotes, one line a cell (barcode) or a gene (id, symbol, type; with tabs)',
  )
}
