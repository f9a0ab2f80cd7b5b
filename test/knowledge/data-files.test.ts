import { mkdtempSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { brotliDecompressSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { buildGenes } from '../../scripts/knowledge/build-genes.ts'
import { buildOntology } from '../../scripts/knowledge/build-ontology.ts'
import { packInto } from '../../scripts/knowledge/pack.ts'
import { hasShared, sharedPath } from '../support/shared.ts'

const folder = resolve(import.meta.dirname, '../../lib/knowledge/data')
const names = readdirSync(folder)
const content = (name: string): unknown =>
  JSON.parse(brotliDecompressSync(readFileSync(join(folder, name))).toString('utf8'))

describe('the data files', () => {
  it('fit into a Lambda bundle: each below 1 MB, together below 1.6 MB', () => {
    const sizes = names.map((name) => statSync(join(folder, name)).size)
    for (const size of sizes) expect(size).toBeLessThan(1e6)
    expect(sizes.reduce((sum, size) => sum + size)).toBeLessThan(1.6e6)
  })

  it.each(names)('%s says where it comes from, under which licence, and how much it holds', (name) => {
    const { about } = content(name) as {
      about: { sources: Record<string, string>[]; counts: Record<string, number> }
    }
    expect(about.sources.length).toBeGreaterThan(0)
    for (const source of about.sources)
      for (const field of ['file', 'what', 'release', 'origin', 'licence'])
        expect(source[field]).toMatch(/\w/)
    for (const count of Object.values(about.counts)) expect(count).toBeGreaterThan(0)
  })
})

describe.runIf(hasShared)('the build scripts', () => {
  it('make what is shipped, and the same bytes twice', async () => {
    const genes = await buildGenes(sharedPath('data', 'genes'))
    const ontology = await buildOntology(sharedPath('data', 'ontology'))
    const built = { ...genes, ...ontology }
    expect(Object.keys(built).sort()).toEqual([...names].sort())
    for (const name of names) expect(built[name]).toEqual(content(name))
    const [once, twice] = [
      mkdtempSync(join(tmpdir(), 'knowledge-')),
      mkdtempSync(join(tmpdir(), 'knowledge-')),
    ]
    await packInto(once, ontology)
    await packInto(twice, await buildOntology(sharedPath('data', 'ontology')))
    for (const name of Object.keys(ontology))
      expect(readFileSync(join(once, name))).toEqual(readFileSync(join(twice, name)))
  })
})
