/** Models of CellTypist, in and out: real files where they are, and files of our own with everything that may be odd in them. */
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isCoded } from '../../lib/job/errors.ts'
import { exportCelltypist } from '../../lib/models/celltypist-export.ts'
import { importCelltypist } from '../../lib/models/celltypist-import.ts'
import { celltypistNames } from '../../lib/models/celltypist-names.ts'
import { float64Array, textArray } from '../../lib/models/pickle-numpy.ts'
import { readPickle } from '../../lib/models/pickle-read.ts'
import { ofKind, type PickleValue } from '../../lib/models/pickle-values.ts'
import { writePickle } from '../../lib/models/pickle-write.ts'
import { hasShared, sharedPath } from '../support/shared.ts'
import { seededModel, toyModel } from './toy-model.ts'

const options = {
  name: 'toy-model',
  place: 'toy',
  organism: 'Homo sapiens',
  licence: 'CC0-1.0',
  source: 'a test',
  ontology: new Map([['B', { id: 'CL:0000236', name: 'B cell', tier: 'exact' }]]),
  created: '2026-01-01T00:00:00Z',
}
const lung31 = 'data/models/celltypist_lung31_popv.pkl'
const realModels = [
  'golden/celltypist/pbmc_sorted_lr.pkl',
  'golden/celltypist/pbmc_sorted_sgd_minibatch.pkl',
  'golden/celltypist/pbmc_sorted_lr_fs100.pkl',
  'golden/celltypist/pbmc_sorted_lr_2class.pkl',
  lung31,
]

/** The toy as a file, with entries of the classifier's or the scaler's state changed. */
function changed(part: 'Model' | 'Scaler_', change: (state: Map<string, PickleValue>) => void): Uint8Array {
  const root = readPickle(exportCelltypist(toyModel()), { place: 'toy', allowed: celltypistNames })
  const object = ofKind(ofKind(root, 'dict')?.entries.get(part), 'object')
  change(ofKind(object?.state, 'dict')!.entries)
  return writePickle(root)
}

const withSetting = (key: string, value: PickleValue) => changed('Model', (state) => state.set(key, value))
const refusal = (code: string) => expect.objectContaining({ name: 'BadInput', code, place: 'toy' })

describe('a model written and read again', () => {
  test('has the same numbers to the bit, the same names and settings', () => {
    const { model, notices } = importCelltypist(exportCelltypist(toyModel()), options)
    const { card, ...arrays } = toyModel()
    expect(model).toMatchObject({ ...arrays, card: { genes: card.genes, labels: card.labels, loss: 'ovr' } })
    expect(model.card.trained).toMatchObject({ cells: 12, estimator: 'LogisticRegression' })
    expect(model.card.ontology).toEqual({ B: options.ontology.get('B'), M: null, T: null })
    expect(notices).toEqual([])
    const again = importCelltypist(exportCelltypist(model), { ...options, created: 'later' })
    expect(again.model).toEqual({ ...model, card: { ...model.card, created: 'later' } })
  })

  test.each(['LogisticRegression', 'SGDClassifier'] as const)(
    'as %s, with two labels or more',
    (estimator) => {
      for (const labels of [2, 3, 9]) {
        const model = seededModel(labels, { genes: 11, labels })
        const card = { ...model.card, trained: { ...model.card.trained, estimator } }
        const again = importCelltypist(exportCelltypist({ ...model, card }), options).model
        expect(again).toMatchObject({ weights: model.weights, intercept: model.intercept })
        expect(again.card.trained.estimator).toBe(estimator)
      }
    },
  )
})

