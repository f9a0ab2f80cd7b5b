/**
 * What a person or a service wants to know of a file before anything is done with it. Reads the tables and the shapes of the
 * matrices, never a matrix: by ranges that is a few megabytes of a file of any size.
 */
import type { CellFile, Column, Table } from './cells.ts'

export interface MatrixFacts {
  name: string
  encoding: string
  dtype: string
  /** stored entries: non-zeros of a sparse matrix, all of a dense one */
  nnz: number
  shape: [number, number]
}

export interface ColumnFacts {
  name: string
  kind: string
  /** of categorical and text columns: how many different values occur */
  nCategories?: number
  /** the most frequent values with their counts, at most `topLabels` */
  labels?: Record<string, number>
}

export interface DatasetFacts {
  place: string
  format: CellFile['format']
  nObs: number
  nVars: number
  x: { encoding: string; dtype: string; nnz: number } | null
  matrices: MatrixFacts[]
  obs: ColumnFacts[]
  var: ColumnFacts[]
  /** first names of cells and genes */
  examples: { obs: string[]; var: string[] }
  warnings: string[]
}

const topLabels = 100

export async function gatherFacts(file: CellFile): Promise<DatasetFacts> {
  const [obs, genes] = [await file.obs(), await file.var()]
  const matrices: MatrixFacts[] = []
  const warnings = file.notices.map(({ problem }) => problem)
  for (const name of file.matrices) {
    const { encoding, type, stored, rows, columns } = await file.matrix(name)
    matrices.push({ name, encoding, dtype: type, nnz: stored, shape: [rows, columns] })
  }
  const x = matrices.find((matrix) => matrix.name === 'X')
  if (x === undefined) warnings.push('there is no X')
  warnings.push(...tableWarnings('obs', obs), ...tableWarnings('var', genes))
  return {
    place: file.place,
    format: file.format,
    nObs: file.rows,
    nVars: file.columns,
    x: x === undefined ? null : { encoding: x.encoding, dtype: x.dtype, nnz: x.nnz },
    matrices,
    obs: [...obs.columns].map(([name, column]) => columnFacts(name, column)),
    var: [...genes.columns].map(([name, column]) => columnFacts(name, column)),
    examples: { obs: obs.index.slice(0, 3), var: genes.index.slice(0, 3) },
    warnings,
  }
}

function tableWarnings(name: string, table: Table): string[] {
  const warnings = (table.unread ?? []).map(
    (column) => `${name} column '${column.name}' is not read: ${column.reason}`,
  )
  const repeated = table.rows - new Set(table.index).size
  if (repeated > 0) warnings.push(`${repeated} of ${table.rows} names in ${name} occur more than once`)
  return warnings
}

function columnFacts(name: string, column: Column): ColumnFacts {
  if (column.kind === 'number') return { name, kind: column.type }
  if (column.kind === 'boolean')
    return { name, kind: 'boolean', ...labelsOf(countValues(column.values, ['false', 'true'])) }
  if (column.kind === 'string') {
    const counts = new Map<string, number>()
    for (const value of column.values) if (value !== null) counts.set(value, (counts.get(value) ?? 0) + 1)
    return { name, kind: 'string', ...labelsOf(counts) }
  }
  const categories = Array.from(column.categories.values as string[], String)
  return {
    name,
    kind: 'categorical',
    ...labelsOf(countValues(column.codes, categories)),
    nCategories: categories.length,
  }
}

function countValues(codes: ArrayLike<number>, names: string[]): Map<string, number> {
  const counts = new Float64Array(names.length)
  for (let i = 0; i < codes.length; i++) {
    const code = codes[i] ?? -1
    if (code >= 0) counts[code]! += 1
  }
  return new Map(names.map((label, code) => [label, counts[code] ?? 0]))
}

function labelsOf(counts: Map<string, number>): { nCategories: number; labels: Record<string, number> } {
  const ranked = [...counts].sort((a, b) => b[1] - a[1]).slice(0, topLabels)
  return { nCategories: counts.size, labels: Object.fromEntries(ranked) }
}
