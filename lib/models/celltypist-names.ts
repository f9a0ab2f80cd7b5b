/** What a CellTypist model file is made of: classes of scikit-learn under their names of all versions, and what each is to us. */
import { numpyNames } from './pickle-numpy.ts'

export type Estimator = 'LogisticRegression' | 'SGDClassifier'

/** First the name that we write. */
const estimators: readonly (readonly [string, Estimator])[] = [
  ['sklearn.linear_model._logistic.LogisticRegression', 'LogisticRegression'],
  ['sklearn.linear_model.logistic.LogisticRegression', 'LogisticRegression'],
  ['sklearn.linear_model._stochastic_gradient.SGDClassifier', 'SGDClassifier'],
  ['sklearn.linear_model.stochastic_gradient.SGDClassifier', 'SGDClassifier'],
]

export const estimatorOf: ReadonlyMap<string, Estimator> = new Map(estimators)

export const scalerNames: readonly string[] = [
  'sklearn.preprocessing._data.StandardScaler',
  'sklearn.preprocessing.data.StandardScaler',
]

/** The loss that an SGDClassifier carries along: looked at by nobody. */
const losses = [
  'sklearn.linear_model._sgd_fast.Log',
  'sklearn.linear_model.sgd_fast.Log',
  'sklearn._loss._loss.CyHalfBinomialLoss',
  'sklearn._loss._loss.__pyx_unpickle_CyHalfBinomialLoss',
]

/** Everything that a model file may name. */
export const celltypistNames: ReadonlySet<string> = new Set([
  ...numpyNames,
  ...estimatorOf.keys(),
  ...scalerNames,
  ...losses,
])

export function pythonClass(estimator: Estimator): string {
  return estimators.find(([, kind]) => kind === estimator)?.[0] ?? ''
}
