/** The course of a training as a picture: the negative ELBO per cell after each epoch, of training and validation cells. */
import type { EpochRecord } from '../../models/training-schedule.ts'
import { type Curve, renderCurves } from '../../report/curve-png.ts'
import type { Plot } from './plots.ts'

export function drawTraining(title: string, history: readonly EpochRecord[]): Promise<Uint8Array> {
  const curve = (name: string, figure: 'elbo_train' | 'elbo_validation'): Curve => {
    const known = history.filter((record) => record[figure] !== undefined)
    return {
      name,
      epochs: known.map(({ epoch }) => epoch + 1),
      values: known.map((record) => record[figure]!),
    }
  }
  return renderCurves({
    title,
    curves: [curve('training cells', 'elbo_train'), curve('validation cells', 'elbo_validation')],
    valueName: 'negative ELBO per cell',
  })
}

/** That of a surgery, for the page. */
export function surgeryCurve(history: readonly EpochRecord[]): Plot {
  const title = 'How the model learnt the new batches'
  return {
    key: 'elbo',
    file: 'elbo.png',
    title,
    caption:
      'Negative ELBO per cell after each epoch: lower is better. Where the curve of the validation cells rises again, there were too many epochs.',
    isOnPage: true,
    draw: () => drawTraining(title, history),
  }
}
