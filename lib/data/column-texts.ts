/** A column of text as one text a row, however it is stored; '' where it is missing. */
import type { Column } from './cells.ts'

/** @returns undefined for a column that is no text */
export function columnTexts(column: Column): string[] | undefined {
  if (column.kind === 'string') return column.values.map((value) => value ?? '')
  if (column.kind !== 'categorical' || column.categories.kind !== 'string') return undefined
  const { values } = column.categories
  return Array.from(column.codes, (code) => values[code] ?? '')
}
