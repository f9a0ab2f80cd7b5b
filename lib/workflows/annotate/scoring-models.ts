/**
 * The models that label the cells of a job, with what Label and Publish know each of them by. Linear models gave scores in Embed; of a network, whose
 * places Label made probabilities of, these.
 */
import type { AnnotateSettings } from '../../job/settings/annotate.ts'
import { unionOfLabels } from '../../labels/model-choice.ts'
import { probabilitiesOf, type ScoreKind } from '../../labels/probabilities.ts'
import { loadCard } from '../../models/bundle.ts'
import { isLinearCard, type StoredCard } from '../../models/stored-model.ts'
import { readScores } from '../parts/scores.ts'
import type { AnnotateContext } from './context.ts'
import { labellingOf } from './labelling.ts'

/** What is the same of linear models and networks. */
export interface ScoringCard
  extends Pick<StoredCard, 'id' | 'name' | 'version' | 'organism' | 'genes' | 'created'> {
  labels: readonly string[]
  loss: ScoreKind
}

export interface ScoringModels {
  cards: ScoringCard[]
  /** of all models, each once */
  labels: string[]
  /** of each label of each model its number in `labels` */
  places: Int32Array[]
  /** cells x labels of one model; the last one read is kept */
  scores(index: number): Promise<Float32Array>
  /** the same as probabilities, in memory of their own */
  probabilities(index: number): Promise<Float32Array>
}

/** @param of.probabilities of a network, in the step that makes them: cells x labels */
export async function scoringModels(
  context: AnnotateContext,
  { cells, probabilities }: { cells: number; probabilities?: Float32Array | undefined },
): Promise<ScoringModels> {
  const cards = await scoringCards(context)
  const union = unionOfLabels(cards.map(({ labels }) => labels))
  let last = probabilities && { index: 0, values: probabilities }
  const scores = async (index: number): Promise<Float32Array> => {
    if (last?.index !== index) {
      last = undefined
      last = { index, values: await readScoresOf(context, { card: cards[index]!, cells, index }) }
    }
    return last.values
  }
  return {
    cards,
    ...union,
    scores,
    async probabilities(index) {
      const { labels, loss } = cards[index]!
      return probabilitiesOf(await scores(index), { labels: labels.length, loss })
    },
  }
}

function readScoresOf(
  context: AnnotateContext,
  { card: { labels, loss }, cells, index }: { card: ScoringCard; cells: number; index: number },
): Promise<Float32Array> {
  if (loss === 'probabilities') return context.before('Label').readBlock('probabilities', Float32Array)
  return readScores(context, { cells, classes: labels.length, index })
}

export async function scoringCards(context: AnnotateContext): Promise<ScoringCard[]> {
  const { stores, road } = context
  const { models } = await context.geneMaps()
  const cards = await Promise.all(models.map(({ id }) => loadCard(stores.models, id)))
  return cards.map((card) => scoringCard(card, road.settings))
}

function scoringCard(card: StoredCard, settings: AnnotateSettings): ScoringCard {
  if (isLinearCard(card)) return card
  const { id, name, version, organism, genes, created } = card
  const { labels } = labellingOf(card, settings).columns[0]!
  return { id, name, version, organism, genes, created, labels, loss: 'probabilities' }
}
