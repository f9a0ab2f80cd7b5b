/**
 * Label of `annotate`: labels from scores as CellTypist gives them, the query's own map, and where asked for a vote within its small
 * clusters. Uncertainty is 1 - probability of the label that the cell ends up with.
 */
import type { ErrorReport } from '../../job/errors.ts'
import type { AnnotateSettings } from '../../job/settings/annotate.ts'
import { confidence, uncertainty } from '../../labels/confidence.ts'
import { heterogeneous, majorityVote, type Vote } from '../../labels/majority-vote.ts'
import { bestMatch, probabilityMatch } from '../../labels/match.ts'
import { probabilitiesOf } from '../../labels/probabilities.ts'
import { loadCard } from '../../models/bundle.ts'
import type { ModelCard } from '../../models/linear-model.ts'
import type { Coded } from '../parts/coded.ts'
import { type CellMap, mapCells } from '../parts/map-cells.ts'
import { readScores } from '../parts/scores.ts'
import type { StepResult } from '../workflow.ts'
import { type AnnotateContext, modelOf } from './context.ts'
import type { Prepared } from './prepare.ts'

/** What Label found out, besides its blocks. */
export interface Labelled {
  /** labels of the model, in the order of the columns of the scores */
  classes: string[]
  loss: ModelCard['loss']
  /** what block `labels` counts */
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
  const { step } = context
  const { settings } = context.road
  const prepared = (await context.before('Prepare').finished()).value as Prepared
  const { labels: classes, loss } = await loadCard(context.stores.models, modelOf(context))
  const scores = await readScores(context, { cells: prepared.cells, classes: classes.length })
  const probabilities = probabilitiesOf(scores, { labels: classes.length, loss })
  const notices: ErrorReport[] = []
  const own = ownLabels({ scores, probabilities, classes, settings })
  const wantsVote = settings.majority_voting && isEnough(prepared.cells, notices)
  const wantsClusters = wantsVote && settings.over_clustering === undefined
  const clusters0 = wantsClusters ? { resolution: settings.over_clustering_resolution } : null
  const map = await mapCells(context, {
    prepared,
    scores,
    classes: classes.length,
    clusters: clusters0,
    notices,
  })
  const clusters = wantsVote ? await clustersOf(context, map.clusters, prepared.givenClusters) : null
  if (wantsVote && clusters === null) notices.push(noVote('the cells are too alike for clusters'))
  const vote = clusters === null ? null : voteIn(own, clusters, settings.min_proportion)
  const final = vote === null ? own : votedLabels(own, vote)

  await step.writeBlock('labels', final.codes)
  await step.writeBlock(
    'uncertainty',
    uncertaintyOf({ probabilities, classes, final: vote && final, settings }),
  )
  if (vote !== null && clusters !== null) {
    await step.writeBlock('by-cell', own.codes)
    await step.writeBlock('clusters', clusters.codes)
    await step.writeBlock('majority-share', Float32Array.from(vote.cellShares))
  }
  if (settings.write_second) await writeSecond(context, probabilities, classes.length)
  if (map.layout !== null) await step.writeBlock('umap', map.layout)
  const hasGraph = settings.write_neighbours && map.neighbours !== null
  if (hasGraph) {
    await step.writeBlock('neighbour-indices', map.neighbours!.indices)
    await step.writeBlock('neighbour-distances', map.neighbours!.distances)
  }
  const value: Labelled = {
    classes,
    loss,
    labels: final.categories,
    labelsByCell: own.categories,
    clusters: clusters?.categories ?? [],
    voting: clusters && {
      clusters: clusters.categories.length,
      resolution: map.clusters?.resolution ?? null,
      column: settings.over_clustering ?? null,
    },
    hasGraph,
  }
  return { value, notices }
}

function ownLabels(given: {
  scores: Float32Array
  probabilities: Float32Array
  classes: string[]
  settings: AnnotateSettings
}): Coded {
  const { scores, probabilities, classes, settings } = given
  if (settings.mode === 'best_match') return { codes: bestMatch(scores, classes.length), categories: classes }
  const matches = probabilityMatch(probabilities, { threshold: settings.p_threshold, labels: classes })
  const categories = [...new Set(matches)].sort()
  const codeOf = new Map(categories.map((match, code) => [match, code]))
  return { codes: Int32Array.from(matches, (match) => codeOf.get(match)!), categories }
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

function votedLabels(own: Coded, { cells }: Vote): Coded {
  const categories = [...own.categories, heterogeneous]
  return { codes: cells.map((code) => (code < 0 ? own.categories.length : code)), categories }
}

/** Of a label that was voted for, the cell's own probability of it, as CellTypist's conf_score has it. */
function uncertaintyOf({
  probabilities,
  classes,
  final,
  settings,
}: {
  probabilities: Float32Array
  classes: string[]
  final: Coded | null
  settings: AnnotateSettings
}): Float32Array {
  const labels = classes.length
  const normalised = settings.uncertainty === 'normalised'
  if (final === null) return uncertainty(probabilities, { labels, normalised })
  const classOf = final.categories.map((category) => classes.indexOf(category))
  const voted = final.codes.map((code) => classOf[code]!)
  const shares = normalised ? sharesOf(probabilities, labels) : probabilities
  return confidence(shares, { labels, voted }).map((value) => 1 - value)
}

function sharesOf(probabilities: Float32Array, labels: number): Float32Array {
  const shares = new Float32Array(probabilities.length)
  for (let start = 0; start < probabilities.length; start += labels) {
    const sum = probabilities.subarray(start, start + labels).reduce((total, value) => total + value, 0)
    for (let k = start; k < start + labels; k++) shares[k] = sum === 0 ? 1 / labels : probabilities[k]! / sum
  }
  return shares
}

async function writeSecond(
  { step }: AnnotateContext,
  probabilities: Float32Array,
  labels: number,
): Promise<void> {
  const cells = probabilities.length / labels
  const second = new Int32Array(cells)
  const margin = new Float32Array(cells)
  const best = bestMatch(probabilities, labels)
  for (let cell = 0; cell < cells; cell++) {
    const start = cell * labels
    let found = best[cell] === 0 ? 1 : 0
    for (let k = 0; k < labels; k++)
      if (k !== best[cell] && probabilities[start + k]! > probabilities[start + found]!) found = k
    second[cell] = found
    margin[cell] = probabilities[start + best[cell]!]! - probabilities[start + found]!
  }
  await step.writeBlock('second', second)
  await step.writeBlock('margin', margin)
}
