/**
 * obs of the joint file: the cells of the atlas and then those of the query, with every column that either has. scPDAC joins on the columns of
 * both and loses what only the query says of its cells; a column that means two kinds of thing in the two files stays as two columns here.
 *
 * Trap: barcodes meet again. Names stay where they are all different, else each gets its source behind it.
 */
import type { Table } from '../../data/cells.ts'
import { type JoinedTables, joinTables } from '../../data/join-tables.ts'
import type { ErrorReport } from '../../job/errors.ts'
import { shownNames } from '../../prep/shown-names.ts'

export const sources = ['atlas', 'query'] as const

/** @param without columns of both that are written anew */
export function joinAtlasObs(
  { atlas, query }: { atlas: Table; query: Table },
  { without }: { without: readonly string[] },
): { table: Table; notices: ErrorReport[] } {
  const tables = [lacking(atlas, without), lacking(query, without)] as const
  const first = joinTables(tables)
  const unread = new Set(tables.flatMap((table) => table.unread ?? []).map(({ name }) => name))
  const apart = first.leftOut.map(({ name }) => name).filter((name) => !unread.has(name))
  const joined = apart.length === 0 ? first : joinTables(tables.map((table, i) => setApart(table, apart, i)))
  const notices: ErrorReport[] = []
  if (apart.length > 0)
    notices.push({
      code: 'COLUMNS_APART',
      place: 'obs',
      problem: `${shownNames(apart)} hold other kinds of values in the query than in the atlas: they stand as columns of their own, with "_atlas" and "_query" behind their names`,
      remedy: 'Nothing to do, unless they were meant to be one',
    })
  for (const { name, reason } of joined.leftOut)
    notices.push(told('NOT_CARRIED_OVER', name, `it is not in the joint file: ${reason}`))
  for (const { name, reason } of joined.changed) notices.push(told('COLUMN_CHANGED', name, reason))
  const named = indexOf(tables, joined)
  if (named.isChanged)
    notices.push({
      code: 'CELLS_RENAMED',
      place: 'obs',
      problem: 'some names of cells come twice: each cell has its source behind its name',
      remedy: 'Nothing to do',
    })
  return { table: { ...joined.table, index: named.index }, notices }
}

/** Names of the cells alone, as the joint file has them. */
export function jointIndex(tables: { atlas: Table; query: Table }): string[] {
  const bare = (table: Table): Table => ({ ...table, columns: new Map(), unread: [] })
  return joinAtlasObs({ atlas: bare(tables.atlas), query: bare(tables.query) }, { without: [] }).table.index
}

function lacking(table: Table, without: readonly string[]): Table {
  const columns = new Map([...table.columns].filter(([name]) => !without.includes(name)))
  const unread = table.unread?.filter(({ name }) => !without.includes(name))
  return { ...table, columns, ...(unread && { unread }) }
}

/** Under a name that neither table has. */
function setApart(table: Table, names: readonly string[], i: number): Table {
  const columns = new Map(
    [...table.columns].map(([name, column]) => {
      if (!names.includes(name)) return [name, column]
      let free = `${name}_${sources[i]}`
      while (table.columns.has(free)) free = `${free}_`
      return [free, column]
    }),
  )
  return { ...table, columns }
}

function indexOf(
  tables: readonly Table[],
  { table, renamed }: JoinedTables,
): { index: string[]; isChanged: boolean } {
  const plain = tables.flatMap(({ index }) => [...index])
  if (renamed === 0 && new Set(plain).size === plain.length) return { index: plain, isChanged: false }
  const index = table.index.map((name) => name.replace(/-([01])$/, (_, i: '0' | '1') => `-${sources[i]}`))
  return { index, isChanged: true }
}

function told(code: string, column: string, problem: string): ErrorReport {
  return { code, place: `obs/${column}`, problem, remedy: 'It is still in the files that were given' }
}
