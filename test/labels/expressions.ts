/** Small matrices for tests of labels, and the real query that SpatialCore's recorded validation was made of. */
import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { openCells } from '../../lib/data/open-cells.ts'
import type { Expression, LabelledExpression } from '../../lib/labels/expression.ts'
import { sharedPath } from '../support/shared.ts'

/** Rows of numbers as CSR, zeros not stored. */
export function sparse(rows: readonly (readonly number[])[], columns = rows[0]?.length ?? 0): Expression {
  const indptr = new Int32Array(rows.length + 1)
  const indices: number[] = []
  const values: number[] = []
  for (const [row, own] of rows.entries()) {
    for (const [gene, value] of own.entries()) {
      if (value === 0) continue
      indices.push(gene)
      values.push(value)
    }
    indptr[row + 1] = indices.length
  }
  return {
    rows: rows.length,
    columns,
    indptr,
    indices: Int32Array.from(indices),
    values: Float64Array.from(values),
  }
}

/** Cells with a label each, a text; undefined is none. Genes are named g0, g1, ... unless told. */
export function labelled(
  rows: readonly (readonly number[])[],
  names: readonly (string | undefined)[],
  genes?: readonly string[],
): LabelledExpression {
  const expression = sparse(rows, genes?.length)
  const labels = [...new Set(names)].filter((name) => name !== undefined)
  return {
    expression,
    genes: genes ?? Array.from({ length: expression.columns }, (_, gene) => `g${gene}`),
    codes: Int32Array.from(names, (name) => (name === undefined ? -1 : labels.indexOf(name))),
    labels,
  }
}

/** The same cells in another order. */
export function permuted(cells: LabelledExpression, order: readonly number[]): LabelledExpression {
  const { rows, columns, indptr, indices, values } = cells.expression
  const dense = Array.from({ length: rows }, () => new Array<number>(columns).fill(0))
  for (let row = 0; row < rows; row++)
    for (let i = indptr[row]!; i < indptr[row + 1]!; i++) dense[row]![indices[i]!] = values[i]!
  const moved = sparse(
    order.map((row) => dense[row]!),
    columns,
  )
  return { ...cells, expression: moved, codes: Int32Array.from(order, (row) => cells.codes[row]!) }
}

/** Rows of a CSV under their header; quoted fields may hold commas. */
export function csvRows(text: string): Map<string, string>[] {
  const [header, ...rows] = text.trimEnd().split('\n').map(csvFields)
  return rows.map((row) => new Map(header!.map((name, i) => [name, row[i] ?? ''])))
}

function csvFields(line: string): string[] {
  return Array.from(line.matchAll(/(?:^|,)(?:"([^"]*)"|([^,]*))/g), (match) => match[1] ?? match[2] ?? '')
}

export function goldenRows(...parts: string[]): Map<string, string>[] {
  const bytes = readFileSync(sharedPath('golden', ...parts))
  return csvRows((parts.at(-1)!.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8'))
}

export function canonicalMarkers(): Map<string, string[]> {
  const text = readFileSync(sharedPath('data', 'ontology', 'spatialcore_canonical_markers.json'), 'utf8')
  const { markers } = JSON.parse(text) as { markers: Record<string, string[] | string> }
  return new Map(
    Object.entries(markers).flatMap(([label, genes]) => (Array.isArray(genes) ? [[label, genes]] : [])),
  )
}

/** The 2,170 cells over the 400 genes of the panel, 10,000 a cell over those, log1p; labels and confidences as recorded. */
export async function goldenQuery(): Promise<{ cells: LabelledExpression; confidence: Float64Array }> {
  const panel = readFileSync(sharedPath('golden', 'spatialcore', 'panel_400_genes.txt'), 'utf8')
    .trimEnd()
    .split('\n')
  const file = await openCells(sharedPath('data', 'pbmc4k_query', 'pbmc4k_soupx_labelled.h5ad'))
  const places = new Map((await file.var()).index.map((name, column) => [name, column]))
  const target = new Int32Array(file.columns).fill(-1)
  for (const [gene, name] of panel.entries()) target[places.get(name)!] = gene
  const rows: number[][] = []
  for await (const slab of (await file.matrix('X')).slabs()) {
    for (let row = 0; row < slab.rows; row++) {
      const counts = new Array<number>(panel.length).fill(0)
      for (let i = slab.indptr[row]!; i < slab.indptr[row + 1]!; i++) {
        const gene = target[slab.indices[i]!]!
        if (gene >= 0) counts[gene] = slab.values[i]!
      }
      const total = counts.reduce((sum, count) => sum + count, 0)
      rows.push(counts.map((count) => Math.log1p((count / total) * 1e4)))
    }
  }
  await file.close()
  const obs = goldenRows('spatialcore', 'default.obs.csv.gz')
  const names = obs.map((row) => row.get('cell_type_ontology_label')!)
  return {
    cells: labelled(rows, names, panel),
    confidence: Float64Array.from(obs, (row) => Number(row.get('cell_type_confidence'))),
  }
}
