/** Contract: the sources of SpatialCore's acquire_reference, and what is refused. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isCoded } from '../../lib/job/errors.ts'
import { availableDatasets } from '../../lib/references/datasets.ts'
import { parseSource, shownSource } from '../../lib/references/source.ts'

describe('a source', () => {
  it('is a dataset of the registry by its key, with the label column of that dataset', () => {
    expect(parseSource('cellxgene://human_lung_cell_atlas')).toEqual({
      kind: 'dataset',
      id: 'f72958f5-7f42-4ebb-98da-445b0c6de516',
      key: 'human_lung_cell_atlas',
      labelColumn: 'ann_finest_level',
    })
    expect(availableDatasets()).toHaveLength(7)
    expect(new Set(availableDatasets().map(({ id }) => id)).size).toBe(7)
  })

  it('is any dataset by its id, in either case', () => {
    const id = '0AAAAAAA-0000-4000-8000-000000000001'
    expect(parseSource(`cellxgene://${id}`)).toMatchObject({ id: id.toLowerCase(), key: null })
    expect(parseSource('cellxgene://d8da613f-e681-4c69-b463-e94f5e66847f')).toMatchObject({
      key: 'lung_covid',
    })
  })

  it('is a query of human cells unless an organism is told, its values decoded', () => {
    const source = parseSource('cellxgene://?disease=normal&tissue=lower%20lobe+of+lung')
    expect(source).toEqual({
      kind: 'query',
      labelColumn: 'cell_type',
      filters: {
        organism: 'Homo sapiens',
        wanted: [
          { field: 'tissue', value: 'lower lobe of lung' },
          { field: 'disease', value: 'normal' },
        ],
      },
    })
    expect(shownSource(source)).toBe('cellxgene://?tissue=lower lobe of lung&disease=normal')
    const mouse = parseSource('cellxgene://?assay=x&organism=Mus musculus')
    expect(mouse).toMatchObject({ filters: { organism: 'Mus musculus' } })
  })

  it('is a file of Synapse with or without a version, or a file anywhere', () => {
    expect(parseSource('synapse://syn12345')).toEqual({ kind: 'synapse', id: 'syn12345', version: null })
    expect(parseSource('synapse://syn12345.3')).toEqual({ kind: 'synapse', id: 'syn12345', version: 3 })
    for (const location of ['/data/a.h5ad', 'a.h5ad', 's3://b/k', 'gs://b/k', 'https://h/k'])
      expect(parseSource(location)).toEqual({ kind: 'file', location })
    expect(shownSource(parseSource('https://h/k?token=secret'))).toBe('https://h/k')
  })

  it.each([
    ['cellxgene://human_lung_atlas', 'SOURCE_KEY', 'human_lung_cell_atlas'],
    ['cellxgene://__proto__', 'SOURCE_KEY', 'nearest'],
    ['cellxgene://lung_covid?tissue=lung', 'SOURCE_PARAMETER', 'takes no parameters'],
    ['cellxgene://?disase=normal', 'SOURCE_PARAMETER', '"disease"'],
    ['cellxgene://?tissue=lung&max_cells=5', 'SOURCE_PARAMETER', 'max_cells'],
    ['cellxgene://?tissue=', 'SOURCE_PARAMETER', 'no value'],
    ['cellxgene://?tissue=lung&tissue=liver', 'SOURCE_PARAMETER', 'twice'],
    ['cellxgene://?', 'SOURCE_FILTER_MISSING', 'tissue'],
    ['cellxgene://?organism=Homo sapiens', 'SOURCE_FILTER_MISSING', 'tissue'],
    ['synapse://12345', 'SOURCE_UNKNOWN', 'synapse://syn'],
    ['cellxgen://lung', 'SOURCE_UNKNOWN', 'cellxgene://'],
    ['', 'SOURCE_UNKNOWN', 'nothing'],
  ])('%s is refused as %s', (text, code, told) => {
    const refuse = () => parseSource(text)
    expect(refuse).toThrow(expect.objectContaining({ name: 'BadInput', code }))
    expect(refuse).toThrow(told)
  })

  it('is parsed or refused with a code, whatever it is', () => {
    const texts = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.string().map((text) => `cellxgene://${text}`),
      fc.string().map((text) => `cellxgene://?${text}`),
    )
    fc.assert(
      fc.property(texts, (text) => {
        try {
          expect(typeof shownSource(parseSource(text))).toBe('string')
        } catch (error) {
          expect(isCoded(error)).toBe(true)
        }
      }),
    )
  })
})
