import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { loadGenes } from '../../lib/knowledge/genes.ts'
import { loadMarkers, markersOfLabels } from '../../lib/knowledge/markers.ts'
import { loadOntology } from '../../lib/knowledge/ontology.ts'
import { matchLabels } from '../../lib/knowledge/ontology-match.ts'
import { loadOrthologues } from '../../lib/knowledge/orthologues.ts'
import { hasShared, sharedPath } from '../support/shared.ts'

const [ontology, human, mouse, table, ofMouse, orthologues] = await Promise.all([
  loadOntology(),
  loadGenes('Homo sapiens'),
  loadGenes('Mus musculus'),
  loadMarkers(),
  loadMarkers('Mus musculus'),
  loadOrthologues(),
])

describe('the table of markers', () => {
  it('has at least 100 types, each a term in use under its own name', () => {
    expect(table.types.length).toBeGreaterThanOrEqual(100)
    expect(new Set(table.types.map(({ id }) => id)).size).toBe(table.types.length)
    for (const { id, name } of table.types) expect(ontology.byId.get(id)?.name).toBe(name)
  })

  it('has 4 to 10 genes a type, each once and under its symbol of today, and no set twice', () => {
    const sets = new Set<string>()
    for (const { genes, name, without } of table.types) {
      expect(genes.length, name).toBeGreaterThanOrEqual(4)
      expect(genes.length, name).toBeLessThanOrEqual(10)
      expect(new Set(genes).size).toBe(genes.length)
      expect(genes.filter((gene) => human.idsOf(gene).length === 0)).toEqual([])
      expect(without).toEqual([])
      sets.add([...genes].sort().join())
    }
    expect(sets.size).toBe(table.types.length)
  })

  it('names a publication with author, year and journal for every type', () => {
    for (const { name, source } of table.types)
      for (const one of source.split('; '))
        expect(one, name).toMatch(
          /^\p{Lu}[\p{L} ]+ (?:19|20)\d\d, [A-Z][A-Za-z ]+(?:, doi:10\.\d{4,5}\/\S+)?$/u,
        )
  })

  it('has no malignant cell: a tumour has no markers of its own', () => {
    expect(table.ofTerm('CL:0001064')).toBeUndefined()
    for (const { id } of table.types) expect(ontology.ancestors(id).has('CL:0001064')).toBe(false)
  })
})

describe('looking markers up', () => {
  it('goes by id in any spelling, by name and by EXACT synonym whatever its case', () => {
    const beta = table.ofTerm('CL:0000169')
    expect(beta).toMatchObject({ id: 'CL:0000169', name: 'type B pancreatic cell', from: 'own' })
    expect(beta?.genes).toContain('INS')
    expect(table.ofTerm('CL_0000169')).toEqual(beta)
    expect(table.ofName('Type B Pancreatic Cell')).toEqual(beta)
    expect(table.ofName(' PANCREATIC BETA CELL ')).toEqual(beta)
    expect(table.ofName('type II pneumocyte')?.id).toBe('CL:0002063')
  })

  it('follows an id that was replaced', () => {
    const [old, now] = [...ontology.replacedBy].find(([, id]) => table.ofTerm(id) !== undefined)!
    expect(table.ofTerm(old)).toEqual(table.ofTerm(now))
  })

  it('gives markers of the nearest wider type only when asked, and says so', () => {
    const th1 = 'CL:0000545'
    expect(table.ofTerm(th1)).toBeUndefined()
    expect(table.ofTerm(th1, { ancestors: true })).toMatchObject({
      from: 'ancestor',
      id: 'CL:0000492',
      name: 'CD4-positive helper T cell',
    })
    expect(table.ofName('lung macrophage', { ancestors: true })).toMatchObject({
      from: 'ancestor',
      name: 'macrophage',
    })
    expect(table.ofTerm('CL:0000084', { ancestors: true })?.from).toBe('own')
  })

  it('answers every term of the ontology with a type above it, the same every time, or with nothing', () => {
    for (const { id } of ontology.terms) {
      const found = table.ofTerm(id, { ancestors: true })
      if (found === undefined)
        for (const above of ontology.ancestors(id)) expect(table.ofTerm(above)).toBeUndefined()
      else if (found.from === 'own') expect(found.id).toBe(id)
      else expect(ontology.ancestors(id).has(found.id)).toBe(true)
      expect(table.ofTerm(id, { ancestors: true })).toEqual(found)
    }
  })

  it('knows nothing of what is no term', () => {
    for (const text of ['', '__proto__', 'constructor', 'CL:9999999', 'UBERON:0002048', 'Zed 1', 'alpha'])
      expect([table.ofTerm(text, { ancestors: true }), table.ofName(text, { ancestors: true })]).toEqual([
        undefined,
        undefined,
      ])
  })
})

