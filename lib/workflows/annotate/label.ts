/**
 * Label of `annotate`: labels from scores as CellTypist gives them, the query's own map, and where asked for a vote within its small
 * clusters. Uncertainty is 1 - probability of the label that the cell ends up with, or would but for `min_confidence`.
 */
import type { ErrorReport } from '../../job/errors.ts'
import type { AnnotateSettings } from '../../job/settings/annotate.ts'
import { majorityVote, type Vote } from '../../labels/majority-vote.ts'
import type { ModelCard } from '../../models/linear-model.ts'
import type { Coded } from '../parts/coded.ts'
import { type CellMap, mapCells } from '../parts/map-cells.ts'
import type { StepResult } from '../workflow.ts'
import { type Calls, callCells } from './calls.ts'
import type { AnnotateContext } from './context.ts'
import { type FinalLabels, finalLabels } from './final-labels.ts'
import type { Prepared } from './prepare.ts'
import { namesFor } from './rules.ts'
import { type ScoringModels, scoringModels } from './scoring-models.ts'

/** What Label found out, besides its blocks. */
export interface Labelled {
  /** labels of all models, what block `second` counts; of one model in the order of the columns of its scores */
  classes: string[]
  /** cells that each model was surest of; block `model` says which */
  cellsOfModel: number[]
  /** what blocks `labels` and `labels-raw` count */
  labels: string[]
  /** what block `by-cell` counts */
  labelsByCell: string[]
  /** what block `clusters` counts */
  clusters: string[]
  voting: { clusters: number; resolution: number | null; column: string | null } | null
  hasGraph: boolean
}

/** As many cells or fewer are not voted among, as in CellTypist. */
const fewestVoters = 50

export async function label(context: AnnotateContext): Promise<StepResult> {
  const { settings } = context.road
  const prepared = (await context.before('Prepare').finished()).value as Prepared
  const { cells } = prepared
  const models = await scoringModels(context, { cells })
  const notices = noticesOf(models.cards, settings)
  const calls = await callCells(models, { cells, settings })
  const wantsVote = settings.majority_voting && isEnough(cells, notices)
  const wantsClusters = wantsVote && settings.over_clustering === undefined
  const map = await mapCells(context, {
    prepared,
    ...(await latentOf(models)),
    clusters: wantsClusters ? { resolution: settings.over_clustering_resolution } : null,
    notices,
  })
  const clusters = wantsVote ? await clustersOf(context, map.clusters, prepared.givenClusters) : null
  if (wantsVote && clusters === null) notices.push(noVote('the cells are too alike for clusters'))
  const vote = clusters === null ? null : voteIn(calls.own, clusters, settings.min_proportion)
  const final = await finalLabels(models, { calls, vote, settings })
  notices.push(...unsureNotices(final, settings))
  await writeCalls(context, { calls, final })
  if (vote !== null && clusters !== null) await writeVote(context, { calls, vote, clusters })
  const value: Labelled = {
    classes: models.labels,
    cellsOfModel: models.cards.map((_, index) => countOf(calls.model, index)),
    labels: final.labels.categories,
    labelsByCell: calls.own.categories,
    clusters: clusters?.categories ?? [],
    voting: clusters && {
      clusters: clusters.categories.length,
      resolution: map.clusters?.resolution ?? null,
      column: settings.over_clustering ?? null,
    },
    hasGraph: await writeMap(context, map),
  }
  return { value, notices }
}

/** The scores of one model are where its cells lie in the space of its reference; those of several are no space. */
async function latentOf({
  cards,
  scores,
}: ScoringModels): Promise<{ scores: Float32Array; classes: number }> {
  if (cards.length > 1) return { scores: new Float32Array(0), classes: 0 }
  return { scores: await scores(0), classes: cards[0]!.labels.length }
}

