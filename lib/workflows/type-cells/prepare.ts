/**
 * Prepare of `type-cells`: chooses the cells that are learnt from and brings query and references to one basis: log1p of counts per 10,000
 * over the genes that all of them have. The query goes into shards for scoring, the training cells into one block.
 */
import { basename } from 'node:path'
import type { CellFile } from '../../data/cells.ts'
import { openCells } from '../../data/open-cells.ts'
import type { ErrorReport } from '../../job/errors.ts'
import { medianTotal } from '../../prep/held-rows.ts'
import { normalisedRows } from '../../prep/normalise.ts'
import { mitochondrialGenes } from '../../prep/quality.ts'
import { clusterColumn } from '../parts/cluster-column.ts'
import { planNames, planOf } from '../parts/gene-maps.ts'
import { readPositions } from '../parts/positions.ts'
import { type PreparedQuery, prepareQuery } from '../parts/prepare-query.ts'
import { localInput } from '../road/inputs.ts'
import type { StepResult } from '../workflow.ts'
import { type Choice, chooseCells } from './choose-cells.ts'
import type { TypeCellsContext } from './context.ts'
import { withReferences } from './open-references.ts'
import { usualClusters } from './rules.ts'
import { writeTrainingCells } from './training-cells.ts'

export interface Prepared extends PreparedQuery {
  givenClusters: string[] | null
  /** what each reference is called */
  sources: string[]
  trainingCells: number
  /** shared by all files and expressed in the training cells: what the model is made of, and what cells are scaled by */
  modelGenes: string[]
  classes: Choice['classes']
  /** cells by class and reference, before and after balancing */
  balance: Choice['table']
  dropped: Choice['dropped']
}

export async function prepare(context: TypeCellsContext): Promise<StepResult> {
  const { genes } = await context.geneMaps()
  if (genes === null) throw new Error('no shared genes')
  const { road, stores, scratch } = context
  const source = await localInput(road.inputs[0]!.pin, { stores, scratch })
  const file = await openCells(source.path)
  try {
    const depth = await depthOfQuery(context, file)
    const references = await prepareReferences(context, { genes, depth })
    const query = await prepareTheQuery(context, { file, references })
    await source.check()
    const value: Prepared = { ...query.value, ...references.value }
    return { value, notices: [...query.notices, ...source.notices, ...references.notices] }
  } finally {
    await file.close()
    await source.release()
  }
}

/** How deep the query is over the shared genes; null where that is not asked or its counts are not known. */
async function depthOfQuery(context: TypeCellsContext, file: CellFile): Promise<number | null> {
  const { settings, inputs } = context.road
  const { from, matrix } = inputs[0]!.facts.counts
  if (!settings.match_depth || from !== 'counts') return null
  const maps = await context.geneMaps()
  const target = Int32Array.from(planOf(maps, 'query').target)
  const depth = await medianTotal(await file.matrix(matrix), { target, genes: maps.genes!.length })
  return depth > 0 ? depth : null
}

async function prepareTheQuery(
  context: TypeCellsContext,
  of: { file: CellFile; references: Awaited<ReturnType<typeof prepareReferences>> },
) {
  const { file, references } = of
  const {
    expressed,
    value: { modelGenes },
  } = references
  const { road, step } = context
  const { settings } = road
  const { from, matrix: name } = road.inputs[0]!.facts.counts
  const { place } = file
  const maps = await context.geneMaps()
  const plan = planOf(maps, 'query')
  const matrix = await file.matrix(name)
  const numbers = new Map(Array.from(expressed, (gene, at) => [gene, at]))
  const target = Int32Array.from(plan.target, (gene) => numbers.get(gene) ?? -1)
  const genes = { target, genes: modelGenes.length }
  const given = settings.majority_voting
    ? await clusterColumn(file, settings.over_clustering ?? usualClusters)
    : null
  if (given !== null) await step.writeBlock('given-clusters', given.codes)
  const isMitochondrial = mitochondrialGenes(planNames(plan, await file.genesOf(name)))
  const { prepared, notices } = await prepareQuery(context, {
    cells: matrix.rows,
    genes: matrix.columns,
    names: modelGenes,
    from,
    rows: () => normalisedRows(matrix, { from, genes, over: 'genes', isMitochondrial, place }),
    aligned: (slab) => slab,
    wantsMap: settings.umap || settings.write_neighbours,
    place,
  })
  const xy = await readPositions(file, settings.spatial_key)
  if (xy !== undefined) await step.writeBlock('positions', xy)
  return { value: { ...prepared, givenClusters: given?.categories ?? null }, notices }
}

async function prepareReferences(
  context: TypeCellsContext,
  { genes, depth }: { genes: readonly string[]; depth: number | null },
) {
  const { found, notices: told } = await withReferences(context, async (references) => {
    const sources = distinct(references.map(({ key }) => basename(key).replace(/(?<=.)\.[^.]*$/, '')))
    const choice = await chooseCells(context, { files: references.map(({ file }) => file), sources })
    const chosen = references.map((one, index) => ({ ...one, chosen: choice.references[index]! }))
    return { sources, choice, ...(await writeTrainingCells(context, { references: chosen, depth })) }
  })
  const { sources, choice, expressed, notices: thinned } = found
  const { classes, table, dropped } = choice
  const notices = [...choice.notices, ...thinned, ...told]
  const trainingCells = choice.references.reduce((sum, { rows }) => sum + rows.length, 0)
  const modelGenes = Array.from(expressed, (gene) => genes[gene]!)
  const isExpressed = new Set(expressed)
  const silent = genes.filter((_, gene) => !isExpressed.has(gene))
  if (silent.length > 0) notices.push(silentGenes(silent))
  return {
    expressed,
    value: { sources, trainingCells, classes, balance: table, dropped, modelGenes },
    notices,
  }
}

function silentGenes(silent: readonly string[]): ErrorReport {
  const few = silent.slice(0, 10).join(', ')
  const problem = `${silent.length} shared genes have no counts in the training cells and take no part: ${few}${silent.length > 10 ? ', ...' : ''}`
  return { code: 'GENES_SILENT', place: 'references', problem, remedy: 'Nothing to do' }
}

/** Names of files, told apart by a number where two are the same. */
function distinct(names: readonly string[]): string[] {
  const taken = new Set<string>()
  return names.map((name) => {
    let unique = name
    for (let i = 2; taken.has(unique); i++) unique = `${name}-${i}`
    taken.add(unique)
    return unique
  })
}
