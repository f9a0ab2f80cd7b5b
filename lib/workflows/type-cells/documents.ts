/**
 * The small files that a job may name beside its cells: target proportions and markers. MatchOntology reads them too, before any machine is
 * started, so that one that cannot be read costs nothing; the steps that need them read them again.
 */
import type { Document } from '../../job/road.ts'
import type { TypeCellsSettings } from '../../job/settings/type-cells.ts'
import { readMarkers } from '../../knowledge/marker-file.ts'
import { readProportions } from '../../prep/target-proportions.ts'

interface Given {
  settings: TypeCellsSettings
  documents: Record<string, Document>
}

/**
 * As the job has them: a table, or the file that it names.
 * @throws BadInput PROPORTIONS_FORMAT, PROPORTIONS_COLUMNS, PROPORTIONS_NUMBER, PROPORTIONS_RANGE, PROPORTIONS_REPEATED
 */
export function givenProportions({ settings, documents }: Given): ReadonlyMap<string, number> | undefined {
  const { target_proportions: given } = settings
  if (given === undefined) return undefined
  if (typeof given !== 'string') return new Map(Object.entries(given))
  const { place, base64 } = documents.target_proportions!
  const format = /\.csv$/i.test(given) ? 'csv' : 'json'
  return readProportions(Buffer.from(base64, 'base64'), { place, format })
}

/** @throws BadInput MARKERS_UNREADABLE */
export function givenMarkers({
  documents,
}: Pick<Given, 'documents'>): ReadonlyMap<string, readonly string[]> | undefined {
  const file = documents.markers
  return file === undefined ? undefined : readMarkers(Buffer.from(file.base64, 'base64'), file.place)
}
