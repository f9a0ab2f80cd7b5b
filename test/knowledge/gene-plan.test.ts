import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { GenePlanRequest } from '../../lib/knowledge/gene-plan.ts'
import { planGenes } from '../../lib/knowledge/gene-plan.ts'
import { loadGenes } from '../../lib/knowledge/genes.ts'
import { hasShared, sharedPath } from '../support/shared.ts'

const symbols = ['TP53', 'CD3D', 'MS4A1', 'NCAM1', 'PTPRC', 'LYZ', 'ACTB', 'MARCHF1', 'BMAL1']
const human = await loadGenes('Homo sapiens')
const ids = symbols.map((symbol) => human.idsOf(symbol)[0]!)
const model = { genes: symbols, type: 'symbol', species: 'Homo sapiens' } as const
const ensemblModel = { genes: ids, type: 'ensembl', species: 'Homo sapiens' } as const

const plan = (names: readonly string[], rest: Partial<GenePlanRequest> = {}) =>
  planGenes({ query: { candidates: [{ column: null, names }] }, model, minGenes: 1, ...rest })

const codes = ({ notices }: { notices: { code: string }[] }) => notices.map(({ code }) => code)

describe('a gene plan', () => {
  it('matches equal names as they stand, without a notice', async () => {
    const made = await plan(symbols.toReversed())
    expect(made.target).toEqual([8, 7, 6, 5, 4, 3, 2, 1, 0])
    expect(made).toMatchObject({
      column: null,
      idType: 'symbol',
      species: 'Homo sapiens',
      found: 9,
      share: 1,
      summed: 0,
    })
    expect(made.how.exact).toBe(9)
    expect(made.notices).toEqual([])
  })

  it('translates Ensembl ids, versions or not, and sums what is one gene (oracle O9)', async () => {
    const made = await plan(['TP53', 'ENSG00000141510', 'ENSG00000141510.17', 'FOO', 'BAR'])
    expect(made.target).toEqual([0, 0, 0, -1, -1])
    expect(made).toMatchObject({ found: 1, summed: 2 })
    expect(made.how).toMatchObject({ exact: 1, symbolFromEnsembl: 2 })
    expect(codes(made)).toEqual(
      expect.arrayContaining(['GENES_LOW_OVERLAP', 'GENES_TRANSLATED', 'GENES_SUMMED']),
    )
  })

  it('drops versions on either side, and finds ids from symbols', async () => {
    const made = await plan([`${ids[0]}.17`, 'CD3D', ids[2]!], { model: ensemblModel })
    expect(made.target).toEqual([0, 1, 2])
    expect(made.how).toMatchObject({ unversioned: 1, ensemblFromSymbol: 1, exact: 1 })
    const versionedModel = { ...ensemblModel, genes: ids.map((id) => `${id}.3`) }
    expect((await plan(ids, { model: versionedModel })).how.unversioned).toBe(9)
  })

  it('follows former symbols in both directions, and aliases', async () => {
    const made = await plan(['CD20', 'MARCH1', 'p53'])
    expect(made.target).toEqual([2, 7, 0])
    expect(made.how).toMatchObject({ previousSymbol: 2, alias: 1 })
    const oldModel = { genes: ['MARCH1', 'ARNTL', 'CD3D'], type: 'symbol', species: 'Homo sapiens' } as const
    expect((await plan(['MARCHF1', 'BMAL1', 'CD3D'], { model: oldModel })).target).toEqual([0, 1, 2])
  })

  it('lets an alias claim no gene that the file names itself, and none that two aliases claim', async () => {
    expect((await plan(['p53', 'TP53'])).target).toEqual([-1, 0])
    const both = await plan(['LFS1', 'p53', 'CD3D'])
    expect(both.target).toEqual([-1, -1, 1])
    expect(codes(both)).toContain('GENES_AMBIGUOUS')
  })

  it('reads symbols in spite of upper and lower case within a species', async () => {
    const mouse = {
      genes: ['Trp53', 'Cd3d', 'Ms4a1', 'Xkr4'],
      type: 'symbol',
      species: 'Mus musculus',
    } as const
    const made = await plan(['TRP53', 'CD3D', 'MS4A1', 'XKR4'], { model: mouse, organism: 'Mus musculus' })
    expect(made.target).toEqual([0, 1, 2, 3])
    expect(made.how.caseFolded).toBe(4)
  })

  it('joins another species by orthologues of one to one, and says so', async () => {
    const made = await plan(['Trp53', 'Cd3d', 'Ms4a1', 'Gm26206', 'ENSMUSG00000026395'])
    expect(made.target).toEqual([0, 1, 2, -1, 4])
    expect(made).toMatchObject({ species: 'Mus musculus', found: 4, how: { orthologue: 4 } })
    expect(codes(made)).toContain('GENES_OTHER_SPECIES')
  })

  it('chooses the column that fits best, and tells that it guessed', async () => {
    const candidates = [
      { column: null, names: ['0', '1', '2'] },
      { column: 'feature_types', names: ['Gene Expression', 'Gene Expression', 'Gene Expression'] },
      { column: 'feature_name', names: ['CD3D', 'LYZ', ''] },
    ]
    const made = await planGenes({ query: { candidates }, model, minGenes: 1 })
    expect(made).toMatchObject({ column: 'feature_name', target: [1, 5, -1], idType: 'symbol' })
    expect(codes(made)).toContain('GENE_COLUMN_GUESSED')
    const chosen = await planGenes({ query: { candidates, chosen: 'feature_name' }, model, minGenes: 1 })
    expect(codes(chosen)).not.toContain('GENE_COLUMN_GUESSED')
  })

  it('prefers equal names where two columns find as many genes', async () => {
    const candidates = [
      { column: null, names: ids },
      { column: 'gene_symbols', names: symbols },
    ]
    expect(await planGenes({ query: { candidates }, model })).toMatchObject({ column: 'gene_symbols' })
    const byId = await planGenes({ query: { candidates }, model: ensemblModel })
    expect(byId).toMatchObject({ column: null, how: { exact: 9 } })
    const chosen = await planGenes({ query: { candidates, chosen: 'index' }, model })
    expect(chosen).toMatchObject({ column: null, how: { symbolFromEnsembl: 9 } })
  })

  it('refuses a column that is not there, a file without a shared gene, and too few', async () => {
    const query = { candidates: [{ column: null, names: symbols }], chosen: 'gene' }
    await expect(planGenes({ query, model, place: 'q.h5ad:/var' })).rejects.toMatchObject({
      name: 'BadInput',
      code: 'GENE_COLUMN_MISSING',
      place: 'q.h5ad:/var',
    })
    await expect(plan(['chr1:1-2', 'chr1:3-4'])).rejects.toMatchObject({
      code: 'GENES_NO_OVERLAP',
      problem: expect.stringContaining('genomic intervals'),
    })
    await expect(plan(['TP53', 'CD3D'], { minGenes: 50 })).rejects.toMatchObject({
      code: 'GENES_TOO_FEW',
      problem: expect.stringContaining('only 2 of the 9 genes'),
    })
    expect((await plan(symbols.slice(0, 5), { minGenes: 50 })).found).toBe(5)
  })

  it('keeps control probes out, and says how many there were', async () => {
    const made = await plan([...symbols, 'NegControlProbe_1', 'BLANK_2'])
    expect(made.target.slice(9)).toEqual([-1, -1])
    expect(made.notices).toMatchObject([{ code: 'GENES_CONTROL_PROBES' }])
  })

  it('tells when the file contradicts the organism of the job', async () => {
    expect(codes(await plan(symbols, { organism: 'Mus musculus' }))).toContain('ORGANISM_CONTRADICTED')
  })
})

