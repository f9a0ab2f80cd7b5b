import { describe, expect, it } from 'vitest'
import { planGenes } from '../../lib/knowledge/gene-plan.ts'

const model = { genes: ['CD3D', 'TP53'], type: 'symbol', species: 'Homo sapiens' } as const
const id = 'ENSG00000141510'

describe('gene names as SpatialCore was seen to read them (oracle O9)', () => {
  it('are not left in the index because its first name is a symbol', async () => {
    const candidates = [
      { column: null, names: ['FOO', id, 'BAR'] },
      { column: 'feature_name', names: ['FOO', 'TP53', 'BAR'] },
    ]
    const made = await planGenes({ query: { candidates }, model, minGenes: 1 })
    expect(made.target).toEqual([-1, 1, -1])
    expect(made).toMatchObject({ column: 'feature_name', how: { exact: 1 } })
    const index = await planGenes({ query: { candidates: candidates.slice(0, 1) }, model, minGenes: 1 })
    expect(index).toMatchObject({ target: [-1, 1, -1], how: { symbolFromEnsembl: 1 } })
  })

  it('that name one gene three times are summed, where the original makes TP53, TP53-1 and TP53-2', async () => {
    const candidates = [{ column: 'feature_name', names: ['TP53', id, 'TP53'] }]
    const made = await planGenes({ query: { candidates }, model, minGenes: 1 })
    expect(made.target).toEqual([1, 1, 1])
    expect(made).toMatchObject({ found: 1, summed: 2 })
    expect(made.notices.map(({ code }) => code)).toContain('GENES_SUMMED')
  })

  it('are found in spite of a version, which the original does not strip', async () => {
    const candidates = [{ column: null, names: [`${id}.17`] }]
    expect((await planGenes({ query: { candidates }, model, minGenes: 1 })).target).toEqual([1])
  })
})
