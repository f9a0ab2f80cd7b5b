/**
 * Which cells of the found files become the reference: those of a query, without those of wider labels where that is wished, and of what
 * is left a uniform sample where there are too many. Only a few columns of obs are read, and a look is taken at the counts; SpatialCore
 * draws first and removes wider labels afterwards, so that its reference is smaller than was asked for.
 */
import { BadInput, type ErrorReport } from '../job/errors.ts'
import { random } from '../job/random.ts'
import { requireColumn } from '../prep/label-check.ts'
import { shownName, shownNames } from '../prep/shown-names.ts'
import { type FoundFile, nameOfFile } from './found-file.ts'
import { labelNotices } from './label-notices.ts'
import { countPairs, type LabelPair, type LabelTally, newLabelTally } from './label-tally.ts'
import { sampleRows } from './sample-rows.ts'
import { type ChosenFile, type LookOptions, lookAtFiles, type SeenFile } from './seen-files.ts'
import { widePairs } from './wide-labels.ts'

export type { ChosenFile } from './seen-files.ts'

export interface ChooseOptions extends LookOptions {
  /** no limit when absent */
  maxCells?: number
  resolveHierarchy: 'none' | 'remove_parents'
  /** by what a label is wider than another; the is_a graph unless told */
  parentRule?: 'ontology' | 'spatialcore'
  validateLabels: boolean
}

export interface LabelRow {
  /** '' for cells without one */
  label: string
  /** '' where the file has none */
  id: string
  cells: number
}

export interface Chosen {
  /** all cells of the one file, an h5ad: it is handed on byte for byte */
  whole: boolean
  /** files without a chosen cell are not here */
  files: ChosenFile[]
  cells: number
  /** before wider labels were removed and the sample drawn */
  available: number
  /** the column that `labels` is of; null where there is none */
  labelColumn: string | null
  /** of the chosen cells, most first */
  labels: LabelRow[]
  notices: ErrorReport[]
}

/**
 * @throws BadInput MAX_CELLS, NO_CELLS, LABEL_COLUMN, COUNTS_NOT_FOUND, SOURCE_NOT_CELLS and what reading one file alone throws; a file
 * among others that cannot be used is left out with the notice SOURCE_FILE_LEFT_OUT
 */
export async function chooseCells(files: readonly FoundFile[], options: ChooseOptions): Promise<Chosen> {
  const { maxCells = Number.POSITIVE_INFINITY, seed, labelColumn, signal } = options
  if (!(maxCells >= 1)) {
    const problem = `${maxCells} is no number of cells`
    throw new BadInput('MAX_CELLS', 'max_cells', problem, 'Give at least 1, or leave it away for all')
  }
  const tally = newLabelTally()
  const looked = await lookAtFiles(files, { options, tally })
  const usable = looked.flatMap(({ seen }) => (seen === undefined ? [] : [seen]))
  const notices = looked.flatMap((one) => one.notices)
  const available = usable.reduce((sum, { rows }) => sum + rows.length, 0)
  if (available === 0) throw noCells(files, { notices, isQuery: options.filters !== undefined })
  const column = labelColumnOf(usable, labelColumn, files)
  if ('notice' in column) notices.push(column.notice)
  const place = files.length === 1 ? nameOfFile(files[0]!) : `${files.length} files`
  const narrowed =
    options.resolveHierarchy === 'none'
      ? { lists: usable, notices: [] }
      : await withoutParents(usable, tally, { rule: options.parentRule ?? 'ontology', place })
  notices.push(...narrowed.notices)
  const kept = sample(narrowed.lists, { most: maxCells, seed })
  const chosen = kept.filter(({ rows }) => rows.length > 0)
  const cells = chosen.reduce((sum, { rows }) => sum + rows.length, 0)
  if (cells === 0) throw noCells(files, { notices, isQuery: false })
  signal?.throwIfAborted()
  const counts = countPairs(
    chosen.map(({ pairs }) => pairs),
    tally.pairs.length,
  )
  if (options.validateLabels && column.name !== null)
    notices.push(...labelNotices(tally.pairs, counts, { column: column.name, place }))
  const [only] = chosen
  return {
    whole: files.length === 1 && only?.format === 'h5ad' && only.cells === cells,
    files: chosen.map(({ file, rows, matrix, holdsCounts }) => ({ file, rows, matrix, holdsCounts })),
    cells,
    available,
    labelColumn: column.name,
    labels: column.name === null ? [] : labelRows(tally.pairs, counts),
    notices,
  }
}

