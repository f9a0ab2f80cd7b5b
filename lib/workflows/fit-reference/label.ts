/**
 * Label of `fit-reference`: the label that the model gives each cell, a map of its latent space, and how well the space keeps labels together and
 * mixes batches. Nothing here changes the model.
 */
import type { ErrorReport } from '../../job/errors.ts'
import { type NeighbourMeasures, neighbourMeasures } from '../../labels/neighbour-measures.ts'
import { readCellCodes } from '../parts/count-shards.ts'
import { callLabels, readEmbedded } from '../parts/latent.ts'
import {
  firstNeighbours,
  type LatentNeighbours,
  latentLayout,
  latentNeighbours,
  otherNeighbours,
} from '../parts/latent-map.ts'
import type { StepResult } from '../workflow.ts'
import type { FitReferenceContext } from './context.ts'
import type { Prepared } from './prepare.ts'

export interface Labelled {
  /** null where too few cells have a place */
  space: NeighbourMeasures | null
}

/** Of the measures, the cell itself not counted; scib-metrics' graph connectivity has as many. */
export const measuredNeighbours = 15

export async function label(context: FitReferenceContext): Promise<StepResult> {
  const { road, step, before } = context
  const { settings } = road
  const prepared = (await before('Prepare').finished()).value as Prepared
  const { cells, labels } = prepared
  const classes = labels === null ? 0 : labels.categories.length - 1
  const notices: ErrorReport[] = []
  const { latent, soft } = await readEmbedded(context, { cells, latent: settings.n_latent, classes })
  if (soft !== null) {
    const called = callLabels(soft, classes)
    await step.writeBlock('predicted', called.codes)
    await step.writeBlock('confidence', called.confidence)
    await step.writeBlock('entropy', called.entropy)
  }
  context.progress(0, 2, 'parts', 'neighbours')
  const found = await latentNeighbours(context, {
    latent,
    dims: settings.n_latent,
    k: Math.max(measuredNeighbours + 1, settings.umap ? settings.n_neighbors : 0),
    seed: settings.seed,
    place: 'latent space',
    notices,
  })
  const space = found === null ? null : await measures(context, found, prepared)
  if (found !== null && settings.umap) {
    const layout = await latentLayout(context, found, {
      rows: cells,
      neighbours: settings.n_neighbors,
      minDist: settings.umap_min_dist,
      seed: settings.seed,
      onProgress: (share) => context.progress(1 + share, 2, 'parts', 'layout'),
    })
    await step.writeBlock('umap', layout)
  }
  return { value: { space } satisfies Labelled, notices }
}

async function measures(
  { before }: FitReferenceContext,
  { cells, found }: LatentNeighbours,
  prepared: Prepared,
): Promise<NeighbourMeasures> {
  const codes = await readCellCodes(before('Prepare'))
  const near = firstNeighbours(found, Math.min(found.k, measuredNeighbours + 1))
  return neighbourMeasures(otherNeighbours(near), {
    k: near.k - 1,
    labels: cells.map((cell) => codes.labels?.[cell] ?? -1),
    labelCount: (prepared.labels?.categories.length ?? 1) - 1,
    batches: cells.map((cell) => codes.categories[0]![cell]!),
    batchCount: prepared.batch.categories.length,
  })
}
