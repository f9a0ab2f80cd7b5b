/**
 * Tables of several files one under the other, with every column that any of them has: an outer join, where anndata's concat drops what one
 * table lacks unless told otherwise. Row names get "-0", "-1" ... for their table, as its `index_unique="-"` gives them.
 *
 * Trap: names that a table has twice are told apart first, or nothing could be looked up by name in the result.
 */
import type { Column, Table } from './cells.ts'
import { joinColumn } from './join-columns.ts'

export interface JoinedTables {
  table: Table
  /** columns that could not be joined, or not be read, with the reason */
  leftOut: { name: string; reason: string }[]
  /** columns that lost something */
  changed: { name: string; reason: string }[]
  /** rows whose name came twice in their table and was changed */
  renamed: number
}

/** Columns come in the order in which they are first seen. */
export function joinTables(tables: readonly Table[]): JoinedTables {
  const columns = new Map<string, Column>()
  const leftOut: JoinedTables['leftOut'] = []
  const changed: JoinedTables['changed'] = []
  const unread = new Map(tables.flatMap((table) => table.unread ?? []).map((one) => [one.name, one.reason]))
  for (const name of new Set(tables.flatMap((table) => [...table.columns.keys()]))) {
    if (unread.has(name)) continue
    const joined = joinColumn(tables.map((table) => ({ rows: table.rows, column: table.columns.get(name) })))
    if ('reason' in joined) leftOut.push({ name, reason: joined.reason })
    else {
      columns.set(name, joined.column)
      if (joined.remark !== undefined) changed.push({ name, reason: joined.remark })
    }
  }
  for (const [name, reason] of unread) leftOut.push({ name, reason })
  const names = tables.map(({ index }) => distinctNames(index))
  const index = names.flatMap(({ distinct }, table) => distinct.map((name) => `${name}-${table}`))
  const renamed = names.reduce((sum, one) => sum + one.renamed, 0)
  return { table: { rows: index.length, indexName: '_index', index, columns }, leftOut, changed, renamed }
}

/** Every name once; the first of equal ones stays, others get the next free number. */
function distinctNames(names: readonly string[]): { distinct: string[]; renamed: number } {
  const given = new Set(names)
  if (given.size === names.length) return { distinct: [...names], renamed: 0 }
  const taken = new Set<string>()
  const next = new Map<string, number>()
  let renamed = 0
  const distinct = names.map((name) => {
    let unique = name
    let number = next.get(name) ?? 1
    while (taken.has(unique) || (unique !== name && given.has(unique))) unique = `${name}-${number++}`
    next.set(name, number)
    taken.add(unique)
    if (unique !== name) renamed++
    return unique
  })
  return { distinct, renamed }
}
