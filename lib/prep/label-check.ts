/**
 * Is a column of labels fit to learn from? The findings of SpatialCore's check of references (0.3), with its codes and limits: errors
 * stop the run, warnings become notices. A label of blanks only counts as missing, a category that no cell has is no type.
 *
 * Trap: the check looks at the labels before any is left out, so "Unknown" is told of here and removed afterwards.
 */
import type { ErrorReport } from '../job/errors.ts'
import { BadInput } from '../job/errors.ts'
import { nearestFirst, shownName, shownNames } from './shown-names.ts'

export type LabelFindingCode =
  | 'EXCESSIVE_NULLS'
  | 'NULL_VALUES'
  | 'TOO_FEW_TYPES'
  | 'MANY_CELL_TYPES'
  | 'LOW_CELL_COUNTS'
  | 'SUSPICIOUS_LABELS'
  | 'HIGHLY_IMBALANCED'

export interface LabelFinding {
  code: LabelFindingCode
  severity: 'error' | 'warning'
  message: string
  /** those it is about, at most 100 */
  labels?: string[]
  /** share of cells (of nulls), ratio (of imbalance), else number of labels */
  value: number
}

export interface LabelCounts {
  /** cells of each label; a label given twice is added up */
  counts: ReadonlyMap<string, number> | readonly (readonly [string, number])[]
  /** cells without a label */
  missing: number
  /** all cells, with and without */
  cells: number
}

export interface LabelCheckOptions {
  place: string
  column: string
  /** what the file is called in messages */
  reference: string
  /** labels with fewer cells are told of; 10 unless told */
  minCells?: number
  /** fewer labels are an error; 1 unless told */
  minTypes?: number
  /** warnings are errors too */
  strict?: boolean
}

export const labelLimits = { nulls: 0.05, types: 500, imbalance: 1000 } as const
const mostListed = 100

const suspicious =
  /^(?:\d+|unknown|unassigned|na|n\/a|none|null|(?:cluster|cell|type)_?\d+|(?:leiden|louvain)_?\d*)$/i

/**
 * @returns all findings, none of them an error, and the notices that say the same to the user
 * @throws BadInput VALIDATION with every finding, when one is an error
 * @throws RangeError when the counts do not add up to the cells
 */
export function checkLabels(
  given: LabelCounts,
  options: LabelCheckOptions,
): { findings: LabelFinding[]; notices: ErrorReport[] } {
  const { place, column, reference, strict = false } = options
  const findings = findLabelProblems(given, options)
  const errors = findings.filter(({ severity }) => severity === 'error')
  if (errors.length > 0) {
    const list = findings.map(({ code, severity, message }) => `${code} (${severity}): ${message}`).join('; ')
    const anyway = strict ? '; "strict_validation" makes every warning an error' : ''
    const problem = `the labels in ${shownName(column)} of ${reference}: ${list}`
    throw new BadInput('VALIDATION', place, problem, `${remedies[errors[0]!.code]}${anyway}`)
  }
  const notices = findings.map(({ code, message }) => ({
    code,
    place,
    problem: `in ${shownName(column)} of ${reference} ${message}`,
    remedy: remedies[code],
  }))
  return { findings, notices }
}

/** The findings alone, errors among them; what `checkLabels` decides on. */
export function findLabelProblems(
  given: LabelCounts,
  {
    minCells = 10,
    minTypes = 1,
    strict = false,
  }: Pick<LabelCheckOptions, 'minCells' | 'minTypes' | 'strict'> = {},
): LabelFinding[] {
  const { types, missing } = tally(given)
  const findings = [
    ...nullsOf(missing, given.cells),
    ...cardinality(types.length, minTypes),
    ...lowCounts(types, minCells),
    ...suspiciousLabels(types),
    ...imbalance(types),
  ]
  return strict ? findings.map((finding) => ({ ...finding, severity: 'error' as const })) : findings
}

/**
 * @throws BadInput LABEL_COLUMN (or the code told) with the columns there are, those like the wanted one first
 */
