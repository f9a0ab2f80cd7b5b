import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import { random } from '../../lib/job/random.ts'
import { csvRows } from '../../lib/knowledge/csv-table.ts'
import { type Balanced, type CapAndFillOptions, capAndFill } from '../../lib/prep/cap-and-fill.ts'
import { hasShared, sharedPath } from '../support/shared.ts'

const place = 'references'

interface Line {
  group: string
  source: string
  cells: number
}

/** Cells in blocks, one for each line. */
function cellsOf(lines: readonly Line[]) {
  const groupNames = [...new Set(lines.map(({ group }) => group))]
  const sourceNames = [...new Set(lines.map(({ source }) => source))]
  const codes = (names: string[], of: (line: Line) => string) =>
    Int32Array.from(lines.flatMap((line) => new Array<number>(line.cells).fill(names.indexOf(of(line)))))
  return {
    groups: codes(groupNames, ({ group }) => group),
    groupNames,
    sources: codes(sourceNames, ({ source }) => source),
    sourceNames,
  }
}

function line(group: string, source: string, cells: number): Line {
  return { group, source, cells }
}

function balance(lines: readonly Line[], options: Partial<CapAndFillOptions> = {}): Balanced {
  return capAndFill(cellsOf(lines), { seed: 42, place, ...options })
}

function countsAfter({ table }: Balanced): Record<string, number> {
  return Object.fromEntries(table.map((row) => [`${row.group}|${row.source}`, row.after]))
}

describe('Cap & Fill as SpatialCore does it', () => {
  const compat = { rounding: 'compat' as const }
  const macrophages = [line('Mac', 'S1', 30_000), line('Mac', 'S2', 5000)]

  it('draws of each source what it draws (oracle O6)', () => {
    const options = { ...compat, maxCellsPerType: 10_000 }
    expect(countsAfter(balance(macrophages, options))).toEqual({ 'Mac|S1': 8572, 'Mac|S2': 1429 })
    expect(countsAfter(balance(macrophages, { ...options, balance: 'equal' }))).toEqual({
      'Mac|S1': 5000,
      'Mac|S2': 5000,
    })
    const small = balance(
      [line('Mac', 'S1', 30), line('rare', 'S1', 3), line('Mac', 'S2', 5), line('T', 'S2', 20)],
      { ...compat, maxCellsPerType: 14, minCellsPerType: 5, minCellsPerSource: 2 },
    )
    expect(countsAfter(small)).toEqual({ 'Mac|S1': 12, 'Mac|S2': 2, 'rare|S1': 0, 'T|S2': 14 })
    expect(small.dropped).toEqual([{ group: 'rare', cells: 3 }])
    expect(small.rows).toHaveLength(28)
  })

  test.runIf(hasShared)('gives its numbers of cells for proportions, equal shares and no minimum', () => {
    const golden: Record<string, Record<string, number>> = JSON.parse(
      readFileSync(sharedPath('golden', 'spatialcore', 'functions', 'capfill.json'), 'utf8'),
    )
    const lines = [
      ...[line('mac', 's1', 300), line('mac', 's2', 50), line('rare', 's1', 30)],
      ...[line('nk', 's2', 120), line('b', 's1', 100), line('b', 's2', 100)],
    ]
    const options = { ...compat, maxCellsPerType: 100, minCellsPerType: 20, minCellsPerSource: 10 }
    expect(countsAfter(balance(lines, options))).toEqual(golden.prop)
    expect(countsAfter(balance(lines, { ...options, balance: 'equal' }))).toEqual(golden.equal)
    const share = new Map([['nk', 0.1]])
    expect(countsAfter(balance(lines, { ...options, targetProportions: share }))).toEqual(golden.target)
    expect(countsAfter(balance(lines, { ...options, minCellsPerType: 0 }))).toEqual(golden.keepall)
  })

  test.runIf(hasShared).each([
    ['default', {}],
    ['cap300', { maxCellsPerType: 300 }],
    ['cap300_equal', { maxCellsPerType: 300, balance: 'equal' as const }],
    ['no_B', {}],
    ['no_NK', {}],
    ['no_Mono', {}],
  ])('gives its numbers of cells on real references (run %s)', (run, options) => {
    const text = readFileSync(sharedPath('golden', 'spatialcore', `${run}.balance_counts.csv`), 'utf8')
    const [header, ...rows] = csvRows(text).map(({ fields }) => fields)
    expect(header!.slice(2)).toEqual(['reference_source', 'n_before', 'n_after'])
    const lines = rows
      .map(([id, , source, before]) => line(id!, source!, Number(before)))
      // the sorted cells were the first reference
      .sort((a, b) => Number(a.source.endsWith('kang_ctrl')) - Number(b.source.endsWith('kang_ctrl')))
    const found = balance(lines, { ...compat, ...options })
    expect(countsAfter(found)).toEqual(
      Object.fromEntries(rows.map(([id, , source, , count]) => [`${id}|${source}`, Number(count)])),
    )
    expect(found.dropped.map(({ group }) => group)).toEqual(
      expect.arrayContaining(['CL:0000084', 'CL:0000900']),
    )
  })

  it('keeps its fault with shares that sum to 1', () => {
    const lines = ['A', 'B', 'C', 'D'].map((group) => line(group, 'S', 1000))
    const quarters = new Map(['A', 'B', 'C', 'D'].map((group) => [group, 0.25]))
    const total = (rounding: 'exact' | 'compat') =>
      balance(lines, { rounding, targetProportions: quarters }).rows.length
    expect([total('compat'), total('exact')]).toEqual([200, 4000])
  })

  it('caps a type simply where sources are not to be balanced', () => {
    const { groups, groupNames } = cellsOf([line('A', 'S', 400), line('B', 'S', 60)])
    for (const rounding of ['compat', 'exact'] as const) {
      const found = capAndFill(
        { groups, groupNames, sources: null, sourceNames: [] },
        { seed: 1, place, rounding, maxCellsPerType: 20, minCellsPerType: 1, minCellsPerSource: 50 },
      )
      expect(found.table).toEqual([
        { group: 'A', source: null, before: 400, after: 20 },
        { group: 'B', source: null, before: 60, after: 20 },
      ])
      expect(found.notices).toEqual([])
    }
  })
})

