/** A column of labels to learn from, counted, with the Cell Ontology ids that stand beside it. */
import type { CellFile } from '../../data/cells.ts'
import { columnTexts } from '../../data/column-texts.ts'
import { requireColumn } from '../../prep/label-check.ts'
import type { LabelFacts } from '../workflow.ts'
import { columnNames } from './cluster-column.ts'

/** @throws BadInput LABEL_COLUMN */
export async function gatherLabels(
  file: CellFile,
  { labels: column, ids: idColumn }: { labels: string; ids: string },
): Promise<LabelFacts> {
  const obs = await file.obs()
  requireColumn(column, { place: `${file.place}:/obs`, available: [...obs.columns.keys()] })
  const labels = columnNames(obs.columns.get(column)!)
  const idContent = obs.columns.get(idColumn)
  const ids = idContent === undefined ? undefined : columnTexts(idContent)
  const counted = new Map<string, { cells: number; ids: Map<string, number> }>()
  let missing = 0
  for (const [cell, label] of labels.entries()) {
    if (label.trim() === '') {
      missing++
      continue
    }
    const entry = counted.get(label) ?? { cells: 0, ids: new Map<string, number>() }
    counted.set(label, entry)
    entry.cells++
    const id = ids?.[cell] ?? ''
    if (id !== '') entry.ids.set(id, (entry.ids.get(id) ?? 0) + 1)
  }
  return {
    column,
    cells: labels.length,
    missing,
    labels: [...counted].map(([label, { cells, ids: seen }]) => ({ label, cells, ids: [...seen] })),
  }
}
