/** What stands between a source and its cells: where each file lies, and what is known of it before it is opened. */
import type { ErrorReport } from '../job/errors.ts'
import type { InputPin } from '../job/road.ts'
import type { ObjectStore } from '../job/store.ts'

/** A dataset of CELLxGENE; what the catalogue was not asked for is null, and the file itself may tell it. */
export interface DatasetFacts {
  id: string
  /** of the file that is read */
  version: string | null
  title: string | null
  collection: string | null
  doi: string | null
  citation: string | null
  /** as the catalogue tells */
  cells: number | null
  /** as the catalogue tells; empty where it was not asked */
  organisms: readonly string[]
}

export interface FoundFile {
  /** role 'source 1', 'source 2' ...; `access` may be a secret */
  pin: InputPin
  store: ObjectStore
  dataset: DatasetFacts | null
  /** hexadecimal, of the whole file, where the service tells one */
  md5?: string
}

/** What results say of where the cells are from; nothing of it is a secret. */
export interface SourceFacts {
  /** as the user named it, without the query of a web address */
  source: string
  kind: 'dataset' | 'query' | 'synapse' | 'file'
  /** of the Census, where the files are its copies */
  release: { name: string; date: string } | null
  synapse: { id: string; version: number; name: string } | null
}

export interface FoundFiles {
  /** at least one */
  files: FoundFile[]
  facts: SourceFacts
  notices: ErrorReport[]
}

/** How a file is named to a person: its dataset, else its place. */
export function nameOfFile({ pin, dataset }: Pick<FoundFile, 'pin' | 'dataset'>): string {
  return dataset === null ? `${pin.place}/${pin.key}` : `dataset ${dataset.id}`
}
