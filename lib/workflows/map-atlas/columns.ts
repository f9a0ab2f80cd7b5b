/** What is written of the cells: columns of obs, arrays of obsm, and under uns how they came about. */
import type { Column } from '../../data/cells.ts'
import type { PlainValue } from '../../data/h5ad-element.ts'
import { product } from '../../job/product.ts'
import { type Coded, categoricalColumn, recoded } from '../parts/coded.ts'
import { errorPerGene } from '../parts/explained-cells.ts'
import type { LabelTerm } from '../workflow.ts'
import type { MapAtlasContext } from './context.ts'
import { codedOfQuery, type Mapped, ofQuery } from './mapped.ts'
import { namesFor } from './rules.ts'

export interface CellColumns {
  obs: Map<string, Column>
  obsm: Map<string, { values: Float32Array; width: number }>
  uns: { [name: string]: PlainValue }
}

/** Of the query alone, or of all cells. */
export function cellColumns(
  mapped: Mapped,
  { context, cells }: { context: MapAtlasContext; cells: 'query' | 'all' },
): CellColumns {
  const { settings } = context.road
  const names = namesFor(settings)
  const coded = (of: Coded) => (cells === 'all' ? of : codedOfQuery(of, mapped))
  const numbers = (of: Float32Array, width = 1) => (cells === 'all' ? of : ofQuery(of, mapped, width))
  const labels = coded(mapped.labels)
  const obs = new Map<string, Column>([
    [names.obs.predicted, categoricalColumn(labels)],
    [names.obs.probability, float32(numbers(mapped.probability))],
    [names.obs.entropy, float32(numbers(mapped.entropy))],
    [names.obs.ontologyId, categoricalColumn(ontologyIds(labels, mapped.terms))],
    [
      names.obs.hasFewCounts,
      {
        kind: 'boolean',
        values: cells === 'all' ? mapped.hasFewCounts : ofQuery(mapped.hasFewCounts, mapped),
      },
    ],
  ])
  if (mapped.explained !== null)
    obs.set(names.obs.reconstructionError, float32(numbers(errorPerGene(mapped.explained))))
  if (cells === 'all') obs.set(names.obs.source, categoricalColumn(mapped.source))
  const { latent, classes } = mapped.labelled
  const obsm: CellColumns['obsm'] = new Map([
    [names.obsm.latent, { values: numbers(mapped.latent, latent), width: latent }],
  ])
  if (mapped.layout !== null) {
    const layout = { values: numbers(mapped.layout, 2), width: 2 }
    obsm.set(names.obsm.umap, layout)
    if (cells === 'all') obsm.set(names.obsm.jointUmap, layout)
  }
  if (mapped.soft !== null)
    obsm.set(names.obsm.probabilities, {
      values: numbers(mapped.soft, classes.length),
      width: classes.length,
    })
  const uns = {
    [names.uns.provenance]: provenance(mapped, context),
    ...(mapped.soft !== null && { [names.uns.classes]: classes }),
  }
  return { obs, obsm, uns }
}

function float32(values: Float32Array): Column {
  return { kind: 'number', type: 'float32', values }
}

/** The CELLxGENE schema takes a CL id or the word "unknown". */
export function ontologyIds(labels: Coded, terms: Mapped['terms']): Coded {
  return recoded(labels, (label) => termOf(terms, label)?.id ?? 'unknown')
}

/** Names of these terms; -1 where there is none. */
export function ontologyNames(labels: Coded, terms: Mapped['terms']): Coded {
  return recoded(labels, (label) => termOf(terms, label)?.name ?? null)
}

/** A label may be called as what every object has. */
export function termOf(terms: Mapped['terms'], label: string): LabelTerm | undefined {
  return Object.hasOwn(terms, label) ? terms[label] : undefined
}

/** How the places and labels came about, for whoever opens the file without the report. */
function provenance(mapped: Mapped, { road, job }: MapAtlasContext): PlainValue {
  const { settings } = road
  const { card, fitted, prepared } = mapped
  const adapted = fitted?.model ?? null
  return {
    mode: settings.mode,
    model_url: `celldrop:${card.name}/${card.id}`,
    model_id: card.id,
    model_name: card.name,
    ...(adapted !== null && {
      adapted_model_id: adapted,
      adapted_model_name: fitted?.name ?? '',
      n_epochs: fitted?.history.length ?? 0,
    }),
    batch_key: settings.batch_key,
    batches_learnt: prepared.batches.added,
    n_model_genes: card.genes.length,
    bins: card.bins?.count ?? 0,
    counts_source: road.inputs[0]!.facts.counts.matrix,
    probability: 'the highest probability of the classifier, not calibrated',
    seed: settings.seed,
    created_at: job.created,
    product_version: product.version,
    job_id: job.jobId,
  }
}
