/** The user's own clusters for the vote: an obs column of any kind. */
import type { CellFile, Column } from '../../data/cells.ts'
import { columnTexts } from '../../data/column-texts.ts'
import { BadInput } from '../../job/errors.ts'
import { type Coded, codedTexts } from './coded.ts'

/** @throws BadInput OVER_CLUSTERING_COLUMN */
export async function clusterColumn(file: CellFile, name: string): Promise<Coded> {
  const content = (await file.obs()).columns.get(name)
  if (content === undefined) throw clusterColumnMissing(name, file.place)
  return codedTexts(columnNames(content))
}

export function clusterColumnMissing(column: string, place: string): BadInput {
  const problem = `there is no obs column "${column}" with clusters`
  const remedy = 'Name a categorical, text or whole-number column, or leave out over_clustering'
  return new BadInput('OVER_CLUSTERING_COLUMN', `${place}:/obs`, problem, remedy)
}

/** The values of a column of any kind as texts, one a cell; empty where it has none. */
export function columnNames(column: Column): string[] {
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
