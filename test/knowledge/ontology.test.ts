import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { cellOntologyId, loadOntology } from '../../lib/knowledge/ontology.ts'
import { hasShared, sharedPath } from '../support/shared.ts'

const ontology = await loadOntology()

describe('the ontology', () => {
  it('holds the terms in use by id and by name', () => {
    expect(ontology.version).toBe('v2026-03-26')
    expect(ontology.terms.length).toBe(3324)
    expect(ontology.byId.get('CL:0000084')?.name).toBe('T cell')
    expect(ontology.byName.get('type b pancreatic cell')?.id).toBe('CL:0000169')
    expect(ontology.byName.size).toBe(ontology.terms.length)
  })

  it('knows the scope of synonyms', () => {
    const beta = ontology.byId.get('CL:0000169')!.synonyms
    expect(beta).toContainEqual({ text: 'pancreatic beta cell', scope: 'exact' })
    expect(beta).toContainEqual({ text: 'beta cell', scope: 'broad' })
  })

  it('has no cycle, and one root above nearly everything', () => {
    for (const { id } of ontology.terms) expect(ontology.ancestors(id).has(id)).toBe(false)
    expect(ontology.ancestors('CL:0000084')).toContain('CL:0000542')
    expect(ontology.ancestors('CL:0000084')).toContain('CL:0000000')
    expect(ontology.ancestors('nothing').size).toBe(0)
  })

  it('finds the lowest common ancestor, whatever the order', () => {
    expect(ontology.lowestCommonAncestor(['CL:0000084', 'CL:0000236'])).toBe('CL:0000542') // T, B: lymphocyte
    expect(ontology.lowestCommonAncestor(['CL:0000236', 'CL:0000084'])).toBe('CL:0000542')
    expect(ontology.lowestCommonAncestor(['CL:0000084', 'CL:0000624'])).toBe('CL:0000084') // one is the other
    expect(ontology.lowestCommonAncestor(['CL:0000084'])).toBe('CL:0000084')
    expect(ontology.lowestCommonAncestor([])).toBeNull()
    expect(ontology.lowestCommonAncestor(['CL:0000084', 'CL:9999999'])).toBeNull()
  })

  it('reads ids as files write them', () => {
    expect(['CL:0000084', 'CL_0000108', ' cl:0000084 '].map(cellOntologyId)).toEqual([
      'CL:0000084',
      'CL:0000108',
      'CL:0000084',
    ])
    expect(['CL:84', 'UBERON:0002048', 'CL:0000084x', ''].map(cellOntologyId)).toEqual(
      Array(4).fill(undefined),
    )
  })
})

describe.runIf(hasShared)('the is_a graph', () => {
  it('gives every term the ancestors that its source gives', () => {
    const text = readFileSync(sharedPath('data', 'ontology', 'CL-ontology-v2026-03-26.json'), 'utf8')
    const source = JSON.parse(text) as Record<string, { ancestors: Record<string, number> }>
    for (const { id } of ontology.terms)
      expect([...ontology.ancestors(id)].sort()).toEqual(Object.keys(source[id]!.ancestors).sort())
  })
})