describe('the laws of gene plans', () => {
  const anyName = fc.oneof(
    fc.constantFrom(
      ...symbols,
      ...ids,
      ...ids.map((id) => `${id}.2`),
      'p53',
      'LFS1',
      'CD20',
      'MARCH1',
      'tp53',
      'BLANK_1',
      '',
    ),
    fc.string({ maxLength: 6 }),
  )
  const names = fc.array(anyName, { maxLength: 30 }).map((list) => [...list, 'LYZ'])

  it('found, summed, counted and missing genes agree with the targets', async () => {
    await fc.assert(
      fc.asyncProperty(names, fc.constantFrom(model, ensemblModel), async (list, target) => {
        const made = await plan(list, { model: target })
        const matched = made.target.filter((gene) => gene >= 0)
        expect(made.target.length).toBe(list.length)
        expect(new Set(matched).size).toBe(made.found)
        expect(matched.length).toBe(made.found + made.summed)
        expect(Object.values(made.how).reduce((sum, count) => sum + count)).toBe(matched.length)
        expect(made.missing.length).toBe(made.modelGenes - made.found)
        for (const gene of matched) expect(made.missing).not.toContain(target.genes[gene])
      }),
      { numRuns: 100 },
    )
  })

  it('the order of the genes changes nothing, and names the model does not know add nothing', async () => {
    await fc.assert(
      fc.asyncProperty(names, async (list) => {
        const made = await plan(list)
        const reversed = await plan(list.toReversed())
        expect(reversed.target.toReversed()).toEqual(made.target)
        const more = await plan([...list, 'no such gene', 'another one'])
        expect(more.target.slice(0, list.length)).toEqual(made.target)
      }),
      { numRuns: 100 },
    )
  })
})

describe.runIf(hasShared)('the plan of a real file and a real CellTypist model', () => {
  it('finds the 3,913 of 3,971 genes that numpy found, by equal names', async () => {
    const { readFileSync } = await import('node:fs')
    const { openCells } = await import('../../lib/data/open-cells.ts')
    const file = await openCells(sharedPath('data', 'pbmc4k_query', 'pbmc4k_soupx_labelled.h5ad'))
    const { index } = await file.var()
    await file.close()
    const { features } = JSON.parse(
      readFileSync(sharedPath('data', 'models', 'celltypist_lung31_popv.json'), 'utf8'),
    ) as { features: string[] }
    const made = await plan(index, { model: { ...model, genes: features } })
    expect(made).toMatchObject({
      found: 3913,
      modelGenes: 3971,
      queryGenes: 33694,
      summed: 0,
      how: { exact: 3913 },
    })
    expect(made.notices).toEqual([])
    const asIds = features.map((name) => human.idsOf(human.currentOf(name)?.symbol ?? name)[0] ?? name)
    const byId = await plan(index, { model: { genes: asIds, type: 'ensembl', species: 'Homo sapiens' } })
    expect(byId.found).toBeGreaterThanOrEqual(3900)
  })
})
