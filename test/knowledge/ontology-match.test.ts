import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { loadOntology } from '../../lib/knowledge/ontology.ts'
import { aliases } from '../../lib/knowledge/ontology-aliases.ts'
import type { LabelMatch, MatchOptions } from '../../lib/knowledge/ontology-match.ts'
import { matchLabels } from '../../lib/knowledge/ontology-match.ts'
import { hasShared, sharedPath } from '../support/shared.ts'

const ontology = await loadOntology()
const match = async (label: string, options?: MatchOptions): Promise<LabelMatch> =>
  (await matchLabels([label], options))[0]!
const idOf = async (label: string, options?: MatchOptions) => (await match(label, options)).id

describe('exact-first matching', () => {
  it('gives every name of the ontology its own term', async () => {
    const matches = await matchLabels(ontology.terms.map(({ name }) => name))
    expect(matches.map(({ id }) => id)).toEqual(ontology.terms.map(({ id }) => id))
    expect(new Set(matches.map(({ tier }) => tier))).toEqual(new Set(['name']))
  })

  it('gives every name its own term in upper case, with underscores and in the plural', async () => {
    const spellings = [
      (name: string) => name.toUpperCase(),
      (name: string) => name.replaceAll(' ', '_'),
      (name: string) => (name.endsWith('cell') || name.endsWith('cyte') ? `${name}s` : name),
    ]
    for (const spell of spellings) {
      const matches = await matchLabels(ontology.terms.map(({ name }) => spell(name)))
      const other = matches.filter(({ id }, row) => id !== null && id !== ontology.terms[row]!.id)
      expect(other.map(({ label, name }) => [label, name])).toEqual([])
      expect(matches.filter(({ id }) => id === null).length).toBeLessThanOrEqual(5)
    }
  })

  it('gives an EXACT synonym its term, unless it is a name, or is said of another cell', async () => {
    const synonyms = ontology.terms.flatMap((term) =>
      term.synonyms.filter(({ scope }) => scope === 'exact').map(({ text }) => ({ id: term.id, text })),
    )
    const matches = await matchLabels(synonyms.map(({ text }) => text))
    const wrong = matches.filter(({ id }, row) => id !== null && id !== synonyms[row]!.id)
    expect(wrong.map(({ label, name }) => `${label} = ${name}`)).toEqual([
      'alpha cell = pancreatic A cell', // of the mouse retina in the ontology
      'substantia nigra dopaminergic neuron = substantia nigra dopaminergic neuron',
      '32 OEC = olfactory ensheathing cell', // of the mouse in the ontology
    ])
    expect(matches.filter(({ id }) => id === null).length).toBeLessThan(40)
  })

  it.each([
    // the pancreas set of oracle O10
    ['alpha cell', 'CL:0000171'],
    ['alpha', 'CL:0000171'],
    ['beta cell', 'CL:0000169'],
    ['beta', 'CL:0000169'],
    ['delta cell', 'CL:0000173'],
    ['PP', 'CL:0002275'],
    ['epsilon', 'CL:0005019'],
    ['acinar', 'CL:0002064'],
    ['ductal cell', 'CL:0002079'],
    ['pancreatic stellate cell', 'CL:0002410'],
    ['pancreatic goblet', 'CL:1000322'],
    ['pancreatic beta cells', 'CL:0000169'],
    // what SpatialCore gets wrong
    ['monocyte-derived dendritic cell', 'CL:0011031'],
    ['brush cell', 'CL:0002204'],
    ['neurogliaform cell', 'CL:0000693'],
    ['preadipocyte', 'CL:0002334'],
    ['oligodendrocyte precursor', 'CL:0002453'],
    ['epithelial stem cell', 'CL:0000036'],
    ['cardiomyocyte', 'CL:0000746'],
    ['lymphatic EC', 'CL:0002138'],
    ['lymphocytes', 'CL:0000542'],
    ['proliferating T cells', 'CL:4033069'],
    ['NKT', 'CL:0000814'],
    ['acinar cell', 'CL:0000622'],
    ['pulmonary ionocyte', 'CL:0017000'],
    ['basophilic erythroblast', 'CL:0000549'],
    ['conventional dendritic cell type 1', 'CL:0002394'],
    ['epithelial cell of proximal tubule', 'CL:0002306'],
    // names that SpatialCore aims at and does not have
    ['arterial endothelial cell', 'CL:1000413'],
    ['venous endothelial cell', 'CL:0002543'],
    ['lymphatic endothelial cell', 'CL:0002138'],
    ['cancer associated fibroblast', 'CL:0000057'],
    ['CD56-bright NK', 'CL:0000938'],
    ['CD56-dim NK', 'CL:0000939'],
    ['columnar cell', 'CL:0000075'],
    ['cDC type 2', 'CL:0002399'],
    ['granulocyte monocyte progenitor', 'CL:0000557'],
    ['invariant NKT', 'CL:0000921'],
    ['migratory DC', 'CL:4047054'],
    ['pulmonary neuroendocrine', 'CL:1000223'],
    ['endothelial stalk cell', 'CL:0002671'],
    ['tuft cell', 'CL:0002204'],
    // spellings
    ['T cells', 'CL:0000084'],
    ['T-cell', 'CL:0000084'],
    ['Tcells', 'CL:0000084'],
    ['T_cell', 'CL:0000084'],
    ['T', 'CL:0000084'],
    ['CD3+ T cell', 'CL:0000084'],
    ['CD4+ T cells', 'CL:0000624'],
    ['CD4⁺ T cells', 'CL:0000624'],
    ['CD4-positive T cell', 'CL:0000624'],
    ['T_CD4', 'CL:0000624'],
    ['γδ T cells', 'CL:0000798'],
    ['NK cells', 'CL:0000623'],
    ['Tregs', 'CL:0000815'],
    ['CD4+/CD45RA+/CD25- Naive T', 'CL:0000895'],
    ['DCs', 'CL:0000451'],
    ['Cycling DCs', 'CL:4033070'],
    ['Migratory DCs', 'CL:4047054'],
    ['cDC1', 'CL:0002394'],
    ['AT2', 'CL:0002063'],
    ['Club (nasal)', 'CL:0000158'],
    ['Germinal centre B cells', 'CL:0000844'],
    ['Dendritic', 'CL:0000451'],
    ['Macrophage_2', 'CL:0000235'],
    ['IFN- CD14 Mono', 'CL:0001054'],
    ['Tumour cells', 'CL:0001064'],
    ['CL_0000108', 'CL:0000108'],
  ])('reads "%s" as %s', async (label, id) => {
    expect(await idOf(label)).toBe(id)
  })

  it.each([
    'Cluster_12',
    'Zed 1',
    'macrophae',
    'islet',
    'T_NK',
    'data cell',
    'constructor',
    '__proto__',
    '12',
    'CD4/CD8 T',
  ])('does not guess what "%s" is', async (label) => {
    expect(await match(label)).toMatchObject({ id: null, name: null, score: null, tier: 'unmapped' })
  })

  it('offers terms by spelling and by shared words, none of them as sure as a match', async () => {
    const typo = await match('macrophae')
    expect(typo.candidates[0]).toMatchObject({ id: 'CL:0000235' })
    const part = await match('subpleural lung macrophage')
    expect(part.candidates.map(({ name }) => name)).toContain('lung macrophage')
    for (const { candidates } of [typo, part]) {
      expect(candidates.length).toBeLessThanOrEqual(5)
      for (const { score } of candidates) expect(score).toBeLessThan(0.85)
    }
  })

  it('takes the best suggestion only when told from which score on, and alone', async () => {
    expect(await match('macrophae', { acceptSuggestions: 0.7 })).toMatchObject({
      id: 'CL:0000235',
      tier: 'suggestion',
    })
    expect(await idOf('macrophae', { acceptSuggestions: 0.8 })).toBeNull()
    expect(await match('ELP', { acceptSuggestions: 0.7 })).toMatchObject({ id: null, tier: 'unmapped' }) // two at 0.8
  })

  it('names both types of a mixed label, and the lowest term that is above them', async () => {
    const mixed = await match('NK/T cells')
    expect(mixed).toMatchObject({
      id: null,
      tier: 'unmapped',
      fallback: { id: 'CL:0000542', name: 'lymphocyte' },
    })
    expect(mixed.candidates.map(({ id }) => id).sort()).toEqual(['CL:0000084', 'CL:0000623'])
    expect(await idOf('Fibroblasts and Pericytes')).toBeNull()
    expect(await idOf('hematopoietic stem and progenitor cells')).toBe('CL:0008001')
  })

  it('leaves a word open that the ontology and common usage understand differently', async () => {
    const dc2 = await match('DC2')
    expect(dc2).toMatchObject({ id: null, tier: 'unmapped' })
    expect(dc2.candidates.map(({ id }) => id).sort()).toEqual(['CL:0000784', 'CL:0002399'])
    const stalk = await match('stalk cell') // of insect follicles, or of sprouting vessels
    expect(stalk.candidates.map(({ id }) => id).sort()).toEqual(['CL:0000674', 'CL:0002671'])
  })

  it('reads short labels by the tissue, named or betrayed by the other labels', async () => {
    expect(await idOf('stellate')).toBeNull()
    expect(await idOf('stellate', { tissue: 'Pancreas' })).toBe('CL:0002410')
    expect(await idOf('stellate', { tissue: 'liver, left lobe' })).toBe('CL:0000632')
    expect(await idOf('HSC')).toBe('CL:0000037')
    expect(await idOf('HSC', { tissue: 'liver' })).toBeNull()
    const [, , stellate] = await matchLabels(['alpha', 'beta', 'activated_stellate'])
    expect(stellate).toMatchObject({ id: 'CL:0002410', reason: 'without activated' })
  })

  it.each(['Unknown', 'other', 'Doublets', '?', '', 'NaN', 'low quality', 'unlabelled'])(
    'skips "%s"',
    async (label) => {
      expect(await match(label)).toMatchObject({ id: null, tier: 'skipped' })
    },
  )

  it('keeps an id that is in use, follows one that was replaced, and says when it cannot', async () => {
    const existing = new Map([
      ['my T', 'CL:0000084'],
      ['old', [...ontology.replacedBy.keys()][0]!],
      ['B cells', 'CL:9999999'],
      ['odd', 'UBERON:0002048'],
    ])
    const matches = await matchLabels([...existing.keys()], { existing })
    expect(matches).toMatchObject([
      { id: 'CL:0000084', tier: 'existing', score: 1 },
      { id: [...ontology.replacedBy.values()][0], tier: 'existing' },
      { id: 'CL:0000236', tier: 'name', reason: expect.stringContaining('CL:9999999') },
      { id: null, tier: 'unmapped' },
    ])
  })

  it('coarsens for imaging panels only when told (the promises of oracle O10)', async () => {
    const labels = [
      'Club (nasal)',
      'Migratory DCs',
      'conventional DC',
      'cDC type 1',
      'brush cell',
      'intestinal tuft cell',
    ]
    const plain = await matchLabels(labels)
    expect(plain.map(({ id }) => id)).toEqual([
      'CL:0000158',
      'CL:4047054',
      'CL:0000990',
      'CL:0002394',
      'CL:0002204',
      'CL:0019032',
    ])
    const spatial = await matchLabels(labels, { granularity: 'spatial' })
    expect(spatial.map(({ name }) => name)).toEqual([
      'club cell',
      'migratory dendritic cell',
      'dendritic cell',
      'CD141-positive myeloid dendritic cell',
      'tuft cell',
      'tuft cell',
    ])
    expect(spatial[2]!.reason).toContain('coarsened from conventional dendritic cell')
  })

  it('maps the labels of oracle O11', async () => {
    const matches = await matchLabels(['Zed 1', 'Zed 2', 'Other', 'T cells'])
    expect(matches.map(({ id, tier }) => [id, tier])).toEqual([
      [null, 'unmapped'],
      [null, 'unmapped'],
      [null, 'skipped'],
      ['CL:0000084', 'name'],
    ])
  })

  it('leaves matches below the least score unmapped, with what they were', async () => {
    const below = await match('Macrophage_2', { minScore: 0.9 })
    expect(below).toMatchObject({
      id: null,
      tier: 'unmapped',
      candidates: [{ id: 'CL:0000235', score: 0.85 }],
    })
  })
})

