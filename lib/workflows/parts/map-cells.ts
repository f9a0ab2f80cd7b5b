/**
 * The query's own map: principal components of its variable genes, neighbours, and what is made of them, a layout (UMAP) and small
 * clusters (Leiden, as CellTypist over-clusters). None of it knows the labels, so it can speak for or against them. Or a layout of the query in
 * the space of the reference; cells without a place there (NaN) are nowhere on it.
 */
import type { ErrorReport } from '../../job/errors.ts'
import { fuzzyGraph } from '../../neighbours/fuzzy-graph.ts'
import { leiden, overClusteringResolution } from '../../neighbours/leiden.ts'
import { nearestNeighbours } from '../../neighbours/nearest-neighbours.ts'
import { pca } from '../../neighbours/pca.ts'
import type { Neighbours, Points } from '../../neighbours/points.ts'
import { layOut } from '../../neighbours/umap.ts'
import type { CellsContext } from '../workflow.ts'
import { placedRows, spreadRows, takenRows } from './placed-rows.ts'
import type { PreparedQuery } from './prepare-query.ts'

/** neighbours that CellTypist over-clusters by, the cell itself included */
const clusterNeighbours = 10
const fewestCells = 3
const fewestGenes = 2

export interface CellMap {
  layout: Float32Array | null
  neighbours: Neighbours | null
  clusters: { membership: Int32Array; count: number; resolution: number } | null
}

export async function mapCells(
  context: CellsContext,
  {
    prepared,
    latent,
    clusters: wanted,
    notices,
  }: {
    prepared: PreparedQuery
    /** the space of the reference; null for the query's own */
    latent: { values: Float32Array; dims: number } | null
    /** small clusters to vote in; without a resolution by the number of cells */
    clusters: { resolution: number | undefined } | null
    notices: ErrorReport[]
  },
): Promise<CellMap> {
  const { settings } = context.road
  const nothing: CellMap = { layout: null, neighbours: null, clusters: null }
  const wantsGraph = settings.umap || settings.write_neighbours
  if (!wantsGraph && wanted === null) return nothing
  const hasGenes = prepared.variable >= fewestGenes
  const inLatent = wantsGraph && latent !== null
  const rows = inLatent ? placedRows(latent.values, latent.dims) : null
  if ((rows?.length ?? prepared.cells) < fewestCells || !(hasGenes || inLatent)) {
    notices.push(noMap(prepared))
    return nothing
  }
  const canCluster = wanted !== null && hasGenes
  const components = canCluster || !inLatent ? await principalComponents(context, prepared, notices) : null
  const space: Points =
    rows === null || latent === null
      ? components!
      : {
          rows: rows.length,
          dims: latent.dims,
          values: takenRows(latent.values, { rows, width: latent.dims }),
        }
  const most = Math.max(canCluster ? clusterNeighbours : 0, wantsGraph ? settings.n_neighbors : 0)
  const k = Math.min(space.rows, most)
  const neighbours = await searched(context, { points: space, k, notices })
  const ofComponents =
    components === null || space === components
      ? neighbours
      : await searched(context, { points: components, k, notices })
  const clusters = canCluster
    ? await cluster(context, first(ofComponents, clusterNeighbours), wanted.resolution)
    : null
  const near = first(neighbours, settings.n_neighbors)
  const drawn = settings.umap ? await draw(context, near) : null
  const layout =
    drawn === null || rows === null ? drawn : spreadRows(drawn, { rows, width: 2, cells: prepared.cells })
  const isWhole = near.rows === prepared.cells
  if (settings.write_neighbours && !isWhole) notices.push(noGraph(prepared.cells - near.rows))
  return { layout, neighbours: isWhole ? near : null, clusters }
}

function noGraph(cells: number): ErrorReport {
  return {
    code: 'NEIGHBOURS_NOT_STORED',
    place: 'write_neighbours',
    problem: `${cells} cells have no place in the space of the reference, and a graph of all cells cannot leave them out`,
    remedy:
      'Take these cells out first (those without counts on the genes of the model, without a batch or covariate)',
  }
}

async function principalComponents(
  context: CellsContext,
  prepared: PreparedQuery,
  notices: ErrorReport[],
): Promise<Points> {
  const before = context.before('Prepare')
  const { settings } = context.road
  context.progress(0, 4, 'parts', 'principal components')
  const rows = {
    rows: prepared.cells,
    columns: prepared.variable,
    indptr: await before.readBlock('variable-indptr', Float64Array),
    indices: await before.readBlock('variable-indices', Int32Array),
    values: await before.readBlock('variable-values', Float32Array),
  }
  const { scores } = await pca(rows, {
    components: settings.n_components,
    scale: true,
    seed: settings.seed,
    signal: context.signal,
    notices,
  })
  return scores
}

async function searched(
  context: CellsContext,
  { points, k, notices }: { points: Points; k: number; notices: ErrorReport[] },
): Promise<Neighbours> {
  context.progress(1, 4, 'parts', 'neighbours')
  const { seed } = context.road.settings
  return nearestNeighbours(points, {
    k,
    metric: 'euclidean',
    seed,
    signal: context.signal,
    notices,
    place: 'query',
  })
}

async function cluster(
  context: CellsContext,
  neighbours: Neighbours,
  wanted: number | undefined,
): Promise<CellMap['clusters']> {
  context.progress(2, 4, 'parts', 'clusters')
  const { settings } = context.road
  const resolution = wanted ?? overClusteringResolution(neighbours.rows)
  const { membership, clusters } = await leiden(fuzzyGraph(neighbours), {
    resolution,
    seed: settings.seed,
    iterations: 2,
    signal: context.signal,
  })
  return { membership, count: clusters, resolution }
}

async function draw(context: CellsContext, neighbours: Neighbours): Promise<Float32Array> {
  const { settings } = context.road
  return layOut(neighbours, {
    seed: settings.seed,
    minDist: settings.umap_min_dist,
    spread: Math.max(1, settings.umap_min_dist),
    signal: context.signal,
    onProgress: (share) => context.progress(3 + share, 4, 'parts', 'layout'),
  })
}

/** The first neighbours of more. */
function first({ rows, k, indices, distances }: Neighbours, wanted: number): Neighbours {
  if (wanted >= k) return { rows, k, indices, distances }
  const fewer = {
    rows,
    k: wanted,
    indices: new Int32Array(rows * wanted),
    distances: new Float32Array(rows * wanted),
  }
  for (let row = 0; row < rows; row++) {
    fewer.indices.set(indices.subarray(row * k, row * k + wanted), row * wanted)
    fewer.distances.set(distances.subarray(row * k, row * k + wanted), row * wanted)
  }
  return fewer
}

function noMap({ cells, variable }: PreparedQuery): ErrorReport {
  const problem = `there is no map: ${cells} cells and ${variable} variable genes are too few`
  return { code: 'MAP_NOT_MADE', place: 'query', problem, remedy: 'Labels do not need it' }
}
