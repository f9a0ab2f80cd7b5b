/** The table and classes of confidence against markers, by hand. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { random } from '../../lib/job/random.ts'
import { type CheckOptions, cellClasses, checkMarkers } from '../../lib/labels/marker-check.ts'
import { labelled, permuted } from './expressions.ts'

const place = 'obs/cell_type'
const generator = random(3)
const noise = () => 0.1 * generator.uniform()

/** Type A: 120 cells, a third each without, with some and with much of its markers m0 and m1; type B: 40 cells; C: 10. */
const rows: number[][] = []
const names: (string | undefined)[] = []
for (let i = 0; i < 120; i++) {
  const level = [0.1, 2, 5][i % 3]!
  rows.push([level + noise(), level + noise(), noise()])
  names.push('A')
}
for (let i = 0; i < 50; i++) {
  rows.push([noise(), noise(), 3 + noise()])
  names.push(i < 40 ? 'B' : '__proto__')
}
rows.push([9, 9, 9])
names.push('Unassigned')
const cells = labelled(rows, names, ['m0', 'm1', 'm2'])
const confidence = Float64Array.from(rows, (_, i) => (i % 2 === 0 ? 0.9 : 0.5))
const markers = new Map([
  ['a', ['m0', 'absent', 'm1', 'm0']],
  ['B', ['m2', 'absent']],
  ['__proto__', ['m0', 'm2']],
])
const options: CheckOptions = { place, markers, confidence }

describe('confidence against markers', () => {
  const check = checkMarkers(cells, options)

  test('counts low, high and validated cells of each type', () => {
    const [a] = check.types
    if (a?.status !== 'assessed') throw new Error('not assessed')
    // of 120 cells every second is of high confidence, and of those two thirds are above the lowest level
    expect(a).toMatchObject({
      label: 'A',
      cells: 120,
      lowConfidence: 60,
      highConfidence: 20,
      validated: 40,
      unscored: 0,
    })
    expect(a.percentValidated).toBeCloseTo(100 / 3, 9)
    expect(a.percentHighConfidence).toBe(50)
    expect(a.markers).toEqual(['m0', 'm1'])
    expect(a.threshold).toBeGreaterThan(0.2)
    expect(a.threshold).toBeLessThan(2)
  })

  test('gives each cell its class and its own score', () => {
    const expected = (cell: number) => (cell % 2 === 1 ? 0 : cell % 3 === 0 ? 1 : 2)
    for (let cell = 0; cell < 120; cell++) expect(check.classes[cell]).toBe(expected(cell))
    expect(check.classes.subarray(120).every((own) => own === cellClasses.notAssessed)).toBe(true)
    expect(check.scores.subarray(120).every(Number.isNaN)).toBe(true)
    expect(check.scores[2]).toBeGreaterThan(4.9)
  })

  test('names the types that it cannot look at, with reasons, and never counts them', () => {
    expect(check.types.slice(1)).toEqual([
      {
        status: 'not-assessed',
        label: 'B',
        cells: 40,
        markers: ['m2'],
        reason: '1 of 2 markers are among the genes, 2 are needed',
      },
      {
        status: 'not-assessed',
        label: '__proto__',
        cells: 10,
        markers: ['m0', 'm2'],
        reason: 'fewer than 15 cells',
      },
    ])
    expect(check.notices).toEqual([expect.objectContaining({ code: 'MARKERS_NOT_ASSESSED', place })])
    expect(check.notices[0]?.problem).toContain('2 cell types')
  })

  test('tells a type of 15 to 99 cells as not assessed, unless fewer are allowed', () => {
    const small = labelled(rows.slice(0, 60), names.slice(0, 60), ['m0', 'm1', 'm2'])
    const own = { ...options, confidence: confidence.subarray(0, 60) }
    expect(checkMarkers(small, own).types[0]).toHaveProperty(
      'reason',
      'fewer than 100 cells with finite markers',
    )
    expect(checkMarkers(small, { ...own, leastToFit: 15 }).types[0]).toHaveProperty('validated', 20)
  })

  test('says that no markers are known, and that all cells are alike', () => {
    const alike = labelled(new Array(130).fill([1, 1, 0]), new Array(130).fill('A'), ['m0', 'm1', 'm2'])
    const own = { ...options, confidence: new Float64Array(130).fill(1) }
    expect(checkMarkers(alike, own).types[0]).toHaveProperty('reason', expect.stringContaining('distinct'))
    expect(checkMarkers(alike, { ...own, markers: new Map() }).types[0]).toHaveProperty(
      'reason',
      'no markers are known',
    )
  })

  test('leaves a cell with a NaN marker out of the three counts, and takes a NaN confidence as low', () => {
    const strange = rows.map((row, i) => (i === 4 ? [Number.NaN, 1, 1] : row))
    const own = confidence.map((value, i) => (i === 2 ? Number.NaN : value))
    const [a] = checkMarkers(labelled(strange, names, ['m0', 'm1', 'm2']), {
      ...options,
      confidence: own,
    }).types
    expect(a).toMatchObject({ cells: 120, lowConfidence: 61, highConfidence: 20, validated: 38, unscored: 1 })
  })

  test('does not depend on the order of cells', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 31 }), (seed) => {
        const order = random(seed).shuffle([...rows.keys()])
        const own = { ...options, confidence: Float64Array.from(order, (cell) => confidence[cell]!) }
        const moved = checkMarkers(permuted(cells, order), own)
        expect(moved.types).toEqual(check.types)
        expect([...moved.classes]).toEqual(order.map((cell) => check.classes[cell]))
      }),
      { numRuns: 5 },
    )
  })

  test('of no cells has no types; of lengths that do not fit, is a mistake of the caller', () => {
    expect(checkMarkers(labelled([], [], ['m0']), { ...options, confidence: [] }).types).toEqual([])
    expect(() => checkMarkers(cells, { ...options, confidence: [1] })).toThrow('1 confidences for 171 cells')
    expect(() => checkMarkers({ ...cells, codes: cells.codes.map(() => 9) }, options)).toThrow('label 9 of 4')
    expect(() => checkMarkers({ ...cells, genes: ['m0'] }, options)).toThrow('1 names for 3 genes')
  })
})