describe('our aliases', () => {
  it('name terms in use', () => {
    expect(aliases.filter(({ id }) => !ontology.byId.has(id))).toEqual([])
  })

  it('each give their own term, or a tie where the ontology means another cell', async () => {
    const ties: string[] = []
    for (const { id, lines, onlyIn } of aliases) {
      const matches = await matchLabels(lines.split(', '), { tissue: onlyIn ?? 'none' })
      for (const found of matches)
        if (found.id === null) ties.push(found.label)
        else expect([found.label, found.id]).toEqual([found.label, id])
    }
    expect(ties).toEqual(['dc2', 'vec'])
  })
})

describe('the laws of matching', () => {
  const words = [
    'CD4+',
    'T',
    'cells',
    'naive',
    'NK',
    '/',
    'alpha',
    'stellate',
    'beta',
    'Mono',
    'CD25-',
    '(x)',
    '1',
    'and',
    'B',
  ]
  const label = fc.oneof(
    fc.array(fc.constantFrom(...words), { maxLength: 5 }).map((list) => list.join(' ')),
    fc.string({ maxLength: 30, unit: 'grapheme' }),
    fc.constantFrom(...ontology.terms.slice(0, 300).map(({ name }) => name)),
  )

  it('the order and the repetition of labels change nothing', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(label, { maxLength: 12 }), async (labels) => {
        const matches = await matchLabels(labels)
        const again = await matchLabels([...labels.toReversed(), ...labels])
        expect(again.slice(0, labels.length).toReversed()).toEqual(matches)
        expect(again.slice(labels.length)).toEqual(matches)
      }),
      { numRuns: 200 },
    )
  })

  it('a match names a term in use and a score, anything else neither', async () => {
    await fc.assert(
      fc.asyncProperty(label, fc.constantFrom('exact-first', 'spatialcore'), async (text, policy) => {
        const found = await match(text, { policy })
        if (found.id === null) expect(found).toMatchObject({ name: null, score: null })
        else expect(ontology.byId.get(found.id)?.name).toBe(found.name)
        expect(found.candidates.length).toBeLessThanOrEqual(5)
      }),
      { numRuns: 300 },
    )
  })
})

