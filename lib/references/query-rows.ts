/**
 * Which rows of a file a query means: what the Census holds of it (primary cells of tissues, of the organism) with every wanted value.
 * A value is compared as it is, case and all, with the column of labels, or with the column of ids where it is an id.
 *
 * Trap: the Census has neither cultures nor organoids, whose "tissue" is what they are meant to resemble; nor have the rows here.
 */
import type { CellFile } from '../data/cells.ts'
import { isAnnData } from '../data/copy-cells.ts'
import { BadInput, type ErrorReport } from '../job/errors.ts'
import { shownName } from '../prep/shown-names.ts'
import { type CodedColumn, readObsColumns } from './obs-columns.ts'
import type { QueryFilters } from './source.ts'

export interface QueryRows {
  /** ascending */
  rows: Int32Array
  notices: ErrorReport[]
}

interface Condition {
  column: string
  value: string
}

/**
 * @param facts organisms that the catalogue tells, for files that do not say it themselves
 * @throws BadInput QUERY_COLUMN where the file does not say what is asked, or which cells are primary
 */
export async function rowsOfQuery(
  cells: CellFile,
  { filters, name, organisms }: { filters: QueryFilters; name: string; organisms: readonly string[] },
): Promise<QueryRows> {
  const wanted = filters.wanted.map(({ field, value }) => condition(field, value))
  const organism = condition('organism', filters.organism)
  const names = [...wanted.map(({ column }) => column), organism.column, 'is_primary_data', 'tissue_type']
  const columns = await readObsColumns(cells, names)
  const keep = new Uint8Array(cells.rows).fill(1)
  if (columns.has(organism.column)) narrow(keep, columns.get(organism.column)!, isValue(organism.value))
  else await checkOrganism(cells, { organism, name, organisms })
  narrow(keep, required(columns, 'is_primary_data', name), isTrue)
  for (const { column, value } of wanted) narrow(keep, required(columns, column, name), isValue(value))
  const before = count(keep)
  const tissueType = columns.get('tissue_type')
  if (tissueType !== undefined) narrow(keep, tissueType, isValue('tissue'))
  const rows = rowsOf(keep)
  const notices = before > rows.length ? [notTissue(name, before - rows.length)] : []
  return { rows, notices }
}

function condition(field: string, value: string): Condition {
  const isId = /^[A-Za-z]{2,12}:\d{1,12}$/.test(value)
  return { column: isId ? `${field}_ontology_term_id` : field, value }
}

const isValue = (wanted: string) => (value: string) => value === wanted
const isTrue = (value: string) => /^(?:true|1)$/i.test(value)

function narrow(keep: Uint8Array, { codes, values }: CodedColumn, test: (value: string) => boolean): void {
  const passes = Uint8Array.from(values, (value) => Number(test(value)))
  for (let row = 0; row < keep.length; row++) keep[row]! &= codes[row]! < 0 ? 0 : passes[codes[row]!]!
}

function count(keep: Uint8Array): number {
  let sum = 0
  for (let row = 0; row < keep.length; row++) sum += keep[row]!
  return sum
}

function rowsOf(keep: Uint8Array): Int32Array {
  const rows = new Int32Array(count(keep))
  let at = 0
  for (let row = 0; row < keep.length; row++) if (keep[row] === 1) rows[at++] = row
  return rows
}

function required(columns: ReadonlyMap<string, CodedColumn>, column: string, name: string): CodedColumn {
  const found = columns.get(column)
  if (found !== undefined) return found
  const problem = `obs has no column ${shownName(column)}, so that nobody can say which of its cells are meant`
  throw new BadInput('QUERY_COLUMN', name, problem, 'Name the dataset itself to have all of its cells')
}

/** Since schema 6 of CELLxGENE a file is of one organism, which it names in uns. */
async function checkOrganism(
  cells: CellFile,
  of: { organism: Condition; name: string; organisms: readonly string[] },
): Promise<void> {
  const { organism, name, organisms } = of
  const told = await scalarOf(cells, organism.column)
  // the catalogue has been compared already: a dataset of one organism is of this one
  if (told === organism.value || (told === undefined && organisms.length === 1)) return
  const problem =
    told === undefined
      ? 'it does not say of which organism its cells are'
      : `its cells are of ${shownName(told)}`
  throw new BadInput('QUERY_COLUMN', name, problem, 'Name the dataset itself to have all of its cells')
}

async function scalarOf(cells: CellFile, key: string): Promise<string | undefined> {
  if (!isAnnData(cells) || !cells.namesIn('uns').includes(key)) return undefined
  const element = await cells.unstructured(key)
  return element.kind === 'text' && element.values.length === 1 ? element.values[0] : undefined
}

function notTissue(name: string, left: number): ErrorReport {
  const problem = `${left} cells are not of tissue but of cultures or organoids (tissue_type), and are left out as the Census does`
  const remedy = 'Name the dataset itself to have all of its cells'
  return { code: 'CELLS_NOT_OF_TISSUE', place: name, problem, remedy }
}
