/** A type's markers in its cells and in all others: by hand, by counting pairs, and on real cells. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { random } from '../../lib/job/random.ts'
import { markerEnrichment, shareAbove } from '../../lib/labels/marker-enrichment.ts'
import { hasShared } from '../support/shared.ts'
import { canonicalMarkers, goldenQuery, labelled, permuted } from './expressions.ts'

const place = 'obs/cell_type'

const sorted = (values: number[]): Float64Array => Float64Array.from(values).sort()

describe('the share of pairs that are in order', () => {
  test('is what counting all pairs gives, ties as half', () => {
    const values = fc.array(fc.integer({ min: 0, max: 5 }), { minLength: 1, maxLength: 12 })
    fc.assert(
      fc.property(values, values, (ours, theirs) => {
        const pairs = ours.flatMap((a) => theirs.map((b) => (a > b ? 1 : a === b ? 0.5 : 0)))
        const share = shareAbove(sorted(ours), sorted(theirs))
        expect(share).toBeCloseTo(pairs.reduce<number>((sum, won) => sum + won, 0) / pairs.length, 12)
        expect(shareAbove(sorted(theirs), sorted(ours))).toBeCloseTo(1 - share, 12)
      }),
    )
  })
})

describe('enrichment', () => {
  const rows = [
    [4, 0],
    [2, 0],
    [1, 0],
    [0, 0],
    [2, 3],
    [0, 5],
  ]
  const names = ['A', 'A', 'B', 'B', undefined, '__proto__']
  const cells = labelled(rows, names, ['m', 'n'])
  const markers = new Map([
    ['A', ['m']],
    ['__proto__', ['n']],
    ['B', ['absent']],
  ])

  test('compares the cells of a type with all others, those without a type among them', () => {
    const { types, notices } = markerEnrichment(cells, { place, markers, method: 'arithmetic-mean' })
    expect(types).toEqual([
      // pairs of 4 and 2 with 1, 0, 2, 0: all won but one tie
      {
        status: 'assessed',
        label: 'A',
        cells: 2,
        others: 4,
        markers: ['m'],
        meanInside: 3,
        meanOutside: 0.75,
        auroc: 7.5 / 8,
      },
      {
        status: 'not-assessed',
        label: 'B',
        cells: 2,
        markers: [],
        reason: '0 of 1 markers are among the genes, 1 are needed',
      },
      {
        status: 'assessed',
        label: '__proto__',
        cells: 1,
        others: 5,
        markers: ['n'],
        meanInside: 5,
        meanOutside: 0.6,
        auroc: 1,
      },
    ])
    expect(notices).toEqual([expect.objectContaining({ code: 'MARKERS_NOT_ASSESSED' })])
  })

  test('leaves out cells whose markers are not finite, and says where none is left or nothing to compare with', () => {
    const strange = labelled(
      [
        [Number.NaN, 0],
        [2, 0],
        [1, 0],
      ],
      ['A', 'A', undefined],
      ['m', 'n'],
    )
    expect(markerEnrichment(strange, { place, markers }).types[0]).toMatchObject({
      cells: 1,
      others: 1,
      auroc: 1,
    })
    const none = labelled(
      [
        [Number.NaN, 0],
        [1, 0],
      ],
      ['A', undefined],
      ['m', 'n'],
    )
    expect(markerEnrichment(none, { place, markers }).types[0]).toHaveProperty(
      'reason',
      'no cell has finite markers',
    )
    const alone = labelled(
      [
        [1, 0],
        [2, 0],
      ],
      ['A', 'A'],
      ['m', 'n'],
    )
    expect(markerEnrichment(alone, { place, markers }).types[0]).toHaveProperty(
      'reason',
      expect.stringContaining('no other cells'),
    )
  })

  test('does not depend on the order of cells', () => {
    const whole = markerEnrichment(cells, { place, markers }).types
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 31 }), (seed) => {
        const order = random(seed).shuffle([...rows.keys()])
        expect(markerEnrichment(permuted(cells, order), { place, markers }).types).toEqual(whole)
      }),
      { numRuns: 20 },
    )
  })

  test.runIf(hasShared)(
    'of real blood cells is above one half for every type that has markers, small ones too',
    async () => {
      const { cells: blood } = await goldenQuery()
      const { types } = markerEnrichment(blood, { place, markers: canonicalMarkers() })
      const found = new Map(
        types.map((type) => [type.label, type.status === 'assessed' ? type.auroc : undefined]),
      )
      expect(found.get('monocyte')).toBeGreaterThan(0.97)
      expect(found.get('B cell')).toBeGreaterThan(0.98)
      expect(found.get('natural killer cell')).toBeGreaterThan(0.8)
      expect(found.get('regulatory T cell')).toBeGreaterThan(0.6)
      expect(found.get('cytotoxic T cell')).toBeUndefined()
    },
  )
})
