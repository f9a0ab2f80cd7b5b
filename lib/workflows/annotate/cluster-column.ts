/** The user's own clusters for the vote: an obs column of any kind. */
import type { CellFile, Column } from '../../data/cells.ts'
import { columnTexts } from '../../data/column-texts.ts'
import type { Coded } from './annotated.ts'
import { clusterColumnMissing } from './rules.ts'

/** @throws BadInput OVER_CLUSTERING_COLUMN */
export async function clusterColumn(file: CellFile, name: string): Promise<Coded> {
  const content = (await file.obs()).columns.get(name)
  if (content === undefined) throw clusterColumnMissing(name, file.place)
  const values = clusterNames(content)
  const categories = [...new Set(values)].filter((value) => value !== '').sort()
  const codeOf = new Map(categories.map((value, code) => [value, code]))
  return { codes: Int32Array.from(values, (value) => codeOf.get(value) ?? -1), categories }
}

/** One name a cell; '' for a cell without a cluster. */
function clusterNames(column: Column): string[] {
  const texts = columnTexts(column)
  if (texts !== undefined) return texts
  if (column.kind === 'categorical') {
    const values = Array.from(column.categories.values as ArrayLike<number>, String)
    return Array.from(column.codes, (code) => values[code] ?? '')
  }
  const { values, mask } = column as Extract<Column, { kind: 'number' | 'boolean' }>
  return Array.from(values as ArrayLike<number>, (value, row) =>
    mask?.[row] === 1 || Number.isNaN(value) ? '' : String(value),
  )
}
