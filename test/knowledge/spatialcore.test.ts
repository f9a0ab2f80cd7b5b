/** Parity with SpatialCore 0.3.0: its own index lies beside the repository and is not shipped. */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { matchLabels } from '../../lib/knowledge/ontology-match.ts'
import type { SpatialCoreIndex } from '../../lib/knowledge/ontology-spatialcore.ts'
import {
  searchSpatialCore,
  spatialCoreScore,
  spatialCoreTokens,
} from '../../lib/knowledge/ontology-spatialcore.ts'
import { hasShared, sharedPath } from '../support/shared.ts'

describe("SpatialCore's scores and tokens", () => {
  it.each([
    ['b cell', 'b cell', 1, 0.95],
    ['cd4+ t cell', 'cd4 t cell', 0.95, 0.92],
    ['ductal cell', 'pancreatic ductal cell', 0.9, 0.88],
    ['lung macrophage', 'macrophage', 0.88, 0.86],
    ['ductal cells', 'pancreatic ductal cell', 0.7, 0.7],
    ['b cells', 'immature b cell', 0.4, 0.4],
    ['gut secretory blob', 'secretory cell', 0.6, 0.6],
    ['zed 1', 'b cell', 0.5, 0.5],
  ])('"%s" against "%s" scores %d, from a pattern %d (oracle O10)', (query, term, plain, fromPattern) => {
    expect(spatialCoreScore(query, term)).toBeCloseTo(plain, 12)
    expect(spatialCoreScore(query, term, { fromPattern: true })).toBeCloseTo(fromPattern, 12)
  })

  it('tokens are markers, proteins, core words and modifiers (oracle O10)', () => {
    expect(spatialCoreTokens('SPP1+ macrophage')).toMatchObject({
      proteins: ['spp1'],
      core: ['spp', 'macrophage'],
    })
    expect(spatialCoreTokens('mature NK')).toMatchObject({ core: ['nk'], modifiers: ['mature'] })
    expect(spatialCoreTokens('M2 macrophage')).toMatchObject({ core: ['macrophage'] })
    expect(spatialCoreTokens('CD8 IgA')).toMatchObject({ markers: ['cd8'], proteins: ['iga'], core: [] })
  })
})

describe('policy spatialcore over our own ontology', () => {
  it('answers with terms of ours, by pattern, name and token', async () => {
    const matches = await matchLabels(
      ['AT2', 'Club (nasal)', 'acinar cell', 'CD3+ T cell', 'Unknown', 'Zed 1'],
      {
        policy: 'spatialcore',
      },
    )
    expect(matches.map(({ id, tier }) => [id, tier])).toEqual([
      ['CL:0002063', 'tier0_pattern'],
      ['CL:0000158', 'tier0_pattern'],
      ['CL:0000622', 'tier1_exact'],
      ['CL:0000084', 'tier2_token'],
      [null, 'skipped'],
      [null, 'unmapped'],
    ])
  })

  it('reaches its third tier below the usual least score', async () => {
    const [match] = await matchLabels(['gut secretory blob'], { policy: 'spatialcore', minScore: 0.5 })
    expect(match).toMatchObject({ tier: 'tier3_overlap' })
  })
})

