/** What is added to the atlas: its place in the latent space, the labels that the model gives, and how the model came about, under uns. */
import type { Additions } from '../../data/add-to-h5ad.ts'
import type { Column } from '../../data/cells.ts'
import type { PlainValue } from '../../data/h5ad-element.ts'
import type { Elements } from '../../data/write-h5ad.ts'
import { product } from '../../job/product.ts'
import { referenceNames } from '../../job/stored-names.ts'
import { type Coded, categoricalColumn, recoded } from '../parts/coded.ts'
import type { FitReferenceContext } from './context.ts'
import type { Reference } from './reference.ts'

export function additionsOf(reference: Reference, context: FitReferenceContext): Additions {
  const { settings } = context.road
  const names = referenceNames(reference.fitted.kind)
  return {
    obs: columnsOf(reference, names.obs, settings.min_counts),
    obsm: arraysOf(reference, names, settings.write_probabilities),
    uns: { [names.uns]: provenance(reference, context) },
    ...(settings.overwrite && {
      without: {
        obs: Object.values(names.obs),
        obsm: Object.values(names.obsm),
      },
    }),
  }
}

type Names = ReturnType<typeof referenceNames>

function columnsOf(
  { use, predicted, confidence, entropy, terms, totals }: Reference,
  names: Names['obs'],
  minCounts: number,
): Map<string, Column> {
  const few = Uint8Array.from(totals, (total) => Number(total < minCounts))
  const columns = new Map<string, Column>([
    [names.use, categoricalColumn(use)],
    [names.hasFewCounts, { kind: 'boolean', values: few }],
  ])
  if (predicted === null) return columns
  columns.set(names.predicted, categoricalColumn(predicted))
  columns.set(names.confidence, float32(confidence!))
  columns.set(names.entropy, float32(entropy!))
  columns.set(names.ontologyId, categoricalColumn(ontologyIds(predicted, terms)))
  return columns
}

/** The CELLxGENE schema takes a CL id or the word "unknown"; a cell without a label has none. */
export function ontologyIds(predicted: Coded, terms: Reference['terms']): Coded {
  return recoded(predicted, (label) => terms.get(label)?.id ?? 'unknown')
}

function arraysOf(
  { prepared, latent, soft, layout }: Reference,
  { obsm }: Names,
  writesProbabilities: boolean,
): Elements {
  const { cells } = prepared
  const arrays: [string, Float32Array][] = [[obsm.latent, latent]]
  if (layout !== null) arrays.push([obsm.umap, layout])
  if (soft !== null && writesProbabilities) arrays.push([obsm.probabilities, soft])
  return new Map(
    arrays.map(([name, values]) => [
      name,
      { kind: 'array' as const, type: 'float32' as const, shape: [cells, values.length / cells], values },
    ]),
  )
}

function float32(values: Float32Array): Column {
  return { kind: 'number', type: 'float32', values }
}

/** How the model came about, for whoever opens the file without the report. */
function provenance(
  { network, fitted, prepared }: Reference,
  { road, job }: FitReferenceContext,
): PlainValue {
  const { card } = network
  const { settings } = road
  return {
    model_name: card.name,
    model_id: card.id,
    model_url: `celldrop:${card.name}/${card.id}`,
    kind: fitted.kind,
    batch_key: settings.batch_key,
    ...(settings.label_column !== undefined && {
      label_column: settings.label_column,
      unlabeled_category: settings.unlabeled_category,
      classes: prepared.labels!.categories.slice(0, -1),
    }),
    n_genes: prepared.modelGenes.length,
    bins: settings.binning,
    n_cells_trained: fitted.trained,
    n_cells_held_out: fitted.validated,
    counts_source: road.inputs[0]!.facts.counts.matrix,
    seed: settings.seed,
    created_at: job.created,
    product_version: product.version,
    job_id: job.jobId,
  }
}
