import { describe, expect, it } from 'vitest'
import { existingTerms, hierarchicalLabels, idCoverage } from '../../lib/knowledge/existing-terms.ts'
import { loadOntology } from '../../lib/knowledge/ontology.ts'
import { matchLabels } from '../../lib/knowledge/ontology-match.ts'

const { replacedBy } = await loadOntology()
const [old, now] = [...replacedBy][0]!
const row = (label: string, ids: Record<string, number>) => ({ label, ids: new Map(Object.entries(ids)) })

describe('ids that references bring', () => {
  it('are the most frequent term in use of each label, over all references', async () => {
    const { terms, notices } = await existingTerms([
      row('T', { 'CL:0000084': 5, unknown: 900 }),
      row('T', { CL_0000084: 3, 'CL:0000624': 7 }),
      row('B', { 'CL:0000236': 1 }),
      row('none', { unknown: 4, '': 2, 'UBERON:0002048': 1 }),
      row('__proto__', { 'CL:0000623': 2 }),
    ])
    expect([...terms]).toEqual([
      ['T', 'CL:0000084'],
      ['B', 'CL:0000236'],
      ['__proto__', 'CL:0000623'],
    ])
    expect(notices).toMatchObject([
      {
        code: 'ONTOLOGY_SEVERAL_IDS',
        problem: expect.stringContaining('"T" (CL:0000084 8 cells, CL:0000624 7 cells; CL:0000084 taken)'),
      },
    ])
  })

  it('are followed to their successor, and left to the words of the label where there is none', async () => {
    const { terms, notices } = await existingTerms([
      row('x', { [old]: 2 }),
      row('B cells', { 'CL:9999999': 3 }),
    ])
    expect([...terms]).toEqual([['x', now]])
    expect(notices.map(({ code }) => code)).toEqual(['ONTOLOGY_ID_REPLACED', 'ONTOLOGY_ID_UNKNOWN'])
    expect(notices[0]?.problem).toContain(`${old} to ${now}`)
    const matches = await matchLabels(['x', 'B cells'], { existing: terms })
    expect(matches).toMatchObject([
      { id: now, tier: 'existing' },
      { id: 'CL:0000236', tier: 'name' },
    ])
  })

  it('of equal number are none, unless one is above the others', async () => {
    const { terms, notices } = await existingTerms([
      row('kin', { 'CL:0000624': 4, 'CL:0000084': 4 }),
      row('strangers', { 'CL:0000236': 4, 'CL:0000084': 4 }),
    ])
    expect([...terms]).toEqual([['kin', 'CL:0000084']])
    expect(notices[0]?.problem).toContain('none taken')
  })

  it('count only with cells', async () => {
    const { terms, notices } = await existingTerms([row('T', { 'CL:0000084': 0, 'CL:0000236': Number.NaN })])
    expect([terms.size, notices.length]).toEqual([0, 0])
  })
})

describe('hierarchical labels', () => {
  it('are told, and nothing else is', () => {
    expect(hierarchicalLabels(['T > CD4', 'B -> plasma', 'a;b', 'a|b', 'T'], 'ref')).toMatchObject({
      code: 'LABELS_HIERARCHICAL',
      problem: expect.stringContaining('4 labels'),
    })
    expect(
      hierarchicalLabels(['T', 'CD4-positive, alpha-beta T cell', 'a>b', '', 'NK/T'], 'ref'),
    ).toBeUndefined()
  })
})

describe('the coverage with ids', () => {
  it('counts cells with an id, in all and by source', () => {
    const sources = [
      {
        source: '__proto__',
        cells: 2,
        ids: [
          ['CL:0000084', 1],
          ['unknown', 1],
        ] as const,
      },
      {
        source: 'b',
        cells: 2,
        ids: [
          ['CL_0000236', 1],
          ['', 1],
        ] as const,
      },
      { source: '__proto__', cells: 1, ids: [['cl:0000084', 1]] as const },
      { source: 'without', cells: 5, ids: undefined },
    ]
    expect(idCoverage(sources)).toEqual({
      hasColumn: true,
      coverage: 3 / 10,
      nWithIds: 3,
      nWithoutIds: 7,
      uniqueIds: ['CL:0000084', 'CL:0000236'],
      bySource: new Map([
        ['__proto__', { nCells: 3, nWithIds: 2, coverage: 2 / 3 }],
        ['b', { nCells: 2, nWithIds: 1, coverage: 0.5 }],
        ['without', { nCells: 5, nWithIds: 0, coverage: 0 }],
      ]),
    })
  })

  it('is nothing without a column or without cells', () => {
    expect(idCoverage([{ source: 'a', cells: 3, ids: undefined }])).toMatchObject({
      hasColumn: false,
      coverage: 0,
      nWithoutIds: 3,
    })
    expect(idCoverage([{ source: 'a', cells: 0, ids: [] }])).toMatchObject({ hasColumn: true, coverage: 0 })
    expect(idCoverage([])).toMatchObject({ hasColumn: false, coverage: 0, nWithoutIds: 0 })
    expect(() => idCoverage([{ source: 'a', cells: 1, ids: [['CL:0000084', 2]] }])).toThrow(RangeError)
  })
})
