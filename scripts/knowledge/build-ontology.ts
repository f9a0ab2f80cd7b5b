/**
 * Makes the Cell Ontology of lib/knowledge/data: `node scripts/knowledge/build-ontology.ts FOLDER`, where FOLDER holds
 *   CL-ontology-v2026-03-26.json   terms, ancestors with distance, synonyms (cellxgene-ontology-guide)
 *   cl_v2024-04-05_terms.tsv.gz    synonyms by scope
 * The JSON names no scope. Measured against the release of 2024, all of its synonyms that occur there are EXACT ones (2,187 of 2,271;
 * one is NARROW) and none of the 419 RELATED and 250 BROAD ones is among them: so they count as EXACT, and the other scopes are
 * taken from 2024, for terms that are still in use.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'
import type { About } from '../../lib/knowledge/data-file.ts'
import { dataFolder, folderArgument, packInto, packRising } from './pack.ts'

const sources: About['sources'] = [
  {
    file: 'CL-ontology-v2026-03-26.json',
    what: 'Cell Ontology: terms, names, EXACT synonyms, is_a',
    release: 'v2026-03-26',
    origin: 'https://github.com/chanzuckerberg/cellxgene-ontology-guide commit a2a31b73c921',
    licence: 'CC BY 4.0 (Cell Ontology); MIT (the repository)',
  },
  {
    file: 'cl_v2024-04-05_terms.tsv.gz',
    what: 'Cell Ontology: NARROW, RELATED and BROAD synonyms',
    release: 'v2024-04-05',
    origin: 'https://github.com/obophenotype/cell-ontology',
    licence: 'CC BY 4.0',
  },
]

interface SourceTerm {
  label: string
  deprecated: boolean
  ancestors: Record<string, number>
  synonyms?: string[]
  replaced_by?: string
}

export async function buildOntology(folder: string): Promise<Record<string, unknown>> {
  const all = JSON.parse(await readFile(join(folder, sources[0]!.file), 'utf8')) as Record<string, SourceTerm>
  const ids = Object.keys(all)
    .filter((id) => id.startsWith('CL:') && !all[id]!.deprecated)
    .sort()
  const rowOf = new Map(ids.map((id, row) => [id, row]))
  const terms = ids.map((id) => all[id]!)
  const scoped = await readScopes(folder)
  const synonyms = (scope: Scope) =>
    ids.map((id) => (scoped.get(id)?.[scope] ?? []).filter((text) => !isSaid(all[id]!, text)).join('|'))
  const exact = terms.map((term) => (term.synonyms ?? []).filter((text) => text !== term.label).join('|'))
  const replaced = Object.entries(all)
    .filter(([, term]) => term.deprecated && rowOf.has(term.replaced_by ?? ''))
    .map(([id, term]) => `${id.slice(3)} ${term.replaced_by!.slice(3)}`)
    .sort()
  return {
    'cell-ontology.json.br': {
      about: {
        sources,
        counts: {
          terms: ids.length,
          exactSynonyms: exact.join('|').split('|').length,
          replaced: replaced.length,
        },
      },
      ids: packRising(ids.map((id) => Number(id.slice(3)))),
      names: terms.map((term) => term.label).join('\n'),
      parents: terms.map((term) => parentsOf(term, { all, rowOf })).join('\n'),
      exact: exact.join('\n'),
      narrow: synonyms('narrow').join('\n'),
      related: synonyms('related').join('\n'),
      broad: synonyms('broad').join('\n'),
      replaced: replaced.join('\n'),
    },
  }
}

type Scope = 'broad' | 'narrow' | 'related'

const isSaid = (term: SourceTerm, text: string) => term.label === text || (term.synonyms ?? []).includes(text)

/**
 * Rows of the parents, in base 36: the terms at distance 1. Where the step between leads out of the Cell Ontology they do not reach
 * every ancestor; the lowest of those left are parents too.
 */
function parentsOf(
  term: SourceTerm,
  given: { all: Record<string, SourceTerm>; rowOf: Map<string, number> },
): string {
  const { all, rowOf } = given
  const ancestors = Object.keys(term.ancestors).filter((id) => rowOf.has(id))
  const isAbove = (id: string, other: string) => Object.hasOwn(all[other]!.ancestors, id)
  const direct = ancestors.filter((id) => term.ancestors[id] === 1)
  const left = ancestors.filter((id) => !direct.includes(id) && !direct.some((parent) => isAbove(id, parent)))
  const lowest = left.filter((id) => !left.some((other) => isAbove(id, other)))
  return [...direct, ...lowest]
    .map((id) => rowOf.get(id)!)
    .sort((a, b) => a - b)
    .map((row) => row.toString(36))
    .join(' ')
}

async function readScopes(folder: string): Promise<Map<string, Record<Scope, string[]>>> {
  const text = gunzipSync(await readFile(join(folder, sources[1]!.file))).toString('utf8')
  const [header = '', ...lines] = text.split('\n').filter((line) => line !== '')
  const names = header.split('\t')
  const list = (line: string, name: string) =>
    (line.split('\t')[names.indexOf(name)] ?? '').split('|').filter((item) => item !== '')
  return new Map(
    lines.map((line) => [
      line.split('\t')[0]!,
      { broad: list(line, 'broad'), narrow: list(line, 'narrow'), related: list(line, 'related') },
    ]),
  )
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  await packInto(dataFolder, await buildOntology(folderArgument()))