/** @throws BadInput LABEL_COLUMN where it was asked for and no file has it */
function labelColumnOf(
  usable: readonly SeenFile[],
  wanted: string | null,
  files: readonly FoundFile[],
): { name: string | null; notice?: ErrorReport } {
  const lacking = usable.filter(({ hasLabels }) => !hasLabels)
  if (lacking.length === 0) return { name: wanted ?? 'cell_type' }
  const [first] = lacking
  const place = nameOfFile(files[first!.file]!)
  if (lacking.length === usable.length) {
    if (wanted !== null) requireColumn(wanted, { available: first!.columns, place })
    const problem = 'there is no column "cell_type": the labels were not assessed'
    const remedy = `Name the column that holds them ("label_column"); there are: ${shownNames(first!.columns, { most: 20 })}`
    return { name: null, notice: { code: 'LABELS_NOT_ASSESSED', place, problem, remedy } }
  }
  const problem = `${lacking.length} of ${usable.length} files have no column ${shownName(wanted ?? 'cell_type')}: their cells have no label`
  const remedy = 'Name a column that all of them have'
  return {
    name: wanted ?? 'cell_type',
    notice: { code: 'LABEL_COLUMN_LACKING', place, problem, remedy },
  }
}

async function withoutParents(
  usable: readonly SeenFile[],
  tally: LabelTally,
  options: { rule: 'ontology' | 'spatialcore'; place: string },
): Promise<{ lists: SeenFile[]; notices: ErrorReport[] }> {
  const cells = countPairs(
    usable.map(({ pairs }) => pairs),
    tally.pairs.length,
  )
  const { wide, notices } = await widePairs(tally.pairs, cells, options)
  const lists = usable.map((one) => ({
    ...one,
    rows: one.rows.filter((_, i) => wide[one.pairs[i]!] === 0),
    pairs: one.pairs.filter((pair) => wide[pair] === 0),
  }))
  return { lists, notices }
}

function sample(lists: readonly SeenFile[], { most, seed }: { most: number; seed: number }): SeenFile[] {
  const places = lists.map(({ rows }) => Int32Array.from(rows.keys()))
  const drawn = sampleRows(places, { most, random: random(seed).fork('reference cells') })
  return lists.map((one, i) => ({
    ...one,
    rows: drawn[i]!.map((at) => one.rows[at]!),
    pairs: drawn[i]!.map((at) => one.pairs[at]!),
  }))
}

function labelRows(pairs: readonly LabelPair[], cells: Float64Array): LabelRow[] {
  return pairs
    .map(({ label, id }, number) => ({ label, id, cells: cells[number]! }))
    .filter((row) => row.cells > 0)
    .sort((a, b) => b.cells - a.cells || order(a.label, b.label) || order(a.id, b.id))
}

const order = (a: string, b: string): number => (a < b ? -1 : Number(a > b))

function noCells(
  files: readonly FoundFile[],
  { notices, isQuery }: { notices: readonly ErrorReport[]; isQuery: boolean },
): BadInput {
  const why = notices
    .filter(({ code }) => code === 'SOURCE_FILE_LEFT_OUT' || code === 'CELLS_NOT_OF_TISSUE')
    .slice(0, 3)
    .map(({ place, problem }) => `${place}: ${problem}`)
  const place = files.length === 1 ? nameOfFile(files[0]!) : `${files.length} files`
  const reasons = why.length === 0 ? '' : ` (${why.join('; ')})`
  const remedy = isQuery
    ? 'Each value is in the catalogue, but no primary cell has all of them: leave one away'
    : 'Give a file with cells'
  return new BadInput('NO_CELLS', place, `no cell is left${reasons}`, remedy)
}
