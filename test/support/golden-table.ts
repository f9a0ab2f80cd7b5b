/** Tables of shared/golden: gzipped CSV, a header and rows of numbers behind a name or number of the row. */
import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { sharedPath } from './shared.ts'

export interface GoldenTable {
  rows: number
  columns: string[]
  /** rows x columns, the first column (a name) left out when it is no number */
  values: Float64Array
}

export function goldenTable(...parts: string[]): GoldenTable {
  const text = gunzipSync(readFileSync(sharedPath('golden', ...parts))).toString('utf8')
  const lines = text.trimEnd().split('\n')
  const hasNames = Number.isNaN(Number(lines[1]!.split(',')[0]))
  const cells = lines.map((line) =>
    line
      .trimEnd()
      .split(',')
      .slice(hasNames ? 1 : 0),
  )
  const columns = cells[0]!
  return { rows: lines.length - 1, columns, values: Float64Array.from(cells.slice(1).flat(), Number) }
}

/** One column by its name. */
export function goldenColumn({ rows, columns, values }: GoldenTable, name: string): Float64Array {
  const column = columns.indexOf(name)
  if (column < 0) throw new Error(`no column ${name} among ${columns.join(', ')}`)
  return Float64Array.from({ length: rows }, (_, row) => values[row * columns.length + column]!)
}
