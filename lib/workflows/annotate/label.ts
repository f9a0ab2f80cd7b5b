/**
 * Label of `annotate`: labels from scores as CellTypist gives them or from places in a network's latent space, a map, and where asked for a vote
 * within small clusters. Uncertainty is 1 - probability of the label that the cell ends up with, or would but for `min_confidence`.
 */
import type { ErrorReport } from '../../job/errors.ts'
import type { AnnotateSettings } from '../../job/settings/annotate.ts'
import { majorityVote, type Vote } from '../../labels/majority-vote.ts'
import type { Coded } from '../parts/coded.ts'
import { type CellMap, mapCells } from '../parts/map-cells.ts'
import type { StepResult } from '../workflow.ts'
import { type Calls, callCells } from './calls.ts'
import type { AnnotateContext } from './context.ts'
import { type FinalLabels, finalLabels } from './final-labels.ts'
import { labelByNetwork, type NetworkLabels } from './network-labels.ts'
import type { Prepared } from './prepare.ts'
import { namesFor, umapSpace } from './rules.ts'
import { type ScoringCard, type ScoringModels, scoringModels } from './scoring-models.ts'

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
  /** how a network labelled; null for linear models */
  network: LabelledByNetwork | null
}

/** Beside it block `latent` (cells x dims), `probabilities`, and `other-0`, `other-0-uncertainty` of each further column. */
export interface LabelledByNetwork extends Pick<NetworkLabels, 'dims' | 'classifier' | 'reference'> {
  /** label columns of the reference beside the first */
  others: { column: string; labels: readonly string[] }[]
}

/** As many cells or fewer are not voted among, as in CellTypist. */
const fewestVoters = 50

export async function label(context: AnnotateContext): Promise<StepResult> {
  const { settings } = context.road
  const prepared = (await context.before('Prepare').finished()).value as Prepared
  const { cells } = prepared
  const notices: ErrorReport[] = []
  const network = prepared.network && (await labelByNetwork(context, { cells, notices }))
  const models = await scoringModels(context, { cells, probabilities: network?.probabilities })
  notices.push(...noticesOf(models.cards, settings))
  const calls = await callCells(models, { cells, settings })
  const wantsVote = settings.majority_voting && isEnough(cells, notices)
  const wantsClusters = wantsVote && settings.over_clustering === undefined
  const inLatent = umapSpace(settings, { isNetwork: network !== null }) === 'latent'
  const map = await mapCells(context, {
    prepared,
    latent: inLatent ? ((network && placesOf(network)) ?? (await scoresOf(models))) : null,
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
  if (network !== null) await writeNetwork(context, network)
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
    network: network && {
      dims: network.dims,
      classifier: network.classifier,
      reference: network.reference,
      others: network.others.map(({ column, labels }) => ({ column, labels })),
    },
  }
  return { value, notices }
}

function placesOf({ latent, dims }: NetworkLabels): { values: Float32Array; dims: number } {
  return { values: latent, dims }
}

/** The scores of one linear model are where its cells lie in the space of its reference; those of several are no space, which is refused before. */
async function scoresOf({
  cards,
  scores,
}: ScoringModels): Promise<{ values: Float32Array; dims: number } | null> {
  return cards.length > 1 ? null : { values: await scores(0), dims: cards[0]!.labels.length }
}

function noticesOf(cards: readonly ScoringCard[], settings: AnnotateSettings): ErrorReport[] {
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

async function writeNetwork(
  { step }: AnnotateContext,
  { latent, probabilities, others }: NetworkLabels,
): Promise<void> {
  await step.writeBlock('latent', latent)
  await step.writeBlock('probabilities', probabilities)
  for (const [i, { codes, uncertainty }] of others.entries()) {
    await step.writeBlock(`other-${i}`, codes)
    await step.writeBlock(`other-${i}-uncertainty`, uncertainty)
  }
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