describe('hostile labels', () => {
  it('are not read when they are longer than 1,000 characters', async () => {
    expect(await match('T cell '.repeat(200))).toMatchObject({ id: null, tier: 'unmapped' })
    expect(await match('T cell '.repeat(200), { policy: 'spatialcore' })).toMatchObject({
      id: null,
      tier: 'unmapped',
    })
  })

  it.each(['(', '[', 'cd4', 'a-', 'cd1', ' /', '١', 'cytotoxic', 'ig', '+', 'i̇'])(
    'of 1,000 characters of "%s" are read',
    async (part) => {
      const text = part.repeat(1000).slice(0, 1000)
      for (const policy of ['exact-first', 'spatialcore'] as const)
        expect((await match(text, { policy })).label).toBe(text)
    },
  )

  it('are refused when there are more than 10,000 of them', async () => {
    const labels = Array.from({ length: 10_001 }, (_, i) => `label ${i}`)
    await expect(matchLabels(labels)).rejects.toMatchObject({ name: 'BadInput', code: 'LABELS_TOO_MANY' })
  })
})

/**
 * Rows of the hand-mapped set whose label does not say what its id says; all other rows are exact. `reason` tells who says more:
 * the label (the people who mapped it took a wider term) or the id (they knew how the cells were sorted).
 */
