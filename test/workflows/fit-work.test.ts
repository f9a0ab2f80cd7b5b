/** The time that Fit is expected to take: near what was measured for each way to train, and never less where there is more to do. */
import fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import { checkSettings } from '../../lib/job/manifest.ts'
import { fitWork } from '../../lib/workflows/road/fit-work.ts'

const job = { workflow: 'type-cells', query: 'q.h5ad', references: ['r.h5ad'], label_columns: ['type'] }
const settingsOf = (more: object) => checkSettings({ ...job, ...more }, 'test')
const secondsOf = (of: { cells: number; genes: number; stored: number; labels: number }, settings: object) =>
  fitWork(settingsOf(settings), { learnt: of, labels: of.labels })!.seconds

const ways = ['logistic_regression', 'sgd', 'sgd_mini_batch']
const small = { cells: 5000, genes: 400, stored: 768_415, labels: 10 }
const large = { cells: 20_000, genes: 2000, stored: 5_996_304, labels: 30 }
const atlas = { cells: 1_000_000, genes: 5000, stored: 1.2e9, labels: 80 }

describe('the time of Fit', () => {
  // seconds of one training, measured: Node 24.21, 2 x AMD EPYC, batches of 1000, 200 in an epoch
  test.each([
    ['sgd_mini_batch', small, 0.17],
    ['sgd_mini_batch', large, 2.0],
    ['sgd', small, 1.06],
    ['sgd', large, 23.2],
  ])('of %s is within a factor of two of what was measured', (classifier, size, measured) => {
    const rounds = 6 // of all cells and without each of five folds
    const one = secondsOf(size, { classifier }) / rounds
    expect(one).toBeGreaterThan(measured / 2)
    expect(one).toBeLessThan(measured * 2)
  })

  it('is longer by descent over all cells than for Newton, whose rounds begin where the first ended', () => {
    for (const size of [small, large, atlas])
      expect(secondsOf(size, { classifier: 'sgd' })).toBeGreaterThan(secondsOf(size, {}))
  })

  it('of mini-batches stops growing with the cells once an epoch has its batches', () => {
    const settings = { classifier: 'sgd_mini_batch', batch_number: 10 }
    const each = 1200
    const of = (cells: number) => secondsOf({ ...atlas, cells, stored: cells * each }, settings)
    expect(of(10_000)).toBeGreaterThan(of(5000))
    expect(of(1_000_000)).toBe(of(10_000))
  })

  it('counts the weights of all genes where batches are tiny', () => {
    const tiny = { classifier: 'sgd_mini_batch', batch_size: 1, batch_number: 5000 }
    const usual = { classifier: 'sgd_mini_batch', batch_size: 1000, batch_number: 5 }
    expect(secondsOf(small, tiny)).toBeGreaterThan(4 * secondsOf(small, usual))
  })

  it('adds the descent that chooses genes, and that a machine with more processors helps Newton alone', () => {
    for (const classifier of ways) {
      expect(secondsOf(large, { classifier, feature_selection: true })).toBeGreaterThan(
        secondsOf(large, { classifier }),
      )
      const { spreads } = fitWork(settingsOf({ classifier }), { learnt: large, labels: 30 })!
      expect(spreads).toBe(classifier === 'logistic_regression')
    }
  })

  it('never falls when there is more to learn, more rounds or more passes', () => {
    const sizes = fc.record({
      cells: fc.integer({ min: 0, max: 1_000_000 }),
      genes: fc.integer({ min: 1, max: 40_000 }),
      stored: fc.integer({ min: 0, max: 400_000_000 }),
      labels: fc.integer({ min: 2, max: 400 }),
    })
    const more = fc.constantFrom('stored', 'labels', 'calibration_folds', 'max_iter', 'epochs')
    fc.assert(
      fc.property(sizes, more, fc.constantFrom(...ways), (size, what, classifier) => {
        const base = { classifier, calibration_folds: 3, max_iter: 20, epochs: 5 }
        const [larger, longer] =
          what === 'stored' || what === 'labels'
            ? [{ ...size, [what]: 2 * size[what] }, base]
            : [size, { ...base, [what]: 2 * base[what as 'epochs'] }]
        const seconds = secondsOf(size, base)
        expect(Number.isFinite(seconds)).toBe(true)
        expect(secondsOf(larger, longer)).toBeGreaterThanOrEqual(seconds)
      }),
    )
  })

  it('is not asked of a workflow that trains nothing', () => {
    const settings = checkSettings({ workflow: 'annotate', query: 'q.h5ad', model: 'm' }, 'test')
    expect(fitWork(settings, { learnt: small, labels: 10 })).toBeUndefined()
  })
})
