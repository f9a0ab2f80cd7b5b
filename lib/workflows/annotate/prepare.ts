/**
 * Prepare of `annotate`: counts become log1p of counts per 10,000 over all genes of the file; the genes of the model go into shards for
 * scoring, the variable genes of the query into one matrix for its own map. One pass for the former, another for the latter; no matrix is
 * ever whole in memory.
 */
import type { Matrix, RowSlab, Table } from '../../data/cells.ts'
import { columnTexts } from '../../data/column-texts.ts'
import { openCells } from '../../data/open-cells.ts'
import { BadInput, type ErrorReport } from '../../job/errors.ts'
import { alignRows } from '../../prep/align-genes.ts'
import { collectGenes } from '../../prep/collect-genes.ts'
import { geneMoments } from '../../prep/gene-moments.ts'
import { type NormalisedSlab, normalisedRows } from '../../prep/normalise.ts'
import { gatherQuality, mitochondrialGenes } from '../../prep/quality.ts'
import { selectVariableGenes } from '../../prep/variable-genes.ts'
import { localInput } from '../road/inputs.ts'
import type { StepContext, StepResult } from '../workflow.ts'
import { clusterColumn } from './cluster-column.ts'
import { geneColumns } from './gene-columns.ts'
import { shardWriter } from './shards.ts'

export interface Prepared {
  cells: number
  /** of the matrix that was read */
  genes: number
  /** how many variable genes the map is made of; 0 where there is no map */
  variable: number
  /** genes that can be shown, in the order of block `shown` (cells of the first gene, then of the second, ...) */
  shown: string[]
  /** names of the user's clusters, which block `given-clusters` counts; null where the vote makes its own, or there is none */
  givenClusters: string[] | null
}

export async function prepare(context: StepContext): Promise<StepResult> {
  const { road, step, stores, scratch } = context
  const [input] = road.inputs
  if (input === undefined) throw new Error('a road without inputs')
  const source = await localInput(input.pin, { stores, scratch })
  const file = await openCells(source.path)
  try {
    const matrix = await file.matrix(input.facts.counts.matrix)
    const names = await geneNames(context, await file.genesOf(matrix.name))
    const { majority_voting, over_clustering } = road.settings
    const given = majority_voting && over_clustering ? await clusterColumn(file, over_clustering) : null
    if (given !== null) await step.writeBlock('given-clusters', given.codes)
    const givenClusters = given?.categories ?? null
    const prepared = await prepareMatrix(context, { matrix, names, givenClusters, place: file.place })
    await source.check()
    return prepared
  } finally {
    await file.close()
  }
}

/** The names by which the gene plan knows the genes of the matrix. */
async function geneNames(context: StepContext, table: Table): Promise<readonly string[]> {
  const { column } = await context.genePlan()
  const content = column === null ? undefined : table.columns.get(column)
  return (content && columnTexts(content)) ?? table.index
}

interface MatrixToPrepare {
  matrix: Matrix
  names: readonly string[]
  givenClusters: string[] | null
  place: string
}

async function prepareMatrix(context: StepContext, at: MatrixToPrepare): Promise<StepResult> {
  const { road, step } = context
  const { settings } = road
  const { matrix, names, place } = at
  const { from } = road.inputs[0]!.facts.counts
  const plan = await context.genePlan()
  const alignment = {
    target: Int32Array.from(plan.target),
    genes: plan.modelGenes,
    values: 'log1p',
    order: 'any',
  } as const
  const shards = shardWriter(step, { cells: matrix.rows, shards: road.shards })
  const isMitochondrial = plan.idType === 'symbol' ? mitochondrialGenes(names) : undefined
  const quality = gatherQuality({ cells: matrix.rows, place, from, minCounts: settings.min_counts })
  const shown = geneColumns(names, { wanted: settings.show_genes, cells: matrix.rows, place })
  const makesClusters = settings.majority_voting && settings.over_clustering === undefined
  const wantsMap = settings.umap || settings.write_neighbours || makesClusters
  const passes = wantsMap ? 2 : 1

  async function* firstPass(): AsyncGenerator<RowSlab> {
    for await (const slab of normalisedRows(matrix, { from, isMitochondrial, place })) {
      quality.add(slab)
      shown.add(slab)
      await shards.add(alignRows(slab, alignment))
      context.progress(slab.start + slab.rows, passes * matrix.rows, 'cells', 'normalising')
      yield slab
    }
  }
  const moments = await geneMoments(firstPass(), { columns: matrix.columns })
  await shards.finish()
  const checked = quality.finish()
  if (settings.strict) refuseFewCounts(checked.hasFewCounts, { place, minCounts: settings.min_counts })
  const notices: ErrorReport[] = [...checked.notices, ...shown.notices]
  let variable = 0
  if (wantsMap) {
    const selected = selectVariableGenes(moments, { place })
    notices.push(...selected.notices)
    const second = passOver(context, normalisedRows(matrix, { from, place }), { passes, rows: matrix.rows })
    const collected = await collectGenes(second, {
      cells: matrix.rows,
      ranked: selected.ranked,
      detected: moments.detected,
      place,
    })
    notices.push(...collected.notices)
    variable = collected.columns
    await step.writeBlock('variable-indptr', collected.indptr)
    await step.writeBlock('variable-indices', collected.indices)
    await step.writeBlock('variable-values', collected.values)
  }
  await step.writeBlock('totals', checked.totals)
  await step.writeBlock('detected', checked.detected)
  if (checked.hasFewCounts !== undefined) await step.writeBlock('few-counts', checked.hasFewCounts)
  if (checked.mitochondrial !== undefined) await step.writeBlock('mitochondrial', checked.mitochondrial)
  await step.writeBlock('shown', shown.values)
  const value: Prepared = {
    cells: matrix.rows,
    genes: matrix.columns,
    variable,
    shown: shown.genes,
    givenClusters: at.givenClusters,
  }
  return { value, notices }
}

async function* passOver(
  context: StepContext,
  slabs: AsyncIterable<NormalisedSlab>,
  { passes, rows }: { passes: number; rows: number },
): AsyncGenerator<RowSlab> {
  for await (const slab of slabs) {
    yield slab
    context.progress(
      (passes - 1) * rows + slab.start + slab.rows,
      passes * rows,
      'cells',
      'collecting variable genes',
    )
  }
}

function refuseFewCounts(
  hasFewCounts: Uint8Array | undefined,
  { place, minCounts }: { place: string; minCounts: number },
): void {
  const few = hasFewCounts?.reduce((sum, flag) => sum + flag, 0) ?? 0
  if (few === 0) return
  const problem = `${few} cells have fewer than ${minCounts} counts, and the job is strict`
  throw new BadInput(
    'CELLS_LOW_COUNTS',
    place,
    problem,
    'Filter them first, lower min_counts, or leave out "strict"',
  )
}
