/**
 * A look into each found file: which rows are meant, where the counts are, and what their labels are. By ranges, a few files at once, and
 * nothing of the expression but a sample. A file among others that cannot be used is left out, and said; one alone is an error.
 */
import type { CellFile } from '../data/cells.ts'
import { BadInput, type ErrorReport } from '../job/errors.ts'
import { findCountsMatrix } from './counts-matrix.ts'
import { type FoundFile, nameOfFile } from './found-file.ts'
import type { LabelTally } from './label-tally.ts'
import { type CodedColumn, obsNames, readObsColumns } from './obs-columns.ts'
import { leftOutFile, type OpenFoundOptions, withFound } from './open-found.ts'
import { rowsOfQuery } from './query-rows.ts'
import { severalAtOnce } from './several-at-once.ts'
import type { QueryFilters } from './source.ts'

export interface LookOptions extends OpenFoundOptions {
  /** of a query; absent: every cell of every file */
  filters?: QueryFilters
  /** whole number in [0, 2^32) */
  seed: number
  /** null: cell_type where the files have it, else no labels are looked at */
  labelColumn: string | null
  progress?: (done: { files: number; of: number }) => void
}

export interface ChosenFile {
  /** number of the file among those found */
  file: number
  /** ascending */
  rows: Int32Array
  /** what is written as X */
  matrix: string
  /** false: the file has no raw counts, and X is what it has */
  holdsCounts: boolean
}

const openAtOnce = 3
const idColumn = 'cell_type_ontology_term_id'

export interface SeenFile extends ChosenFile {
  format: CellFile['format']
  /** of the file, wanted or not */
  cells: number
  /** of each row, its label and id */
  pairs: Int32Array
  hasLabels: boolean
  columns: readonly string[]
}

interface Looked {
  seen?: SeenFile
  notices: ErrorReport[]
}

/** In the order of the files. @throws what reading throws; of a file among others only what is wrong with the network */
export async function lookAtFiles(
  files: readonly FoundFile[],
  { options, tally }: { options: LookOptions; tally: LabelTally },
): Promise<Looked[]> {
  let done = 0
  const read = await severalAtOnce(
    files,
    { atOnce: openAtOnce, signal: options.signal },
    async (found, file) => {
      const name = nameOfFile(found)
      try {
        return await withFound(found, options, (cells) => lookAt(cells, { found, file, options }))
      } catch (error) {
        if (files.length === 1) throw error
        return { notices: [leftOutFile(error, name)] }
      } finally {
        options.progress?.({ files: ++done, of: files.length })
      }
    },
  )
  // counted in the order of the files, whichever came first: numbers of labels do not hang on the network
  return read.map((one) => {
    if (!('rows' in one)) return one
    const { rows, labels, ids, notices, ...seen } = one
    return { seen: { ...seen, rows, pairs: tally.add(rows, { labels, ids }) }, notices }
  })
}

type Read = Omit<SeenFile, 'pairs'> & {
  labels: CodedColumn | undefined
  ids: CodedColumn | undefined
  notices: ErrorReport[]
}

async function lookAt(
  cells: CellFile,
  { found, file, options }: { found: FoundFile; file: number; options: LookOptions },
): Promise<Read | Looked> {
  const { filters, seed } = options
  const name = nameOfFile(found)
  const picked =
    filters === undefined
      ? { rows: Int32Array.from({ length: cells.rows }, (_, row) => row), notices: [] }
      : await rowsOfQuery(cells, { filters, name, organisms: found.dataset?.organisms ?? [] })
  const notices = [...cells.notices, ...picked.notices, ...otherSize(found, cells.rows)]
  if (picked.rows.length === 0) return { notices }
  const counts = await findCountsMatrix(cells, { name, seed })
  if (!counts.holdsCounts && filters !== undefined) throw withoutCounts(name)
  const wanted = options.labelColumn ?? 'cell_type'
  const columns = await readObsColumns(cells, [wanted, idColumn])
  return {
    ...{ file, rows: picked.rows, matrix: counts.matrix, holdsCounts: counts.holdsCounts },
    ...{ format: cells.format, cells: cells.rows, hasLabels: columns.has(wanted) },
    columns: columns.has(wanted) ? [] : await obsNames(cells),
    ...{ labels: columns.get(wanted), ids: columns.get(idColumn) },
    notices: [...notices, ...counts.notices],
  }
}

function otherSize({ dataset, pin }: FoundFile, rows: number): ErrorReport[] {
  if (dataset === null || dataset.cells === null || dataset.cells === rows) return []
  const problem = `it has ${rows} cells, and the catalogue of today tells of ${dataset.cells}: they are of two versions of the dataset`
  const remedy = 'Use "census_version": "latest" for the newest that there is'
  return [{ code: 'DATASET_OTHER_SIZE', place: `${pin.place}/${pin.key}`, problem, remedy }]
}

function withoutCounts(name: string): BadInput {
  const problem = 'no raw counts were found in it, and a query is of raw counts'
  return new BadInput('COUNTS_NOT_FOUND', name, problem, 'Name the dataset itself to have it as it is')
}
