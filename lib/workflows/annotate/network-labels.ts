/**
 * Labels of cells that a network placed: by its own classifier, by the cells of the reference that lie nearest (scArches' kernel), or by a logistic
 * regression on where these lie; for each column of labels that is asked for, over one search.
 */
import type { ErrorReport } from '../../job/errors.ts'
import { uncertainty } from '../../labels/confidence.ts'
import { bestMatch } from '../../labels/match.ts'
import { labelShares, neighbourWeights } from '../../labels/neighbour-transfer.ts'
import { loadNetworkCard, loadReferenceCells } from '../../models/bundle.ts'
import { fitLatentRegression } from '../../models/latent-regression.ts'
import type { ReferenceCells, ReferenceColumn } from '../../models/reference-cells.ts'
import { nearestNeighbours } from '../../neighbours/nearest-neighbours.ts'
import type { Points } from '../../neighbours/points.ts'
import { readEmbedded } from '../parts/latent.ts'
import { placedRows, spreadRows, takenRows } from '../parts/placed-rows.ts'
import type { AnnotateContext } from './context.ts'
import { type Labelling, labellingOf } from './labelling.ts'

export interface NetworkLabels {
  /** cells x dims; NaN for cells without a place */
  latent: Float32Array
  dims: number
  classifier: Labelling['classifier']
  /** of the first column: cells x labels; NaN for cells without a place, or without a labelled neighbour */
  probabilities: Float32Array
  /** of further columns: code of each cell's label, -1 for none, and how unsure it is */
  others: { column: string; labels: readonly string[]; codes: Int32Array; uncertainty: Float32Array }[]
  /** cells of the reference that labels come from; null of the network's own classifier */
  reference: { cells: number; neighbours: NeighboursAsked | null } | null
}

export interface NeighboursAsked {
  asked: number
  /** how many cells would have another label by fewer of them; null where no more than these are asked */
  fewer: { asked: number; differing: number } | null
}

/** Probabilities by one column, placed cells x its labels; of fewer neighbours than were found, where told. */
type Classify = (column: string, labels: number, neighbours?: number) => Promise<Float32Array>

/** What labels are compared with, to tell how much hangs on the number of neighbours. */
const fewNeighbours = 15

export async function labelByNetwork(
  context: AnnotateContext,
  { cells, notices }: { cells: number; notices: ErrorReport[] },
): Promise<NetworkLabels> {
  const { road, stores } = context
  const card = await loadNetworkCard(stores.models, road.models[0]!)
  const { classifier, columns } = labellingOf(card, road.settings)
  const dims = card.shape.latent
  const classes = card.kind === 'scanvi' ? card.shape.classes : 0
  const { latent, soft } = await readEmbedded(context, { cells, latent: dims, classes })
  const common = { latent, dims, classifier }
  if (classifier === 'scanvi') return { ...common, probabilities: soft!, others: [], reference: null }
  const rows = placedRows(latent, dims)
  const points: Points = { rows: rows.length, dims, values: takenRows(latent, { rows, width: dims }) }
  const reference = await loadReferenceCells(stores.models, card.id)
  const k = Math.min(road.settings.knn_neighbors, reference.cells)
  const classify =
    classifier === 'knn'
      ? await byNeighbours(context, { points, reference, k, notices })
      : byRegression(context, { points, reference })
  const spread = (values: Float32Array, width: number) => spreadRows(values, { rows, width, cells })
  const [first, ...more] = columns as [Labelling['columns'][number], ...Labelling['columns']]
  const found = await classify(first.column, first.labels.length)
  const probabilities = spread(found, first.labels.length)
  const fewer =
    classifier === 'knn' && k > fewNeighbours
      ? await classify(first.column, first.labels.length, fewNeighbours)
      : null
  const others: NetworkLabels['others'] = []
  for (const { column, labels } of more)
    others.push({
      column,
      labels,
      ...callsOf(spread(await classify(column, labels.length), labels.length), labels.length),
    })
  const neighbours: NeighboursAsked = {
    asked: k,
    fewer: fewer && { asked: fewNeighbours, differing: differing([found, fewer], first.labels.length) },
  }
  const used = { cells: reference.cells, neighbours: classifier === 'knn' ? neighbours : null }
  return { ...common, probabilities, others, reference: used }
}

async function byNeighbours(
  { road, signal, progress }: AnnotateContext,
  {
    points,
    reference,
    k,
    notices,
  }: { points: Points; reference: ReferenceCells; k: number; notices: ErrorReport[] },
): Promise<Classify> {
  const { seed, knn_weights } = road.settings
  progress(0, 4, 'parts', 'nearest cells of the reference')
  const { indices, distances } = await nearestNeighbours(
    { rows: reference.cells, dims: points.dims, values: reference.latent },
    { queries: points, k, metric: 'euclidean', seed, signal, notices, place: 'cells of the reference' },
  )
  return async (name, labels, fewer = k) => {
    const { codes } = columnOf(reference, name)
    const near = firstOf(distances, { k, fewer })
    const weights = knn_weights === 'scarches' ? neighbourWeights(near, fewer) : near.map(() => 1 / fewer)
    const neighbours = firstOf(indices, { k, fewer }).map((cell) => codes[cell]!)
    return labelShares(neighbours, { weights: Float64Array.from(weights), k: fewer, labels })
  }
}

/** Of rows of k the first so many. */
function firstOf<Of extends Int32Array | Float32Array>(
  rows: Of,
  { k, fewer }: { k: number; fewer: number },
): Of {
  return fewer === k ? rows : (rows.filter((_, i) => i % k < fewer) as Of)
}

function differing([one, other]: readonly [Float32Array, Float32Array], labels: number): number {
  const codes = bestMatch(other, labels)
  return bestMatch(one, labels).reduce((sum, code, cell) => sum + Number(code !== codes[cell]), 0)
}

function byRegression(
  { signal, progress }: AnnotateContext,
  { points, reference }: { points: Points; reference: ReferenceCells },
): Classify {
  return async (name, labels) => {
    progress(0, 4, 'parts', `learning the labels of ${name}`)
    const regression = await fitLatentRegression(reference.latent, {
      dims: points.dims,
      codes: columnOf(reference, name).codes,
      labels,
      place: `cells of the reference: ${name}`,
      signal,
    })
    return regression.predict(points.values as Float32Array)
  }
}

function columnOf({ columns }: ReferenceCells, wanted: string): ReferenceColumn {
  const found = columns.find(({ column }) => column === wanted)
  if (found === undefined) throw new Error(`the reference has no labels ${wanted}`)
  return found
}

function callsOf(
  probabilities: Float32Array,
  labels: number,
): { codes: Int32Array; uncertainty: Float32Array } {
  const isKnown = (cell: number) => !Number.isNaN(probabilities[cell * labels]!)
  return {
    codes: bestMatch(probabilities, labels).map((code, cell) => (isKnown(cell) ? code : -1)),
    uncertainty: uncertainty(probabilities, { labels }).map((value, cell) => (isKnown(cell) ? value : 1)),
  }
}
