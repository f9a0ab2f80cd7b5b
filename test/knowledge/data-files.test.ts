import { mkdtempSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { brotliDecompressSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { buildGenes } from '../../scripts/knowledge/build-genes.ts'
import { buildMarkers } from '../../scripts/knowledge/build-markers.ts'
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

describe('the build of the markers', () => {
  it('makes what is shipped', async () => {
    expect(await buildMarkers()).toEqual({ 'markers.json.br': content('markers.json.br') })
  })

  it('stops at a former symbol, an id out of use, another name, too few genes, a twin and an unknown source', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'markers-'))
    writeFileSync(
      join(folder, 'marker-sources.tsv'),
      'key\tauthor\tyear\tjournal\tdoi\nx2020\tX\t2020\tY\t\nz2021\tZ\t2021\tY\t\n',
    )
    const rows = [
      'CL:0000236\tB cell\tCD20 CD19 CD79A CD79B\tx2020',
      'CL:9999999\tgone\tCD3D CD3E CD3G CD2\tx2020',
      'CL:0000084\tt cells\tCD3D CD3E CD3G CD2\tnobody1999',
      'CL:0000623\tnatural killer cell\tNCAM1 NCAM1 GNLY\tx2020',
    ]
    writeFileSync(join(folder, 'markers.tsv'), `id\tname\tgenes\tsources\n${rows.join('\n')}\n`)
    const faults = await buildMarkers(folder).catch((error: Error) => error.message)
    for (const part of [
      'CD20 is no symbol of today; MS4A1 is',
      'CL:9999999 gone: the ontology has no such term in use',
      'CL:0000084 t cells: the ontology has T cell',
      'the same as gone',
      'no source "nobody1999"',
      'CL:0000623 natural killer cell: 3 genes',
      'a gene twice',
      'source "z2021" is not used',
    ])
      expect(faults).toContain(part)
  })
})

describe.runIf(hasShared)('the build scripts', () => {
  it('make what is shipped, and the same bytes twice', async () => {
    const genes = await buildGenes(sharedPath('data', 'genes'))
    const ontology = await buildOntology(sharedPath('data', 'ontology'))
    const built = { ...genes, ...ontology, ...(await buildMarkers()) }
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
