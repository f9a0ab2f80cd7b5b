/** Some rows of a table as a table of their own. Categories that no row has any more go, but not where they have an order to keep. */
import type { Categories, Column, Table } from './cells.ts'
import type { NumberArray } from './tree.ts'

/** @param rows numbers of the rows wanted, each once, in any order */
export function tableRows(table: Table, rows: Int32Array): Table {
  const columns = new Map([...table.columns].map(([name, column]) => [name, columnRows(column, rows)]))
  const index = Array.from(rows, (row) => table.index[row]!)
  return { ...table, rows: rows.length, index, columns }
}

export function columnRows(column: Column, rows: Int32Array): Column {
  if (column.kind === 'string') return { ...column, values: Array.from(rows, (row) => column.values[row]!) }
  if (column.kind === 'categorical') {
    const taken = { ...column, codes: rows.map((row) => column.codes[row]!) }
    return column.ordered ? taken : onlyUsed(taken)
  }
  const { mask } = column
  const own = mask === undefined ? {} : { mask: Uint8Array.from(rows, (row) => mask[row]!) }
  if (column.kind === 'boolean')
    return { ...column, values: Uint8Array.from(rows, (row) => column.values[row]!), ...own }
  return { ...column, values: picked(column.values, rows), ...own }
}

function picked(values: NumberArray, rows: Int32Array): NumberArray {
  const own = values.slice(0, rows.length) as Float64Array
  for (const [i, row] of rows.entries()) own[i] = (values as Float64Array)[row]!
  return own
}

function onlyUsed(column: Extract<Column, { kind: 'categorical' }>): Column {
  const { codes, categories } = column
  const used = new Uint8Array(categories.values.length)
  for (const code of codes) if (code >= 0) used[code] = 1
  const kept = Int32Array.from(used.keys()).filter((code) => used[code] === 1)
  if (kept.length === used.length) return column
  const place = new Int32Array(used.length)
  for (const [at, code] of kept.entries()) place[code] = at
  return {
    ...column,
    codes: codes.map((code) => (code < 0 ? -1 : place[code]!)),
    categories: someOf(categories, kept),
  }
}

function someOf(categories: Categories, kept: Int32Array): Categories {
  if (categories.kind === 'string')
    return { ...categories, values: Array.from(kept, (code) => categories.values[code]!) }
  if (categories.kind === 'boolean')
    return { ...categories, values: Uint8Array.from(kept, (code) => categories.values[code]!) }
  return { ...categories, values: picked(categories.values, kept) }
}
