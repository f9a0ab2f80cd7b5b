/** The rows of the chosen cells over the shared genes, normalised as the query is: the cells that the model learns from, as blocks of Prepare. */
import type { CellFile } from '../../data/cells.ts'
import type { Step } from '../../job/steps.ts'
import { columnsOf, expressedGenes } from '../../models/gene-columns.ts'
import type { TrainingRows } from '../../models/standardised-cells.ts'
import { normalisedRows } from '../../prep/normalise.ts'
import { selectRows } from '../../prep/select-rows.ts'
import { planOf } from '../parts/gene-maps.ts'
import type { InputFacts } from '../workflow.ts'
import type { ChosenCells } from './choose-cells.ts'
import type { TypeCellsContext } from './context.ts'

interface Gathering {
  indptr: Float64Array
  indices: Int32Array[]
  values: Float32Array[]
  rows: number
  stored: number
}

/**
 * Writes blocks `training-*`: CSR of all references' chosen cells, one reference after the other, and for each cell class and source.
 * @returns which of the shared genes these cells express: the columns of that matrix, and all that the query is scaled by
 */
export async function writeTrainingCells(
  context: TypeCellsContext,
  references: readonly { role: string; file: CellFile; facts: InputFacts; chosen: ChosenCells }[],
): Promise<Int32Array> {
  const { step } = context
  const maps = await context.geneMaps()
  const genes = maps.genes!.length
  const total = references.reduce((sum, { chosen }) => sum + chosen.rows.length, 0)
  const gathered: Gathering = {
    indptr: new Float64Array(total + 1),
    indices: [],
    values: [],
    rows: 0,
    stored: 0,
  }
  for (const { role, file, facts, chosen } of references) {
    const { matrix: name, from } = facts.counts
    const matrix = selectRows(await file.matrix(name), chosen.rows)
    const target = Int32Array.from(planOf(maps, role).target)
    const options = { from, genes: { target, genes }, over: 'genes', place: file.place } as const
    for await (const slab of normalisedRows(matrix, options)) {
      for (let row = 0; row < slab.rows; row++)
        gathered.indptr[gathered.rows + row + 1] = gathered.stored + slab.indptr[row + 1]!
      gathered.rows += slab.rows
      gathered.stored += slab.indices.length
      gathered.indices.push(slab.indices)
      gathered.values.push(slab.values as Float32Array)
      context.progress(gathered.rows, total, 'cells', 'reading references')
    }
  }
  const whole = {
    rows: total,
    columns: genes,
    indptr: gathered.indptr,
    indices: joined(new Int32Array(gathered.stored), gathered.indices),
    values: joined(new Float32Array(gathered.stored), gathered.values),
  }
  const expressed = expressedGenes(whole)
  const cells = expressed.length === genes ? whole : columnsOf(whole, expressed)
  await step.writeBlock('training-indptr', Float64Array.from(cells.indptr))
  await step.writeBlock('training-indices', cells.indices)
  await step.writeBlock('training-values', Float32Array.from(cells.values))
  const classes = joined(
    new Int32Array(total),
    references.map(({ chosen }) => chosen.classes),
  )
  const sources = joined(
    new Int32Array(total),
    references.map(({ chosen }, source) => chosen.classes.map(() => source)),
  )
  const rows = joined(
    new Int32Array(total),
    references.map(({ chosen }) => chosen.rows),
  )
  await step.writeBlock('training-classes', classes)
  await step.writeBlock('training-sources', sources)
  await step.writeBlock('training-rows', rows)
  return expressed
}

export interface TrainingCells extends TrainingRows {
  /** of each cell */
  classes: Int32Array
  /** of each cell, the number of its reference */
  sources: Int32Array
}

export async function readTrainingCells(step: Step, genes: number): Promise<TrainingCells> {
  const indptr = await step.readBlock('training-indptr', Float64Array)
  return {
    rows: indptr.length - 1,
    columns: genes,
    indptr,
    indices: await step.readBlock('training-indices', Int32Array),
    values: await step.readBlock('training-values', Float32Array),
    classes: await step.readBlock('training-classes', Int32Array),
    sources: await step.readBlock('training-sources', Int32Array),
  }
}

function joined<Values extends Int32Array | Float32Array>(whole: Values, parts: readonly Values[]): Values {
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}