const inexact = [
  { label: 'CD4 Naive T', truth: 'CL:0000624', ours: 'CL:0000895', reason: 'the label says more' },
  { label: 'CD4 Memory T', truth: 'CL:0000624', ours: 'CL:0000897', reason: 'the label says more' },
  { label: 'monocytes', truth: 'CL:0001054', ours: 'CL:0000576', reason: 'the id says more' }, // sorted by CD14
  { label: 'memoryt', truth: 'CL:0000897', ours: 'CL:0000813', reason: 'the id says more' }, // sorted by CD4
  { label: 'naivet', truth: 'CL:0000895', ours: 'CL:0000898', reason: 'the id says more' }, // sorted by CD4
  { label: 'thelper', truth: 'CL:0000492', ours: 'CL:0000912', reason: 'the id says more' }, // sorted by CD4
  { label: 'cytotoxict', truth: 'CL:0000794', ours: 'CL:0000910', reason: 'the id says more' }, // sorted by CD8
]

/** By the is_a graph, or where the ontology has not drawn the edge, by the name: the narrow one is the wide one's with more words. */
function isWider(wide: string, narrow: string): boolean {
  const words = (id: string) =>
    new Set(
      ontology.byId
        .get(id)!
        .name.toLowerCase()
        .match(/[a-z0-9]+/g),
    )
  return ontology.ancestors(narrow).has(wide) || [...words(wide)].every((word) => words(narrow).has(word))
}