describe('what a file may say', () => {
  test('a softmax model stays one, and that is said', () => {
    for (const kind of ['multinomial', 'auto', 'deprecated']) {
      const { model, notices } = importCelltypist(withSetting('multi_class', kind), options)
      expect(model.card.loss).toBe('multinomial')
      expect(notices).toMatchObject([{ code: 'MODEL_SOFTMAX' }])
    }
  })

  test('a scale of 0 is taken over, and that is said', () => {
    const file = changed('Scaler_', (state) =>
      state.set('scale_', float64Array(Float64Array.of(1, 0, 1, 1), [4])),
    )
    const { notices } = importCelltypist(file, options)
    expect(notices).toMatchObject([{ code: 'MODEL_SCALE_ZERO', problem: '1 genes have a scale of 0' }])
  })

  test('a scaler that does not centre subtracts nothing', () => {
    const file = changed('Scaler_', (state) => state.set('with_mean', false).set('mean_', null))
    const { model } = importCelltypist(file, options)
    expect(model.mean).toEqual(new Float64Array(4))
    expect(model.card.centred).toBe(false)
    expect(importCelltypist(exportCelltypist(model), options).model).toEqual(model)
  })

  test('Ensembl ids are told from symbols', () => {
    const ids = ['ENSG00000167286', 'ENSG00000156738', 'ENSG00000090382', 'ACTB']
    const { model } = importCelltypist(withSetting('features', textArray(ids)), options)
    expect(model.card.geneIds).toBe('ensembl')
  })

  test.each<[string, string, Uint8Array]>([
    ['one label', 'MODEL_UNSUPPORTED', withSetting('classes_', textArray(['B']))],
    [
      'labels that are fewer than the weights',
      'MODEL_CORRUPT',
      withSetting('classes_', textArray(['B', 'M'])),
    ],
    ['a label twice', 'MODEL_CORRUPT', withSetting('classes_', textArray(['B', 'B', 'M']))],
    ['a gene twice', 'MODEL_CORRUPT', withSetting('features', textArray(['A', 'A', 'B', 'C']))],
    ['no genes', 'MODEL_CORRUPT', changed('Model', (state) => state.delete('features'))],
    ['weights that are text', 'MODEL_CORRUPT', withSetting('coef_', textArray(['a']))],
    [
      'weights that are no numbers',
      'MODEL_CORRUPT',
      withSetting('coef_', float64Array(new Float64Array(12).fill(Number.NaN), [3, 4])),
    ],
    [
      'a mean too few',
      'MODEL_CORRUPT',
      changed('Scaler_', (state) => state.set('mean_', float64Array(new Float64Array(3), [3]))),
    ],
    [
      'a negative scale',
      'MODEL_CORRUPT',
      changed('Scaler_', (state) => state.set('scale_', float64Array(Float64Array.of(1, -1, 1, 1), [4]))),
    ],
    ['no model at all', 'MODEL_CORRUPT', writePickle('a text')],
  ])('%s: %s', (_, code, file) => {
    expect(() => importCelltypist(file, options)).toThrow(refusal(code))
  })

  test('a loss that gives no probabilities is not taken', () => {
    const model = toyModel()
    const card = {
      ...model.card,
      trained: { ...model.card.trained, estimator: 'SGDClassifier' as const, parameters: { loss: 'hinge' } },
    }
    expect(() => importCelltypist(exportCelltypist({ ...model, card }), options)).toThrow(
      expect.objectContaining({ code: 'MODEL_UNSUPPORTED', problem: expect.stringContaining('"hinge"') }),
    )
  })
})

describe('a damaged file', () => {
  const attempt = (bytes: Uint8Array): void => {
    try {
      importCelltypist(bytes, options)
    } catch (error) {
      if (!isCoded(error) || !error.code.startsWith('MODEL_')) throw error
    }
  }
  const files = [
    exportCelltypist(toyModel()),
    ...(hasShared ? realModels.slice(2).map((path) => readFileSync(sharedPath(path))) : []),
  ]

  test('gives a model or a coded error, whichever bits are turned over', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...files),
        fc.array(fc.tuple(fc.double({ min: 0, max: 0.999999, noNaN: true }), fc.nat(7)), {
          minLength: 1,
          maxLength: 8,
        }),
        fc.boolean(),
        (file, flips, isNearTheStart) => {
          const bytes = Uint8Array.from(file)
          const reach = isNearTheStart ? Math.min(1500, bytes.length) : bytes.length
          for (const [where, bit] of flips) bytes[Math.floor(where * reach)]! ^= 1 << bit
          attempt(bytes)
        },
      ),
      { numRuns: 500 },
    )
  })

  test('is MODEL_CORRUPT wherever it was cut off', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...files),
        fc.double({ min: 0, max: 0.999999, noNaN: true }),
        (file, share) => {
          const cut = Uint8Array.from(file.subarray(0, Math.floor(share * file.length)))
          expect(() => importCelltypist(cut, options)).toThrow(refusal('MODEL_CORRUPT'))
        },
      ),
      { numRuns: 300 },
    )
  })
})

describe('real files', () => {
  if (!hasShared) {
    test('are read', ({ skip }) => skip('real data are not beside this repository (../shared)'))
    return
  }

  test('of scikit-learn 1.1 has the labels, genes and numbers that Python found in it', () => {
    const { model } = importCelltypist(readFileSync(sharedPath(lung31)), options)
    const found = JSON.parse(readFileSync(sharedPath('data/models/celltypist_lung31_popv.json'), 'utf8'))
    expect(model.card.labels).toEqual(found.classes)
    expect(model.card.genes).toEqual(found.features)
    expect(model.card.trained.cells).toBe(334)
  })

  test.each(realModels)('%s comes out of an export as it went in', (path) => {
    const { model } = importCelltypist(readFileSync(sharedPath(path)), options)
    const again = importCelltypist(exportCelltypist(model), options).model
    expect(again.card).toEqual(model.card)
    for (const key of ['weights', 'intercept', 'mean', 'scale'] as const)
      expect(Buffer.from(again[key].buffer).equals(Buffer.from(model[key].buffer))).toBe(true)
  })
})
