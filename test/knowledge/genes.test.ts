import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { detectGeneIds, ensemblId } from '../../lib/knowledge/gene-ids.ts'
import { loadGenes } from '../../lib/knowledge/genes.ts'
import { loadOrthologues } from '../../lib/knowledge/orthologues.ts'

const human = await loadGenes('Homo sapiens')
const mouse = await loadGenes('Mus musculus')
const orthologues = await loadOrthologues()
/** some symbols of the table, by ids that any release has */
const humanIds = [
  'ENSG00000141510',
  'ENSG00000167286',
  'ENSG00000156738',
  'ENSG00000149294',
  'ENSG00000081237',
]
const humanSymbols = ['TP53', 'CD3D', 'MS4A1', 'NCAM1', 'PTPRC']
const mouseSymbols = ['Trp53', 'Cd3d', 'Ms4a1', 'Ncam1', 'Ptprc']

describe('the tables of genes', () => {
  it('translate Ensembl ids of human and mouse to symbols and back (oracle O9)', () => {
    expect(humanIds.map((id) => human.symbolOf(id))).toEqual(humanSymbols)
    for (const [i, symbol] of humanSymbols.entries()) expect(human.idsOf(symbol)).toContain(humanIds[i])
    expect(mouse.symbolOf('ENSMUSG00000059552')).toBe('Trp53')
    expect(human.symbolOf('ENSG99999999999')).toBeUndefined()
  })

  it('know former symbols and aliases that mean one gene, and no others', () => {
    expect(human.currentOf('CD20')).toEqual({ symbol: 'MS4A1', kind: 'previous' })
    expect(human.currentOf('MARCH1')).toEqual({ symbol: 'MARCHF1', kind: 'previous' })
    expect(human.currentOf('ARNTL')).toEqual({ symbol: 'BMAL1', kind: 'previous' })
    expect(human.currentOf('p53')).toEqual({ symbol: 'TP53', kind: 'alias' })
    expect(human.currentOf('B1')).toBeUndefined() // of several genes
    expect(human.currentOf('MS4A2')).toBeUndefined() // an alias of MS4A1, but a gene itself
    expect(human.currentOf('constructor')).toBeUndefined()
  })

  it('join human and mouse where the pair is one to one, in both directions', () => {
    expect(humanSymbols.map((symbol) => orthologues.partnerOf(symbol, 'Homo sapiens'))).toEqual(mouseSymbols)
    expect(mouseSymbols.map((symbol) => orthologues.partnerOf(symbol, 'Mus musculus'))).toEqual(humanSymbols)
    expect(orthologues.partnerOf('HLA-A', 'Homo sapiens')).toBeUndefined()
    const anySymbol = fc.constantFrom(
      ...humanSymbols,
      'HLA-A',
      'CXCL8',
      'GAPDH',
      'IFNA1',
      'KLRC1',
      'HBA1',
      'nothing',
    )
    fc.assert(
      fc.property(anySymbol, (symbol) => {
        const partner = orthologues.partnerOf(symbol, 'Homo sapiens')
        if (partner === undefined) return
        expect(orthologues.partnerOf(partner, 'Mus musculus')).toBe(symbol)
        expect(orthologues.isManyToMany(symbol, 'Homo sapiens')).toBe(false)
      }),
    )
  })
})

describe('the detection of gene ids', () => {
  it('goes by the majority, not by the first name (oracle O9)', async () => {
    expect(await detectGeneIds(['FOO', ...humanIds, 'BAR'])).toMatchObject({
      type: 'ensembl',
      species: 'Homo sapiens',
      share: 5 / 7,
      versioned: false,
    })
  })

  it('sees versions, also those of the Y chromosome', async () => {
    const versioned = humanIds.map((id, i) => (i === 0 ? `${id}.15_PAR_Y` : `${id}.${i}`))
    expect(await detectGeneIds(versioned)).toMatchObject({ type: 'ensembl', versioned: true, share: 1 })
    expect(ensemblId('ENSG00000182378.15_PAR_Y')).toBe('ENSG00000182378')
    expect(ensemblId('ENST00000141510')).toBeUndefined()
  })

  it.each([
    [humanSymbols, 'symbol', 'Homo sapiens'],
    [mouseSymbols, 'symbol', 'Mus musculus'],
    [['4933401J01RIK', 'GM1992', 'RP1', 'XKR4', 'SOX17', '0610009B22RIK'], 'symbol', 'Mus musculus'],
    [['ENSMUSG00000059552', 'ENSMUSG00000032094'], 'ensembl', 'Mus musculus'],
    [['ENSRNOG00000010756', 'ENSRNOG00000000001'], 'ensembl', null],
    [['0', '1', '2', '3'], 'unknown', null],
    [['7157', '915', '931', '100616365'], 'entrez', null],
    [['chr1_805097_805597', 'chr1:832576-833076', 'chrX:1-2'], 'unknown', null],
    [['peak_1', 'peak_2'], 'unknown', null],
    [[], 'unknown', null],
    [['', '', 'BLANK_1'], 'unknown', null],
  ] as const)('reads %j as %s of %s', async (names, type, species) => {
    expect(await detectGeneIds(names)).toMatchObject({ type, species })
  })

  it('does not depend on the order of the names', async () => {
    const name = fc.constantFrom(...humanIds, ...humanSymbols, ...mouseSymbols, '12', 'chr1:1-2', 'FOO')
    await fc.assert(
      fc.asyncProperty(fc.array(name, { maxLength: 20 }), async (names) => {
        expect(await detectGeneIds(names.toReversed())).toEqual(await detectGeneIds(names))
      }),
      { numRuns: 50 },
    )
  })
})