describe('Cap & Fill, exactly', () => {
  it('draws as many as it is to, each source with its share', () => {
    const lines = [line('Mac', 'S1', 30_000), line('Mac', 'S2', 5000)]
    expect(countsAfter(balance(lines, { maxCellsPerType: 10_000 }))).toEqual({
      'Mac|S1': 8571,
      'Mac|S2': 1429,
    })
    expect(countsAfter(balance(lines))).toEqual({ 'Mac|S1': 4286, 'Mac|S2': 714 })
  })

  it('tells of types that are dropped, in one source only, or short of a minimum', () => {
    const lines = [
      ...[line('A', 'S1', 400), line('A', 'S2', 300), line('A', 'S3', 100)],
      ...[line('B', 'S1', 70), line('C', 'S2', 49), line('D', 'S3', 1)],
    ]
    const { notices, dropped } = balance(lines, {
      maxCellsPerType: 100,
      targetProportions: new Map([
        ['A', 0.9],
        ['C', 0.05],
      ]),
    })
    expect(dropped).toEqual([
      { group: 'C', cells: 49 },
      { group: 'D', cells: 1 },
    ])
    expect(notices.map(({ code }) => code)).toEqual([
      'TYPES_DROPPED',
      'PROPORTIONS_DROPPED',
      'TYPES_ONE_SOURCE',
    ])
    expect(notices[0]!.problem).toContain('"C" (49), "D" (1)')
    expect(notices[2]!.problem).toContain('1 of 2 types are in one reference only: "B"')
    expect(notices.every((notice) => notice.place === place && notice.remedy !== '')).toBe(true)
    const short = balance(lines, { maxCellsPerType: 100 })
    expect(short.notices.map(({ code }) => code)).toContain('SOURCE_MINIMUM_UNMET')
    expect(countsAfter(short)).toMatchObject({ 'A|S1': 34, 'A|S2': 33, 'A|S3': 33 })
    const beyond = balance(lines, { maxCellsPerType: 100, rounding: 'compat' })
    expect(beyond.notices.map(({ code }) => code)).toEqual(['TYPES_DROPPED', 'TYPES_ONE_SOURCE'])
    expect(countsAfter(beyond)).toMatchObject({ 'A|S1': 50, 'A|S2': 50, 'A|S3': 50 })
    // of a single reference nothing can be said
    expect(balance([line('A', 'S', 100)]).notices).toEqual([])
  })

  it('stops where nothing is left to learn from', () => {
    const refused = (code: string, problem: RegExp) =>
      expect.objectContaining({ code, place, problem: expect.stringMatching(problem) })
    expect(() => balance([line('A', 'S', 49), line('B', 'S', 3)])).toThrowError(
      refused('TYPES_NONE_LEFT', /none of the 2 types has 50 cells; the most frequent has 49/),
    )
    const none = { groups: Int32Array.of(-1, -1), groupNames: ['A'], sources: null, sourceNames: [] }
    expect(() => capAndFill(none, { seed: 1, place, minCellsPerType: 0 })).toThrowError(
      refused('TYPES_NONE_LEFT', /no cell has a type/),
    )
  })

  it('refuses cells without a source, unknown ways, and numbers that fit nothing', () => {
    const cells = { groups: Int32Array.of(0, -1), groupNames: ['A'], sourceNames: ['S'] }
    const options = { seed: 1, place, minCellsPerType: 1 }
    const missing = { ...cells, sources: Int32Array.of(-1, -1) }
    expect(() => capAndFill(missing, options)).toThrowError(
      expect.objectContaining({ code: 'SOURCE_MISSING' }),
    )
    // a cell that is of no group needs no source
    expect([...capAndFill({ ...cells, sources: Int32Array.of(0, -1) }, options).rows]).toEqual([0])
    const wrong = JSON.parse('"both"') as 'equal'
    expect(() => balance([line('A', 'S', 60)], { balance: wrong })).toThrowError(
      expect.objectContaining({ code: 'SOURCE_BALANCE' }),
    )
    for (const bad of [
      { ...cells, sources: Int32Array.of(1, 0) },
      { ...cells, sources: Int32Array.of(0) },
      { ...cells, groups: Int32Array.of(1, 0), sources: null },
      { ...cells, groupNames: ['A', 'A'], sources: null },
    ])
      expect(() => capAndFill(bad, options)).toThrow(RangeError)
    expect(() => balance([line('A', 'S', 60)], { maxCellsPerType: 0 })).toThrow(RangeError)
    expect(() => balance([line('A', 'S', 60)], { minCellsPerSource: Number.NaN })).toThrow(RangeError)
  })

  const anyLine = fc.record({
    group: fc.constantFrom('A', 'B', 'C', '__proto__'),
    source: fc.constantFrom('x', 'y', 'constructor'),
    cells: fc.nat(120),
  })
  const anyCells = fc
    .tuple(fc.array(anyLine, { minLength: 1, maxLength: 9 }), fc.nat(1e6))
    .map(([lines, seed]) => {
      const { groups, sources, ...names } = cellsOf(lines)
      const order = random(seed).shuffle([...groups.keys()])
      return {
        ...names,
        groups: Int32Array.from(order, (row) => groups[row]!),
        sources: Int32Array.from(order, (row) => sources[row]!),
      }
    })
  const anyOptions = fc.record({
    maxCellsPerType: fc.integer({ min: 1, max: 150 }),
    minCellsPerType: fc.nat(60),
    minCellsPerSource: fc.nat(60),
    balance: fc.constantFrom<'proportional' | 'equal'>('proportional', 'equal'),
    rounding: fc.constantFrom<'exact' | 'compat'>('exact', 'compat'),
    seed: fc.nat(1e6),
  })
  type Cells = typeof anyCells extends fc.Arbitrary<infer Of> ? Of : never
  const run = (cells: Cells, options: Partial<CapAndFillOptions>) => {
    const full = { seed: 1, place, ...options }
    const enough = cells.groupNames.some(
      (_, group) =>
        cells.groups.filter((code) => code === group).length >= Math.max(1, full.minCellsPerType ?? 50),
    )
    if (enough) return capAndFill(cells, full)
    expect(() => capAndFill(cells, full)).toThrowError(expect.objectContaining({ code: 'TYPES_NONE_LEFT' }))
    return null
  }

  it('takes rows that are there, as its table says, and the same ones every time', () => {
    fc.assert(
      fc.property(anyCells, anyOptions, (cells, options) => {
        const found = run(cells, options)
        if (found === null) return
        expect(capAndFill(cells, { place, ...options })).toEqual(found)
        expect([...found.rows]).toEqual([...new Set(found.rows)].sort((a, b) => a - b))
        for (const { group, source, before, after: taken } of found.table) {
          const isOf = (row: number) =>
            cells.groupNames[cells.groups[row]!] === group &&
            cells.sourceNames[cells.sources[row]!] === source
          expect([...cells.groups.keys()].filter(isOf)).toHaveLength(before)
          expect([...found.rows].filter(isOf)).toHaveLength(taken)
        }
        expect(found.table.reduce((sum, { before }) => sum + before, 0)).toBe(cells.groups.length)
        expect(found.table.reduce((sum, { after: taken }) => sum + taken, 0)).toBe(found.rows.length)
      }),
    )
  })

  it('takes of every type all up to the cap, sources together', () => {
    fc.assert(
      fc.property(anyCells, anyOptions, (cells, options) => {
        const found = run(cells, { ...options, rounding: 'exact' })
        for (const group of cells.groupNames) {
          const lines = found?.table.filter((row) => row.group === group) ?? []
          const before = lines.reduce((sum, row) => sum + row.before, 0)
          const isKept = before >= Math.max(1, options.minCellsPerType)
          const wanted = isKept ? Math.min(before, options.maxCellsPerType) : 0
          if (found !== null) expect(lines.reduce((sum, row) => sum + row.after, 0)).toBe(wanted)
        }
      }),
    )
  })

  it('does not hang on the order of the cells, but for which are drawn', () => {
    fc.assert(
      fc.property(anyCells, anyOptions, (cells, options) => {
        const exact = { ...options, rounding: 'exact' as const }
        const backwards = { ...cells, groups: cells.groups.toReversed(), sources: cells.sources.toReversed() }
        expect(run(backwards, exact)?.table).toEqual(run(cells, exact)?.table)
      }),
    )
  })

  it('does not hang on the numbers of groups and sources at all', () => {
    fc.assert(
      fc.property(anyCells, anyOptions, (cells, options) => {
        const exact = { ...options, rounding: 'exact' as const }
        const renumbered = {
          groupNames: cells.groupNames.toReversed(),
          sourceNames: cells.sourceNames.toReversed(),
          groups: cells.groups.map((code) => cells.groupNames.length - 1 - code),
          sources: cells.sources.map((code) => cells.sourceNames.length - 1 - code),
        }
        expect(run(renumbered, exact)?.rows).toEqual(run(cells, exact)?.rows)
      }),
    )
  })

  it('draws a group as it does alone', () => {
    const lines = [line('A', 'x', 300), line('A', 'y', 200)]
    const alone = balance(lines, { maxCellsPerType: 100 })
    const beside = balance([...lines, line('B', 'x', 100)], { maxCellsPerType: 100 })
    expect([...beside.rows].filter((row) => row < 500)).toEqual([...alone.rows])
    expect([...balance(lines, { maxCellsPerType: 100, seed: 43 }).rows]).not.toEqual([...alone.rows])
  })
})
