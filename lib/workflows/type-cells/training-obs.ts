/** obs of training.h5ad: all that the references say of their cells, and from which reference and label each came to its class. */
import type { CellFile, Column, Table } from '../../data/cells.ts'
import { checkColumnName } from '../../data/h5ad-table.ts'
import { joinTables } from '../../data/join-tables.ts'
import { tableRows } from '../../data/table-rows.ts'
import { BadInput, type ErrorReport } from '../../job/errors.ts'
import { trainingNames } from '../../job/stored-names.ts'
import { shownNames } from '../../prep/shown-names.ts'
import { columnNames } from '../parts/cluster-column.ts'
import { categoricalColumn, codedTexts } from '../parts/coded.ts'
import type { CellClass } from './classes.ts'

/** The cells of one reference that were learnt from. */
export interface TrainingRowsOf {
  file: CellFile
  labelColumn: string
  /** what the reference is called */
  source: string
  /** ascending */
  rows: Int32Array
  /** of each of these, its number among the classes */
  classes: Int32Array
}

/** One text a cell, by column. */
type Own = Record<keyof typeof trainingNames.obs, string[]>

export async function trainingObs(
  references: readonly TrainingRowsOf[],
  { classes, place }: { classes: readonly CellClass[]; place: string },
): Promise<{ obs: Table; notices: ErrorReport[] }> {
  const notices: ErrorReport[] = []
  const tables: Table[] = []
  const all: Own = { label: [], source: [], ontologyId: [], cellType: [] }
  for (const reference of references) {
    const table = tableRows(await reference.file.obs(), reference.rows)
    const own = ownColumns(reference, { table, classes })
    for (const [key, values] of Object.entries(own))
      for (const value of values) all[key as keyof Own].push(value)
    const { theirs, problems } = withoutOurs(table, { own, reference })
    for (const problem of problems) notices.push({ code: 'TRAINING_COLUMN_REPLACED', place, ...problem })
    tables.push(theirs)
  }
  const { table, leftOut, changed, renamed } = joinTables(tables)
  for (const { name, reason } of [...leftOut, ...unwritable(table)])
    notices.push({
      code: 'TRAINING_COLUMN_LEFT_OUT',
      place,
      problem: `obs column ${shownNames([name])} of the references is not in it: ${reason}`,
      remedy: 'Make it of one kind in all references',
    })
  for (const { name, reason } of changed)
    notices.push({
      code: 'TRAINING_COLUMN_CHANGED',
      place,
      problem: `obs column ${shownNames([name])}: ${reason}`,
      remedy: 'Nothing, if the order does not matter',
    })
  if (renamed > 0)
    notices.push({
      code: 'TRAINING_NAMES_REPEATED',
      place,
      problem: `${renamed} cells have the name of another cell of their reference and got a number`,
      remedy: 'Give cells names of their own in the references',
    })
  const columns = new Map<string, Column>()
  for (const [key, name] of Object.entries(trainingNames.obs)) columns.set(name, coded(all[key as keyof Own]))
  const writable = unwritable(table).map(({ name }) => name)
  for (const [name, column] of table.columns) if (!writable.includes(name)) columns.set(name, column)
  return { obs: { ...table, columns }, notices }
}

function ownColumns(
  { labelColumn, source, classes: codes }: TrainingRowsOf,
  { table, classes }: { table: Table; classes: readonly CellClass[] },
): Own {
  return {
    label: columnNames(table.columns.get(labelColumn)!),
    source: Array.from(codes, () => source),
    // the CELLxGENE schema takes a CL id or the word "unknown"
    ontologyId: Array.from(codes, (code) => classes[code]!.id ?? 'unknown'),
    cellType: Array.from(codes, (code) => classes[code]!.name),
  }
}

/** Columns of the reference that have the name of one of ours make room; where they said something else, that is told. */
function withoutOurs(
  table: Table,
  { own, reference: { labelColumn, source } }: { own: Own; reference: TrainingRowsOf },
): { theirs: Table; problems: Pick<ErrorReport, 'problem' | 'remedy'>[] } {
  const columns = new Map(table.columns)
  const problems: Pick<ErrorReport, 'problem' | 'remedy'>[] = []
  for (const [key, name] of Object.entries(trainingNames.obs)) {
    const column = columns.get(name)
    columns.delete(name)
    // the label column stays as original_label
    if (column === undefined || name === labelColumn) continue
    const ours = own[key as keyof Own]
    const others = columnNames(column).filter((text, cell) => text !== ours[cell]).length
    if (others === 0) continue
    const problem = `obs column "${name}" of ${source} says otherwise of ${others} of its ${table.rows} cells and was replaced`
    problems.push({ problem, remedy: 'Give the column another name in the reference, if it is wanted' })
  }
  return { theirs: { ...table, columns }, problems }
}

function unwritable({ columns, indexName }: Table): { name: string; reason: string }[] {
  return [...columns.keys()].flatMap((name) => {
    try {
      checkColumnName(name, { path: '/obs', indexName })
      return []
    } catch (error) {
      if (!(error instanceof BadInput)) throw error
      return [{ name, reason: error.problem }]
    }
  })
}

const coded = (texts: readonly string[]): Column => categoricalColumn(codedTexts(texts))
