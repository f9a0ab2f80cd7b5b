/** The pictures of `fit-reference`: the course of the training, and how labels are spread over batches. */
import { type Curve, renderCurves } from '../../report/curve-png.ts'
import { renderDistribution } from '../../report/distribution-png.ts'
import type { Plot } from '../parts/plots.ts'
import type { FitReferenceContext } from './context.ts'
import type { Reference } from './reference.ts'
import type { PhaseHistory } from './trained-model.ts'

const phaseNames: Record<string, string> = { scvi: 'scVI', scanvi: 'SCANVI' }

export function plots(reference: Reference, { road }: FitReferenceContext): Plot[] {
  const { fitted, given, predicted, batches } = reference
  const made: Plot[] = fitted.phases.map((phase) => ({
    file: `training_${phase.name}.png`,
    title: `Training of ${phaseNames[phase.name] ?? phase.name}`,
    caption:
      'Negative evidence lower bound per cell, with the whole divergence: lower is better. A validation line that rises while the other falls has learnt its training cells by heart.',
    draw: () => drawCurves(phase),
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

function drawCurves({ name, history }: PhaseHistory): Promise<Uint8Array> {
  const curve = (told: string, figure: 'elbo_train' | 'elbo_validation'): Curve => {
    const known = history.filter((record) => record[figure] !== undefined)
    return {
      name: told,
      epochs: known.map(({ epoch }) => epoch + 1),
      values: known.map((record) => record[figure]!),
    }
  }
  return renderCurves({
    title: `Training of ${phaseNames[name] ?? name}`,
    curves: [curve('training cells', 'elbo_train'), curve('validation cells', 'elbo_validation')],
    valueName: 'negative ELBO per cell',
  })
}
