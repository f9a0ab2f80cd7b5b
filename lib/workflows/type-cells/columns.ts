/** What is added to the query's h5ad: SpatialCore's columns under their names, the scores, and how the labels came about under uns. */
import type { Additions } from '../../data/add-to-h5ad.ts'
import type { CellFile, Column } from '../../data/cells.ts'
import type { PlainValue } from '../../data/h5ad-element.ts'
import type { MatrixToWrite } from '../../data/h5ad-matrix.ts'
import type { Elements } from '../../data/write-h5ad.ts'
import type { ErrorReport } from '../../job/errors.ts'
import { product } from '../../job/product.ts'
import { cellTypingNames, layerCounts } from '../../job/stored-names.ts'
import { cellClasses } from '../../labels/marker-check.ts'
import { findLabelProblems } from '../../prep/label-check.ts'
import { assignColours } from '../../report/colours.ts'
import { type Coded, categoricalColumn, recoded } from '../parts/coded.ts'
import { readGraph } from '../parts/neighbour-graph.ts'
import type { TypeCellsContext } from './context.ts'
import type { Typed } from './typed.ts'

export async function typedAdditions(
  typed: Typed,
  { context, scores, file }: { context: TypeCellsContext; scores: Float32Array; file: CellFile },
): Promise<Additions> {
  const { settings } = context.road
  const names = cellTypingNames(settings.annotation_prefix)
  const obs = obsColumns(typed, names)
  const uns = new Map<string, PlainValue>([
    [names.uns.classes, typed.labelled.classes],
    [names.uns.provenance, provenance(typed, context)],
    [names.uns.validation, JSON.stringify(labelFindings(context))],
    [names.uns.colours, coloursOf(obs.get(names.obs.label))],
  ])
  const layers = settings.keep_counts ? await countsLayer(context, file) : undefined
  const additions: Additions = {
    obs,
    obsm: obsmArrays(typed, { names, scores, settings }),
    uns: Object.fromEntries(uns),
    ...(layers !== undefined && { layers }),
    ...(settings.overwrite && { without: everyKey(names) }),
  }
  if (!settings.write_neighbours || !typed.labelled.hasGraph) return additions
  const graph = await readGraph(context, { cells: typed.prepared.cells, names: names.neighbours })
  return { ...additions, obsp: graph.obsp, uns: { ...Object.fromEntries(uns), ...graph.uns } }
}

type Names = ReturnType<typeof cellTypingNames>
type Settings = TypeCellsContext['road']['settings']

function everyKey({ obs, obsm, neighbours, uns }: Names): NonNullable<Additions['without']> {
  return {
    obs: Object.values(obs),
    obsm: Object.values(obsm).flat(),
    obsp: [neighbours.connectivities, neighbours.distances],
    uns: [neighbours.uns, ...Object.values(uns)],
  }
}

function obsColumns(typed: Typed, { obs: names }: Names): Map<string, Column> {
  const { predicted, called, labels, reasons, model, prepared } = typed
  const classOf = new Map(prepared.classes.map((one) => [one.name, one]))
  const of = (pick: (name: string) => string | null) => categoricalColumn(recoded(called, pick))
  const scoreOf = called.categories.map((name) => classOf.get(name)?.score ?? Number.NaN)
  const everyCell = (text: string): Coded => ({
    codes: new Int32Array(predicted.codes.length),
    categories: [text],
  })
  const columns = new Map<string, Column>([
    [names.predicted, categoricalColumn(predicted)],
    [names.confidenceRaw, { kind: 'number', type: 'float64', values: typed.confidenceRaw }],
    [names.confidence, { kind: 'number', type: 'float32', values: Float32Array.from(typed.confidence) }],
    [names.model, categoricalColumn(everyCell(`${model.card.name}@${model.card.id}`))],
    [names.label, categoricalColumn(labels)],
    // the CELLxGENE schema takes a CL id or the word "unknown"
    [names.ontologyId, of((name) => classOf.get(name)?.id ?? 'unknown')],
    [names.ontologyLabel, of((name) => classOf.get(name)?.termName ?? 'unknown')],
    [names.ontologyTier, of((name) => classOf.get(name)?.tier ?? 'unmapped')],
    [
      names.ontologyScore,
      {
        kind: 'number',
        type: 'float64',
        values: Float64Array.from(called.codes, (code) => scoreOf[code]!),
      },
    ],
    [names.reason, categoricalColumn(reasons)],
  ])
  const { outOfReference, verdicts, byCell, majorityShare } = typed
  if (outOfReference !== null)
    columns.set(names.outOfReference, { kind: 'number', type: 'float32', values: outOfReference })
  if (verdicts !== null) columns.set(names.markerCheck, categoricalColumn(markerWords(verdicts)))
  if (byCell !== null) columns.set(names.predictedByCell, categoricalColumn(byCell))
  if (majorityShare !== null)
    columns.set(names.majorityShare, { kind: 'number', type: 'float32', values: majorityShare })
  return columns
}

