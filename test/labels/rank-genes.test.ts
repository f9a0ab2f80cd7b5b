/** Wilcoxon's rank sum as scanpy gives it: by hand, by laws of ranks, dense against sparse, and cells that cannot be ranked. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { random } from '../../lib/job/random.ts'
import { adjustPValues } from '../../lib/labels/adjusted-p-values.ts'
import type { LabelledExpression } from '../../lib/labels/expression.ts'
import { geneColumns } from '../../lib/labels/gene-columns.ts'
import { normalSurvival } from '../../lib/labels/normal-tail.ts'
import { type RankedGroup, type RankOptions, rankGenes } from '../../lib/labels/rank-genes.ts'
import { rankSums } from '../../lib/labels/rank-sums.ts'
import { labelled, permuted, sparse } from './expressions.ts'

const place = 'obs/cell_type'

function ranked(cells: LabelledExpression, options: Partial<RankOptions> = {}): RankedGroup[] {
  return rankGenes(cells, { place, ...options }).groups.map((group) => {
    if (group.status !== 'assessed') throw new Error(group.reason)
    return group
  })
}

const oracle = labelled(
  [
    [3, 0, 1],
    [4, 0, 2],
    [5, 1, 3],
    [0, 0, 1],
    [1, 2, 2],
    [0, 3, 3],
  ],
  ['A', 'A', 'A', 'B', 'B', 'B'],
)

describe('genes of a group', () => {
  test('have the recorded z, p and fold changes', () => {
    const [a, b] = ranked(oracle)
    const expected = {
      z: [1.963961, -1.091089, 0],
      p: [0.049535, 0.275234, 1],
      lfc: [7.081952, -3.440327, 0],
    }
    for (let gene = 0; gene < 3; gene++) {
      expect(a!.scores[gene]).toBeCloseTo(expected.z[gene]!, 6)
      expect(a!.pValues[gene]).toBeCloseTo(expected.p[gene]!, 6)
      expect(a!.foldChanges[gene]).toBeCloseTo(expected.lfc[gene]!, 5)
      expect(b!.scores[gene]).toBeCloseTo(-expected.z[gene]!, 6)
    }
    expect([...a!.order]).toEqual([0, 2, 1])
    expect([...a!.meanInside]).toEqual([4, 1 / 3, 2])
    expect(a!.adjusted[0]).toBeCloseTo(3 * 0.049535, 5)
  })

  test('have the recorded rank sums', () => {
    const sizes = Int32Array.of(3, 3)
    const sums = Array.from(geneColumns(oracle.expression, oracle.codes), (column) => {
      const into = { ranks: new Float64Array(2), values: new Float64Array(2), ties: 0, isFinite: true }
      rankSums(column, { sizes, all: 6, into })
      return into
    })
    expect(sums.map(({ ranks }) => ranks[0])).toEqual([15, 8, 10.5])
    // of the second gene three cells are 0: 27 - 3; of the third three pairs
    expect(sums.map(({ ties }) => ties)).toEqual([6, 24, 18])
  })

  test('of equal z stay in the order of genes', () => {
    const [a] = ranked(
      labelled(
        [
          [1, 0, 1],
          [2, 0, 2],
          [0, 5, 0],
          [0, 6, 0],
        ],
        ['A', 'A', 'B', 'B'],
      ),
    )
    expect([...a!.order]).toEqual([0, 2, 1])
  })

  test('with correction for ties have a larger z where there are ties, and 0 where all cells are alike', () => {
    const rows = [
      [3, 1],
      [0, 1],
      [4, 1],
      [0, 1],
      [0, 1],
      [0, 1],
    ]
    const cells = labelled(rows, ['A', 'A', 'A', 'B', 'B', 'B'])
    const [plain] = ranked(cells)
    const [corrected] = ranked(cells, { tieCorrection: true })
    expect(corrected!.scores[0]).toBeCloseTo(plain!.scores[0]! / Math.sqrt(1 - 60 / 210), 12)
    expect(corrected!.scores[1]).toBe(0)
    expect(corrected!.pValues[1]).toBe(1)
  })

  test('do not count cells without a group', () => {
    const more = labelled(
      [...Array.from({ length: 5 }, () => [9, 9, 9]), ...rowsOf(oracle)],
      [...new Array<undefined>(5).fill(undefined), 'A', 'A', 'A', 'B', 'B', 'B'],
    )
    expect(ranked(more)).toEqual(ranked(oracle))
  })

  test('are the same however few entries are turned at a time, with zeros that are stored, and with negative values', () => {
    const rows = Array.from({ length: 30 }, (_, i) => [i % 3, (i % 5) - 2, 0, i % 7 === 0 ? i : 0])
    const names = rows.map((_, i) => (i % 2 === 0 ? 'A' : 'B'))
    const cells = labelled(rows, names)
    const dense = {
      rows: 30,
      columns: 4,
      indptr: Float64Array.from({ length: 31 }, (_, i) => 4 * i),
      indices: Int32Array.from({ length: 120 }, (_, i) => 3 - (i % 4)),
      values: Float64Array.from(rows.flatMap((row) => row.toReversed())),
    }
    const whole = ranked(cells)
    expect(ranked(cells, { blockEntries: 1 })).toEqual(whole)
    expect(ranked({ ...cells, expression: dense })).toEqual(whole)
  })

  test('are the same from single precision, and for any order of cells but for the last digit of the means', () => {
    const generator = random(11)
    const rows = Array.from({ length: 60 }, () =>
      Array.from({ length: 6 }, () => (generator.uniform() < 0.5 ? 0 : Math.fround(generator.uniform() * 4))),
    )
    const cells = labelled(
      rows,
      rows.map((_, i) => ['A', 'B', 'C'][i % 3]),
    )
    const whole = ranked(cells)
    const { expression } = cells
    expect(
      ranked({ ...cells, expression: { ...expression, values: Float32Array.from(expression.values) } }),
    ).toEqual(whole)
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 31 }), (seed) => {
        const moved = ranked(permuted(cells, random(seed).shuffle([...rows.keys()])))
        for (const [i, group] of moved.entries()) {
          expect(group.scores).toEqual(whole[i]!.scores)
          expect(group.order).toEqual(whole[i]!.order)
          expect(group.adjusted).toEqual(whole[i]!.adjusted)
          for (const [gene, change] of group.foldChanges.entries())
            expect(change).toBeCloseTo(whole[i]!.foldChanges[gene]!, 9)
        }
      }),
      { numRuns: 10 },
    )
  })

  test('have rank sums that are those of ranking all cells, and add up to n(n + 1)/2', () => {
    const value = fc.constantFrom(0, 0, 0, 1, 1, 2, -1, 0.5)
    fc.assert(
      fc.property(fc.array(fc.tuple(value, fc.nat(2)), { minLength: 1, maxLength: 25 }), (list) => {
        const values = list.map(([own]) => own)
        const groups = Int32Array.from(list, ([, group]) => group)
        const sizes = Int32Array.of(0, 0, 0)
        for (const group of groups) sizes[group]! += 1
        const into = { ranks: new Float64Array(3), values: new Float64Array(3), ties: 0, isFinite: true }
        const [column] = geneColumns(
          sparse(
            values.map((own) => [own]),
            1,
          ),
          groups,
        )
        rankSums(column!, { sizes, all: list.length, into })
        const midRank = (own: number) =>
          values.filter((other) => other < own).length +
          (values.filter((other) => other === own).length + 1) / 2
        for (let group = 0; group < 3; group++) {
          const sum = values.reduce<number>(
            (total, own, i) => total + (groups[i] === group ? midRank(own) : 0),
            0,
          )
          expect(into.ranks[group]).toBe(sum)
        }
        expect(into.ranks.reduce((total, sum) => total + sum, 0)).toBe((list.length * (list.length + 1)) / 2)
      }),
    )
  })
})

describe('what cannot be ranked is said', () => {
  test('of a group without cells, of one cell, and of one that is all there is', () => {
    const few = { ...oracle, labels: ['A', 'B', 'none', '__proto__'], codes: Int32Array.of(0, 0, 0, 0, 0, 3) }
    const { groups, notices } = rankGenes(few, { place })
    expect(groups.map(({ status }) => status)).toEqual([
      'not-assessed',
      'not-assessed',
      'not-assessed',
      'not-assessed',
    ])
    expect(groups.map((group) => (group.status === 'not-assessed' ? group.reason : ''))).toEqual([
      'fewer than 2 other cells',
      'fewer than 2 cells',
      'fewer than 2 cells',
      'fewer than 2 cells',
    ])
    expect(notices).toEqual([expect.objectContaining({ code: 'GROUPS_NOT_RANKED', place })])
    expect(notices[0]?.problem).toContain('__proto__ (1 cells)')
    expect(rankGenes(few, { place, leastCells: 1 }).groups.map(({ status }) => status)).toEqual([
      'assessed',
      'not-assessed',
      'not-assessed',
      'assessed',
    ])
  })

  test('of genes with values that are not finite: they stand last and do not count among the tests', () => {
    const rows = rowsOf(oracle).map((row, i) => [
      i === 2 ? Number.NaN : 5,
      ...row,
      i === 0 ? Number.POSITIVE_INFINITY : 0,
    ])
    const { groups, notices } = rankGenes(labelled(rows, ['A', 'A', 'A', 'B', 'B', 'B']), { place })
    const [a] = groups
    if (a?.status !== 'assessed') throw new Error('not assessed')
    expect([...a.order]).toEqual([1, 3, 2, 0, 4])
    expect(a.scores[0]).toBeNaN()
    expect(a.adjusted[4]).toBeNaN()
    expect(a.adjusted[1]).toBeCloseTo(3 * 0.049535, 5)
    expect(notices).toEqual([expect.objectContaining({ code: 'GENES_NOT_FINITE' })])
    expect(notices[0]?.problem).toContain('g0, g4')
  })

  test('of no cells and of no genes', () => {
    expect(rankGenes(labelled([], [], ['g']), { place }).groups).toEqual([])
    const [a] = ranked(labelled([[], [], [], []], ['A', 'A', 'B', 'B'], []))
    expect(a!.order).toHaveLength(0)
  })
})

describe('adjusted p values', () => {
  test('are as Benjamini and Hochberg have it', () => {
    const adjusted = adjustPValues(Float64Array.of(0.001, 0.04, 0.03, 0.5))
    for (const [i, expected] of [0.004, 0.16 / 3, 0.16 / 3, 0.5].entries())
      expect(adjusted[i]).toBeCloseTo(expected, 12)
  })

  test('leave NaN out of the count', () => {
    const adjusted = adjustPValues(Float64Array.of(0.01, Number.NaN, 0.02))
    expect([...adjusted]).toEqual([0.02, Number.NaN, 0.02])
    expect([...adjustPValues(new Float64Array(0))]).toEqual([])
  })

  test('are in the order of the p values, no smaller than those, and at most 1', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 1, maxLength: 30 }),
        (list) => {
          const adjusted = adjustPValues(Float64Array.from(list))
          const order = [...list.keys()].sort((a, b) => list[a]! - list[b]!)
          for (const [i, at] of order.entries()) {
            expect(adjusted[at]).toBeGreaterThanOrEqual(list[at]! * (1 - 1e-15))
            expect(adjusted[at]).toBeLessThanOrEqual(1)
            if (i > 0) expect(adjusted[at]).toBeGreaterThanOrEqual(adjusted[order[i - 1]!]!)
          }
        },
      ),
    )
  })
})

describe('the tail of the normal distribution', () => {
  test.each([
    [0, 0.5],
    [1, 0.15865525393145707],
    [1.959963984540054, 0.025],
    [2.5, 0.006209665325776132],
    [5, 2.866515718791939e-7],
    [10, 7.619853024160525e-24],
    [20, 2.7536241186062337e-89],
    [37, 5.725571222524577e-300],
    [-1, 0.8413447460685429],
    [-9, 1],
  ])('beyond %f is %f', (z, expected) => {
    expect(Math.abs(normalSurvival(z) / expected - 1)).toBeLessThan(1e-12)
  })

  test('falls all the way, is 0 only where a double has nothing left, and is never NaN but for NaN', () => {
    let before = 1
    for (let z = -8; z <= 38; z += 0.125) {
      const tail = normalSurvival(z)
      expect(tail).toBeLessThan(before)
      before = tail
    }
    expect(before).toBeGreaterThan(0)
    expect([40, 1e10, Number.POSITIVE_INFINITY].map(normalSurvival)).toEqual([0, 0, 0])
    expect(normalSurvival(Number.NEGATIVE_INFINITY)).toBe(1)
    expect(normalSurvival(Number.NaN)).toBeNaN()
  })
})

function rowsOf({ expression }: LabelledExpression): number[][] {
  const { rows, columns, indptr, indices, values } = expression
  return Array.from({ length: rows }, (_, row) => {
    const own = new Array<number>(columns).fill(0)
    for (let i = indptr[row]!; i < indptr[row + 1]!; i++) own[indices[i]!] = values[i]!
    return own
  })
}
