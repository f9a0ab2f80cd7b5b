/**
 * obs of a reference: the rows of all files one under the other, with every column that any has, and the dataset of each cell. Names of
 * cells of several files get the number of their file behind them, since barcodes meet again; those of one file stay.
 */
import type { Column, Table } from '../data/cells.ts'
import { joinTables } from '../data/join-tables.ts'
import type { ErrorReport } from '../job/errors.ts'
import { referenceNames } from '../job/reference-names.ts'
import type { FileParts } from './source-parts.ts'

export interface JoinedObs {
  table: Table
  notices: ErrorReport[]
}

export function joinObs(files: readonly { name: string; parts: FileParts }[]): JoinedObs {
  const tables = files.map(({ parts }) =>
    files.length > 1 || parts.isCellxgene ? withDataset(parts) : parts.obs,
  )
  const joined = joinTables(tables)
  const notices = [
    ...joined.leftOut.map(({ name, reason }) => part(name, `it was left out: ${reason}`)),
    ...joined.changed.map(({ name, reason }) => part(name, reason)),
  ]
  if (joined.renamed > 0) notices.push(renamed(joined.renamed))
  const [only] = tables
  const keepsNames = files.length === 1 && joined.renamed === 0
  const table = keepsNames && only ? { ...joined.table, index: only.index } : joined.table
  return { table, notices }
}

function withDataset({ obs, dataset }: FileParts): Table {
  const column: Column = {
    kind: 'categorical',
    codes: new Int32Array(obs.rows),
    categories: { kind: 'string', values: [dataset] },
    ordered: false,
  }
  const { dataset: name } = referenceNames.obs
  const unread = obs.unread?.filter((one) => one.name !== name)
  return {
    ...obs,
    columns: new Map(obs.columns).set(name, column),
    ...(unread && { unread }),
  }
}

function part(name: string, problem: string): ErrorReport {
  const remedy = 'Look into the files themselves for it'
  return { code: 'REFERENCE_PART_LEFT_OUT', place: `obs/${name}`, problem, remedy }
}

function renamed(cells: number): ErrorReport {
  const problem = `${cells} cells had the name of another cell of their file, and have a number behind it now`
  return { code: 'CELLS_RENAMED', place: 'obs', problem, remedy: 'Nothing to do' }
}
