/**
 * Prepare of a query: its normalised rows go into shards for scoring, its variable genes into one matrix for its own map, and what each cell
 * looked like is kept. One pass for the former, another for the latter; no matrix is ever whole in memory.
 */
import type { RowSlab } from '../../data/cells.ts'
import { BadInput, type ErrorReport } from '../../job/errors.ts'
import { collectGenes } from '../../prep/collect-genes.ts'
import { geneMoments } from '../../prep/gene-moments.ts'
import type { NormalisedSlab } from '../../prep/normalise.ts'
import { gatherQuality } from '../../prep/quality.ts'
import { selectVariableGenes } from '../../prep/variable-genes.ts'
import type { CellsContext } from '../workflow.ts'
import { geneColumns } from './gene-columns.ts'
import { shardWriter } from './shards.ts'

export interface PreparedQuery {
  cells: number
  /** of the matrix that was read */
  genes: number
  /** how many variable genes the map is made of; 0 where there is no map */
  variable: number
  /** genes that can be shown, in the order of block `shown` (cells of the first gene, then of the second, ...) */
  shown: string[]
}

export interface QueryToPrepare {
  cells: number
  /** of the matrix that is read */
  genes: number
  /** names of the columns of `rows` */
  names: readonly string[]
  from: 'counts' | 'log1p_10k' | 'log1p'
  /** the normalised rows, each time anew */
  rows(): AsyncIterable<NormalisedSlab>
  /** what is scored, of the same cells; null where shards hold something else, and are written elsewhere */
  aligned: ((slab: NormalisedSlab) => RowSlab) | null
  wantsMap: boolean
  place: string
}

export async function prepareQuery(
  context: CellsContext,
  query: QueryToPrepare,
): Promise<{ prepared: PreparedQuery; notices: ErrorReport[] }> {
  const { road, step } = context
  const { settings } = road
  const { cells, names, from, wantsMap, place, aligned } = query
  const shards = aligned && shardWriter(step, { cells, shards: road.shards })
  const quality = gatherQuality({ cells, place, from, minCounts: settings.min_counts })
  const shown = geneColumns(names, { wanted: settings.show_genes, cells, place })
  const passes = wantsMap ? 2 : 1

  async function* firstPass(): AsyncGenerator<RowSlab> {
    for await (const slab of query.rows()) {
      quality.add(slab)
      shown.add(slab)
      if (aligned) await shards?.add(aligned(slab))
      context.progress(slab.start + slab.rows, passes * cells, 'cells', 'normalising')
      yield slab
    }
  }
  const moments = await geneMoments(firstPass(), { columns: names.length })
  await shards?.finish()
  const checked = quality.finish()
  if (settings.strict) refuseFewCounts(checked.hasFewCounts, { place, minCounts: settings.min_counts })
  const notices: ErrorReport[] = [...checked.notices, ...shown.notices]
  let variable = 0
  if (wantsMap) {
    const selected = selectVariableGenes(moments, { place })
    notices.push(...selected.notices)
    const collected = await collectGenes(secondPass(context, query), {
      cells,
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
  return { prepared: { cells, genes: query.genes, variable, shown: shown.genes }, notices }
}

async function* secondPass(context: CellsContext, { rows, cells }: QueryToPrepare): AsyncGenerator<RowSlab> {
  for await (const slab of rows()) {
    yield slab
    context.progress(cells + slab.start + slab.rows, 2 * cells, 'cells', 'collecting variable genes')
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
