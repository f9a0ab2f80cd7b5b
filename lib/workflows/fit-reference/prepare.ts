/**
 * Prepare of `fit-reference`: which genes are learnt from, the counts of all cells over them in shards, and for each cell the codes of its batch,
 * covariates and label. Two passes over the file where variable genes are chosen, and one more for the counts.
 */
import type { CellFile, Matrix, RowSlab, Table } from '../../data/cells.ts'
import { isAnnData } from '../../data/copy-cells.ts'
import { openCells } from '../../data/open-cells.ts'
import { BadInput, type ErrorReport } from '../../job/errors.ts'
import { referenceNames } from '../../job/stored-names.ts'
import type { CategoryColumn } from '../../models/scvi-model.ts'
import { alignRows } from '../../prep/align-genes.ts'
import { selectCountVariableGenes } from '../../prep/count-variable-genes.ts'
import { shownNames } from '../../prep/shown-names.ts'
import { type CodedCategories, categoriesOf, usedCategories } from '../parts/category-column.ts'
import {
  type CellCodes,
  leftOutCells,
  leftOutReasons,
  writeCellCodes,
  writeCountShards,
} from '../parts/count-shards.ts'
import { type ExpressionPlan, planExpression } from '../parts/expression-plan.ts'
import { planOf } from '../parts/gene-maps.ts'
import { labelColumns } from '../parts/label-columns.ts'
import { localInput } from '../road/inputs.ts'
import type { StepResult } from '../workflow.ts'
import type { FitReferenceContext } from './context.ts'
import { labelsFor } from './labels.ts'
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

/** With fewer, batches and labels mean nothing, and neither does a split. */
const fewestCells = 10

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
    ...noticesOf(value, { place, settings }),
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

interface ChosenGenes {
  genes: string[]
  /** of each column of the matrix its gene, or -1 */
  target: Int32Array
  notices: ErrorReport[]
}

/** @throws BadInput VARIABLE_GENES_NONE */
async function chooseGenes(
  context: FitReferenceContext,
  { matrix, batch, place }: { matrix: Matrix; batch: CodedCategories; place: string },
): Promise<ChosenGenes> {
  const { settings } = context.road
  const maps = await context.geneMaps()
  const all = maps.genes!
  const target = Int32Array.from(planOf(maps, 'atlas').target)
  if (settings.genes === 'all' || settings.gene_panel !== undefined)
    return { genes: all, target, notices: [] }
  let pass = 0
  async function* aligned(): AsyncGenerator<RowSlab> {
    const before = pass++ * matrix.rows
    for await (const slab of matrix.slabs({ transient: true })) {
      yield alignRows(slab, { target, genes: all.length, values: 'counts' })
      context.progress(before + slab.start + slab.rows, 2 * matrix.rows, 'cells', 'choosing variable genes')
    }
  }
  const found = await selectCountVariableGenes(aligned, {
    place: `${place}:${matrix.name}`,
    columns: all.length,
    batches: batch.categories.length > 1 ? { codes: batch.codes, names: batch.categories } : null,
    top: settings.n_top_genes,
  })
  if (found.ranked.length < 2)
    throw new BadInput(
      'VARIABLE_GENES_NONE',
      `${place}:${matrix.name}`,
      'no genes vary among the cells',
      'Give more cells, set genes: all, or name a gene_panel',
    )
  const kept = Int32Array.from(found.ranked).sort()
  const placeOf = new Int32Array(all.length).fill(-1)
  for (const [at, gene] of kept.entries()) placeOf[gene] = at
  return {
    genes: Array.from(kept, (gene) => all[gene]!),
    target: target.map((gene) => (gene < 0 ? -1 : placeOf[gene]!)),
    notices: found.notices,
  }
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

/** An atlas may come with a latent space of its own under the usual name. */
async function replacedNotices(file: CellFile, { labels }: Prepared): Promise<ErrorReport[]> {
  if (!isAnnData(file)) return []
  const names = Object.values(referenceNames(labels === null ? 'scvi' : 'scanvi').obsm)
  const nodes = await Promise.all(names.map((name) => file.tree.node(`/obsm/${name}`)))
  return names
    .filter((_, i) => nodes[i] !== undefined)
    .map((name) => ({
      code: 'ARRAY_REPLACED',
      place: `${file.place}:/obsm/${name}`,
      problem: 'the atlas has an array of this name: in the result it is that of the new model',
      remedy: 'The atlas itself is unchanged; keep it under another name where both are wanted',
    }))
}

/** A batch with fewer cells is hardly learnt: scvi-tools warns of it, too. */
const fewInBatch = 3

function noticesOf(
  prepared: Prepared,
  { place, settings }: { place: string; settings: FitReferenceContext['road']['settings'] },
): ErrorReport[] {
  const { cells, taking, leftOut, batch, batchCells, fewCounts } = prepared
  const notices: ErrorReport[] = []
  const say = (code: string, problem: string, remedy: string) =>
    notices.push({ code, place, problem, remedy })
  if (taking < fewestCells)
    throw new BadInput(
      'CELLS_TOO_FEW',
      place,
      `${taking} of ${cells} cells can be learnt from, and ${fewestCells} are the least`,
      'Give more cells, and every cell its batch',
    )
  for (const [reason, count] of leftOut.entries())
    if (reason > 0 && count > 0)
      say(
        'CELLS_LEFT_OUT',
        `${count} of ${cells} cells have ${leftOutReasons[reason]}: they are not learnt from and have no place in the latent space`,
        'Give them a value, or take them out first',
      )
  if (fewCounts > 0) {
    const problem = `${fewCounts} of ${cells} cells have fewer than ${settings.min_counts} counts`
    if (settings.strict)
      throw new BadInput('CELLS_LOW_COUNTS', place, `${problem}, and the job is strict`, 'Filter them first')
    say('CELLS_LOW_COUNTS', problem, 'Filter them first where they are no cells')
  }
  const small = batch.categories.filter((_, code) => batchCells[code]! < fewInBatch)
  if (small.length > 0)
    say(
      'BATCHES_SMALL',
      `${small.length} of ${batch.categories.length} batches have fewer than ${fewInBatch} cells: ${shownNames(small)}`,
      'Join them to others: what sets them apart cannot be learnt from so few cells',
    )
  if (batch.categories.length === 1)
    say(
      'BATCH_ONE',
      `all cells are of one batch, ${shownNames(batch.categories)}: nothing is corrected for`,
      'Nothing need be done if they are; a query can be mapped all the same',
    )
  return notices
}
