/** One training as the settings want it: logistic regression to its optimum, or one of CellTypist's descents. */
import type { ErrorReport } from '../../job/errors.ts'
import type { TypeCellsSettings } from '../../job/settings/type-cells.ts'
import { fitSgd } from '../../models/celltypist-sgd.ts'
import { fitLinear } from '../../models/fit-linear.ts'
import type { LinearArrays } from '../../models/linear-model.ts'
import type { TrainingRows } from '../../models/standardised-cells.ts'
import type { TrainingRecord } from '../../models/training-record.ts'
import type { TypeCellsContext } from './context.ts'

const place = 'training cells'

export async function train(
  cells: TrainingRows,
  of: {
    codes: Int32Array
    labels: number
    context: TypeCellsContext
    /** where to begin, with less accuracy than the model itself needs: a fold's */
    start?: LinearArrays
  },
): Promise<{ arrays: LinearArrays; notices: ErrorReport[] }> {
  const { codes, labels, context, start } = of
  const { settings } = context.road
  const { signal } = context
  if (settings.classifier === 'logistic_regression') {
    const { weights, intercept, mean, scale } = await fitLinear(cells, {
      codes,
      labels,
      loss: settings.multi_class,
      strength: settings.regularisation,
      place,
      signal,
      ...(start !== undefined && { start, tolerance: 1e-6 }),
    })
    return { arrays: { weights, intercept, mean, scale }, notices: [] }
  }
  const { weights, intercept, mean, scale, notices } = await fitSgd(cells, {
    ...sgdOptions(settings),
    codes,
    labels,
    miniBatch: settings.classifier === 'sgd_mini_batch',
    place,
    signal,
  })
  return { arrays: { weights, intercept, mean, scale }, notices }
}

/** Descents are one type against the rest. */
export function lossOf({ classifier, multi_class }: TypeCellsSettings): 'ovr' | 'multinomial' {
  return classifier === 'logistic_regression' ? multi_class : 'ovr'
}

export function sgdOptions(settings: TypeCellsSettings) {
  return {
    seed: settings.seed,
    alpha: settings.alpha,
    maxIterations: settings.max_iter,
    epochs: settings.epochs,
    batchSize: settings.batch_size,
    batchNumber: settings.batch_number,
    balance: settings.balance_cell_type,
    compat: settings.compat === 'spatialcore',
  }
}

/** What the card says of it, and under `record` what the training record does. */
export function trainedBy(settings: TypeCellsSettings) {
  const { classifier, regularisation, alpha, max_iter, feature_selection, top_genes } = settings
  const features = feature_selection ? { feature_selection, top_genes } : { feature_selection }
  if (classifier === 'logistic_regression')
    return {
      how: howTrained(settings),
      estimator: 'LogisticRegression' as const,
      parameters: { C: regularisation, penalty: 'l2' },
      record: { C: regularisation, ...features } satisfies TrainingRecord['parameters'],
    }
  const { epochs, batch_size, batch_number, balance_cell_type } = settings
  const batches =
    classifier === 'sgd_mini_batch' ? { epochs, batch_size, batch_number, balance_cell_type } : { max_iter }
  return {
    how: howTrained(settings),
    estimator: 'SGDClassifier' as const,
    parameters: { alpha, max_iter },
    record: { alpha, ...batches, ...features } satisfies TrainingRecord['parameters'],
  }
}

export function howTrained({ classifier, multi_class, regularisation }: TypeCellsSettings): string {
  if (classifier === 'sgd')
    return 'Logistic regression by stochastic gradient descent, one type against the rest.'
  if (classifier === 'sgd_mini_batch')
    return 'Logistic regression by stochastic gradient descent in small batches, one type against the rest.'
  const what = multi_class === 'ovr' ? 'one type against the rest' : 'all types at once'
  return `Logistic regression to its optimum, ${what} (C ${regularisation}).`
}
