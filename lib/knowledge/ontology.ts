/**
 * The Cell Ontology: terms in use, their names and synonyms by scope, and the is_a graph. Terms out of use are not here, but
 * `replacedBy` knows what many of them became. Data: scripts/knowledge/build-ontology.ts.
 */
import type { About } from './data-file.ts'
import { keepOnce, readData, unpackRising } from './data-file.ts'

/** BROAD: the synonym means more than the term. */
export type Scope = 'exact' | 'narrow' | 'related' | 'broad'

export interface Term {
  id: string
  name: string
  synonyms: readonly { text: string; scope: Scope }[]
  /** ids of the terms that this one is_a, directly */
  parents: readonly string[]
}

export interface Ontology {
  about: About
  /** of the terms: 'v2026-03-26' */
  version: string
  /** by rising id */
  terms: readonly Term[]
  byId: ReadonlyMap<string, Term>
  /** by name in lower case */
  byName: ReadonlyMap<string, Term>
  /** id of the term that took the place of one out of use */
  replacedBy: ReadonlyMap<string, string>
  /** every term above, without the term itself; empty for an unknown id */
  ancestors(id: string): ReadonlySet<string>
  /** the deepest term that all of these are, or is one of them; ties by id; null without ids or with an unknown one */
  lowestCommonAncestor(ids: readonly string[]): string | null
}

const scopes: readonly Scope[] = ['exact', 'narrow', 'related', 'broad']
const load = keepOnce(readOntology)

/** Read once per process, about 30 ms and 10 MB. */
export const loadOntology = (): Promise<Ontology> => load('cell-ontology.json.br')

/** 'CL:0000084' as files write it, also 'CL_0000084' and 'cl:0000084'; undefined for anything else. */
export function cellOntologyId(text: string): string | undefined {
  const digits = /^CL[:_](\d{7})$/i.exec(text.trim())?.[1]
  return digits === undefined ? undefined : `CL:${digits}`
}

async function readOntology(file: string): Promise<Ontology> {
  const data = await readData<Scope | 'ids' | 'names' | 'parents' | 'replaced'>(file)
  const ids = unpackRising(data.ids).map((number) => `CL:${String(number).padStart(7, '0')}`)
  const names = data.names.split('\n')
  const parents = data.parents.split('\n')
  const synonyms = scopes.map((scope) => ({ scope, lines: data[scope].split('\n') }))
  const terms = ids.map((id, row): Term => {
    const rows = parents[row] === '' ? [] : parents[row]!.split(' ')
    return {
      id,
      name: names[row]!,
      parents: rows.map((parent) => ids[Number.parseInt(parent, 36)]!),
      synonyms: synonyms.flatMap(({ scope, lines }) =>
        lines[row] === '' ? [] : lines[row]!.split('|').map((text) => ({ text, scope })),
      ),
    }
  })
  const byId = new Map(terms.map((term) => [term.id, term]))
  return {
    about: data.about,
    version: data.about.sources[0]!.release,
    terms,
    byId,
    byName: new Map(terms.map((term) => [term.name.toLowerCase(), term])),
    replacedBy: new Map(
      data.replaced.split('\n').map((line) => {
        const [old, now] = line.split(' ')
        return [`CL:${old}`, `CL:${now}`]
      }),
    ),
    ...graphOf(byId),
  }
}

function graphOf(byId: ReadonlyMap<string, Term>): Pick<Ontology, 'ancestors' | 'lowestCommonAncestor'> {
  const known = new Map<string, ReadonlySet<string>>()
  const ancestors = (id: string): ReadonlySet<string> => {
    const found = known.get(id)
    if (found !== undefined) return found
    const above = new Set<string>()
    for (const parent of byId.get(id)?.parents ?? []) {
      above.add(parent)
      for (const higher of ancestors(parent)) above.add(higher)
    }
    if (byId.has(id)) known.set(id, above)
    return above
  }
  return {
    ancestors,
    lowestCommonAncestor(ids) {
      if (ids.length === 0 || ids.some((id) => !byId.has(id))) return null
      const lines = ids.map((id) => new Set([id, ...ancestors(id)]))
      const shared = [...lines[0]!].filter((id) => lines.every((line) => line.has(id)))
      shared.sort((a, b) => ancestors(b).size - ancestors(a).size || (a < b ? -1 : 1))
      return shared[0] ?? null
    },
  }
}
