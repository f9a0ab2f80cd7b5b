/**
 * Label of `type-cells`: the class of highest score (or that of the cell's cluster), how likely it is to be right, and what is left of it
 * below the threshold and for cells unlike all that was learnt from; then the checks against markers, and the query's own map.
 */
import type { ErrorReport } from '../../job/errors.ts'
import { majorityVote } from '../../labels/majority-vote.ts'
import { bestMatch } from '../../labels/match.ts'
import { manyOutOfReferenceNotice, outOfReferenceThreshold } from '../../labels/out-of-reference.ts'
import { assignLabels } from '../../labels/thresholds.ts'
import { loadModel } from '../../models/bundle.ts'
import { mapCells } from '../parts/map-cells.ts'
import { readScores } from '../parts/scores.ts'
import type { StepResult } from '../workflow.ts'
import { checkLabels } from './checks.ts'
import { confidenceOf, tailsOf } from './confidence.ts'
import type { TypeCellsContext } from './context.ts'
import type { Fitted } from './fit.ts'
import { type Outcome, outcomeOf, outcomeReasons } from './outcome.ts'
import type { Prepared } from './prepare.ts'
import { queryRows } from './query-rows.ts'

/** What Label found out, besides its blocks. */
export interface Labelled {
  /** classes of the model, in the order of the columns of the scores; what block `by-cell` counts */
  classes: string[]
  /** what blocks `predicted`, `called` and `labels` count */
  labels: string[]
  /** what block `reasons` counts */
  reasons: string[]
  /** of SpatialCore's names, or 'calibrated' */
  confidence: string
  /** cells unlike the reference are told from others; null where they are not */
  outOfReferenceThreshold: number | null
  hasGraph: boolean
}

type Sure = Awaited<ReturnType<typeof confidenceOf>>

export async function label(context: TypeCellsContext): Promise<StepResult> {
  const { road, stores } = context
  const { settings } = road
  const prepared = (await context.before('Prepare').finished()).value as Prepared
  const fitted = (await context.before('Fit').finished()).value as Fitted
  const model = await loadModel(stores.models, fitted.model)
  const classes = model.card.labels
  const scores = await readScores(context, { cells: prepared.cells, classes: classes.length })
  const isChecked = settings.generate_plots || settings.filter_by_markers
  const needsRows = isChecked || settings.out_of_reference
  const size = { cells: prepared.cells, genes: prepared.modelGenes.length }
  const rows = needsRows ? await queryRows(context, size) : null
  const own = bestMatch(scores, classes.length)
  const vote = await voteOf(context, { own, prepared, classes })
  const predicted = vote?.cells ?? own
  const tails = tailsOf({ model, rows, prepared, called: own, settings })
  const threshold = settings.out_of_reference_threshold ?? outOfReferenceThreshold
  const unlike = tails === null ? undefined : manyOutOfReferenceNotice(tails, threshold)
  const sure = await confidenceOf(context, {
    scores,
    model,
    predicted,
    tails,
    threshold,
    classes: prepared.classes,
  })
  const assigned = assignLabels(
    { codes: sure.codes, labels: classes, confidence: sure.confidence },
    {
      threshold: settings.confidence_threshold,
      ...(tails !== null && { outOfReference: { tails, threshold } }),
      minCells: settings.min_cells_per_predicted_type,
      broadened: sure.broadened,
    },
  )
  const outcome = outcomeOf(classes, { predicted, called: sure.codes, assigned })
  const notices = [...(unlike === undefined ? [] : [unlike]), ...sure.notices]
  if (rows !== null && isChecked) {
    const cells = {
      expression: rows,
      genes: prepared.modelGenes,
      predicted: { codes: outcome.predicted, categories: outcome.categories },
      confidence: sure.confidence,
      classes: prepared.classes,
    }
    notices.push(...(await checkLabels(context, { cells, outcome })))
  }
  await writeOutcome(context, { outcome, sure, tails, vote, own })
  const hasGraph = await writeMap(context, { prepared, scores, classes: classes.length, notices })
  const value: Labelled = {
    classes,
    labels: outcome.categories,
    reasons: outcomeReasons,
    confidence: settings.confidence_transform,
    outOfReferenceThreshold: tails === null ? null : threshold,
    hasGraph,
  }
  return { value, notices }
}

/** The user's clusters vote; a cluster without a clear majority has no class. */
async function voteOf(
  context: TypeCellsContext,
  of: { own: Int32Array; prepared: Prepared; classes: readonly string[] },
) {
  const { own, prepared, classes } = of
  if (prepared.givenClusters === null) return null
  const clusters = await context.before('Prepare').readBlock('given-clusters', Int32Array)
  const minShare = context.road.settings.min_proportion
  return majorityVote(own, { clusters, labels: classes, minShare })
}

async function writeOutcome(
  { road, step }: TypeCellsContext,
  of: {
    outcome: Outcome
    sure: Sure
    tails: Float64Array | null
    vote: Awaited<ReturnType<typeof voteOf>>
    own: Int32Array
  },
): Promise<void> {
  const { outcome, sure, tails, vote, own } = of
  for (const name of ['predicted', 'called', 'labels', 'reasons'] as const)
    await step.writeBlock(name, outcome[name])
  await step.writeBlock('confidence', sure.confidence)
  await step.writeBlock('confidence-raw', sure.raw)
  const unlikeness = tails?.map((tail) => 1 - tail)
  if (unlikeness !== undefined) await step.writeBlock('out-of-reference', Float32Array.from(unlikeness))
  if (vote !== null) {
    await step.writeBlock('by-cell', own)
    await step.writeBlock('majority-share', Float32Array.from(vote.cellShares))
  }
  if (road.settings.write_probabilities)
    await step.writeBlock('probabilities', Float32Array.from(sure.probabilities))
}

/** @returns whether the graph of neighbours was written */
async function writeMap(
  context: TypeCellsContext,
  {
    prepared,
    scores,
    classes,
    notices,
  }: { prepared: Prepared; scores: Float32Array; classes: number; notices: ErrorReport[] },
): Promise<boolean> {
  const { step, road } = context
  const latent = road.settings.umap_space === 'latent' ? { values: scores, dims: classes } : null
  const { layout, neighbours } = await mapCells(context, { prepared, latent, notices, clusters: null })
  if (layout !== null) await step.writeBlock('umap', layout)
  if (!road.settings.write_neighbours || neighbours === null) return false
  await step.writeBlock('neighbour-indices', neighbours.indices)
  await step.writeBlock('neighbour-distances', neighbours.distances)
  return true
}
