/** The pictures of `map-atlas`: the map by source, label, confidence and batch, the curve of the training, and how labels are distributed. */
import type { Colouring } from '../../report/content.ts'
import { renderDistribution } from '../../report/distribution-png.ts'
import { renderScatter } from '../../report/scatter-png.ts'
import { errorPerGene } from '../parts/explained-cells.ts'
import type { Plot } from '../parts/plots.ts'
import { surgeryCurve } from '../parts/training-curves.ts'
import type { MapAtlasContext } from './context.ts'
import { codedOfQuery, type Mapped } from './mapped.ts'

export function byLabel({ labels }: Pick<Mapped, 'labels'>): Colouring {
  return { kind: 'categorical', name: 'Predicted label', ...labels }
}

export function bySource({ source }: Pick<Mapped, 'source'>): Colouring {
  return { kind: 'categorical', name: 'Source', ...source, colours: { atlas: '#bdbdbd', query: '#c8453b' } }
}

export function byProbability({ probability }: Pick<Mapped, 'probability'>): Colouring {
  return {
    kind: 'number',
    name: 'Probability of the label',
    values: probability,
    low: 'unsure',
    high: 'sure',
    range: [0, 1],
  }
}

export function byError({ explained }: Pick<Mapped, 'explained'>): Colouring[] {
  if (explained === null) return []
  const values = errorPerGene(explained)
  return [
    { kind: 'number', name: 'Reconstruction error per gene', values, low: 'well explained', high: 'badly' },
  ]
}

export function byBatch({ batches }: Pick<Mapped, 'batches'>, { road }: MapAtlasContext): Colouring {
  return { kind: 'categorical', name: `Batch: ${road.settings.batch_key}`, ...batches }
}

export function plots(mapped: Mapped, context: MapAtlasContext): Plot[] {
  const all: Plot[] = []
  if (mapped.layout !== null) all.push(...maps(mapped, mapped.layout, context))
  if (mapped.fitted !== null && mapped.fitted.history.length > 0)
    all.push(surgeryCurve(mapped.fitted.history))
  all.push(distribution(mapped, context))
  return all
}

function maps(mapped: Mapped, xy: Float32Array, context: MapAtlasContext): Plot[] {
  const { job, road } = context
  const map = (key: string, title: string, colouring: Colouring): Plot => ({
    key,
    file: `${key}.png`,
    title,
    caption: '',
    isOnPage: false,
    draw: () => renderScatter({ xy, colouring, title: `${job.name}: ${title}`, seed: road.settings.seed }),
  })
  return [
    map('umap', 'predicted label', byLabel(mapped)),
    map('umap_probability', 'probability of the label', byProbability(mapped)),
    map('umap_batch', 'batch', byBatch(mapped, context)),
    ...(mapped.prepared.atlasCells === 0 ? [] : [map('umap_source', 'atlas and query', bySource(mapped))]),
  ]
}

/** By source where there are two, by batch else. */
function distribution(mapped: Mapped, { road }: MapAtlasContext): Plot {
  const isJoint = mapped.prepared.atlasCells > 0
  const title = 'Cells of each predicted label'
  return {
    key: 'label_distribution',
    file: 'label_distribution.png',
    title,
    caption: `Every label that a cell got, the most frequent one first; colours: ${isJoint ? 'atlas and query' : 'batches'}.`,
    isOnPage: true,
    draw: () =>
      renderDistribution({
        title,
        labels: isJoint ? mapped.labels : codedOfQuery(mapped.labels, mapped),
        parts: isJoint
          ? { name: 'Source', ...mapped.source }
          : { name: road.settings.batch_key, ...codedOfQuery(mapped.batches, mapped) },
      }),
  }
}
