/**
 * Markers that a user brings, as JSON in the three shapes that SpatialCore's loader takes: {metadata, markers: {type: [genes]}},
 * {type: [genes]} and {type: {index_marker: [genes]}}; keys that start with "_" are remarks. The trap: types are looked up whatever
 * their case, so "T cell" beside "t cell" is a contradiction here, where the original lets the last one win.
 */
import type { ErrorReport } from '../job/errors.ts'
import { BadInput } from '../job/errors.ts'
import type { GeneTable } from './genes.ts'

const most = { bytes: 16 * 2 ** 20, types: 10_000, genes: 2000, name: 1000 }
const remedy = 'Write {"T cell": ["CD3D", "CD3E"], ...}'

/**
 * Genes by type, as written but trimmed, each gene once; a type may have none.
 * @param place names the file in errors
 * @throws BadInput MARKERS_UNREADABLE
 */
export function readMarkers(bytes: Uint8Array, place: string): ReadonlyMap<string, readonly string[]> {
  const unreadable = (problem: string) => new BadInput('MARKERS_UNREADABLE', place, problem, remedy)
  if (bytes.length > most.bytes) throw unreadable(`${bytes.length} bytes are no list of markers`)
  const content = parse(bytes, unreadable)
  if (!isObject(content)) throw unreadable('there is no JSON object')
  const types = isObject(content.markers) && !isEntry(content.markers) ? content.markers : content
  const markers = new Map<string, readonly string[]>()
  const seen = new Set<string>()
  for (const [key, value] of Object.entries(types)) {
    const type = key.trim()
    if (type.startsWith('_') || (types === content && type === 'metadata' && !isEntry(value))) continue
    const told = JSON.stringify(type.slice(0, 60))
    if (type === '' || type.length > most.name) throw unreadable(`${told} is no name of a cell type`)
    if (seen.has(type.toLowerCase())) throw unreadable(`${told} is there twice, perhaps in another case`)
    seen.add(type.toLowerCase())
    const genes = genesOf(value)
    if (genes === undefined) throw unreadable(`${told} has no list of gene names`)
    if (genes.length > most.genes)
      throw unreadable(`${told} has ${genes.length} genes, more than ${most.genes}`)
    markers.set(type, genes)
  }
  if (markers.size === 0) throw unreadable('there is no cell type')
  if (markers.size > most.types) throw unreadable(`${markers.size} cell types are too many`)
  return markers
}

type JsonObject = Record<string, unknown>

function parse(bytes: Uint8Array, unreadable: (problem: string) => BadInput): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (error) {
    throw unreadable(`it is not JSON (${(error as Error).message.slice(0, 100)})`)
  }
}

const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** A list, or {index_marker: list}. */
const isEntry = (value: unknown) =>
  Array.isArray(value) ||
  (isObject(value) && Object.hasOwn(value, 'index_marker') && Array.isArray(value.index_marker))

function genesOf(value: unknown): string[] | undefined {
  const list = isObject(value) && Object.hasOwn(value, 'index_marker') ? value.index_marker : value
  if (!Array.isArray(list)) return undefined
  const genes = new Set<string>()
  for (const gene of list) {
    if (typeof gene !== 'string' || gene.length > most.name) return undefined
    if (gene.trim() !== '') genes.add(gene.trim())
  }
  return [...genes]
}

export interface PresentMarkers {
  /** by type, the names that the data have; types of which it has none are not here */
  present: Map<string, string[]>
  /** by type, the markers that the data lack; types without any lack are not here */
  missing: Map<string, string[]>
  notices: ErrorReport[]
}

/**
 * The markers that the data have. With a gene table a marker also fits by its symbol of today: G6PC in a list is G6PC1 in the data,
 * or the other way round. Both names in the data: the marker's own spelling counts.
 * @param genes names of the data's genes
 * @param options.place names the data in messages
 * @throws BadInput MARKERS_NONE when not one marker of any type is there
 */
export function presentMarkers(
  markers: ReadonlyMap<string, readonly string[]>,
  genes: Iterable<string>,
  { place, table }: { place: string; table?: GeneTable },
): PresentMarkers {
  const names = new Set(genes)
  const today = (name: string) => table?.currentOf(name)?.symbol ?? name
  const byCurrent = new Map<string, string>()
  if (table !== undefined)
    for (const name of names) {
      const symbol = today(name)
      if (symbol === name || !byCurrent.has(symbol)) byCurrent.set(symbol, name)
    }
  const nameOf = (marker: string) => (names.has(marker) ? marker : byCurrent.get(today(marker)))
  const present = new Map<string, string[]>()
  const missing = new Map<string, string[]>()
  for (const [type, list] of markers) {
    const found = new Set(list.map(nameOf).filter((name) => name !== undefined))
    const lacking = list.filter((marker) => nameOf(marker) === undefined)
    if (found.size > 0) present.set(type, [...found])
    if (lacking.length > 0) missing.set(type, lacking)
  }
  if (present.size === 0) throw noMarkers(markers, { place, genes: names.size })
  return { present, missing, notices: withoutAny(markers, { place, present }) }
}

function noMarkers(
  markers: ReadonlyMap<string, readonly string[]>,
  { place, genes }: { place: string; genes: number },
): BadInput {
  const all = new Set([...markers.values()].flat())
  const few = [...all].slice(0, 3).join(', ')
  return new BadInput(
    'MARKERS_NONE',
    place,
    `none of the ${all.size} marker genes${few === '' ? '' : ` (${few} ...)`} is among the ${genes} genes of the data`,
    'Give markers in the names that the data use, or leave the check by markers out',
  )
}

function withoutAny(
  markers: ReadonlyMap<string, readonly string[]>,
  { place, present }: { place: string; present: ReadonlyMap<string, string[]> },
): ErrorReport[] {
  const types = [...markers.keys()].filter((type) => !present.has(type))
  if (types.length === 0) return []
  const few = types.slice(0, 5).join(', ')
  return [
    {
      code: 'MARKERS_MISSING',
      place,
      problem: `no marker of ${types.length} of ${markers.size} cell types is in the data (${few}${types.length > 5 ? ', ...' : ''})`,
      remedy: 'These types are not assessed by markers; give markers that the panel holds',
    },
  ]
}
