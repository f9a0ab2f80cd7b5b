/**
 * Where a reference comes from, as a user names it: `cellxgene://KEY`, `cellxgene://UUID`, `cellxgene://?tissue=lung&disease=normal`,
 * `synapse://syn123`, or one file. The schemes are those of SpatialCore's acquire_reference.
 *
 * Trap: SpatialCore passes over parameters that it does not know, so that `?disase=normal` gives every disease; here that is an error.
 */
import { BadInput } from '../job/errors.ts'
import { printable } from '../job/object-key.ts'
import { shownLocation } from '../job/web-address.ts'
import { nearestFirst, shownName, shownNames } from '../prep/shown-names.ts'
import { availableDatasets } from './datasets.ts'

export const queryFields = ['tissue', 'disease', 'cell_type', 'assay'] as const
export type QueryField = (typeof queryFields)[number]

export interface QueryFilters {
  /** as CELLxGENE names it: 'Homo sapiens' */
  organism: string
  /** at least one, in the order of `queryFields`; a cell must have every one. A label, or an id such as UBERON:0002048 */
  wanted: readonly { field: QueryField; value: string }[]
}

export type ReferenceSource =
  /** `key` where the registry names it */
  | { kind: 'dataset'; id: string; key: string | null; labelColumn: string }
  | { kind: 'query'; filters: QueryFilters; labelColumn: string }
  /** `version` null: the newest */
  | { kind: 'synapse'; id: string; version: number | null }
  | { kind: 'file'; location: string }

const schemes = ['cellxgene', 'synapse', 's3', 'gs', 'https', 'http']
const forms = 'cellxgene://KEY, cellxgene://?tissue=lung, synapse://syn123, s3://, gs://, https:// or a path'
const defaultOrganism = 'Homo sapiens'
const uuid = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

/**
 * @throws BadInput SOURCE_UNKNOWN, SOURCE_KEY with the nearest key, SOURCE_PARAMETER with the nearest one, SOURCE_FILTER_MISSING.
 * Locations of files are only checked where they are opened
 */
export function parseSource(text: string): ReferenceSource {
  const [, scheme, rest = ''] = /^([a-z][a-z0-9+.-]*):\/\/(.*)$/is.exec(text) ?? []
  if (scheme === undefined) {
    if (text.trim() !== '' && !text.includes('\0')) return { kind: 'file', location: text }
    throw unknown(text, 'this names nothing')
  }
  const name = scheme.toLowerCase()
  if (name === 'cellxgene') return rest.startsWith('?') ? query(text, rest.slice(1)) : dataset(text, rest)
  if (name === 'synapse') return synapse(text, rest)
  if (schemes.includes(name)) return { kind: 'file', location: text }
  const [nearest] = nearestFirst(name, schemes)
  throw unknown(text, `"${printable(name)}://" is not read here; the nearest is ${nearest}://`)
}

/** The same as text again, for results and messages: without what may be a secret. */
export function shownSource(source: ReferenceSource): string {
  if (source.kind === 'dataset') return `cellxgene://${source.key ?? source.id}`
  if (source.kind === 'synapse')
    return `synapse://${source.id}${source.version === null ? '' : `.${source.version}`}`
  if (source.kind === 'file') return shownLocation(source.location)
  const { organism, wanted } = source.filters
  const parts = wanted.map(({ field, value }) => `${field}=${value}`)
  if (organism !== defaultOrganism) parts.push(`organism=${organism}`)
  return printable(`cellxgene://?${parts.join('&')}`)
}

function dataset(text: string, name: string): ReferenceSource {
  if (uuid.test(name)) {
    const id = name.toLowerCase()
    const known = availableDatasets().find((one) => one.id === id)
    return { kind: 'dataset', id, key: known?.key ?? null, labelColumn: known?.labelColumn ?? 'cell_type' }
  }
  const found = availableDatasets().find(({ key }) => key === name)
  if (found !== undefined)
    return { kind: 'dataset', id: found.id, key: found.key, labelColumn: found.labelColumn }
  if (name.includes('?')) {
    const remedy = 'Give either a dataset, or what cells are wanted: cellxgene://?tissue=lung&disease=normal'
    throw new BadInput('SOURCE_PARAMETER', printable(text), 'a dataset takes no parameters', remedy)
  }
  const keys = nearestFirst(
    name,
    availableDatasets().map(({ key }) => key),
  )
  throw new BadInput(
    'SOURCE_KEY',
    printable(text),
    `there is no dataset ${shownName(name)} in the registry; the nearest is "${keys[0]}"`,
    `Give one of ${keys.join(', ')}, or the id of any dataset of CELLxGENE`,
  )
}

function query(text: string, asked: string): ReferenceSource {
  const values = new Map<string, string>()
  for (const [name, value] of new URLSearchParams(asked)) {
    checkParameter(text, { name, value: value.trim(), isTwice: values.has(name) })
    values.set(name, value.trim())
  }
  const wanted = queryFields.flatMap((field) => {
    const value = values.get(field)
    return value === undefined ? [] : [{ field, value }]
  })
  if (wanted.length === 0) {
    const problem = 'nothing says which cells are wanted'
    const remedy = `Name at least one of ${queryFields.join(', ')}: cellxgene://?tissue=lung&disease=normal`
    throw new BadInput('SOURCE_FILTER_MISSING', printable(text), problem, remedy)
  }
  const organism = values.get('organism') ?? defaultOrganism
  return { kind: 'query', filters: { organism, wanted }, labelColumn: 'cell_type' }
}

function checkParameter(
  text: string,
  { name, value, isTwice }: { name: string; value: string; isTwice: boolean },
): void {
  const known = [...queryFields, 'organism']
  const refused = (problem: string, remedy: string) =>
    new BadInput('SOURCE_PARAMETER', printable(text), problem, remedy)
  if (!known.includes(name)) {
    const problem = `there is no parameter ${shownName(name)}; the nearest is "${nearestFirst(name, known)[0]}"`
    throw refused(problem, `There are: ${shownNames(known)}`)
  }
  if (value === '') throw refused(`"${name}" has no value`, `Write ${name}=... or leave it away`)
  if (isTwice) throw refused(`"${name}" is there twice`, 'Cells have one value of it: run once for each')
}

function synapse(text: string, name: string): ReferenceSource {
  const [, digits, version] = /^syn(\d{1,15})(?:\.(\d{1,9}))?$/i.exec(name) ?? []
  if (digits !== undefined)
    return {
      kind: 'synapse',
      id: `syn${digits}`,
      version: version === undefined ? null : Number(version),
    }
  throw unknown(
    text,
    `${shownName(name)} is no id of Synapse`,
    'Give one such as synapse://syn12345678, or with a version synapse://syn12345678.2',
  )
}

function unknown(text: string, problem: string, remedy = `Give ${forms}`): BadInput {
  return new BadInput('SOURCE_UNKNOWN', shownLocation(text) || 'source', problem, remedy)
}
