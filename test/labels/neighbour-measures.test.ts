import { describe, expect, it } from 'vitest'
import { random } from '../../lib/job/random.ts'
import { neighbourMeasures } from '../../lib/labels/neighbour-measures.ts'

describe('the measures of a latent space', () => {
  it('are those of a small case, counted by hand', () => {
    // four cells, two neighbours each
    const indices = Int32Array.from([1, 2, 0, 2, 3, 0, 2, 1])
    const found = neighbourMeasures(indices, {
      k: 2,
      labels: Int32Array.from([0, 0, 1, -1]),
      labelCount: 2,
      batches: Int32Array.from([0, 0, 1, 1]),
      batchCount: 2,
    })
    // cell 0: one of two; cell 1: one of two; cell 2: its one labelled neighbour has another
    expect(found.agreementByLabel).toEqual([0.5, 0])
    expect(found.labelAgreement).toBeCloseTo(1 / 3, 12)
    // batches of neighbours: {0, 1}, {0, 1}, {1, 0}, {1, 0}
    expect(found.batchMixing).toBeCloseTo(1, 12)
  })

  it('are 0 where batches lie apart, near 1 where they are spread by chance, and not assessed for one', () => {
    const draw = random(2)
    const [cells, k] = [3000, 15]
    const labels = new Int32Array(cells)
    const batches = Int32Array.from(labels, (_, cell) => cell % 2)
    const by = (indices: Int32Array, of = batches) =>
      neighbourMeasures(indices, { k, labels, labelCount: 1, batches: of, batchCount: 2 }).batchMixing
    const apart = Int32Array.from({ length: cells * k }, (_, i) => {
      const cell = Math.floor(i / k)
      return (cell + 2 * (1 + (i % k))) % cells
    })
    expect(by(apart)).toBe(0)
    const spread = Int32Array.from({ length: cells * k }, () => draw.integer(cells))
    expect(by(spread)).toBeGreaterThan(0.9)
    expect(by(spread)).toBeLessThan(1)
    expect(by(spread, new Int32Array(cells))).toBeNull()
  })

  it('say nothing of labels where there are none', () => {
    const found = neighbourMeasures(Int32Array.from([1, 0]), {
      k: 1,
      labels: Int32Array.from([-1, -1]),
      labelCount: 0,
      batches: new Int32Array(2),
      batchCount: 1,
    })
    expect(found).toEqual({ labelAgreement: null, agreementByLabel: [], batchMixing: null, neighbours: 1 })
  })
})
