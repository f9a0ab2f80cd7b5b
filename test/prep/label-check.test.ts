import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { BadInput } from '../../lib/job/errors.ts'
import {
  checkLabels,
  findLabelProblems,
  type LabelCounts,
  requireColumn,
} from '../../lib/prep/label-check.ts'
import { nearestFirst, shownName, shownNames } from '../../lib/prep/shown-names.ts'

const options = { place: 'a.h5ad:/obs/cell_type', column: 'cell_type', reference: 'a.h5ad' }

/** Cells are what the counts add up to. */
function given(counts: [string, number][], missing = 0): LabelCounts {
  return { counts, missing, cells: counts.reduce((sum, [, cells]) => sum + cells, missing) }
}

function codes(counts: [string, number][], missing = 0): string[] {
  return findLabelProblems(given(counts, missing)).map(({ code }) => code)
}

function failure(run: () => unknown): BadInput {
  try {
    run()
  } catch (error) {
    if (error instanceof BadInput) return error
    throw error
  }
  throw new Error('nothing was thrown')
}

describe('the check of labels', () => {
  const dirty: [string, number][] = [
    ['A', 2000],
    ['1', 1],
    ['cluster_3', 5],
  ]

  it('finds in a dirty column what SpatialCore finds, and lets it pass (oracle O14)', () => {
    const { findings, notices } = checkLabels(given(dirty, 50), options)
    expect(findings.map(({ code, severity, value }) => [code, severity, value])).toEqual([
      ['NULL_VALUES', 'warning', 50 / 2056],
      ['LOW_CELL_COUNTS', 'warning', 2],
      ['SUSPICIOUS_LABELS', 'warning', 2],
      ['HIGHLY_IMBALANCED', 'warning', 2000],
    ])
    expect(findings[0]!.message).toContain('2.4 %')
    expect(findings.map(({ labels }) => labels)).toEqual([
      undefined,
      ['cluster_3', '1'],
      ['cluster_3', '1'],
      ['A', '1'],
    ])
    expect(notices.map(({ code, place }) => [code, place])).toEqual(
      findings.map(({ code }) => [code, options.place]),
    )
    expect(JSON.parse(JSON.stringify(findings))).toEqual(findings)
  })

  it('stops at more than 5 % of cells without a label, and names every finding', () => {
    const error = failure(() => checkLabels(given(dirty, 223), options))
    expect(error.code).toBe('VALIDATION')
    expect(error.place).toBe(options.place)
    for (const code of [
      'EXCESSIVE_NULLS (error)',
      'LOW_CELL_COUNTS (warning)',
      'SUSPICIOUS_LABELS',
      'HIGHLY_IMBALANCED',
    ])
      expect(error.problem).toContain(code)
    expect(error.problem).toContain('10.0 %')
    expect(codes([['A', 95]], 5)).toEqual(['NULL_VALUES'])
    expect(codes([['A', 94]], 6)).toEqual(['EXCESSIVE_NULLS'])
  })

  it('makes every warning an error when strict, and says so', () => {
    const error = failure(() => checkLabels(given(dirty, 50), { ...options, strict: true }))
    expect(error.code).toBe('VALIDATION')
    expect(error.problem).toContain('NULL_VALUES (error)')
    expect(error.remedy).toContain('strict_validation')
    expect(checkLabels(given([['A', 50]]), { ...options, strict: true }).findings).toEqual([])
  })

  it('takes labels of blanks for missing, and categories without cells for none', () => {
    expect(
      codes([
        ['A', 97],
        [' ', 2],
        ['', 1],
      ]),
    ).toEqual(['NULL_VALUES'])
    expect(
      codes([
        ['A', 100],
        ['B', 0],
      ]),
    ).toEqual([])
    expect(failure(() => checkLabels(given([[' \t', 30]]), options)).problem).toContain('TOO_FEW_TYPES')
    expect(failure(() => checkLabels(given([]), options)).problem).toContain('TOO_FEW_TYPES (error)')
  })

  it('asks for as many types as it is told', () => {
    const one = given([['A', 100]])
    expect(findLabelProblems(one)).toEqual([])
    expect(findLabelProblems(one, { minTypes: 2 }).map(({ code }) => code)).toEqual(['TOO_FEW_TYPES'])
  })

  it('tells of more than 500 types, and lists only some', () => {
    const many = (count: number): [string, number][] =>
      Array.from({ length: count }, (_, i) => [`type ${i}`, 9])
    expect(codes(many(500))).toEqual(['LOW_CELL_COUNTS'])
    const [first, second] = findLabelProblems(given(many(501)))
    expect([first!.code, first!.value]).toEqual(['MANY_CELL_TYPES', 501])
    expect([second!.value, second!.labels!.length]).toEqual([501, 100])
    expect(second!.message.length).toBeLessThan(300)
  })

  it.each([
    ...['7', '042', 'unknown', 'Unassigned', 'NA', 'n/a', 'None', 'NULL'],
    ...['cluster3', 'Cluster_12', 'cell_1', 'TYPE4', 'leiden', 'leiden_', 'Louvain_7'],
  ])('suspects the label %s', (label) => {
    expect(codes([[label, 50]])).toEqual(['SUSPICIOUS_LABELS'])
  })

  it.each([
    ...['unknown cells', 'B', 'T cell 1', 'NK1', 'cluster', 'cell', 'type', 'type a', '1a', 'nan', '-1'],
    ...['__proto__', 'constructor'],
  ])('does not suspect %s', (label) => {
    expect(codes([[label, 50]])).toEqual([])
  })

  it('tells of imbalance beyond a thousand to one', () => {
    const pair = (most: number): [string, number][] => [
      ['A', most],
      ['B', 10],
    ]
    expect(codes(pair(10_000))).toEqual([])
    expect(codes(pair(10_001))).toEqual(['HIGHLY_IMBALANCED'])
  })

  it('does not depend on the order of the labels, nor on a label being given in parts', () => {
    const counts = fc.array(fc.tuple(fc.constantFrom('A', 'B', '1', ' ', '__proto__'), fc.nat(3000)))
    fc.assert(
      fc.property(counts, fc.nat(100), (list, missing) => {
        const found = findLabelProblems(given(list, missing))
        expect(findLabelProblems(given(list.toReversed(), missing))).toEqual(found)
        const halves = list.flatMap(([label, cells]): [string, number][] => [
          [label, cells >> 1],
          [label, cells - (cells >> 1)],
        ])
        expect(findLabelProblems(given(halves, missing))).toEqual(found)
      }),
    )
  })

  it('refuses counts that do not add up, since no share could be right', () => {
    expect(() => findLabelProblems({ counts: [['A', 5]], missing: 1, cells: 7 })).toThrow(RangeError)
    expect(() => findLabelProblems({ counts: [['A', Number.NaN]], missing: 0, cells: 0 })).toThrow(RangeError)
    expect(() => findLabelProblems({ counts: [['A', -1]], missing: 1, cells: 0 })).toThrow(RangeError)
  })
})

