/**
 * What is added to the query's h5ad: the keys of CELLxGENE Annotate under their documented names, the layout also under the name with
 * `X_` that CELLxGENE shows, and how the labels came about under uns.
 */
import type { Additions } from '../../data/add-to-h5ad.ts'
import type { Column, Table } from '../../data/cells.ts'
import type { PlainValue } from '../../data/h5ad-element.ts'
import type { Elements } from '../../data/write-h5ad.ts'
import { product } from '../../job/product.ts'
import type { AnnotateSettings } from '../../job/settings/annotate.ts'
import type { AnnotationNames } from '../../job/stored-names.ts'
import { raiseProbabilities } from '../../labels/model-choice.ts'
import { type Coded, categoricalColumn } from '../parts/coded.ts'
import { readGraph } from '../parts/neighbour-graph.ts'
import { type Annotated, type ModelUse, unassignedCells } from './annotated.ts'
import type { AnnotateContext } from './context.ts'
import type { Labelled } from './label.ts'
import { namesFor } from './rules.ts'
import { type ScoringModels, scoringModels } from './scoring-models.ts'

export async function annotations(annotated: Annotated, context: AnnotateContext): Promise<Additions> {
  const { settings } = context.road
  const names = namesFor(settings)
  const uns = new Map<string, PlainValue>([[names.predictions, provenance(annotated, context)]])
  const additions: Additions = {
    obs: obsColumns(annotated, names),
    obsm: await obsmArrays(annotated, { context, names }),
    uns: Object.fromEntries(uns),
    ...(settings.overwrite && { without: everyKey(names, annotated.obs) }),
  }
  if (!settings.write_neighbours || !annotated.labelled.hasGraph) return additions
  const graph = await readGraph(context, { cells: annotated.prepared.cells, names: names.neighbours })
  return { ...additions, obsp: graph.obsp, uns: { ...Object.fromEntries(uns), ...graph.uns } }
}

/** All that a run of this name can write: what an earlier one wrote and this one does not would belong to other labels. */
function everyKey(names: AnnotationNames, obs: Table): NonNullable<Additions['without']> {
  const { predicted, predictedRaw, uncertainty, ontologyId, model, predictedByCell } = names
  const {
    overClustering,
    majorityShare,
    hasFewCounts,
    predictedSecond,
    predictedMargin,
    latent,
    umap,
    probabilities,
    neighbours,
  } = names
  const byCell = [
    predicted,
    predictedRaw,
    uncertainty,
    ontologyId,
    model,
    predictedByCell,
    overClustering,
    majorityShare,
    hasFewCounts,
  ]
  return {
    obs: [...byCell, predictedSecond, predictedMargin, ...ofColumns(names, obs)],
    obsm: [latent, ...umap, probabilities],
    obsp: [neighbours.connectivities, neighbours.distances],
    uns: [neighbours.uns],
  }
}

/** Labels by further columns of a reference stand with their uncertainty, and by nothing else are they known. */
function ofColumns({ ofColumn }: AnnotationNames, { columns }: Table): string[] {
  const first = ofColumn('').predicted
  return [...columns.keys()]
    .filter((name) => name.startsWith(first))
    .map((name) => ofColumn(name.slice(first.length)))
    .filter(({ uncertainty }) => columns.has(uncertainty))
    .flatMap(({ predicted, uncertainty }) => [predicted, uncertainty])
}

function obsColumns(annotated: Annotated, names: AnnotationNames): Map<string, Column> {
  const { labels, raw, terms, uncertainty, byModel, byCell, clusters, majorityShare } = annotated
  const { second, margin, fewCounts, others } = annotated
  const columns = new Map<string, Column>([
    [names.predicted, categoricalColumn(labels)],
    [names.uncertainty, float32(uncertainty)],
    [names.ontologyId, categoricalColumn(ontologyIds(labels, terms))],
  ])
  for (const { column, labels: found, uncertainty: unsure } of others) {
    const ofColumn = names.ofColumn(column)
    columns.set(ofColumn.predicted, categoricalColumn(found))
    columns.set(ofColumn.uncertainty, float32(unsure))
  }
  if (raw !== null) columns.set(names.predictedRaw, categoricalColumn(raw))
  if (fewCounts !== null) columns.set(names.hasFewCounts, { kind: 'boolean', values: fewCounts })
  if (byModel !== null) columns.set(names.model, categoricalColumn(byModel))
  if (byCell !== null) columns.set(names.predictedByCell, categoricalColumn(byCell))
  if (clusters !== null) columns.set(names.overClustering, categoricalColumn(clusters))
  if (majorityShare !== null) columns.set(names.majorityShare, float32(majorityShare))
  if (second !== null) columns.set(names.predictedSecond, categoricalColumn(second))
  if (margin !== null) columns.set(names.predictedMargin, float32(margin))
  return columns
}

/** The CELLxGENE schema takes a CL id or this word. */
const unknown = 'unknown'

export function ontologyIds({ codes, categories }: Coded, terms: Annotated['terms']): Coded {
  const ids = categories.map((label) => terms[label]?.id ?? unknown)
  const distinct = [...new Set([...ids, ...(codes.includes(-1) ? [unknown] : [])])].sort()
  const codeOf = ids.map((id) => distinct.indexOf(id))
  const none = distinct.indexOf(unknown)
  return { codes: codes.map((code) => (code < 0 ? none : codeOf[code]!)), categories: distinct }
}

