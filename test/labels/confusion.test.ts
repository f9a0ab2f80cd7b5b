import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { confusionOf } from '../../lib/labels/confusion.ts'

describe('labels against those that are known', () => {
  it('have the figures that scikit-learn 1.2 gives', () => {
    // classification_report, accuracy_score and f1_score(average='macro', labels=[0, 1, 2]) of these
    const truth = Int32Array.from([0, 0, 0, 1, 1, 2, 2, 2, 2, -1])
    const called = Int32Array.from([0, 1, 0, 1, 1, 2, 1, 0, 2, 1])
    const found = confusionOf(truth, { called, names: ['a', '__proto__', 'c'] })
    expect(found.cells).toBe(9)
    expect(found.accuracy).toBeCloseTo(6 / 9, 12)
    expect(found.macroF1).toBeCloseTo(0.666666666667, 10)
    expect(found.byLabel.map(({ recall }) => recall)).toEqual([2 / 3, 1, 0.5])
    expect(found.byLabel.map(({ precision }) => precision)).toEqual([2 / 3, 0.5, 1])
    expect(found.byLabel.map(({ confusedWith }) => confusedWith)).toEqual(['__proto__', null, 'a'])
    expect(found.counts).toEqual([2, 1, 0, 0, 2, 0, 1, 1, 2])
  })

  it('are not assessed where no cell has a known one', () => {
    const none = confusionOf(Int32Array.from([-1, -1]), {
      called: Int32Array.from([0, 1]),
      names: ['a', 'b'],
    })
    expect(none).toMatchObject({ cells: 0, accuracy: null, macroF1: null, byLabel: [] })
  })

  it('add up, whatever was called', () => {
    const cell = fc.tuple(fc.integer({ min: -1, max: 3 }), fc.integer({ min: -1, max: 3 }))
    fc.assert(
      fc.property(fc.array(cell, { maxLength: 60 }), (pairs) => {
        const names = ['a', 'b', 'c', 'd']
        const truth = Int32Array.from(pairs, ([own]) => own)
        const called = Int32Array.from(pairs, ([, call]) => call)
        const { cells, accuracy, byLabel, counts } = confusionOf(truth, { called, names })
        expect(cells).toBe(pairs.filter(([own, call]) => own >= 0 && call >= 0).length)
        expect(counts.reduce((sum, count) => sum + count, 0)).toBe(cells)
        expect(byLabel.reduce((sum, one) => sum + one.cells, 0)).toBe(cells)
        const right = byLabel.reduce((sum, one) => sum + one.cells * one.recall, 0)
        if (accuracy !== null) expect(right / cells).toBeCloseTo(accuracy, 12)
      }),
    )
  })
})
