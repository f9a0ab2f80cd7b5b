/**
 * From a source to its files: each found where it lies, and its content pinned, so that what is read later is what was found. Datasets
 * come from the copies that a release of the CELLxGENE Census keeps; so do those of a query, since the Census itself is TileDB, which
 * is not read here, and holds the very same cells.
 */
import { BadInput, type ErrorReport } from '../job/errors.ts'
import { openObject } from '../job/open-store.ts'
import type { Environment } from '../job/stores.ts'
import { identityNotice } from '../job/web-identity.ts'
import { findDataset, findQuery } from './census-files.ts'
import type { FoundFile, FoundFiles, SourceFacts } from './found-file.ts'
import { type ReferenceSource, shownSource } from './source.ts'
import { findSynapse } from './synapse.ts'

export interface FindOptions {
  /** CELLDROP_LOCAL_FILES, CELLDROP_CELLXGENE_CENSUS, CELLDROP_CELLXGENE_API, CELLDROP_SYNAPSE, SYNAPSE_AUTH_TOKEN ... */
  environment: Environment
  /** 'stable', 'latest' or the date of a release; 'stable' unless told */
  censusVersion?: string
  signal?: AbortSignal | undefined
}

/**
 * @throws BadInput FILE_MISSING, SOURCE_MISSING, CENSUS_VERSION, QUERY_VALUE, QUERY_EMPTY, SYNAPSE_TOKEN, SYNAPSE_NOT_A_FILE;
 * StoreFailure SYNAPSE_REFUSED, OBJECT_MISSING, READ_FAILED; and what the network does
 */
export async function findFiles(source: ReferenceSource, options: FindOptions): Promise<FoundFiles> {
  const { files, notices, ...found } = await filesOf(source, options)
  const facts: SourceFacts = {
    source: shownSource(source),
    kind: source.kind,
    release: null,
    synapse: null,
    ...found,
  }
  return { files, facts, notices: [...notices, ...weakIdentities(files)] }
}

type Found = Pick<FoundFiles, 'files' | 'notices'> & Partial<SourceFacts>

async function filesOf(source: ReferenceSource, options: FindOptions): Promise<Found> {
  if (source.kind === 'dataset') return findDataset(source.id, options)
  if (source.kind === 'query') return findQuery(source.filters, options)
  if (source.kind === 'synapse') return findSynapse(source, options)
  return { files: [await findFile(source.location, options.environment)], notices: [] }
}

async function findFile(location: string, environment: Environment): Promise<FoundFile> {
  const { store, key, access } = await openObject(location, { environment })
  const found = await store.head(key)
  const place = `${store.place}/${key}`
  if (found === undefined) {
    const remedy = 'Check the location; a folder (zarr, MTX) is made one file by `celldrop convert`'
    throw new BadInput('FILE_MISSING', place, 'there is no such file', remedy)
  }
  const { etag, versionId, size, md5 } = found
  return {
    pin: {
      ...{ role: 'source 1', place: store.place, key, etag, size },
      ...(access !== undefined && { access }),
      ...(versionId !== undefined && { versionId }),
    },
    store,
    dataset: null,
    ...(md5 !== undefined && { md5 }),
  }
}

function weakIdentities(files: readonly FoundFile[]): ErrorReport[] {
  return files.flatMap(({ pin }) => identityNotice(pin.etag, `${pin.place}/${pin.key}`) ?? [])
}