function noticesOf(cards: readonly ModelCard[], settings: AnnotateSettings): ErrorReport[] {
  if (cards.length === 1) return []
  const { latent } = namesFor(settings)
  const notices = [
    {
      code: 'LATENT_NOT_STORED',
      place: `obsm["${latent}"]`,
      problem: `the scores of ${cards.length} models are no common space: they are not written`,
      remedy: 'Annotate with one of them, under a run_name of its own',
    },
  ]
  if (new Set(cards.map(({ loss }) => loss)).size > 1)
    notices.push({
      code: 'MODELS_OF_TWO_KINDS',
      place: 'model',
      problem:
        'some models give each label a probability of its own and others share 1 out among labels: the latter seem surer',
      remedy: 'Take models of one kind, or compare with what each gives alone',
    })
  return notices
}

/** Probabilities of some models are low throughout, and a bound that suits others leaves next to nothing. */
function unsureNotices({ labels, raw }: FinalLabels, { min_confidence }: AnnotateSettings): ErrorReport[] {
  const cells = labels.codes.length
  const lost = raw?.reduce((count, code, cell) => count + Number(code !== labels.codes[cell]), 0) ?? 0
  if (2 * lost <= cells) return []
  return [
    {
      code: 'LABELS_MOSTLY_UNSURE',
      place: 'min_confidence',
      problem: `${lost} of ${cells} cells have a label with a probability below ${min_confidence}, and are "Unassigned"`,
      remedy:
        'Look at the uncertainty of the labels before min_confidence: lower it, or take a model that knows these cells',
    },
  ]
}

function countOf(codes: Int32Array, wanted: number): number {
  return codes.reduce((count, code) => count + Number(code === wanted), 0)
}

async function writeCalls(
  { step }: AnnotateContext,
  { calls, final }: { calls: Calls; final: FinalLabels },
): Promise<void> {
  await step.writeBlock('labels', final.labels.codes)
  if (final.raw !== null) await step.writeBlock('labels-raw', final.raw)
  await step.writeBlock('uncertainty', final.uncertainty)
  await step.writeBlock('model', calls.model)
  if (calls.second !== null) await step.writeBlock('second', calls.second)
  if (calls.margin !== null) await step.writeBlock('margin', calls.margin)
}

async function writeVote(
  { step }: AnnotateContext,
  { calls, vote, clusters }: { calls: Calls; vote: Vote; clusters: Coded },
): Promise<void> {
  await step.writeBlock('by-cell', calls.own.codes)
  await step.writeBlock('clusters', clusters.codes)
  await step.writeBlock('majority-share', Float32Array.from(vote.cellShares))
}

/** @returns whether the graph of neighbours was written */
async function writeMap({ step, road }: AnnotateContext, { layout, neighbours }: CellMap): Promise<boolean> {
  if (layout !== null) await step.writeBlock('umap', layout)
  if (!road.settings.write_neighbours || neighbours === null) return false
  await step.writeBlock('neighbour-indices', neighbours.indices)
  await step.writeBlock('neighbour-distances', neighbours.distances)
  return true
}

function isEnough(cells: number, notices: ErrorReport[]): boolean {
  if (cells > fewestVoters) return true
  notices.push(noVote(`${cells} cells are too few for clusters, more than ${fewestVoters} are needed`))
  return false
}

function noVote(reason: string): ErrorReport {
  const remedy = 'Labels are those of single cells'
  return { code: 'VOTING_SKIPPED', place: 'query', problem: `there was no vote: ${reason}`, remedy }
}

/** The user's clusters, or those that were made for the vote. */
async function clustersOf(
  context: AnnotateContext,
  made: CellMap['clusters'],
  given: readonly string[] | null,
): Promise<Coded | null> {
  if (given !== null)
    return {
      codes: await context.before('Prepare').readBlock('given-clusters', Int32Array),
      categories: [...given],
    }
  return (
    made && { codes: made.membership, categories: Array.from({ length: made.count }, (_, i) => String(i)) }
  )
}

function voteIn(own: Coded, clusters: Coded, minShare: number): Vote {
  return majorityVote(own.codes, { clusters: clusters.codes, labels: own.categories, minShare })
}