describe('markers of mouse', () => {
  it('are the one-to-one partners, in order, and name what has none', () => {
    expect(ofMouse.types.length).toBeGreaterThan(130)
    for (const type of ofMouse.types) {
      const own = table.ofTerm(type.id)!.genes
      expect(type.genes.length + type.without.length).toBe(own.length)
      expect(type.genes.length).toBeGreaterThanOrEqual(3)
      expect(type.genes.map((gene) => orthologues.partnerOf(gene, 'Mus musculus'))).toEqual(
        own.filter((gene) => !type.without.includes(gene)),
      )
    }
    expect(ofMouse.ofName('T cell')?.genes).toContain('Cd3e')
  })

  it('leave a type out of which fewer than three genes are left, so that a wider one can answer', () => {
    const gammaDelta = 'CL:0000798'
    expect(table.ofTerm(gammaDelta)?.from).toBe('own')
    expect(ofMouse.ofTerm(gammaDelta)).toBeUndefined()
    expect(ofMouse.ofTerm(gammaDelta, { ancestors: true })).toMatchObject({
      from: 'ancestor',
      name: 'T cell',
    })
  })

  it('are nearly all symbols of the mouse table', () => {
    const genes = new Set(ofMouse.types.flatMap((type) => type.genes))
    const unknown = [...genes].filter((gene) => mouse.idsOf(gene).length === 0)
    expect(unknown.length).toBeLessThan(genes.size / 50)
  })
})

describe('markers of labels', () => {
  it('go through the ontology, tissue and all', async () => {
    const found = await markersOfLabels(['AT2', 'CD4+ T cells', 'Zed 1', 'Unknown', 'AT2'])
    expect([...found.keys()]).toEqual(['AT2', 'CD4+ T cells'])
    expect(found.get('AT2')).toMatchObject({ id: 'CL:0002063', from: 'own' })
    const stellate = await markersOfLabels(['stellate'], { match: { tissue: 'pancreas' } })
    expect(stellate.get('stellate')?.name).toBe('pancreatic stellate cell')
  })

  it('take known ids as they are, wider types when asked, and mouse symbols for mouse', async () => {
    const ids = new Map([['7', 'CL:0000545']])
    expect((await markersOfLabels(['7'], { ids })).size).toBe(0)
    const [wider] = (await markersOfLabels(['7'], { ids, ancestors: true, species: 'Mus musculus' })).values()
    expect(wider).toMatchObject({ from: 'ancestor', id: 'CL:0000492' })
    expect(wider?.genes).toContain('Cd4')
  })

  it("give the user's own first, by label, name or id, without minding the case", async () => {
    const given = new Map([
      ['zed 1', ['A1BG']],
      ['natural KILLER cell', ['NKG7']],
      ['CL_0000236', ['MS4A1']],
      ['__proto__', ['TP53']],
    ])
    const found = await markersOfLabels(['Zed 1', 'NK', 'B cells', '__proto__', 'T cells'], { given })
    expect([...found].map(([label, { from, genes }]) => [label, from, genes.length])).toEqual([
      ['Zed 1', 'given', 1],
      ['NK', 'given', 1],
      ['B cells', 'given', 1],
      ['__proto__', 'given', 1],
      ['T cells', 'own', table.ofName('T cell')!.genes.length],
    ])
    expect(found.get('NK')).toMatchObject({ id: null, name: 'natural KILLER cell', genes: ['NKG7'] })
  })
})

describe.runIf(hasShared)("SpatialCore's list", () => {
  const list = hasShared
    ? (JSON.parse(
        readFileSync(sharedPath('data', 'ontology', 'spatialcore_canonical_markers.json'), 'utf8'),
      ) as {
        markers: Record<string, string[]>
      })
    : { markers: {} }
  const types = Object.keys(list.markers).filter((key) => !key.startsWith('_'))

  it('has no type that ours has not, and ours has its types under their own id', async () => {
    expect(types.length).toBe(69)
    const matches = await matchLabels(types)
    expect(matches.filter(({ id }) => id === null || table.ofTerm(id)?.from !== 'own')).toEqual([])
    expect(new Set(matches.map(({ id }) => id)).size).toBe(69)
  })

  it('shares genes with ours for every type; its former symbols and known faults are not in ours', async () => {
    const matches = await matchLabels(types)
    for (const { label, id } of matches) {
      const ours = new Set(table.ofTerm(id!)!.genes)
      const theirs = list.markers[label]!.map((gene) => human.currentOf(gene)?.symbol ?? gene)
      expect(theirs.filter((gene) => ours.has(gene)).length, label).toBeGreaterThanOrEqual(2)
    }
    const faults = [
      ['CL:0000624', 'FOXP3'], // of regulatory T cells
      ['CL:0000775', 'ELANE'], // of promyelocytes
      ['CL:0000775', 'MPO'],
      ['CL:0000510', 'CA7'], // of BEST4+ cells
      ['CL:0000091', 'CLEC4F'], // of Kupffer cells of mouse only
      ['CL:0000576', 'FCGR3A'], // of non-classical monocytes
      ['CL:0000815', 'IL7R'], // low in regulatory T cells
      ['CL:0000128', 'OLIG2'], // of precursors
      ['CL:0002305', 'UMOD'], // of the thick ascending limb
      ['CL:0000158', 'KRT15'], // of basal cells
      ['CL:0000669', 'DES'], // of muscle
    ] as const
    for (const [id, gene] of faults) {
      expect(table.ofTerm(id)?.from).toBe('own')
      expect(table.ofTerm(id)!.genes).not.toContain(gene)
    }
  })
})
