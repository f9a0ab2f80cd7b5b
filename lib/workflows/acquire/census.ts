/** What the cells of a file are, counted: how many of each tissue, disease, assay and dataset. Of obs only these columns are read. */
import type { CellFile } from '../../data/cells.ts'
import { type CodedColumn, readObsColumns } from '../../references/obs-columns.ts'

/** Columns of CELLxGENE's schema that say what a reference can teach. */
export const countedColumns = ['tissue', 'disease', 'assay', 'dataset_id'] as const

export interface ColumnCounts {
  column: string
  /** most cells first, at most `mostValues`; '' for cells without a value */
  values: [value: string, cells: number][]
  /** how many values there are in all */
  distinct: number
}

const mostValues = 100

/** Of the columns that the file has. */
export async function countCells(file: CellFile): Promise<ColumnCounts[]> {
  const columns = await readObsColumns(file, countedColumns)
  return countedColumns.flatMap((column) => {
    const content = columns.get(column)
    if (content === undefined) return []
    const values = [...countValues(content)].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1))
    return [{ column, values: values.slice(0, mostValues), distinct: values.length }]
  })
}

function countValues({ codes, values }: CodedColumn): Map<string, number> {
  const cells = new Float64Array(values.length + 1)
  for (const code of codes) cells[code + 1]!++
  const counts = new Map<string, number>()
  for (const [at, count] of cells.entries()) {
    const value = values[at - 1] ?? ''
    if (count > 0) counts.set(value, (counts.get(value) ?? 0) + count)
  }
  return counts
}