describe('the column of labels', () => {
  it('is found, or the error lists the columns there are, the one that was meant first', () => {
    const available = ['n_genes', 'batch', 'CellType', 'cluster']
    expect(() => requireColumn('batch', { available, place: 'a.h5ad:/obs' })).not.toThrow()
    const error = failure(() => requireColumn('cell_type', { available, place: 'a.h5ad:/obs' }))
    expect([error.code, error.place]).toEqual(['LABEL_COLUMN', 'a.h5ad:/obs'])
    expect(error.problem).toContain('"cell_type" (COLUMN_NOT_FOUND)')
    expect(error.remedy).toMatch(/^There are: "CellType"/)
    for (const column of available) expect(error.remedy).toContain(`"${column}"`)
  })

  it('may be one of sources, and there may be no columns at all', () => {
    const error = failure(() => requireColumn('donor', { available: [], place: 'x', code: 'SOURCE_COLUMN' }))
    expect([error.code, error.remedy]).toEqual([
      'SOURCE_COLUMN',
      'The file has no columns of cells: add one with labels',
    ])
  })
})

describe('names in messages', () => {
  it('are quoted, cut and without control characters', () => {
    expect(shownName('a\u001b[31mb')).toBe('"a\\u001b[31mb"')
    expect(shownName('x'.repeat(1e6))).toBe(`"${'x'.repeat(60)}..."`)
    expect(shownNames(['a', 'b', 'c'], { most: 2 })).toBe('"a", "b" and 1 more')
    expect(shownNames([])).toBe('')
  })

  it('are all there when the nearest come first', () => {
    fc.assert(
      fc.property(fc.string(), fc.array(fc.string()), (name, known) => {
        const sorted = nearestFirst(name, known)
        expect(sorted.toSorted()).toEqual(known.toSorted())
        if (known.includes(name))
          expect(sorted[0]!.toLowerCase().replace(/[\s_.-]+/g, ' ')).toBe(
            name.toLowerCase().replace(/[\s_.-]+/g, ' '),
          )
      }),
    )
  })
})