describe.runIf(hasShared)('policy spatialcore over its own index', () => {
  const index = hasShared
    ? (JSON.parse(
        readFileSync(sharedPath('data', 'ontology', 'spatialcore_ontology_index.json'), 'utf8'),
      ) as SpatialCoreIndex)
    : { cl: {} }
  const golden = (...parts: string[]) => readFileSync(sharedPath('golden', 'spatialcore', ...parts), 'utf8')

  it.each([
    ['CD4+ T cells', 'CL:0000624', 0.95, 'tier0_pattern'],
    ['NK cells', 'CL:0000623', 0.95, 'tier0_pattern'],
    ['Tregs', 'CL:0000815', 0.95, 'tier0_pattern'],
    ['DCs', 'CL:0000451', 0.95, 'tier0_pattern'],
    ['Club (nasal)', 'CL:0000158', 0.95, 'tier0_pattern'],
    ['AT2', 'CL:0002063', 0.95, 'tier0_pattern'],
    ['acinar cell', 'CL:0000622', 1, 'tier1_exact'],
    ['T-cell', 'CL:0000084', 0.95, 'tier2_token'],
    ['CD3+ T cell', 'CL:0000084', 0.88, 'tier2_token'],
    ['pulmonary ionocyte', 'CL:0017000', 1, 'tier1_exact'],
    ['ductal cell', 'CL:0002079', 0.9, 'tier2_token'],
    ['Ductal cells', 'CL:0002079', 0.7, 'tier2_token'],
    ['Migratory DCs', 'CL:4033045', 0.88, 'tier2_token'],
    ['brush cell', 'CL:0019032', 0.88, 'tier2_token'],
    // known faults, kept
    ['beta cell', 'CL:0009011', 0.95, 'tier0_pattern'],
    ['delta cell', 'CL:0009011', 0.95, 'tier0_pattern'],
    ['alpha cell', 'CL:0000624', 0.7, 'tier2_token'],
    ['pancreatic stellate cell', 'CL:0000632', 0.95, 'tier0_pattern'],
    ['monocyte-derived dendritic cell', 'CL:0000576', 0.95, 'tier0_pattern'],
    ['neurogliaform cell', 'CL:0000125', 0.95, 'tier0_pattern'],
    ['preadipocyte', 'CL:0000136', 0.95, 'tier0_pattern'],
    ['basophilic erythroblast', 'CL:0000767', 0.95, 'tier0_pattern'],
    ['epithelial stem cell', 'CL:0000066', 0.95, 'tier0_pattern'],
    ['oligodendrocyte precursor', 'CL:0000128', 0.95, 'tier0_pattern'],
    ['cardiomyocyte', 'CL:0002495', 0.9, 'tier2_token'],
    ['lymphatic EC', 'CL:0009107', 0.88, 'tier2_token'],
    ['lung', 'UBERON:0002048', 1, 'tier1_exact'],
    ['nucleus', 'GO:0005634', 1, 'tier1_exact'],
  ])('gives "%s" %s at %d by %s (oracle O10)', (label, id, score, tier) => {
    const { hits } = searchSpatialCore(label, { index, minScore: 0.7 })
    expect(hits[0]).toMatchObject({ id, tier })
    expect(hits[0]!.score).toBeCloseTo(score, 12)
  })

  it.each([
    ['Ductal cells', 2],
    ['brush cell', 5],
    ['lymphatic EC', 4],
  ])('finds the best score for "%s" %d times and takes the first (oracle O10)', (label, ties) => {
    const { hits } = searchSpatialCore(label, { index, minScore: 0.7 })
    expect(hits.filter((hit) => hit.score === hits[0]!.score).length).toBe(ties)
  })

  it.each([
    'Unknown',
    'Cluster_12',
    'other',
    'macrophae',
    'NKT',
    'lymphocytes',
    'proliferating T cells',
    'Islet',
  ])('gives "%s" nothing (oracle O10)', async (label) => {
    const [match] = await matchLabels([label], { policy: 'spatialcore', index })
    expect(match).toMatchObject({ id: null })
  })

  it('answers 134 recorded labels as SpatialCore did: id, tier, score, canonical name', async () => {
    const rows = [
      ...csv(golden('ontology_mapping_dataset_labels.csv')).map((row) => row.slice(4)),
      ...csv(golden('functions', 'ontology.csv')),
    ]
    const answers = await matchLabels(
      rows.map(([label]) => label!),
      { policy: 'spatialcore', index },
    )
    const none = { skipped: 'skipped', unmapped: 'unknown' } as Record<string, string>
    const ours = answers.map(({ label, id, tier, score, canonical }) => [
      label,
      id ?? none[tier],
      tier,
      score ?? (tier === 'skipped' ? null : 0),
      id === null ? '' : (canonical ?? ''),
    ])
    const theirs = rows.map(([label, , id, tier, score, , canonical]) => [
      label,
      id,
      tier,
      score === '' ? null : Number(score),
      canonical,
    ])
    expect(ours.length).toBe(134)
    const canonicalKnown = (row: unknown[], i: number) => [
      ...row.slice(0, 4),
      theirs[i]![4] === undefined ? '' : row[4],
    ]
    expect(ours.map(canonicalKnown)).toEqual(theirs.map((row) => [...row.slice(0, 4), row[4] ?? '']))
  })

  it('finds the canonical names that SpatialCore found', () => {
    const recorded = JSON.parse(golden('functions', 'patterns.json')) as Record<string, string | null>
    const found = Object.keys(recorded).map((label) => [
      label,
      searchSpatialCore(label, { index, minScore: 0.7 }).canonical,
    ])
    expect(Object.fromEntries(found)).toEqual(recorded)
  })
})

function csv(text: string): string[][] {
  const lines = text.trim().split(/\r?\n/).slice(1)
  return lines.map((line) =>
    [...line.matchAll(/(?:"([^"]*)"|([^,"]*))(?:,|$)/g)].map((cell) => cell[1] ?? cell[2]!).slice(0, -1),
  )
}
