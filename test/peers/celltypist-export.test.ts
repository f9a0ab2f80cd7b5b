/**
 * Oracle: files that we write are loaded by Python as scikit-learn's own classes, with the same numbers, and predict. And what
 * Python writes in every protocol is read here as the same model.
 */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { exportCelltypist } from '../../lib/models/celltypist-export.ts'
import { importCelltypist } from '../../lib/models/celltypist-import.ts'
import { createLinearScorer } from '../../lib/models/linear-scorer.ts'
import { seededModel, slabOf } from '../models/toy-model.ts'
import { hasShared, sharedPath } from '../support/shared.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const python = '/usr/bin/python3'
const missing = 'no /usr/bin/python3 with scikit-learn (Debian: python3-sklearn)'

const loader = `
import json, pickle, sys, warnings
warnings.simplefilter('error')
import numpy as np
import sklearn.linear_model, sklearn.preprocessing
with open(sys.argv[1], 'rb') as file:
    root = pickle.load(file)
model, scaler = root['Model'], root['Scaler_']
assert isinstance(scaler, sklearn.preprocessing.StandardScaler)
repr(model), repr(scaler)
rows = np.array(json.loads(sys.argv[2]))
scaled = np.minimum(scaler.transform(rows), 10)
print(json.dumps({
  'class': type(model).__name__, 'classes': list(model.classes_), 'features': list(model.features),
  'coef': model.coef_.ravel().tolist(), 'shape': list(model.coef_.shape), 'intercept': model.intercept_.tolist(),
  'mean': scaler.mean_.tolist(), 'scale': scaler.scale_.tolist(), 'description': root['description'],
  'scores': np.atleast_2d(model.decision_function(scaled)).ravel().tolist(),
  'predicted': list(model.predict(scaled)), 'probable': model.predict_proba(scaled).shape,
}))
`

const writer = `
import pickle, sys, warnings
warnings.simplefilter('ignore')
root = pickle.load(open(sys.argv[1], 'rb'))
for protocol in (2, 3, 4, 5):
    pickle.dump(root, open('%s/%d.pkl' % (sys.argv[2], protocol), 'wb'), protocol=protocol)
root['Model'].coef_ = __import__('numpy').asfortranarray(root['Model'].coef_)
pickle.dump(root, open(sys.argv[2] + '/columns.pkl', 'wb'), protocol=4)
`

function hasSklearn(): boolean {
  try {
    execFileSync(python, ['-c', 'import sklearn'], { stdio: 'ignore', timeout: 120_000 })
    return true
  } catch {
    console.warn(`${missing}: checks against scikit-learn are skipped`)
    return false
  }
}

const options = { name: 'toy', organism: 'x', licence: '', source: '', ontology: new Map(), created: '' }

describe('a model file', () => {
  if (!hasSklearn()) {
    test('is read by scikit-learn', ({ skip }) => skip(missing))
    return
  }

  test.each([
    ['LogisticRegression', 3],
    ['LogisticRegression', 2],
    ['SGDClassifier', 5],
    ['SGDClassifier', 2],
  ] as const)('of ours is a %s with %i labels to Python, and scores as here', async (estimator, labels) => {
    await using folder = await temporaryFolder()
    const path = join(folder.path, 'model.pkl')
    const model = seededModel(labels, { genes: 7, labels })
    // StandardScaler never has a scale of 0
    const scale = model.scale.map((value) => value || 1)
    const card = { ...model.card, trained: { ...model.card.trained, estimator } }
    await writeFile(path, exportCelltypist({ ...model, scale, card }))
    const rows = [
      [0, 1, 2, 0, 0, 3, 9],
      [4, 0, 0, 0, 1, 0, 0],
    ]
    const found = JSON.parse(
      execFileSync(python, ['-c', loader, path, JSON.stringify(rows)], { encoding: 'utf8' }),
    )
    expect(found).toMatchObject({
      class: estimator,
      classes: card.labels,
      features: card.genes,
      coef: [...model.weights],
      shape: [labels === 2 ? 1 : labels, 7],
      intercept: [...model.intercept],
      mean: [...model.mean],
      scale: [...scale],
      description: { number_celltypes: labels, version: '1' },
      probable: [2, labels],
    })
    const scores = createLinearScorer(model, new Uint8Array(7).fill(1)).score(slabOf(rows, 7))
    const ours = labels === 2 ? scores.filter((_, i) => i % 2 === 1) : scores
    expect(found.scores.length).toBe(ours.length)
    ours.forEach((score, i) => {
      expect(found.scores[i]).toBeCloseTo(score, 9)
    })
  })

  test('of CellTypist is the same model in every protocol, and with its weights stored by columns', async ({
    skip,
  }) => {
    if (!hasShared) skip('real data are not beside this repository (../shared)')
    for (const name of ['pbmc_sorted_lr_fs100', 'pbmc_sorted_sgd_minibatch']) {
      await using folder = await temporaryFolder()
      const path = sharedPath('golden/celltypist', `${name}.pkl`)
      execFileSync(python, ['-c', writer, path, folder.path])
      const { model } = importCelltypist(readFileSync(path), options)
      for (const file of ['2', '3', '4', '5', 'columns'])
        expect(importCelltypist(readFileSync(join(folder.path, `${file}.pkl`)), options).model, file).toEqual(
          model,
        )
    }
  })
})
