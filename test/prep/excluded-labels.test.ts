import { describe, expect, it } from 'vitest'
import { excludedLabels, excludeLabels } from '../../lib/prep/excluded-labels.ts'

describe('excluded labels', () => {
  it('are the 26 of SpatialCore, each once', () => {
    expect(excludedLabels).toHaveLength(26)
    expect(new Set(excludedLabels).size).toBe(26)
    const documented =
      'unknown Unknown UNKNOWN unassigned Unassigned na NA N/A n/a none None null doublet Doublet'.split(' ')
    const found = ['nan', 'NaN', 'NAN', 'multiplet', 'Multiplet', 'low_count', 'Low_count', 'LOW_COUNT']
    for (const label of [...documented, ...found, 'low quality', 'Low quality', 'low count', 'Low count'])
      expect(excludedLabels).toContain(label)
  })

  const labels = ['unknown', 'unknown cells', 'DOUBLET', 'T cell', 'NA', '__proto__']
  const codes = Int32Array.of(0, 1, 2, 3, 4, 5, 0, -1)

  it('are compared letter by letter, and those that go are counted and told of', () => {
    const { codes: left, removed, notices } = excludeLabels(codes, { labels, place: 'a.h5ad' })
    expect([...left]).toEqual([-1, 1, 2, 3, -1, 5, -1, -1])
    expect(removed).toEqual([
      { label: 'unknown', cells: 2 },
      { label: 'NA', cells: 1 },
    ])
    expect(notices).toHaveLength(1)
    expect(notices[0]).toMatchObject({ code: 'LABELS_EXCLUDED', place: 'a.h5ad' })
    expect(notices[0]!.problem).toContain('3 cells')
    expect(notices[0]!.problem).toContain('"unknown" (2), "NA" (1)')
  })

  it('can be others, or none', () => {
    const none = excludeLabels(codes, { labels, excluded: [], place: 'a' })
    expect(none).toEqual({ codes, removed: [], notices: [] })
    const other = excludeLabels(codes, { labels, excluded: ['T cell', '__proto__'], place: 'a' })
    expect(other.removed.map(({ label }) => label)).toEqual(['T cell', '__proto__'].toSorted())
  })

  it('may not be all there is', () => {
    expect(() => excludeLabels(Int32Array.of(0, 4, -1), { labels, place: 'a.h5ad' })).toThrowError(
      expect.objectContaining({ code: 'LABELS_ALL_EXCLUDED', place: 'a.h5ad' }),
    )
    // no labels at all is not this error
    expect(excludeLabels(Int32Array.of(-1, -1), { labels, place: 'a' }).notices).toEqual([])
  })
})
