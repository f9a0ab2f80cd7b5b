/** Labels that the files have already: what predictions are compared with, and which of them the model cannot give. */
import type { ErrorReport } from '../../job/errors.ts'
import { shownNames } from '../../prep/shown-names.ts'
import { columnMissing } from '../parts/category-column.ts'
import { columnNames } from '../parts/cluster-column.ts'
import { type Coded, codedTexts } from '../parts/coded.ts'
import type { Source } from './open-sources.ts'

export interface KnownLabels extends Coded {
  column: string
}

/**
 * Labels of all sources; cells of a source without the column have none.
 * @param of.wanted the column that the job names: it has to be there; `usual` may be missing
 * @throws BadInput COLUMN_MISSING
 */
export function knownLabels(
  sources: readonly Source[],
  { wanted, usual }: { wanted: string | undefined; usual: string | null },
): KnownLabels | null {
  const column = wanted ?? usual
  if (column === null) return null
  if (!sources.some(({ obs }) => obs.columns.has(column))) {
    if (wanted === undefined) return null
    const { obs, file } = sources.at(-1)!
    throw columnMissing(column, {
      setting: 'label_column',
      place: file.place,
      available: [...obs.columns.keys()],
    })
  }
  const texts = sources.flatMap(({ obs }) => {
    const content = obs.columns.get(column)
    return content === undefined ? new Array<string>(obs.rows).fill('') : columnNames(content)
  })
  return { column, ...codedTexts(texts) }
}

/** A cell of a type that the reference lacks gets another label, and may get it with confidence. */
export function unknownLabels(
  known: KnownLabels,
  { classes, unlabelled, query }: { classes: readonly string[]; unlabelled: string; query: Source },
): ErrorReport[] {
  const content = query.obs.columns.get(known.column)
  if (content === undefined) return []
  const own = new Set(columnNames(content).filter((text) => text !== ''))
  const strange = [...own].filter((label) => !classes.includes(label) && label !== unlabelled).sort()
  if (strange.length === 0) return []
  return [
    {
      code: 'LABELS_UNKNOWN',
      place: `${query.file.place}:/obs/${known.column}`,
      problem: `${strange.length} of ${own.size} labels of the query are none that the model predicts: ${shownNames(strange)}`,
      remedy: 'Their cells get another label: look at their probability and entropy',
    },
  ]
}