describe.runIf(hasShared)('labels that people mapped by hand', () => {
  const rows = !hasShared
    ? []
    : readFileSync(sharedPath('data', 'ontology', 'author_label_to_CL_truth_handmapped.tsv'), 'utf8')
        .trim()
        .split('\n')
        .slice(1)
        .map((line) => {
          const [file, column, label, , truth] = line.split('\t') as [string, string, string, string, string]
          return {
            dataset: `${file} ${column}`,
            label,
            truth,
            known: inexact.find((row) => row.label === label),
          }
        })

  const answers = async (options?: MatchOptions) => {
    const found = []
    for (const group of Map.groupBy(rows, ({ dataset }) => dataset).values()) {
      const matches = await matchLabels(
        group.map(({ label }) => label),
        options,
      )
      for (const [i, row] of group.entries())
        found.push({ ...row, id: matches[i]!.id, tier: matches[i]!.tier })
    }
    return found
  }

  it('are right in every row whose label says what its id says, and nothing is made of labels of nothing', async () => {
    const exact = (await answers()).filter(({ known }) => known === undefined)
    expect(exact.length).toBe(65)
    expect(exact.filter(({ id, truth }) => (id ?? 'unknown') !== truth)).toEqual([])
    expect(exact.filter(({ truth }) => truth === 'unknown').map(({ tier }) => tier)).toEqual(
      Array(3).fill('skipped'),
    )
  })

  it('are read by their words where label or id says more, which is wider or narrower and never another cell', async () => {
    const others = (await answers()).filter(({ known }) => known !== undefined)
    expect(others.length).toBe(9)
    expect(new Set(others.map(({ label }) => label)).size).toBe(inexact.length)
    for (const { label, id, truth, known } of others) {
      expect([label, id, truth]).toEqual([label, known!.ours, known!.truth])
      const [wide, narrow] = known!.reason === 'the id says more' ? [id!, truth] : [truth, id!]
      expect(isWider(wide, narrow), label).toBe(true)
      expect(isWider(narrow, wide), label).toBe(false)
    }
  })

  it('come out the same whatever the order of the labels, and one by one unless the others tell the tissue', async () => {
    const together = await answers()
    for (const { label, id } of together) {
      const alone = await idOf(label)
      if (alone !== id) expect(label).toBe('activated_stellate')
    }
  })
})
