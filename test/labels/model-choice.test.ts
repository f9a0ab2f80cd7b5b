/** Oracle by hand and law: of several models a cell is the surest one's, however high the scores are and in whatever order models come. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { cellsWon, claimsOf, raiseProbabilities, unionOfLabels } from '../../lib/labels/model-choice.ts'
import { probabilitiesOf } from '../../lib/labels/probabilities.ts'

const start = (cells: number) => new Float64Array(cells).fill(Number.NEGATIVE_INFINITY)

describe('three cells and two models', () => {
  // sigmoids: .8808 .2689 | .5 .3775 | .0474 .1192 and .7311 .1192 .0180 | .6225 .0474 .0067 | .1192 .0067 .0009
  const blood = Float32Array.of(2, -1, 0, -0.5, -3, -2)
  const tissue = Float32Array.of(1, -2, -4, 0.5, -3, -5, -2, -5, -7)

  it('are shared out by the largest sigmoid; of equal ones the first model has the cell', () => {
    const best = start(3)
    expect([...cellsWon(claimsOf(blood, { labels: 2, loss: 'ovr' }), best)]).toEqual([0, 1, 2])
    expect([...cellsWon(claimsOf(tissue, { labels: 3, loss: 'ovr' }), best)]).toEqual([1])
    expect([...best]).toEqual([2, 0.5, -2])
  })

  it('have the labels of both once each, and of a shared label the higher probability', () => {
    const { labels, places } = unionOfLabels([
      ['T cell', '__proto__'],
      ['__proto__', 'club cell', 'T cell'],
    ])
    expect(labels).toEqual(['T cell', '__proto__', 'club cell'])
    expect(places.map((numbers) => [...numbers])).toEqual([
      [0, 1],
      [1, 2, 0],
    ])
    const union = { values: new Float32Array(9), labels: 3 }
    for (const [index, scores] of [blood, tissue].entries()) {
      const probabilities = probabilitiesOf(scores, { labels: places[index]!.length, loss: 'ovr' })
      raiseProbabilities(union, { probabilities, places: places[index]! })
    }
    const expected = [0.8808, 0.7311, 0.1192, 0.5, 0.6225, 0.0474, 0.0474, 0.1192, 0.0067]
    for (const [at, value] of expected.entries()) expect(union.values[at]).toBeCloseTo(value, 4)
  })
})

describe('claims', () => {
  it('tell scores apart whose sigmoids are all 1', () => {
    const best = start(1)
    cellsWon(claimsOf(Float32Array.of(400, -3), { labels: 2, loss: 'ovr' }), best)
    expect([...cellsWon(claimsOf(Float32Array.of(9000, 1), { labels: 2, loss: 'ovr' }), best)]).toEqual([0])
  })

  it('are logits of the highest probability, of sigmoids and of a softmax', () => {
    const score = fc.double({ min: -8, max: 8, noNaN: true })
    fc.assert(
      fc.property(
        fc.constantFrom('ovr' as const, 'multinomial' as const),
        fc.integer({ min: 2, max: 6 }).chain((labels) =>
          fc.array(fc.array(score, { minLength: labels, maxLength: labels }), {
            minLength: 1,
            maxLength: 5,
          }),
        ),
        (loss, rows) => {
          const labels = rows[0]!.length
          const scores = Float64Array.from(rows.flat())
          const probabilities = probabilitiesOf(scores, { labels, loss })
          for (const [cell, claim] of claimsOf(scores, { labels, loss }).entries()) {
            const highest = Math.max(...probabilities.subarray(cell * labels, (cell + 1) * labels))
            expect(1 / (1 + Math.exp(-claim))).toBeCloseTo(highest, 10)
          }
        },
      ),
    )
  })

  it('give each cell to one model, whatever the order of the models', () => {
    const column = fc.array(fc.integer({ min: -1000, max: 1000 }), { minLength: 3, maxLength: 3 })
    fc.assert(
      fc.property(fc.array(column, { minLength: 1, maxLength: 5 }), (models) => {
        const winners = (order: number[]) => {
          const best = start(3)
          const of = new Int32Array(3).fill(-1)
          for (const model of order)
            for (const cell of cellsWon(Float64Array.from(models[model]!), best)) of[cell] = model
          return { best: [...best], claims: [...of].map((model, cell) => models[model]![cell]) }
        }
        const order = models.map((_, model) => model)
        const { best, claims } = winners(order)
        expect(claims).toEqual(best)
        expect(winners(order.reverse()).best).toEqual(best)
      }),
    )
  })
})
