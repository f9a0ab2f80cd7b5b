/** The rows of the chosen cells over the shared genes, normalised as the query is: the cells that the model learns from, as blocks of Prepare. */
import type { CellFile, Matrix } from '../../data/cells.ts'
import type { ErrorReport } from '../../job/errors.ts'
import type { Step } from '../../job/steps.ts'
import type { TrainingRows } from '../../models/standardised-cells.ts'
import { holdRows, medianTotal } from '../../prep/held-rows.ts'
import { normalisedRows } from '../../prep/normalise.ts'
import { selectRows } from '../../prep/select-rows.ts'
import { thinCounts } from '../../prep/thin-counts.ts'
import { planOf } from '../parts/gene-maps.ts'
import type { InputFacts } from '../workflow.ts'
import type { ChosenCells } from './choose-cells.ts'
import type { TypeCellsContext } from './context.ts'

interface Reference {
  role: string
  file: CellFile
  facts: InputFacts
  chosen: ChosenCells
}

/** Rows of all references over all shared genes, as they came. */
interface Gathering {
  indptr: Float64Array
  indices: Int32Array[]
  values: Float32Array[]
  rows: number
  stored: number
  /** 1 for each gene that a cell expresses */
  seen: Uint8Array
}

/**
 * Writes blocks `training-*`: CSR of all references' chosen cells, one reference after the other, and for each cell class and source.
 * @param of.depth median total of the query's cells over the shared genes, to which deeper references are thinned; null for none
 * @returns which of the shared genes these cells express: the columns of that matrix, and all that the query is scaled by
 */
export async function writeTrainingCells(
  context: TypeCellsContext,
  { references, depth }: { references: readonly Reference[]; depth: number | null },
): Promise<{ expressed: Int32Array; notices: ErrorReport[] }> {
  const { step } = context
  const total = references.reduce((sum, { chosen }) => sum + chosen.rows.length, 0)
  const notices: ErrorReport[] = []
  const gathered = await gather(context, { references, total, depth, notices })
  const expressed = await writeRows(context, gathered)
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
  return { expressed, notices }
}

async function gather(
  context: TypeCellsContext,
  of: { references: readonly Reference[]; total: number; depth: number | null; notices: ErrorReport[] },
): Promise<Gathering> {
  const { references, total, depth, notices } = of
  const { seed } = context.road.settings
  const maps = await context.geneMaps()
  const genes = maps.genes!.length
  const made: Gathering = {
    indptr: new Float64Array(total + 1),
    indices: [],
    values: [],
    rows: 0,
    stored: 0,
    seen: new Uint8Array(genes),
  }
  for (const { role, file, facts, chosen } of references) {
    const { matrix: name, from } = facts.counts
    const target = Int32Array.from(planOf(maps, role).target)
    const alignment = { target, genes, values: from === 'counts' ? 'counts' : 'log1p' } as const
    const held = await holdRows(selectRows(await file.matrix(name), chosen.rows), alignment)
    const share = from === 'counts' && depth !== null ? depth / (await ownMedian(held)) : 1
    if (share < leastThinned) notices.push(thinnedNotice(share, file.place))
    const matrix = share < leastThinned ? thinCounts(held, { share, seed }) : held
    // over the shared genes: logs of another total are undone
    const scaled = from === 'log1p_10k' ? 'log1p' : from
    for await (const slab of normalisedRows(matrix, { from: scaled, place: file.place })) {
      for (let row = 0; row < slab.rows; row++)
        made.indptr[made.rows + row + 1] = made.stored + slab.indptr[row + 1]!
      made.rows += slab.rows
      made.stored += slab.indices.length
      // rows brought over other genes hold no zeros
      for (let i = 0; i < slab.indices.length; i++) made.seen[slab.indices[i]!] = 1
      made.indices.push(slab.indices)
      made.values.push(slab.values as Float32Array)
      context.progress(made.rows, total, 'cells', 'reading references')
    }
  }
  return made
}

/** References that are hardly deeper than the query are left as they are. */
const leastThinned = 0.9

function ownMedian(held: Matrix): Promise<number> {
  const target = Int32Array.from({ length: held.columns }, (_, gene) => gene)
  return medianTotal(held, { target, genes: held.columns, order: 'any' }, { mostRows: held.rows })
}

function thinnedNotice(share: number, place: string): ErrorReport {
  const problem = `its cells are deeper than the query's over the shared genes: ${(100 * share).toFixed(1)} % of their counts were drawn for learning`
  return {
    code: 'REFERENCE_THINNED',
    place,
    problem,
    remedy: 'Set match_depth: false to learn from all counts',
  }
}

/**
 * Over the genes that are expressed; what was gathered is let go as it is written, since all of it twice in memory would be the most
 * that Prepare ever needs.
 */
async function writeRows({ step }: TypeCellsContext, gathered: Gathering): Promise<Int32Array> {
  const { indptr, indices, values, stored, seen } = gathered
  const expressed = Int32Array.from(seen.keys()).filter((gene) => seen[gene] === 1)
  const place = new Int32Array(seen.length).fill(-1)
  for (const [at, gene] of expressed.entries()) place[gene] = at
  const genes = joined(new Int32Array(stored), indices.splice(0))
  for (let i = 0; i < stored; i++) genes[i] = place[genes[i]!]!
  await step.writeBlock('training-indptr', indptr)
  await step.writeBlock('training-indices', genes)
  await step.writeBlock('training-values', joined(new Float32Array(stored), values.splice(0)))
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
