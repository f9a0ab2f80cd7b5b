/**
 * Marker genes of cell types, by term of the Cell Ontology, each with the publications it rests on. Data:
 * scripts/knowledge/build-markers.ts. SpatialCore looks labels up by their exact lower-case text, so its "type ii pneumocyte" is not
 * found for "AT2"; here a label goes through the ontology. Markers of a wider type are given only when asked for, and say so: what
 * is true of T cells proves nothing about which T cell it is.
 */
import type { About } from './data-file.ts'
import { keepOnce, readData } from './data-file.ts'
import type { Species } from './genes.ts'
import type { Ontology } from './ontology.ts'
import { cellOntologyId, loadOntology } from './ontology.ts'
import type { MatchOptions } from './ontology-match.ts'
import { matchLabels } from './ontology-match.ts'
import { loadOrthologues } from './orthologues.ts'

export interface TypeMarkers {
  id: string
  name: string
  /** symbols of the species, 4 to 10 for human */
  genes: readonly string[]
  /** human symbols without one partner in the species; none for human */
  without: readonly string[]
  /** publications in words, apart by semicolons */
  source: string
}

export interface FoundMarkers extends TypeMarkers {
  /** 'ancestor': of the nearest wider type that has markers, which `id` and `name` tell */
  from: 'own' | 'ancestor'
}

export interface LookUp {
  /** take the nearest wider type where a type has no markers itself; no unless told */
  ancestors?: boolean
}

export interface MarkerTable {
  about: About
  species: Species
  /** by rising id */
  types: readonly TypeMarkers[]
  /** of a Cell Ontology id, also CL_0000084 and one that was replaced */
  ofTerm(id: string, options?: LookUp): FoundMarkers | undefined
  /** of a name or an EXACT synonym that means one term, whatever its case */
  ofName(name: string, options?: LookUp): FoundMarkers | undefined
}

const file = 'markers.json.br'
/** fewer genes tell no type; only translation to mouse goes below */
const leastGenes = 3

const load: (species: Species) => Promise<MarkerTable> = keepOnce(readMarkerTable)

/** Types of which mouse has fewer than three genes as one-to-one partners are not in the table of mouse. */
export const loadMarkers = (species: Species = 'Homo sapiens'): Promise<MarkerTable> => load(species)

async function readMarkerTable(species: Species): Promise<MarkerTable> {
  const data = await readData<'ids' | 'genes' | 'sources' | 'publications'>(file)
  const [ontology, translate] = await Promise.all([loadOntology(), translatorTo(species)])
  const publications = new Map(
    data.publications.split('\n').map((line) => line.split('\t') as [string, string]),
  )
  const [genes, sources] = [data.genes.split('\n'), data.sources.split('\n')]
  const types = data.ids.split('\n').map(
    (id, row): TypeMarkers => ({
      id,
      name: ontology.byId.get(id)!.name,
      ...translate(genes[row]!.split(' ')),
      source: sources[row]!.split(' ')
        .map((key) => publications.get(key)!)
        .join('; '),
    }),
  )
  const kept = types.filter((type) => type.genes.length >= leastGenes)
  return { about: data.about, species, types: kept, ...lookUps(kept, ontology) }
}

type Translated = Pick<TypeMarkers, 'genes' | 'without'>

async function translatorTo(species: Species): Promise<(human: string[]) => Translated> {
  if (species === 'Homo sapiens') return (genes) => ({ genes, without: [] })
  const { partnerOf } = await loadOrthologues()
  return (human) => {
    const partners = human.map((gene) => partnerOf(gene, 'Homo sapiens'))
    return {
      genes: partners.filter((gene) => gene !== undefined),
      without: human.filter((_, i) => partners[i] === undefined),
    }
  }
}

