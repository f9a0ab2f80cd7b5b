/**
 * What is added to the query's h5ad: the keys of CELLxGENE Annotate under their documented names, the layout also under the name with
 * `X_` that CELLxGENE shows, and how the labels came about under uns.
 */
import type { Additions } from '../../data/add-to-h5ad.ts'
import type { Column } from '../../data/cells.ts'
import type { PlainValue } from '../../data/h5ad-element.ts'
import type { Elements } from '../../data/write-h5ad.ts'
import { product } from '../../job/product.ts'
import type { AnnotateSettings } from '../../job/settings/annotate.ts'
import type { AnnotationNames } from '../../job/stored-names.ts'
import { probabilitiesOf } from '../../labels/probabilities.ts'
import { type Coded, categoricalColumn } from '../parts/coded.ts'
import { readGraph } from '../parts/neighbour-graph.ts'
import type { Annotated } from './annotated.ts'
import type { AnnotateContext } from './context.ts'
import { namesFor } from './rules.ts'

export async function annotations(
  annotated: Annotated,
  { context, scores }: { context: AnnotateContext; scores: Float32Array },
): Promise<Additions> {
  const { settings } = context.road
  const names = namesFor(settings)
  const uns = new Map<string, PlainValue>([[names.predictions, provenance(annotated, context)]])
  const additions: Additions = {
    obs: obsColumns(annotated, { names, labels: context.road.labels }),
    obsm: obsmArrays(annotated, { names, scores, settings }),
    uns: Object.fromEntries(uns),
    ...(settings.overwrite && { without: everyKey(names) }),
  }
  if (!settings.write_neighbours || !annotated.labelled.hasGraph) return additions
  const graph = await readGraph(context, { cells: annotated.prepared.cells, names: names.neighbours })
  return { ...additions, obsp: graph.obsp, uns: { ...Object.fromEntries(uns), ...graph.uns } }
}

/** All that a run of this name can write: what an earlier one wrote and this one does not would belong to other labels. */
function everyKey(names: AnnotationNames): NonNullable<Additions['without']> {
  const { predicted, uncertainty, ontologyId, predictedByCell, overClustering, majorityShare } = names
  const { hasFewCounts, predictedSecond, predictedMargin, latent, umap, probabilities, neighbours } = names
  const byCell = [
    predicted,
    uncertainty,
    ontologyId,
    predictedByCell,
    overClustering,
    majorityShare,
    hasFewCounts,
  ]
  return {
    obs: [...byCell, predictedSecond, predictedMargin],
    obsm: [latent, ...umap, probabilities],
    obsp: [neighbours.connectivities, neighbours.distances],
    uns: [neighbours.uns],
  }
}

function obsColumns(
  { labels, uncertainty, byCell, clusters, majorityShare, second, margin, fewCounts }: Annotated,
  { names, labels: terms }: { names: AnnotationNames; labels: AnnotateContext['road']['labels'] },
): Map<string, Column> {
  const columns = new Map<string, Column>([
    [names.predicted, categoricalColumn(labels)],
    [names.uncertainty, float32(uncertainty)],
    [names.ontologyId, categoricalColumn(ontologyIds(labels, terms))],
  ])
  if (fewCounts !== null) columns.set(names.hasFewCounts, { kind: 'boolean', values: fewCounts })
  if (byCell !== null) columns.set(names.predictedByCell, categoricalColumn(byCell))
  if (clusters !== null) columns.set(names.overClustering, categoricalColumn(clusters))
  if (majorityShare !== null) columns.set(names.majorityShare, float32(majorityShare))
  if (second !== null) columns.set(names.predictedSecond, categoricalColumn(second))
  if (margin !== null) columns.set(names.predictedMargin, float32(margin))
  return columns
}

/** The CELLxGENE schema takes a CL id or the word "unknown". */
export function ontologyIds({ codes, categories }: Coded, terms: AnnotateContext['road']['labels']): Coded {
  const ids = categories.map((label) => terms[label]?.id ?? 'unknown')
  const distinct = [...new Set(ids)].sort()
  const codeOf = ids.map((id) => distinct.indexOf(id))
  return { codes: codes.map((code) => (code < 0 ? -1 : codeOf[code]!)), categories: distinct }
}

/** Names of these terms; -1 where there is none. */
export function ontologyNames({ codes, categories }: Coded, terms: AnnotateContext['road']['labels']): Coded {
  const names = categories.map((label) => terms[label]?.name ?? null)
  return {
    codes: codes.map((code) => (names[code] == null ? -1 : code)),
    categories: names.map((name) => name ?? ''),
  }
}

function obsmArrays(
  { layout, prepared, labelled }: Annotated,
  { names, scores, settings }: { names: AnnotationNames; scores: Float32Array; settings: AnnotateSettings },
): Elements {
  const rows = prepared.cells
  const classes = labelled.classes.length
  const arrays: [string, Float32Array, number][] = [[names.latent, scores, classes]]
  for (const name of layout === null ? [] : names.umap) arrays.push([name, layout!, 2])
  if (settings.write_probabilities)
    arrays.push([
      names.probabilities,
      probabilitiesOf(scores, { labels: classes, loss: labelled.loss }),
      classes,
    ])
  return new Map(
    arrays.map(([name, values, width]) => [
      name,
      { kind: 'array' as const, type: 'float32' as const, shape: [rows, width], values },
    ]),
  )
}

function float32(values: Float32Array): Column {
  return { kind: 'number', type: 'float32', values }
}

/** How the labels came about, for whoever opens the file without the report. */
function provenance(
  { plan, model, labels, labelled }: Annotated,
  { road, job }: AnnotateContext,
): PlainValue {
  const { settings } = road
  const { counts } = road.inputs[0]!.facts
  const terms = Object.entries(road.labels).filter(
    ([label, { id }]) => id !== null && labels.categories.includes(label),
  )
  return {
    model_url: `celldrop:${model.name}/${model.id}`,
    model_id: model.id,
    model_name: model.name,
    classifier: settings.classifier,
    organism: plan.species ?? 'unknown',
    mode: settings.mode,
    majority_voting: settings.majority_voting,
    counts_source: counts.matrix,
    counts_state: counts.from,
    gene_column: plan.column ?? 'var index',
    gene_ids: plan.idType,
    n_model_genes: plan.modelGenes,
    n_genes_found: plan.found,
    genes_missing_fraction: 1 - plan.found / Math.max(1, plan.modelGenes),
    classes: labelled.classes,
    label_ontology: Object.fromEntries(terms.map(([label, { id }]) => [keyOf(label), id!])),
    seed: settings.seed,
    created_at: job.created,
    product_version: product.version,
    job_id: job.jobId,
  }
}

/** HDF5 takes "/" for a path. */
function keyOf(label: string): string {
  return label.replaceAll('/', '|')
}
