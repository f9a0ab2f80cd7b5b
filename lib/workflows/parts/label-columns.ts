/**
 * Columns of obs that a model keeps as labels of its reference's cells: text, categories or booleans. What is no such column, or holds so many
 * values that they cannot be labels, is refused before anything is computed; otherwise it would be found where the model is written.
 */
import type { Table } from '../../data/cells.ts'
import { BadInput, type ErrorReport } from '../../job/errors.ts'
import { shownName } from '../../prep/shown-names.ts'
import { type CodedCategories, categoriesOf, columnMissing, usedCategories } from './category-column.ts'

/** as many as the matcher of labels takes */
const mostLabels = 10_000
/** characters: of one label, and of all columns together */
const longest = { label: 1000, all: 2 ** 24 }

/** @throws BadInput COLUMN_MISSING, COLUMN_NUMBERS */
export function checkLabelColumns(
  obs: readonly { name: string; kind: string }[],
  { columns, setting, place }: { columns: readonly string[]; setting: string; place: string },
): void {
  for (const column of columns) {
    const found = obs.find(({ name }) => name === column)
    if (found === undefined)
      throw columnMissing(column, { setting, place, available: obs.map(({ name }) => name) })
    if (!['categorical', 'string', 'boolean'].includes(found.kind))
      throw new BadInput(
        'COLUMN_NUMBERS',
        `${place}:/obs/${found.name}`,
        `${setting} names it as labels, and it holds numbers (${found.kind})`,
        'Name a column of text or categories, or make its numbers categories first',
      )
  }
}

export interface LabelColumns {
  /** in the order given; every one has a label for some cell */
  columns: (CodedCategories & { column: string })[]
  /** columns without any label are left out, told */
  notices: ErrorReport[]
}

/**
 * Labels that some cell has, of these columns.
 * @param of.takesPart cells that count; of others the codes stay
 * @throws BadInput COLUMN_MISSING, COLUMN_NUMBERS, LABELS_TOO_MANY, LABELS_TOO_LONG
 */
export function labelColumns(
  obs: Table,
  of: { columns: readonly string[]; setting: string; place: string; takesPart: (cell: number) => boolean },
): LabelColumns {
  const { setting, place } = of
  const kinds = [...obs.columns].map(([name, { kind }]) => ({ name, kind }))
  checkLabelColumns(kinds, of)
  const found: LabelColumns = { columns: [], notices: [] }
  for (const column of of.columns) {
    const at = `${place}:/obs/${column}`
    const used = usedCategories(categoriesOf(obs, { column, setting, place }), of.takesPart)
    if (used.categories.length > mostLabels)
      throw new BadInput(
        'LABELS_TOO_MANY',
        at,
        `${used.categories.length} different values are no labels; ${mostLabels} are the most`,
        `Leave it out of ${setting}`,
      )
    if (used.categories.length > 0) found.columns.push({ column, ...used })
    else found.notices.push(emptyNotice(column, { at, setting }))
  }
  refuseLong(found, { setting, place })
  return found
}

function emptyNotice(column: string, { at, setting }: { at: string; setting: string }): ErrorReport {
  return {
    code: 'COLUMN_EMPTY',
    place: at,
    problem: `no cell that takes part has a value in ${shownName(column)}: there are no labels to keep`,
    remedy: `Leave it out of ${setting}`,
  }
}

function refuseLong({ columns }: LabelColumns, { setting, place }: { setting: string; place: string }): void {
  const lengths = columns.flatMap(({ categories }) => categories.map(({ length }) => length))
  const all = lengths.reduce((sum, length) => sum + length, 0)
  if (all <= longest.all && lengths.every((length) => length <= longest.label)) return
  throw new BadInput(
    'LABELS_TOO_LONG',
    `${place}:/obs`,
    `the values of ${setting} are too long for labels: ${longest.label} characters are the most of one, ${longest.all} of all`,
    'Name columns that hold cell types',
  )
}