const words = {
  [cellClasses.notAssessed]: 'not-assessed',
  [cellClasses.lowConfidence]: 'low confidence',
  [cellClasses.highConfidence]: 'high confidence only',
  [cellClasses.validated]: 'validated',
}

export function markerWords(verdicts: Int32Array): Coded {
  const categories = Object.values(words)
  const codeOf = new Map(
    Object.entries(words).map(([verdict, word]) => [Number(verdict), categories.indexOf(word)]),
  )
  return { codes: verdicts.map((verdict) => codeOf.get(verdict)!), categories }
}

function obsmArrays(
  { layout, prepared, labelled, probabilities }: Typed,
  { names, scores, settings }: { names: Names; scores: Float32Array; settings: Settings },
): Elements {
  const classes = labelled.classes.length
  const arrays: [string, Float32Array, number][] = []
  if (settings.store_decision_scores) arrays.push([names.obsm.decisionScores, scores, classes])
  for (const name of layout === null ? [] : names.obsm.umap) arrays.push([name, layout!, 2])
  if (probabilities !== null) arrays.push([names.obsm.probabilities, probabilities, classes])
  return new Map(
    arrays.map(([name, values, width]) => [
      name,
      { kind: 'array' as const, type: 'float32' as const, shape: [prepared.cells, width], values },
    ]),
  )
}

/** The raw counts under the name where scanpy's users look for them, unless they are there already. */
async function countsLayer(
  { road }: TypeCellsContext,
  file: CellFile,
): Promise<Map<string, MatrixToWrite> | undefined> {
  const { counts } = road.inputs[0]!.facts
  if (counts.from !== 'counts' || file.matrices.includes(`layers/${layerCounts}`)) return undefined
  const matrix = await file.matrix(counts.matrix)
  return matrix.columns === file.columns ? new Map([[layerCounts, matrix]]) : undefined
}

/** Why there is no layer of counts, where one was asked for. */
export function countsNotice(context: TypeCellsContext, place: string): ErrorReport[] {
  const { settings, inputs } = context.road
  const { counts, inspection } = inputs[0]!.facts
  if (!settings.keep_counts) return []
  const remedy = 'Keep the raw counts in layers["counts"]'
  if (counts.from !== 'counts') {
    const problem = 'layers["counts"] was not written: the query has no raw counts'
    return [{ code: 'COUNTS_NOT_KEPT', place, problem, remedy }]
  }
  const matrix = inspection.matrices.find(({ name }) => name === counts.matrix)
  if (matrix === undefined || matrix.shape[1] === inspection.nVars) return []
  const problem = `layers["counts"] was not written: ${counts.matrix} has ${matrix.shape[1]} genes and X has ${inspection.nVars}; the counts stay where they are`
  return [{ code: 'COUNTS_NOT_KEPT', place, problem, remedy: 'Nothing to do' }]
}

function coloursOf(column: Column | undefined): string[] {
  if (column?.kind !== 'categorical' || column.categories.kind !== 'string') return []
  const colours = assignColours(column.categories.values)
  return column.categories.values.map((label) => colours.get(label)!)
}

/** What was found of the labels of each reference, as SpatialCore's `validation_results` keeps it. */
export function labelFindings({ road }: TypeCellsContext): unknown {
  return road.inputs.flatMap(({ pin, facts: { labels } }) => {
    if (labels === null) return []
    const { column, cells, missing, labels: counts } = labels
    const findings = findLabelProblems(
      { counts: counts.map(({ label, cells: count }) => [label, count] as const), missing, cells },
      { minCells: road.settings.min_cells_per_label },
    )
    return [{ reference: pin.role, column, n_cells: cells, n_types: counts.length, findings }]
  })
}

/** How the labels came about, for whoever opens the file without the report. */
function provenance(
  { prepared, fitted, model, labelled }: Typed,
  { road, job }: TypeCellsContext,
): PlainValue {
  const { settings } = road
  const { counts } = road.inputs[0]!.facts
  const { evaluation } = fitted
  return {
    tissue: settings.tissue,
    n_references: prepared.sources.length,
    references: prepared.sources,
    panel_genes: prepared.modelGenes.length,
    training_cells: prepared.trainingCells,
    balance_strategy: settings.balance_strategy,
    max_cells_per_type: settings.max_cells_per_type,
    confidence_threshold: settings.confidence_threshold,
    n_cell_types: labelled.classes.length,
    model_id: model.card.id,
    model_name: model.card.name,
    classifier: settings.classifier,
    confidence_transform: labelled.confidence,
    held_out_accuracy: evaluation.accuracy ?? Number.NaN,
    held_out_calibration_error: evaluation.ece ?? Number.NaN,
    counts_source: counts.matrix,
    counts_state: counts.from,
    seed: settings.seed,
    created_at: job.created,
    product_version: product.version,
    job_id: job.jobId,
  }
}
