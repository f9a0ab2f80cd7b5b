/**
 * Prepare of `fit-reference`: which genes are learnt from, the counts of all cells over them in shards, and for each cell the codes of its batch,
 * covariates and label. Two passes over the file where variable genes are chosen, and one more for the counts.
 */
import type { CellFile, Table } from '../../data/cells.ts'
import { openCells } from '../../data/open-cells.ts'
import { BadInput } from '../../job/errors.ts'
import type { CategoryColumn } from '../../models/scvi-model.ts'
import { type CodedCategories, categoriesOf, usedCategories } from '../parts/category-column.ts'
import {
  type CellCodes,
  leftOutCells,
  leftOutReasons,
  writeCellCodes,
  writeCountShards,
} from '../parts/count-shards.ts'
import { type ExpressionPlan, planExpression } from '../parts/expression-plan.ts'
import { labelColumns } from '../parts/label-columns.ts'
import { localInput } from '../road/inputs.ts'
import type { StepResult } from '../workflow.ts'
import type { FitReferenceContext } from './context.ts'
import { labelsFor } from './labels.ts'
import { chooseGenes } from './learnt-genes.ts'
import { preparedNotices, replacedNotices } from './prepared-notices.ts'
import { requireLabels } from './rules.ts'

export interface Prepared {
  cells: number
  /** genes of the file's matrix */
  genes: number
  /** that the model knows, in its order */
  modelGenes: string[]
  /** cells that take part */
  taking: number
  /** cells by reason, in the order of `leftOutReasons` */
  leftOut: number[]
  /** cells that take part, by batch */
  batchCells: number[]
  batch: CategoryColumn
  categorical: CategoryColumn[]
  /** null where there are no labels */
  labels: CategoryColumn | null
  /** further columns whose labels are kept; blocks `transfer-0` ... hold those of each cell */
  transfer: { column: string; categories: string[] }[]
  /** with fewer counts than min_counts */
  fewCounts: number
  /** null where no expression is asked for */
  expression: ExpressionPlan | null
}

export async function prepare(context: FitReferenceContext): Promise<StepResult> {
  const { road, stores, scratch } = context
  const source = await localInput(road.inputs[0]!.pin, { stores, scratch })
  const file = await openCells(source.path)
  try {
    const { value, notices } = await prepareFile(context, file)
    await source.check()
    return { value, notices: [...source.notices, ...notices] }
  } finally {
    await file.close()
    await source.release()
  }
}

async function prepareFile(context: FitReferenceContext, file: CellFile) {
  const { road, step } = context
  const { settings } = road
  const obs = await file.obs()
  const place = file.place
  const column = (name: string, setting: string) => categoriesOf(obs, { column: name, setting, place })
  const batch = column(settings.batch_key, 'batch_key')
  const matrix = await file.matrix(road.inputs[0]!.facts.counts.matrix)
  const chosen = await chooseGenes(context, { matrix, batch, place })
  const others = settings.categorical_covariate_keys.map((name) => column(name, 'categorical_covariate_keys'))
  const continuous = numbersOf(obs, { columns: settings.continuous_covariate_keys, place })
  const counted = await writeCountShards(context, {
    sources: [{ matrix, place, target: chosen.target }],
    genes: chosen.genes.length,
    bins: settings.binning,
  })
  const given = { categories: [batch, ...others].map(({ codes }) => codes), continuous }
  const leftOut = leftOutCells(counted, given)
  const takesPart = (cell: number) => leftOut[cell] === 0
  const used = [batch, ...others].map((one) => usedCategories(one, takesPart))
  const expression = planExpression(settings, {
    ...{ genes: chosen.genes, batches: used[0]!.categories, first: 0, cells: counted.cells },
  })
  const labels = settings.label_column === undefined ? null : labelsOf(context, { obs, place, takesPart })
  const codes: CellCodes = {
    categories: used.map((one) => one.codes),
    continuous,
    labels: labels?.codes ?? null,
    leftOut,
  }
  await writeCellCodes(step, codes)
  const transfer = labelColumns(obs, {
    columns: settings.transfer_columns,
    ...{ setting: 'transfer_columns', place, takesPart },
  })
  for (const [i, one] of transfer.columns.entries()) await step.writeBlock(`transfer-${i}`, one.codes)
  const totals = await step.readBlock('totals', Float64Array)
  const columns = [settings.batch_key, ...settings.categorical_covariate_keys]
  const value: Prepared = {
    cells: counted.cells,
    genes: matrix.columns,
    modelGenes: chosen.genes,
    taking: leftOut.reduce((sum, reason) => sum + Number(reason === 0), 0),
    leftOut: leftOutReasons.map((_, reason) => leftOut.reduce((sum, own) => sum + Number(own === reason), 0)),
    batchCells: cellsByCode(used[0]!, takesPart),
    batch: columnOf(used[0]!, settings.batch_key),
    categorical: used.slice(1).map((one, i) => columnOf(one, columns[i + 1]!)),
    labels: labels?.column ?? null,
    transfer: transfer.columns.map(({ column: name, categories }) => ({ column: name, categories })),
    fewCounts: totals.reduce((sum, total) => sum + Number(total < settings.min_counts), 0),
    expression: expression.plan,
  }
  const notices = [
    ...chosen.notices,
    ...expression.notices,
    ...transfer.notices,
    ...(await replacedNotices(file, value)),
    ...preparedNotices(value, { place, settings }),
  ]
  return { value, notices }
}

function columnOf({ categories, type }: CodedCategories, column: string): CategoryColumn {
  return { column, categories, type }
}

function cellsByCode({ codes, categories }: CodedCategories, takesPart: (cell: number) => boolean): number[] {
  const counts = new Array<number>(categories.length).fill(0)
  for (const [cell, code] of codes.entries()) if (code >= 0 && takesPart(cell)) counts[code]! += 1
  return counts
}

function labelsOf(
  { road }: FitReferenceContext,
  { obs, place, takesPart }: { obs: Table; place: string; takesPart: (cell: number) => boolean },
) {
  const { settings } = road
  const name = settings.label_column!
  const given = categoriesOf(obs, { column: name, setting: 'label_column', place })
  const used = usedCategories(given, takesPart)
  const labels = labelsFor(used, { column: name, unlabelled: settings.unlabeled_category })
  requireLabels(labels.column.categories.length - 1, { place: `${place}:/obs/${name}`, settings })
  return labels
}

/** cells x columns; NaN where a cell has no number. @throws BadInput COVARIATE_NOT_NUMBERS */
function numbersOf(
  obs: Table,
  { columns, place }: { columns: readonly string[]; place: string },
): Float32Array | null {
  if (columns.length === 0) return null
  const values = new Float32Array(obs.rows * columns.length)
  for (const [i, name] of columns.entries()) {
    const column = obs.columns.get(name)
    if (column?.kind !== 'number')
      throw new BadInput(
        'COVARIATE_NOT_NUMBERS',
        `${place}:/obs/${name}`,
        'it is named under continuous_covariate_keys and holds no numbers',
        'Name it under categorical_covariate_keys',
      )
    for (let cell = 0; cell < obs.rows; cell++)
      values[cell * columns.length + i] = column.mask?.[cell] === 1 ? Number.NaN : Number(column.values[cell])
  }
  return values
}
