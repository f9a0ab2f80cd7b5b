import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { loadOntology } from '../../lib/knowledge/ontology.ts'
import { parentLabels, parentTerms } from '../../lib/knowledge/parent-terms.ts'

const ontology = await loadOntology()
const term = (id: string) => ({ id, label: ontology.byId.get(id)!.name })

describe('parents by words', () => {
  it('are T cell and B cell beside CD4 T cell and memory B cell (oracle O14)', () => {
    const labels = ['T cell', 'CD4 T cell', 'B cell', 'memory B cell', 'macrophage']
    const parents = parentLabels(labels.map((label, i) => ({ id: `CL:000000${i}`, label })))
    expect([...parents]).toEqual([
      ['CL:0000000', ['CL:0000001']],
      ['CL:0000002', ['CL:0000003']],
    ])
  })

  it('need two words, all of them in the child, and fewer than the child', () => {
    const named = (...labels: string[]) => labels.map((label) => ({ id: label, label }))
    expect(parentLabels(named('macrophage', 'alveolar macrophage')).size).toBe(0)
    expect(parentLabels(named('T-cell', 'CD4+ T cell')).size).toBe(1)
    expect(parentLabels(named('T cell', 'cell T', 'T, cell')).size).toBe(0)
    expect(parentLabels(named('', '__proto__', 'constructor')).size).toBe(0)
  })
})

describe('parents by the ontology', () => {
  it('are what words miss, and not what words only seem to show', () => {
    const terms = ['CL:0000235', 'CL:0000583', 'CL:0000084', 'CL:0000815'].map(term)
    expect([...parentTerms(terms, ontology)]).toEqual([
      ['CL:0000235', ['CL:0000583']], // macrophage, alveolar macrophage
      ['CL:0000084', ['CL:0000815']], // T cell, regulatory T cell
    ])
    const apart = ['CL:0000912', 'CL:0000492'].map(term) // helper T cell, CD4-positive helper T cell
    expect(parentLabels(apart).size).toBe(1)
    expect(parentTerms(apart, ontology).size).toBe(0)
  })

  it('leave no parent among the rest, and never all', () => {
    const ids = ontology.terms.map(({ id }) => id)
    fc.assert(
      fc.property(fc.uniqueArray(fc.constantFrom(...ids), { minLength: 1, maxLength: 30 }), (chosen) => {
        const parents = parentTerms(chosen.map(term), ontology)
        const left = chosen.filter((id) => !parents.has(id))
        expect(left.length).toBeGreaterThan(0)
        expect(parentTerms(left.map(term), ontology).size).toBe(0)
        for (const [id, children] of parents)
          for (const child of children) expect(ontology.ancestors(child).has(id)).toBe(true)
      }),
      { numRuns: 100 },
    )
  })

  it('know nothing of unknown ids', () => {
    expect(parentTerms([{ id: 'unknown', label: 'x' }, term('CL:0000084')], ontology).size).toBe(0)
  })
})
