/**
 * Finds the node of a key: its document, its attributes and, for a group, the names of what is in it.
 * Format 2 keeps attributes in a document of their own and may leave it out.
 */
import type { Attributes, GroupNode } from './tree.ts'
import { metadataError, tooLarge, unsupported, type ZarrLimits } from './zarr-limits.ts'
import { parseArrayV2, parseArrayV3, parseAttributes, type ZarrArray } from './zarr-metadata.ts'
import { below, type KeyStore } from './zarr-store.ts'
import { isRecord } from './zarr-types.ts'

export type ZarrFormat = 2 | 3

interface Sought {
  key: string
  format: ZarrFormat
  limits: ZarrLimits
}

/** @throws BadInput ZARR_METADATA, ZARR_UNSUPPORTED, ZARR_TOO_LARGE */
export async function findNode(store: KeyStore, sought: Sought): Promise<GroupNode | ZarrArray | undefined> {
  if (sought.key.split('/').includes('') && sought.key !== '') return undefined
  return sought.format === 3 ? findNodeV3(store, sought) : findNodeV2(store, sought)
}

async function findNodeV3(store: KeyStore, sought: Sought): Promise<GroupNode | ZarrArray | undefined> {
  const { key, limits } = sought
  const name = below(key, 'zarr.json')
  const document = await readDocument(store, { name, limits })
  if (document === undefined) return undefined
  const place = `${store.place}/${name}`
  if (!isRecord(document)) throw metadataError(place, 'this is not a JSON object')
  const attributes = parseAttributes(document.attributes ?? {}, { place, limits })
  refuseUnknown(document, place)
  if (document.node_type === 'group') return group(store, { ...sought, attributes })
  return parseArrayV3(document, attributes, { path: key, place })
}

async function findNodeV2(store: KeyStore, sought: Sought): Promise<GroupNode | ZarrArray | undefined> {
  const { key, limits } = sought
  const read = (name: string) => readDocument(store, { name: below(key, name), limits })
  const array = await read('.zarray')
  if (array === undefined && (await store.size(below(key, '.zgroup'))) === undefined) return undefined
  const place = `${store.place}/${below(key, '.zattrs')}`
  const attributes = parseAttributes((await read('.zattrs')) ?? {}, { place, limits })
  if (array === undefined) return group(store, { ...sought, attributes })
  return parseArrayV2(array, attributes, { path: key, place: `${store.place}/${below(key, '.zarray')}` })
}

const knownFields = new Set([
  'zarr_format',
  'node_type',
  'attributes',
  'consolidated_metadata',
  'shape',
  'data_type',
  'chunk_grid',
  'chunk_key_encoding',
  'fill_value',
  'codecs',
  'storage_transformers',
  'dimension_names',
])

/** Format 3 lets extensions add fields, and a reader that does not know one may go on only where the field says so. */
function refuseUnknown(document: Record<string, unknown>, place: string): void {
  for (const [name, value] of Object.entries(document)) {
    if (knownFields.has(name) || (isRecord(value) && value.must_understand === false)) continue
    throw unsupported(place, `the extension ${JSON.stringify(name.slice(0, 60))}`)
  }
}

async function group(
  store: KeyStore,
  { key, format, attributes }: Sought & { attributes: Attributes },
): Promise<GroupNode> {
  const documents = format === 3 ? ['zarr.json'] : ['.zgroup', '.zarray']
  return { kind: 'group', path: `/${key}`, attributes, children: await store.nodes(key, documents) }
}

async function readDocument(
  store: KeyStore,
  { name, limits }: { name: string; limits: ZarrLimits },
): Promise<unknown> {
  const size = await store.size(name)
  if (size === undefined) return undefined
  const place = `${store.place}/${name}`
  if (size > limits.documentBytes) throw tooLarge(place, `a document of ${size} bytes`)
  const bytes = await store.read(name, { offset: 0, length: size })
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (cause) {
    throw metadataError(place, 'this is not JSON', cause)
  }
}
