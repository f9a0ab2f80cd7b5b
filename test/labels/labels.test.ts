/** Oracles computed by hand and by CellTypist's rules; the real predictions are compared in test/models. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { confidence, uncertainty } from '../../lib/labels/confidence.ts'
import { heterogeneous, majorityVote } from '../../lib/labels/majority-vote.ts'
import { bestMatch, probabilityMatch } from '../../lib/labels/match.ts'

describe('matches', () => {
  test('the best match is the highest score, and of equal ones the first', () => {
    expect([...bestMatch(Float64Array.of(-3, 0, 2, 1, 1, 0, -5, -5, -5), 3)]).toEqual([2, 0, 0])
  })

  test('labels above the threshold are joined in their order, equal to it is not above, and "Unassigned" is not cut', () => {
    const probabilities = Float64Array.of(0.6, 0.5, 0.9, 0.5, 0.1, 0)
    expect(probabilityMatch(probabilities, { threshold: 0.5, labels: ['A', 'B', 'C'] })).toEqual([
      'A|C',
      'Unassigned',
    ])
  })
})

describe('the vote', () => {
  const labels = ['B', 'M', 'T']
  const codes = Int32Array.of(2, 2, 0, 0, 0, 1, 2, 2)
  const clusters = Int32Array.of(0, 0, 0, 1, 1, 1, 2, 2)
  const named = (numbers: Int32Array) => Array.from(numbers, (code) => labels[code] ?? heterogeneous)

  test('gives each cluster the label that most of its cells have', () => {
    const vote = majorityVote(codes, { clusters, labels })
    expect(named(vote.winners)).toEqual(['T', 'B', 'T'])
    expect([...vote.shares]).toEqual([2 / 3, 2 / 3, 1])
    expect(named(vote.cells)).toEqual(['T', 'T', 'T', 'B', 'B', 'B', 'T', 'T'])
    expect(vote.cellShares[3]).toBe(2 / 3)
  })

  test('calls clusters below the least share heterogeneous', () => {
    const vote = majorityVote(codes, { clusters, labels, minShare: 0.7 })
    expect(named(vote.winners)).toEqual(['Heterogeneous', 'Heterogeneous', 'T'])
    expect(named(majorityVote(codes, { clusters, labels, minShare: 2 / 3 }).winners)).toEqual(['T', 'B', 'T'])
  })

  test('breaks ties by the order of names, whatever the order of labels and cells', () => {
    const reversed = ['T', 'M', 'B']
    for (const order of [Int32Array.of(0, 1, 2), Int32Array.of(2, 0, 1)]) {
      const { winners } = majorityVote(order, { clusters: new Int32Array(3), labels: reversed })
      expect(reversed[winners[0]!] ?? heterogeneous).toBe('B')
    }
  })

  test('lets cells without a cluster keep their label, and knows clusters without cells', () => {
    const vote = majorityVote(Int32Array.of(1, 0), { clusters: Int32Array.of(-1, 2), labels })
    expect([...vote.cells]).toEqual([1, 0])
    expect([...vote.winners]).toEqual([-1, -1, 0])
    expect([...vote.cellShares]).toEqual([Number.NaN, 1])
  })

  test('does not depend on the order of cells', () => {
    const cell = fc.record({ code: fc.nat(2), cluster: fc.nat(3), place: fc.double({ noNaN: true }) })
    const winners = (cells: { code: number; cluster: number }[]) => {
      const numbers = Int32Array.from(cells, ({ cluster }) => cluster)
      return majorityVote(
        Int32Array.from(cells, ({ code }) => code),
        { clusters: numbers, labels },
      ).winners
    }
    fc.assert(
      fc.property(fc.array(cell), (cells) => {
        expect(winners(cells.toSorted((a, b) => a.place - b.place))).toEqual(winners(cells))
      }),
    )
  })
})

describe('how sure a label is', () => {
  const probabilities = Float64Array.of(0.6, 0.3, 0.3, 0, 0, 0)

  test('uncertainty is 1 less the highest probability, or its share of all', () => {
    expect([...uncertainty(probabilities, { labels: 3 })]).toEqual([0.4, 1].map(Math.fround))
    expect([...uncertainty(probabilities, { labels: 3, normalised: true })]).toEqual(
      [0.5, 2 / 3].map(Math.fround),
    )
  })

  test('confidence is the highest probability, or that of the label voted for', () => {
    expect([...confidence(probabilities, { labels: 3 })]).toEqual([0.6, 0].map(Math.fround))
    const voted = Int32Array.of(1, -1)
    expect([...confidence(probabilities, { labels: 3, voted })]).toEqual([0.3, 0].map(Math.fround))
  })

  test('both lie between 0 and 1', () => {
    const row = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 4, maxLength: 4 })
    fc.assert(
      fc.property(row, fc.boolean(), (values, normalised) => {
        const [u = Number.NaN] = uncertainty(Float64Array.from(values), { labels: 4, normalised })
        expect(u).toBeGreaterThanOrEqual(0)
        expect(u).toBeLessThanOrEqual(1)
      }),
    )
  })
})