export function requireColumn(
  column: string,
  options: {
    available: readonly string[]
    place: string
    code?: 'LABEL_COLUMN' | 'SOURCE_COLUMN' | 'GROUP_COLUMN'
  },
): void {
  const { available, place, code = 'LABEL_COLUMN' } = options
  if (available.includes(column)) return
  const remedy =
    available.length === 0
      ? 'The file has no columns of cells: add one with labels'
      : `There are: ${shownNames(nearestFirst(column, available), { most: 20 })}`
  throw new BadInput(code, place, `there is no column ${shownName(column)} (COLUMN_NOT_FOUND)`, remedy)
}

type Types = readonly (readonly [label: string, cells: number])[]

/** Labels that cells have, most cells first. */
function tally({ counts, missing, cells }: LabelCounts): { types: Types; missing: number } {
  const sums = new Map<string, number>()
  let blank = missing
  let total = missing
  for (const [label, count] of counts) {
    if (!Number.isInteger(count) || count < 0) throw new RangeError(`${shownName(label)} has ${count} cells`)
    total += count
    if (label.trim() === '') blank += count
    else if (count > 0) sums.set(label, (sums.get(label) ?? 0) + count)
  }
  if (total !== cells) throw new RangeError(`${total} cells are counted of ${cells}`)
  const types = [...sums].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1))
  return { types, missing: blank }
}

function nullsOf(missing: number, cells: number): LabelFinding[] {
  if (missing === 0) return []
  const share = missing / cells
  const message = `${missing} of ${cells} cells (${(share * 100).toFixed(1)} %) have no label`
  return share > labelLimits.nulls
    ? [{ code: 'EXCESSIVE_NULLS', severity: 'error', message, value: share }]
    : [{ code: 'NULL_VALUES', severity: 'warning', message, value: share }]
}

function cardinality(types: number, least: number): LabelFinding[] {
  if (types < least)
    return [
      {
        code: 'TOO_FEW_TYPES',
        severity: 'error',
        message: `there are ${types} cell types, fewer than ${least}`,
        value: types,
      },
    ]
  if (types <= labelLimits.types) return []
  const message = `there are ${types} cell types, more than ${labelLimits.types}`
  return [{ code: 'MANY_CELL_TYPES', severity: 'warning', message, value: types }]
}

function lowCounts(types: Types, minCells: number): LabelFinding[] {
  const low = types.filter(([, cells]) => cells < minCells).map(([label]) => label)
  return aboutLabels('LOW_CELL_COUNTS', { labels: low, what: `have fewer than ${minCells} cells` })
}

function suspiciousLabels(types: Types): LabelFinding[] {
  const labels = types.map(([label]) => label).filter((label) => suspicious.test(label))
  return aboutLabels('SUSPICIOUS_LABELS', {
    labels,
    what: 'look like numbers or placeholders, not cell types',
  })
}

function aboutLabels(
  code: LabelFindingCode,
  { labels, what }: { labels: readonly string[]; what: string },
): LabelFinding[] {
  if (labels.length === 0) return []
  const message = `${labels.length} labels ${what}: ${shownNames(labels)}`
  const listed = labels.slice(0, mostListed)
  return [{ code, severity: 'warning', message, labels: listed, value: labels.length }]
}

function imbalance(types: Types): LabelFinding[] {
  const [most, least] = [types[0], types.at(-1)]
  if (most === undefined || least === undefined) return []
  const value = most[1] / least[1]
  if (value <= labelLimits.imbalance) return []
  const message = `${shownName(most[0])} has ${most[1]} cells, ${Math.round(value)} times as many as ${shownName(least[0])} (${least[1]})`
  return [{ code: 'HIGHLY_IMBALANCED', severity: 'warning', message, labels: [most[0], least[0]], value }]
}

const remedies: Record<LabelFindingCode, string> = {
  EXCESSIVE_NULLS: 'Label these cells, or remove them',
  NULL_VALUES: 'These cells are left out; nothing to do if that is meant',
  TOO_FEW_TYPES: 'Name a column that holds cell types',
  MANY_CELL_TYPES: 'Check that the column holds cell types, not cells or samples',
  LOW_CELL_COUNTS:
    'Types with few cells are learnt badly or left out ("min_cells_per_label", "min_cells_per_type")',
  SUSPICIOUS_LABELS: 'Check that the column holds cell types; "exclude_labels" leaves some out',
  HIGHLY_IMBALANCED: '"max_cells_per_type" makes frequent types smaller',
}