/** Names of these terms; -1 where there is none. */
export function ontologyNames({ codes, categories }: Coded, terms: Annotated['terms']): Coded {
  const names = categories.map((label) => terms[label]?.name ?? null)
  return {
    codes: codes.map((code) => (names[code] == null ? -1 : code)),
    categories: names.map((name) => name ?? ''),
  }
}

async function obsmArrays(
  { layout, prepared, labelled }: Annotated,
  { context, names }: { context: AnnotateContext; names: AnnotationNames },
): Promise<Elements> {
  const rows = prepared.cells
  const models = await scoringModels(context, { cells: rows })
  const classes = models.labels.length
  const arrays: [string, Float32Array, number][] = []
  const places = await latentOf(context, { models, labelled })
  if (places !== null) arrays.push([names.latent, ...places])
  for (const name of layout === null ? [] : names.umap) arrays.push([name, layout!, 2])
  if (context.road.settings.write_probabilities)
    arrays.push([names.probabilities, await probabilitiesOfAll(models, rows), classes])
  return new Map(
    arrays.map(([name, values, width]) => [
      name,
      { kind: 'array' as const, type: 'float32' as const, shape: [rows, width], values },
    ]),
  )
}

/** Where cells lie in the space of the reference, and its dimensions: of one linear model its scores; several are no common space. */
async function latentOf(
  context: AnnotateContext,
  { models, labelled: { network } }: { models: ScoringModels; labelled: Labelled },
): Promise<[Float32Array, number] | null> {
  if (network !== null) return [await context.before('Label').readBlock('latent', Float32Array), network.dims]
  return models.cards.length > 1 ? null : [await models.scores(0), models.labels.length]
}

/** Cells x labels of all models: of a label that several have, the highest that any of them gives. */
async function probabilitiesOfAll(models: ScoringModels, cells: number): Promise<Float32Array> {
  if (models.cards.length === 1) return models.probabilities(0)
  const union = { values: new Float32Array(cells * models.labels.length), labels: models.labels.length }
  for (const [index, places] of models.places.entries())
    raiseProbabilities(union, { probabilities: await models.probabilities(index), places })
  return union.values
}

function float32(values: Float32Array): Column {
  return { kind: 'number', type: 'float32', values }
}

/** How the labels came about, for whoever opens the file without the report. */
function provenance(
  { plan, models, labels, raw, terms: given, labelled, others, adapted }: Annotated,
  { road, job }: AnnotateContext,
): PlainValue {
  const { settings } = road
  const { counts } = road.inputs[0]!.facts
  const terms = Object.entries(given).filter(
    ([label, { id }]) => id !== null && labels.categories.includes(label),
  )
  return {
    ...namesOfModels(models),
    classifier: labelled.network?.classifier ?? settings.classifier,
    ...(labelled.network !== null && networkFacts(labelled.network, { settings, others, adapted })),
    organism: plan.species ?? 'unknown',
    mode: settings.mode,
    majority_voting: settings.majority_voting,
    ...(raw !== null && {
      min_confidence: settings.min_confidence,
      n_cells_unassigned: unassignedCells(labels),
    }),
    counts_source: counts.matrix,
    counts_state: counts.from,
    gene_column: plan.column ?? 'var index',
    gene_ids: plan.idType,
    ...genesOfModels(models),
    classes: labelled.classes,
    label_ontology: Object.fromEntries(terms.map(([label, { id }]) => [keyOf(label), id!])),
    seed: settings.seed,
    created_at: job.created,
    product_version: product.version,
    job_id: job.jobId,
  }
}

/** How a network placed the cells, and what they were labelled by there. */
function networkFacts(
  { reference, dims }: NonNullable<Labelled['network']>,
  { settings, others, adapted }: { settings: AnnotateSettings } & Pick<Annotated, 'others' | 'adapted'>,
): { [name: string]: PlainValue } {
  return {
    mapping: settings.mapping,
    n_latent: dims,
    ...(adapted !== null && { surgery_epochs: adapted.history.length }),
    ...(reference !== null && { n_reference_cells: reference.cells }),
    ...(reference?.neighbours != null && {
      knn_neighbors: reference.neighbours.asked,
      knn_weights: settings.knn_weights,
    }),
    ...(others.length > 0 && { label_columns: others.map(({ column }) => column) }),
  }
}

/** Of one model its facts, of several the same as lists. */
function namesOfModels(models: readonly ModelUse[]): { [name: string]: PlainValue } {
  const urls = models.map(({ card: { name, id } }) => `celldrop:${name}/${id}`)
  const ids = models.map(({ card }) => card.id)
  const names = models.map(({ card }) => card.name)
  if (models.length === 1) return { model_url: urls[0]!, model_id: ids[0]!, model_name: names[0]! }
  return { model_url: urls, model_id: ids, model_name: names }
}

function genesOfModels(models: readonly ModelUse[]): { [name: string]: PlainValue } {
  const known = models.map(({ plan }) => plan.modelGenes)
  const found = models.map(({ plan }) => plan.found)
  const missing = Float64Array.from(models, ({ plan }) => 1 - plan.found / Math.max(1, plan.modelGenes))
  if (models.length === 1)
    return { n_model_genes: known[0]!, n_genes_found: found[0]!, genes_missing_fraction: missing[0]! }
  const cells = models.map((model) => model.cells)
  return {
    n_model_genes: known,
    n_genes_found: found,
    genes_missing_fraction: missing,
    n_cells_labelled: cells,
  }
}

/** HDF5 takes "/" for a path. */
function keyOf(label: string): string {
  return label.replaceAll('/', '|')
}
