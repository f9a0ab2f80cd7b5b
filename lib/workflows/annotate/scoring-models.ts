/** The models that score the cells of a job, with what Label and Publish know each of them by. */
import { unionOfLabels } from '../../labels/model-choice.ts'
import { probabilitiesOf } from '../../labels/probabilities.ts'
import { loadLinearCard } from '../../models/bundle.ts'
import type { ModelCard } from '../../models/linear-model.ts'
import { readScores } from '../parts/scores.ts'
import type { AnnotateContext } from './context.ts'

export interface ScoringModels {
  cards: ModelCard[]
  /** of all models, each once */
  labels: string[]
  /** of each label of each model its number in `labels` */
  places: Int32Array[]
  /** cells x labels of one model; the last one read is kept */
  scores(index: number): Promise<Float32Array>
  /** the same as probabilities, in memory of their own */
  probabilities(index: number): Promise<Float32Array>
}

export async function scoringModels(
  context: AnnotateContext,
  { cells }: { cells: number },
): Promise<ScoringModels> {
  const { models } = await context.geneMaps()
  const cards = await Promise.all(models.map(({ id }) => loadLinearCard(context.stores.models, id)))
  const union = unionOfLabels(cards.map(({ labels }) => labels))
  let last: { index: number; values: Float32Array } | undefined
  const scores = async (index: number): Promise<Float32Array> => {
    if (last?.index !== index) {
      last = undefined
      const classes = cards[index]!.labels.length
      last = { index, values: await readScores(context, { cells, classes, index }) }
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
