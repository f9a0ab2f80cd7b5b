/**
 * Prepare of `annotate`: counts become log1p of counts per 10,000 over all genes of the file; of these the genes that models know are
 * scored, and the variable genes of the query make its own map. A network is given the counts themselves.
 */
import type { RowSlab } from '../../data/cells.ts'
import { openCells } from '../../data/open-cells.ts'
import type { AnnotateSettings } from '../../job/settings/annotate.ts'
import { loadNetworkCard } from '../../models/bundle.ts'
import { alignRows } from '../../prep/align-genes.ts'
import { type NormalisedSlab, normalisedRows } from '../../prep/normalise.ts'
import { mitochondrialGenes } from '../../prep/quality.ts'
import { rescaleRows } from '../../prep/rescale-rows.ts'
import { clusterColumn } from '../parts/cluster-column.ts'
import { planNames, planOf } from '../parts/gene-maps.ts'
import { type PreparedQuery, prepareQuery } from '../parts/prepare-query.ts'
import { localInput } from '../road/inputs.ts'
import type { GeneMaps, ModelGenes, StepResult } from '../workflow.ts'
import type { AnnotateContext } from './context.ts'
import { type NetworkCells, writeNetworkCells } from './network-cells.ts'
import { umapSpace } from './rules.ts'
import { scoredGenes } from './scored-genes.ts'

export interface Prepared extends PreparedQuery {
  /** names of the user's clusters, which block `given-clusters` counts; null where the vote makes its own, or there is none */
  givenClusters: string[] | null
  /** what a network is given; null for linear models */
  network: NetworkCells | null
}

export async function prepare(context: AnnotateContext): Promise<StepResult> {
  const { road, step, stores, scratch } = context
  const { settings } = road
  const [input] = road.inputs
  if (input === undefined) throw new Error('a road without inputs')
  const source = await localInput(input.pin, { stores, scratch })
  const file = await openCells(source.path)
  try {
    const { place } = file
    const { from } = input.facts.counts
    const matrix = await file.matrix(input.facts.counts.matrix)
    const maps = await context.geneMaps()
    const plan = planOf(maps, 'query')
    const names = planNames(plan, await file.genesOf(matrix.name))
    const { majority_voting, over_clustering } = settings
    const given = majority_voting && over_clustering ? await clusterColumn(file, over_clustering) : null
    if (given !== null) await step.writeBlock('given-clusters', given.codes)
    const [{ id, isNetwork }] = maps.models as [ModelGenes]
    const isMitochondrial = plan.idType === 'symbol' ? mitochondrialGenes(names) : undefined
    const makesClusters = majority_voting && over_clustering === undefined
    const drawsComponents = umapSpace(settings, { isNetwork }) === 'pca'
    const { prepared, notices } = await prepareQuery(context, {
      cells: matrix.rows,
      genes: matrix.columns,
      names,
      from,
      rows: () => normalisedRows(matrix, { from, isMitochondrial, place }),
      aligned: isNetwork ? null : scoredRows(maps, { settings, measured: matrix.columns }),
      wantsMap: (drawsComponents && (settings.umap || settings.write_neighbours)) || makesClusters,
      place,
    })
    const card = isNetwork ? await loadNetworkCard(stores.models, id) : null
    const network = card && (await writeNetworkCells(context, { file, matrix, plan, card }))
    await source.check()
    notices.push(...source.notices, ...(network?.notices ?? []))
    const value: Prepared = {
      ...prepared,
      givenClusters: given?.categories ?? null,
      network: network?.value ?? null,
    }
    return { value, notices }
  } finally {
    await file.close()
    await source.release()
  }
}

/** Rows of what is scored: of the genes that any model knows, scaled anew over them where the job asks for it. */
function scoredRows(
  maps: GeneMaps,
  { settings, measured }: { settings: AnnotateSettings; measured: number },
): (slab: NormalisedSlab) => RowSlab {
  const { columns, columnOf } = scoredGenes(maps)
  const isRescaled = settings.scaled_over === 'models' && columns < measured
  return (slab) => {
    const aligned = alignRows(slab, { target: columnOf, genes: columns, values: 'log1p', order: 'any' })
    if (!isRescaled) return aligned
    return { ...aligned, values: rescaleRows({ ...aligned, values: aligned.values as Float32Array }) }
  }
}
