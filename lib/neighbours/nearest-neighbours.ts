/**
 * The nearest neighbours of points, exactly or by an approximate search that says so; checks what was given first.
 * As scanpy and umap-learn count, a point that is searched among its own kind is its own first neighbour, at distance 0.
 */
import { BadInput, type ErrorReport } from '../job/errors.ts'
import { approximateNeighbours } from './knn-approximate.ts'
import { exactNeighbours, type SearchControls } from './knn-exact.ts'
import { type Metric, type Neighbours, type Points, scaledPoints } from './points.ts'

/** Above, 'auto' takes the approximate search. */
export const exactLimit = 100_000

export interface NeighbourOptions extends SearchControls {
  /** neighbours of each query; the point itself counts where the points search themselves */
  k: number
  metric: Metric
  /** searched for among the points; without, the points themselves */
  queries?: Points
  /** 'auto' unless told: exact up to `exactLimit` points */
  method?: 'auto' | 'exact' | 'approximate'
  /** decides the approximate search's graph; the exact search has no chance in it */
  seed: number
  /** what the points are, for messages: 'obsm/X_pca' */
  place?: string
  /** where it is recorded that a search was approximate: KNN_APPROXIMATE */
  notices?: ErrorReport[]
}

/**
 * Nearest first, equally near ones by number. Distances are computed in float64 and rounded to float32.
 * The exact search gives the float64 answer whatever the numbers; the approximate one finds about 99 of 100 neighbours.
 * @throws BadInput POINTS_TOO_FEW, POINTS_MALFORMED, POINTS_NOT_FINITE, POINTS_OF_OTHER_WIDTH, POINT_WITHOUT_DIRECTION, K_OUT_OF_RANGE
 */
export async function nearestNeighbours(points: Points, options: NeighbourOptions): Promise<Neighbours> {
  const { k, metric, method = 'auto', place = 'points' } = options
  checkCounts(points, { ...options, place })
  const references = scaledPoints(points, { metric, place })
  const queries =
    options.queries === undefined
      ? references
      : scaledPoints(options.queries, { metric, place: `queries of ${place}` })
  const search = { references, queries, isSelf: options.queries === undefined, metric, k }
  if (method === 'exact' || (method === 'auto' && points.rows <= exactLimit))
    return exactNeighbours(search, options)
  options.notices?.push({
    code: 'KNN_APPROXIMATE',
    place,
    problem: `neighbours of ${queries.rows} cells among ${points.rows} were searched approximately (HNSW): about 1 in 100 is not a true one`,
    remedy:
      'Nothing need be done for maps and clusters; ask for the exact search where every neighbour counts',
  })
  return approximateNeighbours(search, options)
}

function checkCounts(points: Points, { k, queries, place }: NeighbourOptions & { place: string }): void {
  if (!Number.isInteger(k) || k < 1)
    throw new BadInput(
      'K_OUT_OF_RANGE',
      place,
      `${k} neighbours cannot be searched`,
      'Ask for a whole number from 1',
    )
  if (points.rows < k)
    throw new BadInput(
      'POINTS_TOO_FEW',
      place,
      `${k} neighbours were asked for, there are ${points.rows} points`,
      'Ask for fewer neighbours, or keep more cells',
    )
  if (queries !== undefined && queries.dims !== points.dims)
    throw new BadInput(
      'POINTS_OF_OTHER_WIDTH',
      place,
      `the queries have ${queries.dims} coordinates, the points ${points.dims}`,
      'Compute both in the same space',
    )
}