function lookUps(types: readonly TypeMarkers[], ontology: Ontology): Pick<MarkerTable, 'ofTerm' | 'ofName'> {
  const byId = new Map(types.map((type) => [type.id, type]))
  const ofTerm: MarkerTable['ofTerm'] = (text, options = {}) => {
    const written = cellOntologyId(text) ?? ''
    const id = ontology.replacedBy.get(written) ?? written
    const own = byId.get(id)
    if (own !== undefined) return { ...own, from: 'own' }
    const wider = options.ancestors === true ? nearestAbove(id, { byId, ontology }) : undefined
    return wider === undefined ? undefined : { ...wider, from: 'ancestor' }
  }
  let names: ReadonlyMap<string, string | null> | undefined
  return {
    ofTerm,
    ofName(name, options) {
      names ??= idsByName(ontology)
      const id = names.get(name.trim().toLowerCase()) ?? undefined
      return id === undefined ? undefined : ofTerm(id, options)
    },
  }
}

/** The fewest is_a steps above; of several, the one that is most special (most ancestors), then the lowest id. */
function nearestAbove(
  id: string,
  { byId, ontology }: { byId: ReadonlyMap<string, TypeMarkers>; ontology: Ontology },
): TypeMarkers | undefined {
  let level = new Set([id])
  while (level.size > 0) {
    level = new Set([...level].flatMap((one) => ontology.byId.get(one)?.parents ?? []))
    const found = [...level].filter((one) => byId.has(one))
    found.sort((a, b) => ontology.ancestors(b).size - ontology.ancestors(a).size || (a < b ? -1 : 1))
    if (found.length > 0) return byId.get(found[0]!)
  }
  return undefined
}

/** Names before synonyms; a synonym of two terms is null. */
function idsByName(ontology: Ontology): Map<string, string | null> {
  const ids = new Map<string, string | null>()
  for (const term of ontology.terms)
    for (const { text, scope } of term.synonyms) {
      if (scope !== 'exact') continue
      const key = text.toLowerCase()
      const known = ids.get(key)
      ids.set(key, known === undefined || known === term.id ? term.id : null)
    }
  for (const [name, term] of ontology.byName) ids.set(name, term.id)
  return ids
}

export interface LabelMarkers {
  genes: readonly string[]
  /** 'given': the user's own */
  from: 'given' | 'own' | 'ancestor'
  /** of the type whose markers they are; null for the user's own */
  id: string | null
  name: string
  source: string
}

export interface LabelLookUp extends LookUp {
  species?: Species
  /** terms that are known already; other labels are matched */
  ids?: ReadonlyMap<string, string>
  /** the user's own, by label, name or id of a term; they come first (readMarkers) */
  given?: ReadonlyMap<string, readonly string[]>
  match?: MatchOptions
}

/** Markers of each label that has any; what is not in the answer has none and cannot be checked by markers. */
export async function markersOfLabels(
  labels: readonly string[],
  options: LabelLookUp = {},
): Promise<Map<string, LabelMarkers>> {
  const table = await loadMarkers(options.species)
  const { byId } = await loadOntology()
  const distinct = [...new Set(labels)]
  const unknown = distinct.filter((label) => !options.ids?.has(label))
  const matches = await matchLabels(unknown, options.match)
  const ids = new Map([...(options.ids ?? []), ...matches.map(({ label, id }) => [label, id] as const)])
  const given = new Map([...(options.given ?? [])].map(([key, genes]) => [plainKey(key), { key, genes }]))
  const found = new Map<string, LabelMarkers>()
  for (const label of distinct) {
    const id = ids.get(label) ?? null
    const name = id === null ? undefined : byId.get(id)?.name
    const own = [label, id, name].flatMap((key) => (key ? (given.get(plainKey(key)) ?? []) : []))[0]
    const markers = id === null ? undefined : table.ofTerm(id, options)
    if (own !== undefined)
      found.set(label, {
        genes: own.genes,
        from: 'given',
        id: null,
        name: own.key,
        source: 'given by the user',
      })
    else if (markers !== undefined) {
      const { genes, from, source } = markers
      found.set(label, { genes, from, id: markers.id, name: markers.name, source })
    }
  }
  return found
}

const plainKey = (text: string) => cellOntologyId(text) ?? text.trim().toLowerCase()
