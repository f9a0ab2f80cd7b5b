import type { EpochRecord } from '../../models/training-schedule.ts'
import { renderCurves } from '../../report/curve-png.ts'
import type { Plot } from './plots.ts'

/** The ELBO after each epoch of a surgery, for the page. */
export function surgeryCurve(history: readonly EpochRecord[]): Plot {
  const seen = history.filter((record) => record.elbo_validation !== undefined)
  const title = 'How the model learnt the new batches'
  return {
    key: 'elbo',
    file: 'elbo.png',
    title,
    caption:
      'Minus the ELBO per cell after each epoch: lower is better. Where the curve of the validation cells rises again, there were too many epochs.',
    isOnPage: true,
    draw: () =>
      renderCurves({
        title,
        valueName: 'minus the ELBO per cell',
        curves: [
          {
            name: 'training cells',
            epochs: history.map(({ epoch }) => epoch + 1),
            values: history.map(({ elbo_train }) => elbo_train),
          },
          {
            name: 'validation cells',
            epochs: seen.map(({ epoch }) => epoch + 1),
            values: seen.map(({ elbo_validation }) => elbo_validation!),
          },
        ],
      }),
  }
}
