/**
 * Label of `map-atlas`: each cell's most likely label with its probability, and one map of all cells in latent space, with how well query and
 * atlas mix on it. The probabilities are the model's own and are not calibrated.
 */
import type { ErrorReport } from '../../job/errors.ts'
import { labelsOfNetwork } from '../../models/network-card.ts'
import { callLabels, readEmbedded } from '../parts/latent.ts'
import { latentLayout, latentNeighbours } from '../parts/latent-map.ts'
import type { StepResult } from '../workflow.ts'
import { loadAtlasCard } from './atlas-card.ts'
import type { MapAtlasContext } from './context.ts'
import { type Mixing, mixingOf } from './mixing.ts'
import type { Prepared } from './prepare.ts'

export interface Labelled {
  /** labels that block `labels` counts */
  classes: string[]
  latent: number
  hasMap: boolean
  /** null where there is no atlas, or there are no neighbours */
  mixing: Mixing | null
}

export async function label(context: MapAtlasContext): Promise<StepResult> {
  const { step, stores, road } = context
  const prepared = (await context.before('Prepare').finished()).value as Prepared
  const card = await loadAtlasCard(stores.models, road.models[0]!)
  const classes = [...labelsOfNetwork(card)]
  const size = { cells: prepared.cells, latent: card.shape.latent, classes: classes.length }
  const { latent, soft } = await readEmbedded(context, size)
  const notices: ErrorReport[] = []
  const called = callLabels(soft!, classes.length)
  await step.writeBlock('labels', called.codes)
  await step.writeBlock('probability', called.confidence)
  await step.writeBlock('entropy', called.entropy)
  await step.writeBlock('latent', latent)
  if (road.settings.write_probabilities) await step.writeBlock('soft', soft!)
  const map = await mapCells(context, { latent, dims: size.latent, prepared, notices })
  if (map.layout !== null) await step.writeBlock('umap', map.layout)
  const value: Labelled = {
    classes,
    latent: size.latent,
    hasMap: map.layout !== null,
    mixing: map.mixing,
  }
  return { value, notices }
}

interface CellMap {
  /** cells x 2; NaN for cells that have no place */
  layout: Float32Array | null
  mixing: Mixing | null
}

async function mapCells(
  context: MapAtlasContext,
  {
    latent,
    dims,
    prepared,
    notices,
  }: { latent: Float32Array; dims: number; prepared: Prepared; notices: ErrorReport[] },
): Promise<CellMap> {
  const { umap, umap_min_dist, n_neighbors, seed, obsm_key } = context.road.settings
  const { cells: rows, atlasCells } = prepared
  if (!umap && atlasCells === 0) return { layout: null, mixing: null }
  context.progress(0, 2, 'parts', 'neighbours')
  const place = `obsm["${obsm_key}"]`
  const found = await latentNeighbours(context, { latent, dims, k: n_neighbors, seed, place, notices })
  if (found === null) return { layout: null, mixing: null }
  const isAtlas = (row: number) => Number(found.cells[row]! < atlasCells)
  const mixing = atlasCells === 0 ? null : mixingOf(found.found, isAtlas)
  if (!umap) return { layout: null, mixing }
  const layout = await latentLayout(context, found, {
    rows,
    neighbours: n_neighbors,
    minDist: umap_min_dist,
    seed,
    onProgress: (share) => context.progress(1 + share, 2, 'parts', 'layout'),
  })
  return { layout, mixing }
}
