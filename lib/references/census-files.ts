/**
 * Files of CELLxGENE datasets: the copies of a release of the Census where it has them, which stay as they are, else for a dataset by
 * name the file of Discover's catalogue, which is replaced with each revision.
 *
 * Trap: a query takes no file from outside the release. What is not in it is not in the Census, and the same query must give the same
 * cells tomorrow; the catalogue that tells which files to look into is of today all the same.
 */
import { BadInput, type ErrorReport, isCoded } from '../job/errors.ts'
import { openObject, openStore } from '../job/open-store.ts'
import type { ObjectStore } from '../job/store.ts'
import type { Environment } from '../job/stores.ts'
import { parseWebAddress } from '../job/web-address.ts'
import { openWeb, type Web } from '../job/web-request.ts'
import { shownNames } from '../prep/shown-names.ts'
import { type CatalogueDataset, datasetsOfQuery, readCatalogue } from './catalogue.ts'
import { readRelease } from './census-release.ts'
import type { DatasetFacts, FoundFile, SourceFacts } from './found-file.ts'
import { severalAtOnce } from './several-at-once.ts'
import type { QueryFilters } from './source.ts'

export interface CensusOptions {
  environment: Environment
  censusVersion?: string
  signal?: AbortSignal | undefined
}

export interface CensusFiles {
  files: FoundFile[]
  release: SourceFacts['release']
  notices: ErrorReport[]
}

const lookedAtOnce = 8

/** @throws BadInput SOURCE_MISSING where neither the release nor the catalogue has it */
export async function findDataset(id: string, options: CensusOptions): Promise<CensusFiles> {
  const { environment, signal } = options
  const web = webOf(environment)
  const census = await openRelease(options, web)
  const held = await lookUp(census, id)
  if (held !== undefined) {
    const pin = { ...held, role: 'source 1' }
    return {
      files: [{ pin, store: census.store, dataset: bareFacts(id) }],
      release: census.release,
      notices: census.notices,
    }
  }
  const catalogue = await readCatalogue({ environment, web, signal })
  const known = catalogue.datasets.get(id)
  const file = known && (await currentFile(known, environment))
  if (file === undefined) {
    const problem = `neither the release ${census.release.name} of the Census nor the catalogue has a file of it`
    const remedy = 'Check the id; a dataset that was withdrawn may be in an older release ("census_version")'
    throw new BadInput('SOURCE_MISSING', `dataset ${id}`, problem, remedy)
  }
  return {
    files: [file],
    release: null,
    notices: [...census.notices, ...catalogue.notices, notInRelease(id, census.release.name)],
  }
}

/** @throws BadInput QUERY_VALUE, QUERY_EMPTY */
export async function findQuery(filters: QueryFilters, options: CensusOptions): Promise<CensusFiles> {
  const { environment, signal } = options
  const web = webOf(environment)
  const census = await openRelease(options, web)
  const catalogue = await readCatalogue({ environment, web, signal })
  const wanted = datasetsOfQuery(catalogue, filters)
  const looked = await severalAtOnce(wanted, { atOnce: lookedAtOnce, signal }, async (dataset) => {
    return { dataset, held: await lookUp(census, dataset.id) }
  })
  const files: FoundFile[] = []
  for (const { dataset, held } of looked) {
    if (held === undefined) continue
    const pin = { ...held, role: `source ${files.length + 1}` }
    // the copy may be of an earlier version than the one that the catalogue describes
    files.push({ pin, store: census.store, dataset: { ...factsOf(dataset), version: null } })
  }
  const absent = looked.filter(({ held }) => held === undefined).map(({ dataset }) => dataset.id)
  const outside = absent.length === 0 ? [] : [outsideRelease(absent, census.release.name)]
  if (files.length === 0) {
    const problem = `none of the ${wanted.length} datasets that may have such cells is in the release ${census.release.name} of the Census`
    const remedy = 'Use "census_version": "latest", or name a dataset: cellxgene://ID'
    throw new BadInput('QUERY_EMPTY', 'census_version', problem, remedy)
  }
  return {
    files,
    release: census.release,
    notices: [...census.notices, ...catalogue.notices, ...outside],
  }
}

function webOf({ CELLDROP_LOCAL_FILES: local }: Environment): Web {
  return openWeb({ isLocal: local === '1' })
}

interface OpenRelease {
  store: ObjectStore
  /** of the keys */
  prefix: string
  release: { name: string; date: string }
  notices: ErrorReport[]
}

async function openRelease(options: CensusOptions, web: Web): Promise<OpenRelease> {
  const { environment, censusVersion = 'stable', signal } = options
  const { name, date, files, notices } = await readRelease(censusVersion, { environment, web, signal })
  const { origin, path } = parseWebAddress(files)
  return {
    store: await openStore(origin, { environment }),
    prefix: path,
    release: { name, date },
    notices,
  }
}

async function lookUp({ store, prefix }: OpenRelease, id: string) {
  const key = `${prefix}${id}.h5ad`
  const found = await store.head(key).catch((error: unknown) => {
    // a bucket that may not be listed says so of what it does not have
    if (isCoded(error) && error.code === 'ACCESS_DENIED') return undefined
    throw error
  })
  return found && { place: store.place, key, etag: found.etag, size: found.size }
}

async function currentFile(
  dataset: CatalogueDataset,
  environment: Environment,
): Promise<FoundFile | undefined> {
  if (dataset.file === null || !/^https?:\/\//i.test(dataset.file)) return undefined
  const { store, key, access } = await openObject(dataset.file, { environment })
  const found = await store.head(key)
  if (found === undefined) return undefined
  const { etag, size } = found
  const pin = {
    ...{ role: 'source 1', place: store.place, key, etag, size },
    ...(access !== undefined && { access }),
  }
  return { pin, store, dataset: factsOf(dataset) }
}

function factsOf({ terms: _, hasPrimary: __, file: ___, ...facts }: CatalogueDataset): DatasetFacts {
  return facts
}

/** The catalogue is large, and the file tells of itself. */
function bareFacts(id: string): DatasetFacts {
  return {
    ...{ id, version: null, title: null, collection: null, doi: null, citation: null, cells: null },
    organisms: [],
  }
}

function notInRelease(id: string, release: string): ErrorReport {
  const problem = `it is not in the release ${release} of the Census: the file of today's catalogue is taken, which is replaced with each revision`
  const remedy = 'Keep the output: the same source may give another file later'
  return { code: 'DATASET_NOT_IN_RELEASE', place: `dataset ${id}`, problem, remedy }
}

function outsideRelease(ids: readonly string[], release: string): ErrorReport {
  const problem = `${ids.length} datasets that may have such cells are not in this release, and are not looked into: ${shownNames(ids, { most: 5 })}`
  const remedy = 'Use "census_version": "latest", or name such a dataset: cellxgene://ID'
  return { code: 'DATASET_NOT_IN_RELEASE', place: `Census ${release}`, problem, remedy }
}
