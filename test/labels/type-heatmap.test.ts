/** What the heatmaps of types select and how they scale it, by hand. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { random } from '../../lib/job/random.ts'
import { degHeatmap, markerDots, markerHeatmap } from '../../lib/labels/type-heatmap.ts'
import { labelled, permuted } from './expressions.ts'

const place = 'obs/cell_type'
const genes = ['onlyB', 'flat', 'AandC', 'onlyA', 'onlyC']
const level = new Map([
  ['A', [0, 1, 3, 5, 0]],
  ['B', [4, 1, 0, 0, 0]],
  ['C', [0, 1, 2, 0, 6]],
  ['Unassigned', [9, 1, 9, 9, 9]],
  ['few', [0, 1, 0, 0, 9]],
])
const names = [
  ...['C', 'A', 'B'].flatMap((label) => new Array<string>(12).fill(label)),
  ...new Array<string>(20).fill('Unassigned'),
  ...new Array<string>(9).fill('few'),
]
const rows = names.map((name, i) =>
  level.get(name)!.map((value, gene) => (value === 0 ? 0 : value + (gene === 1 ? 0 : (i % 4) * 0.25))),
)
const cells = labelled(rows, names, genes)

describe('the heatmap of genes that set types apart', () => {
  const heatmap = degHeatmap(cells, { place, top: 2 })
  if (heatmap.status !== 'assessed') throw new Error(heatmap.reason)

  test('drops Unassigned and types under 10 cells, and has types by name', () => {
    expect(heatmap.means.columns).toEqual(['A', 'B', 'C'])
    expect(heatmap.ranked.groups.map(({ cells: count }) => count)).toEqual([12, 12, 12])
  })

  test('leaves a gene that two types choose with the first', () => {
    // of A both are as high as can be, so they stand in the order of genes; of C AandC is second, and A has it
    expect(heatmap.means.rows).toEqual(['AandC', 'onlyA', 'onlyB', 'flat', 'onlyC'])
    expect(heatmap.chosenFor).toEqual(['A', 'A', 'B', 'B', 'C'])
  })

  test('has the mean log expression of each type', () => {
    const mean = (gene: number, name: string) => {
      const own = rows.filter((_, i) => names[i] === name)
      return own.reduce((sum, row) => sum + row[gene]!, 0) / own.length
    }
    const [onlyA] = [heatmap.means.values.subarray(3, 6)]
    expect(onlyA![0]).toBeCloseTo(mean(3, 'A'), 12)
    expect([...onlyA!.subarray(1)]).toEqual([0, 0])
  })

  test('scales rows by the deviation of all types, and has 0 where a gene is the same in all', () => {
    const row = (gene: number) => [...heatmap.scaled.values.subarray(3 * gene, 3 * gene + 3)]
    // one of three at x, two at 0: (x - x/3) / (x sqrt(2)/3)
    expect(row(1)[0]).toBeCloseTo(Math.SQRT2, 12)
    expect(row(1)[1]).toBeCloseTo(-Math.SQRT1_2, 12)
    expect(row(3)).toEqual([0, 0, 0])
  })

  test('says why there is none', () => {
    const one = labelled(rows.slice(0, 12), names.slice(0, 12), genes)
    expect(degHeatmap(one, { place })).toEqual({
      status: 'not-assessed',
      reason: '1 cell types have 10 cells or more, two are needed',
    })
    const strange = labelled(
      names.map(() => [Number.NaN]),
      names,
      ['g'],
    )
    expect(degHeatmap(strange, { place })).toEqual({
      status: 'not-assessed',
      reason: 'no gene could be ranked',
    })
    expect(degHeatmap(labelled([], [], genes), { place }).status).toBe('not-assessed')
  })

  test('does not depend on the order of cells', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 31 }), (seed) => {
        const moved = degHeatmap(permuted(cells, random(seed).shuffle([...rows.keys()])), { place, top: 2 })
        if (moved.status !== 'assessed') throw new Error(moved.reason)
        expect(moved.means.rows).toEqual(heatmap.means.rows)
        for (const [i, value] of moved.scaled.values.entries())
          expect(value).toBeCloseTo(heatmap.scaled.values[i]!, 9)
      }),
      { numRuns: 10 },
    )
  })
})

describe('markers by type', () => {
  const markers = new Map([
    ['b', ['onlyB', 'absent', 'flat']],
    ['A', ['onlyA', 'flat']],
    ['__proto__', ['onlyC']],
  ])
  const two = labelled(
    [
      [0, 1, 0, 4, 0],
      [0, 1, 0, 2, 0],
      [3, 1, 0, 0, 0],
    ],
    ['B', 'B', 'A'].toReversed(),
    genes,
  )

  test('are those of the types at hand, by name of the type, each once', () => {
    const heatmap = markerHeatmap(two, { place, markers })
    if (heatmap.status !== 'assessed') throw new Error(heatmap.reason)
    expect(heatmap.means.rows).toEqual(['A', 'B'])
    expect(heatmap.means.columns).toEqual(['onlyA', 'flat', 'onlyB'])
    expect([...heatmap.means.values]).toEqual([4, 1, 0, 1, 1, 1.5])
  })

  test('are scaled by the sample deviation of each column, 0 where it is flat', () => {
    const heatmap = markerHeatmap(two, { place, markers })
    if (heatmap.status !== 'assessed') throw new Error(heatmap.reason)
    const expected = [Math.SQRT1_2, 0, -Math.SQRT1_2, -Math.SQRT1_2, 0, Math.SQRT1_2]
    for (const [i, value] of heatmap.scaled.values.entries()) expect(value).toBeCloseTo(expected[i]!, 12)
  })

  test('of a single type are all 0: there is nothing to compare', () => {
    const one = labelled([[0, 1, 0, 4, 0]], ['A'], genes)
    const heatmap = markerHeatmap(one, { place, markers })
    expect(heatmap).toHaveProperty('scaled.values', Float64Array.of(0, 0))
  })

  test('as dots have the share of cells and the mean between least and most', () => {
    const dots = markerDots(two, { place, markers })
    if (dots.status !== 'assessed') throw new Error(dots.reason)
    expect([...dots.shares.values]).toEqual([1, 1, 0, 0.5, 1, 0.5])
    const expected = [1, 0, 0, 0, 0, 1]
    for (const [i, value] of dots.scaled.values.entries()) expect(value).toBeCloseTo(expected[i]!, 9)
  })

  test('keep Unassigned cells as a row, which brings no markers', () => {
    const heatmap = markerHeatmap(cells, { place, markers: new Map([...markers, ['unassigned', ['onlyC']]]) })
    if (heatmap.status !== 'assessed') throw new Error(heatmap.reason)
    expect(heatmap.means.rows).toEqual(['A', 'B', 'C', 'Unassigned', 'few'])
    expect(heatmap.means.columns).toEqual(['onlyA', 'flat', 'onlyB'])
  })

  test('with values that are not finite are left out, and said to be', () => {
    const strange = labelled(
      [
        [0, Number.NaN, 0, 4, 0],
        [3, 1, 0, 0, 0],
      ],
      ['A', 'B'],
      genes,
    )
    const dots = markerDots(strange, { place, markers })
    if (dots.status !== 'assessed') throw new Error(dots.reason)
    expect(dots.means.columns).toEqual(['onlyA', 'onlyB'])
    expect(dots.notices).toEqual([expect.objectContaining({ code: 'GENES_NOT_FINITE', place })])
  })

  test('are none where no type has any', () => {
    expect(markerHeatmap(two, { place, markers: new Map() })).toEqual({
      status: 'not-assessed',
      reason: 'none of the types has markers among the genes',
    })
    expect(markerDots(two, { place, markers: new Map([['A', ['absent']]]) }).status).toBe('not-assessed')
  })
})
