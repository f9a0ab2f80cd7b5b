/**
 * The catalogue of CELLxGENE Discover: every public dataset with what its cells are. It says which datasets may hold the cells of a
 * query; the files themselves say which cells those are.
 *
 * Traps: it is of today, and a release of the Census is not; it is made by others, so an entry that cannot be read is passed over and
 * counted. Labels are compared as they are, as the Census compares them.
 */
import { z } from 'zod'
import { BadInput, type ErrorReport } from '../job/errors.ts'
import type { Environment } from '../job/stores.ts'
import { badAnswer } from '../job/web-errors.ts'
import type { Web } from '../job/web-request.ts'
import { nearestFirst, shownName, shownNames } from '../prep/shown-names.ts'
import type { DatasetFacts } from './found-file.ts'
import type { QueryField, QueryFilters } from './source.ts'
import { readWebJson } from './web-json.ts'

const api = 'https://api.cellxgene.cziscience.com/curation/v1'
/** it had some 20 MB in 2025 */
const mostBytes = 192 << 20

interface Term {
  label: string
  id: string
}

export interface CatalogueDataset extends DatasetFacts {
  terms: Record<QueryField | 'organism', readonly Term[]>
  /** false where no cell is the primary one of its kind */
  hasPrimary: boolean
  /** address of the file as it is now */
  file: string | null
}

const text = z.string().max(20_000).nullish()
const terms = z.array(z.object({ label: z.string(), ontology_term_id: z.string().nullish() })).nullish()
const entry = z.object({
  dataset_id: z.string().regex(/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i),
  dataset_version_id: text,
  title: text,
  collection_name: text,
  collection_doi: text,
  citation: text,
  cell_count: z.int().min(0).nullish(),
  organism: terms,
  tissue: terms,
  disease: terms,
  cell_type: terms,
  assay: terms,
  is_primary_data: z.array(z.boolean()).nullish(),
  assets: z.array(z.object({ filetype: z.string(), url: z.string() })).nullish(),
  tombstone: z.boolean().nullish(),
})

export interface Catalogue {
  place: string
  /** by id */
  datasets: ReadonlyMap<string, CatalogueDataset>
  notices: ErrorReport[]
}

/** @throws StoreFailure READ_FAILED where the answer is no catalogue, OBJECT_TOO_LARGE, and what the network does */
export async function readCatalogue(options: {
  environment: Environment
  web: Web
  signal?: AbortSignal | undefined
}): Promise<Catalogue> {
  const { environment, web, signal } = options
  const place = `${(environment.CELLDROP_CELLXGENE_API || api).replace(/\/+$/, '')}/datasets`
  const told = await readWebJson(place, { web, mostBytes, signal })
  if (!Array.isArray(told)) throw badAnswer(place, 'the answer is no catalogue of datasets')
  const datasets = new Map<string, CatalogueDataset>()
  let unread = 0
  for (const one of told) {
    const parsed = entry.safeParse(one)
    if (!parsed.success) unread++
    else if (!parsed.data.tombstone) {
      const found = datasetOf(parsed.data)
      datasets.set(found.id, found)
    }
  }
  if (datasets.size === 0) throw badAnswer(place, 'the catalogue names no dataset')
  return { place, datasets, notices: unread === 0 ? [] : [unreadable(place, unread, told.length)] }
}

function datasetOf(told: z.infer<typeof entry>): CatalogueDataset {
  const termsOf = (given: z.infer<typeof terms>): Term[] =>
    (given ?? []).map(({ label, ontology_term_id: id }) => ({ label, id: id ?? '' }))
  return {
    id: told.dataset_id.toLowerCase(),
    version: told.dataset_version_id ?? null,
    title: told.title ?? null,
    collection: told.collection_name ?? null,
    doi: told.collection_doi ?? null,
    citation: told.citation ?? null,
    cells: told.cell_count ?? null,
    organisms: termsOf(told.organism).map(({ label }) => label),
    terms: {
      organism: termsOf(told.organism),
      tissue: termsOf(told.tissue),
      disease: termsOf(told.disease),
      cell_type: termsOf(told.cell_type),
      assay: termsOf(told.assay),
    },
    hasPrimary: told.is_primary_data?.includes(true) ?? true,
    file: told.assets?.find(({ filetype }) => filetype.toUpperCase() === 'H5AD')?.url ?? null,
  }
}

/**
 * The datasets that may hold cells of a query, by rising id.
 * @throws BadInput QUERY_VALUE, with the nearest ones, for a value that no dataset has; QUERY_EMPTY where none has all of them
 */
export function datasetsOfQuery(catalogue: Catalogue, filters: QueryFilters): CatalogueDataset[] {
  const all = [...catalogue.datasets.values()]
  const ofOrganism = having(all, 'organism', filters.organism)
  if (ofOrganism.length === 0) throw noSuchValue(all, { field: 'organism', value: filters.organism })
  let left = ofOrganism
  for (const { field, value } of filters.wanted) {
    if (having(ofOrganism, field, value).length === 0) throw noSuchValue(ofOrganism, { field, value })
    left = having(left, field, value)
  }
  const found = left.filter(({ hasPrimary }) => hasPrimary).sort((a, b) => (a.id < b.id ? -1 : 1))
  if (found.length > 0) return found
  const asked = filters.wanted.map(({ field, value }) => `${field} ${shownName(value)}`).join(' and ')
  throw new BadInput(
    'QUERY_EMPTY',
    catalogue.place,
    `no dataset of ${shownName(filters.organism)} has primary cells with ${asked}`,
    'Leave one of them away',
  )
}

function having(
  datasets: readonly CatalogueDataset[],
  field: QueryField | 'organism',
  value: string,
): CatalogueDataset[] {
  return datasets.filter(({ terms }) => terms[field].some(({ label, id }) => label === value || id === value))
}

function noSuchValue(
  datasets: readonly CatalogueDataset[],
  { field, value }: { field: QueryField | 'organism'; value: string },
): BadInput {
  const labels = new Set(datasets.flatMap(({ terms }) => terms[field].map(({ label }) => label)))
  const nearest = nearestFirst(value, [...labels].sort())
  return new BadInput(
    'QUERY_VALUE',
    field,
    `no dataset has ${field} ${shownName(value)}`,
    `The nearest there are: ${shownNames(nearest, { most: 5 })}`,
  )
}

function unreadable(place: string, unread: number, all: number): ErrorReport {
  const problem = `${unread} of the ${all} entries of the catalogue cannot be read: cells of theirs are not found`
  return {
    code: 'CATALOGUE_ENTRIES_UNREAD',
    place,
    problem,
    remedy: 'Name a dataset by its id if you miss one',
  }
}
