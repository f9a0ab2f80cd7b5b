import { describe, expect, it } from 'vitest'
import { type OntologyTableRow, renderOntologyTable } from '../../lib/report/ontology-table-png.ts'
import { hostileTexts } from './hostile-content.ts'
import { coloured, decode, inked, overflow, type Pixels } from './pixels.ts'

const row = (tier: string, cells = 10): OntologyTableRow => ({
  label: 'T cells',
  name: 'T cell',
  id: 'CL:0000084',
  tier,
  score: 0.9,
  cells,
})
const drawn = async (rows: readonly OntologyTableRow[]): Promise<Pixels> =>
  decode(await renderOntologyTable({ title: 'Terms', rows, pixelRatio: 1 }))

describe('the table of terms as a PNG', () => {
  it('has the colour of SpatialCore for its tiers, and the most alike one for ours', async () => {
    const colours: Record<string, string> = {
      tier0_pattern: '#d4edda',
      alias: '#d4edda',
      tier1_exact: '#cce5ff',
      existing: '#cce5ff',
      name: '#cce5ff',
      synonym: '#cce5ff',
      tier2_token: '#fff3cd',
      suggestion: '#fff3cd',
      tier3_overlap: '#f8d7da',
      unmapped: '#e9ecef',
      skipped: '#e9ecef',
    }
    for (const [tier, colour] of Object.entries(colours)) {
      const pixels = await drawn([row(tier)])
      expect(coloured(pixels, colour, { apart: 1 }), tier).toBeGreaterThan(980 * 21 * 0.8)
      for (const other of new Set(Object.values(colours)))
        if (other !== colour) expect(coloured(pixels, other, { apart: 1 }), tier).toBeLessThan(200)
    }
  })

  it('shows a tier that it does not know on white, whatever it is called', async () => {
    for (const tier of ['constructor', '__proto__', ''])
      expect(coloured(await drawn([row(tier)]), '#ffffff')).toBeGreaterThan(100_000)
  })

  it('sets the label of most cells first, and draws 60 of more', async () => {
    const rows = [row('unmapped', 5), row('name', 50)]
    const pixels = await drawn(rows)
    const first = [24, pixels.height - 24 - 44, 1004, pixels.height - 24 - 23] as const
    expect(coloured(pixels, '#cce5ff', { within: first, apart: 1 })).toBeGreaterThan(15_000)
    const many = Array.from({ length: 61 }, () => row('name'))
    const [sixty, more] = [await drawn(many.slice(1)), await drawn(many)]
    expect(more.height).toBe(sixty.height + 22)
    expect(inked(more, [30, more.height - 46, 400, more.height - 24])).toBeGreaterThan(200)
  })

  it('keeps hostile texts in their columns, and draws what has no score and no number of cells', async () => {
    const rows = hostileTexts.map((text) => ({
      label: text,
      name: text,
      id: text,
      tier: text,
      score: Number.NaN,
      cells: Number.NaN,
    }))
    const pixels = await drawn(rows)
    expect(overflow(pixels)).toBe(0)
    // between the columns of identifiers and of tiers
    expect(inked(pixels, [696, 120, 711, pixels.height - 24])).toBe(0)
    expect(inked(await drawn([{ ...row('unmapped'), name: null, id: null, score: null }]))).toBeGreaterThan(
      1000,
    )
  })

  it('without a label says why, and is the same file twice', async () => {
    expect(inked(await drawn([]), [100, 100, 540, 180])).toBeGreaterThan(1000)
    const options = { title: 'Terms', rows: [row('name'), row('alias')] }
    expect(await renderOntologyTable(options)).toEqual(await renderOntologyTable(options))
  })
})
