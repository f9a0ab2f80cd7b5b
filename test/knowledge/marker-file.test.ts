import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { loadGenes } from '../../lib/knowledge/genes.ts'
import { presentMarkers, readMarkers } from '../../lib/knowledge/marker-file.ts'

const bytes = (text: string) => new TextEncoder().encode(text)
const read = (content: unknown) => [...readMarkers(bytes(JSON.stringify(content)), 'markers.json')]

describe('a list of markers', () => {
  const expected = [
    ['T cell', ['CD3D', 'CD3E']],
    ['B cell', ['MS4A1']],
  ]

  it('is read in the three shapes of SpatialCore', () => {
    const types = { 'T cell': ['CD3D', 'CD3E'], 'B cell': ['MS4A1'] }
    expect(read({ metadata: { version: '1' }, markers: types })).toEqual(expected)
    expect(read(types)).toEqual(expected)
    expect(
      read({ 'T cell': { index_marker: ['CD3D', 'CD3E'], other: 1 }, 'B cell': { index_marker: ['MS4A1'] } }),
    ).toEqual(expected)
    expect(read({ metadata: { version: '1' }, ...types })).toEqual(expected)
  })

  it('may call a type "markers" or "metadata"', () => {
    expect(read({ markers: ['A'], metadata: ['B'] })).toEqual([
      ['markers', ['A']],
      ['metadata', ['B']],
    ])
  })

  it('loses remarks, blanks around names and repeated genes, and a byte order mark', () => {
    const text = '\uFEFF{"_comment": "x", " T cell ": [" CD3D", "CD3D ", ""], "_x": {"a": 1}}'
    expect([...readMarkers(bytes(text), 'm')]).toEqual([['T cell', ['CD3D']]])
  })

  it('keeps hostile names as names', () => {
    const text =
      '{"__proto__": ["CD3D"], "constructor": ["MS4A1"], "hasOwnProperty": ["CD3D"], "toString": []}'
    expect([...readMarkers(bytes(text), 'm')]).toEqual([
      ['constructor', ['MS4A1']],
      ['hasOwnProperty', ['CD3D']],
      ['toString', []],
    ])
    expect(({} as Record<string, unknown>).CD3D).toBeUndefined()
  })

  it.each([
    ['', 'not JSON'],
    ['{"T cell": [', 'not JSON'],
    ['[["CD3D"]]', 'no JSON object'],
    ['null', 'no JSON object'],
    ['{}', 'no cell type'],
    ['{"_a": ["CD3D"]}', 'no cell type'],
    ['{"T cell": "CD3D"}', '"T cell" has no list'],
    ['{"T cell": [1]}', '"T cell" has no list'],
    ['{"T cell": {"genes": ["CD3D"]}}', '"T cell" has no list'],
    ['{"T cell": null}', '"T cell" has no list'],
    ['{"": ["CD3D"]}', 'no name'],
    ['{"T cell": ["CD3D"], "t cell": ["CD3E"]}', 'twice'],
    ['{"markers": {}}', 'no cell type'],
  ])('is refused as %s', (text, problem) => {
    expect(() => readMarkers(bytes(text), 'markers.json')).toThrow(
      expect.objectContaining({
        code: 'MARKERS_UNREADABLE',
        place: 'markers.json',
        problem: expect.stringContaining(problem),
      }),
    )
  })

  it('is refused when it is no UTF-8, too large, or has far too many genes', () => {
    const refused = expect.objectContaining({ code: 'MARKERS_UNREADABLE' })
    expect(() => readMarkers(new Uint8Array([123, 255, 254]), 'm')).toThrow(refused)
    expect(() => readMarkers(new Uint8Array(17 * 2 ** 20), 'm')).toThrow(refused)
    const many = { T: Array.from({ length: 2001 }, (_, i) => `G${i}`) }
    expect(() => readMarkers(bytes(JSON.stringify(many)), 'm')).toThrow(refused)
  })

  it('never makes anything else of any JSON than markers or MARKERS_UNREADABLE', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        try {
          for (const [type, genes] of readMarkers(bytes(text), 'm'))
            expect([typeof type, genes.every((gene) => gene === gene.trim() && gene !== '')]).toEqual([
              'string',
              true,
            ])
        } catch (error) {
          expect(error).toMatchObject({ code: 'MARKERS_UNREADABLE' })
        }
      }),
      { numRuns: 500 },
    )
  })
})

describe('markers in the data', () => {
  const markers = new Map([
    ['keratinocyte', ['LORICRIN', 'KRT14', 'NOTHING']],
    ['B cell', ['MS4A1', 'CD19']],
    ['osteoclast', ['OSCAR']],
  ])

  it('are those that the data have, the others are told by type', () => {
    const { present, missing, notices } = presentMarkers(markers, ['KRT14', 'CD19', 'MS4A1'], {
      place: 'panel',
    })
    expect([...present]).toEqual([
      ['keratinocyte', ['KRT14']],
      ['B cell', ['MS4A1', 'CD19']],
    ])
    expect([...missing]).toEqual([
      ['keratinocyte', ['LORICRIN', 'NOTHING']],
      ['osteoclast', ['OSCAR']],
    ])
    expect(notices).toMatchObject([
      { code: 'MARKERS_MISSING', problem: expect.stringContaining('(osteoclast)') },
    ])
  })

  it('may have their former name in the data or in the list', async () => {
    const table = await loadGenes('Homo sapiens')
    const given = { place: 'p', table }
    const old = presentMarkers(new Map([['k', ['G6PC1', 'MS4A1']]]), ['G6PC', 'CD20'], given)
    expect([...old.present]).toEqual([['k', ['G6PC', 'CD20']]])
    const list = presentMarkers(new Map([['k', ['G6PC', 'CD20']]]), ['G6PC1', 'MS4A1'], given)
    expect([...list.present]).toEqual([['k', ['G6PC1', 'MS4A1']]])
    const both = presentMarkers(new Map([['k', ['G6PC', 'G6PC1']]]), ['G6PC1', 'G6PC'], given)
    expect([...both.present]).toEqual([['k', ['G6PC', 'G6PC1']]])
    // LOR was LORICRIN, and is an alias of LOXL2: it may mean either
    const either = presentMarkers(new Map([['k', ['LOR', 'KRT1']]]), ['LORICRIN', 'LOXL2', 'KRT1'], given)
    expect([...either.missing]).toEqual([['k', ['LOR']]])
  })

  it('are an error when there is not one', () => {
    for (const genes of [[], ['ENSG00000141510'], ['krt14']])
      expect(() => presentMarkers(markers, genes, { place: 'panel' })).toThrow(
        expect.objectContaining({ code: 'MARKERS_NONE', place: 'panel' }),
      )
    expect(() => presentMarkers(new Map([['T', []]]), ['CD3D'], { place: 'p' })).toThrow(
      expect.objectContaining({ code: 'MARKERS_NONE' }),
    )
  })
})
