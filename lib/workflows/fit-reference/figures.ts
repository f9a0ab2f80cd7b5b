/** The pictures of `fit-reference`: the course of the training, and how labels are spread over batches. */
import { renderDistribution } from '../../report/distribution-png.ts'
import type { Plot } from '../parts/plots.ts'
import { drawTraining } from '../parts/training-curves.ts'
import type { FitReferenceContext } from './context.ts'
import type { Reference } from './reference.ts'

const phaseNames: Record<string, string> = { scvi: 'scVI', scanvi: 'SCANVI' }
const titleOf = (phase: string) => `Training of ${phaseNames[phase] ?? phase}`

export function plots(reference: Reference, { road }: FitReferenceContext): Plot[] {
  const { fitted, given, predicted, batches } = reference
  const made: Plot[] = fitted.phases.map(({ name, history }) => ({
    file: `training_${name}.png`,
    title: titleOf(name),
    caption:
      'Negative evidence lower bound per cell, with the whole divergence: lower is better. A validation line that rises while the other falls has learnt its training cells by heart.',
    draw: () => drawTraining(titleOf(name), history),
  }))
  const labels = given ?? predicted
  if (labels !== null)
    made.push({
      file: 'label_distribution.png',
      title: 'Labels by batch',
      caption: `Cells of each label in "${road.settings.label_column ?? ''}", and of which batch they are: a label of one batch alone cannot be told from what sets that batch apart.`,
      draw: () =>
        renderDistribution({
          title: 'Labels by batch',
          labels,
          parts: { name: road.settings.batch_key, ...batches },
        }),
    })
  return made
}
