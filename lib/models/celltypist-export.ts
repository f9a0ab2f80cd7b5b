/**
 * A linear model as a file that CellTypist loads: a pickle of Model, Scaler_ and description, classes of scikit-learn 1.2 under
 * names that later versions keep. What was imported comes out with the same numbers, names and settings.
 *
 * Trap: `var_` and the numbers of iterations are not part of a model; the former is written as the square of the scale.
 */
import { type Estimator, pythonClass } from './celltypist-names.ts'
import { type LinearModel, weightRows } from './linear-model.ts'
import { filledObject, float64Array, textArray } from './pickle-numpy.ts'
import { dict, float, type PickleValue } from './pickle-values.ts'
import { writePickle } from './pickle-write.ts'

type Entry = [string, PickleValue]

/** What scikit-learn's classes want to find set, where the model does not say. */
const defaults: Readonly<Record<Estimator, readonly Entry[]>> = {
  LogisticRegression: [
    ['penalty', 'l2'],
    ['dual', false],
    ['tol', float(1e-4)],
    ['C', float(1)],
    ['fit_intercept', true],
    ['intercept_scaling', 1],
    ['class_weight', null],
    ['random_state', null],
    ['solver', 'lbfgs'],
    ['max_iter', 1000],
    ['verbose', 0],
    ['warm_start', false],
    ['n_jobs', null],
    ['l1_ratio', null],
  ],
  SGDClassifier: [
    ['loss', 'log_loss'],
    ['penalty', 'l2'],
    ['alpha', float(1e-4)],
    ['l1_ratio', float(0.15)],
    ['fit_intercept', true],
    ['max_iter', 1000],
    ['tol', float(1e-3)],
    ['shuffle', true],
    ['verbose', 0],
    ['epsilon', float(0.1)],
    ['n_jobs', null],
    ['random_state', null],
    ['learning_rate', 'optimal'],
    ['eta0', float(0)],
    ['power_t', float(0.5)],
    ['early_stopping', false],
    ['validation_fraction', float(0.1)],
    ['n_iter_no_change', 5],
    ['class_weight', null],
    ['warm_start', false],
    ['average', false],
  ],
}

/** The model as the bytes of a .pkl file. Cell Ontology terms, licence and metrics have no place in it. */
export function exportCelltypist(model: LinearModel): Uint8Array {
  const { trained, details, url, labelsSource, version, labels } = model.card
  return writePickle(
    dict([
      ['Model', filledObject(pythonClass(trained.estimator), classifierState(model))],
      ['Scaler_', filledObject('sklearn.preprocessing._data.StandardScaler', scalerState(model))],
      [
        'description',
        dict([
          ['date', trained.date],
          ['details', details],
          ['url', url],
          ['source', labelsSource],
          ['version', version],
          ['number_celltypes', labels.length],
        ]),
      ],
    ]),
  )
}

function classifierState({ card, weights, intercept }: LinearModel): Entry[] {
  const { estimator, parameters } = card.trained
  const rows = weightRows(card.labels.length)
  const settings = Object.entries(parameters).map(([name, value]): Entry => [name, settingValue(value)])
  return [
    ...defaults[estimator],
    ...(estimator === 'LogisticRegression' ? [['multi_class', card.loss] satisfies Entry] : []),
    ...settings,
    ['n_features_in_', card.genes.length],
    ['classes_', textArray(card.labels)],
    ['coef_', float64Array(weights, [rows, card.genes.length])],
    ['intercept_', float64Array(intercept, [rows])],
    ['features', textArray(card.genes)],
    ['_sklearn_version', '1.2.1'],
  ]
}

function scalerState({ card, mean, scale }: LinearModel): Entry[] {
  const genes = [card.genes.length]
  const { cells } = card.trained
  return [
    ['with_mean', card.centred],
    ['with_std', true],
    ['copy', true],
    ['n_features_in_', card.genes.length],
    ...(cells === null ? [] : [['n_samples_seen_', cells] satisfies Entry]),
    ['mean_', float64Array(mean, genes)],
    [
      'var_',
      float64Array(
        scale.map((value) => value * value),
        genes,
      ),
    ],
    ['scale_', float64Array(scale, genes)],
    ['_sklearn_version', '1.2.1'],
  ]
}

function settingValue(value: string | number | boolean | null): PickleValue {
  return typeof value === 'number' && !Number.isSafeInteger(value) ? float(value) : value
}
