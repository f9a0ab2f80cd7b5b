/** predictions.csv: one line a cell, for whoever works in a spreadsheet or in R. */
import type { CsvColumn } from '../../report/csv.ts'
import { recoded } from '../parts/coded.ts'
import { markerWords } from './columns.ts'
import type { Typed } from './typed.ts'

export function predictionColumns(typed: Typed): CsvColumn[] {
  const { labels, predicted, called, reasons, obs, prepared, layout, positions } = typed
  const classOf = new Map(prepared.classes.map((one) => [one.name, one]))
  const numbers = (name: string, values: ArrayLike<number> | null): CsvColumn[] =>
    values === null ? [] : [{ name, values }]
  const column = (xy: Float32Array | null, axis: number) => xy?.filter((_, i) => i % 2 === axis) ?? null
  return [
    { name: 'cell', values: obs.index },
    { name: 'cell_type', ...labels },
    { name: 'predicted', ...predicted },
    { name: 'confidence', values: typed.confidence },
    { name: 'confidence_raw', values: typed.confidenceRaw },
    ...numbers('out_of_reference', typed.outOfReference),
    { name: 'reason', ...reasons },
    { name: 'ontology_term_id', ...recoded(called, (name) => classOf.get(name)?.id ?? 'unknown') },
    { name: 'ontology_name', ...recoded(called, (name) => classOf.get(name)?.termName ?? null) },
    ...(typed.byCell === null ? [] : [{ name: 'predicted_by_cell', ...typed.byCell }]),
    ...numbers('majority_share', typed.majorityShare),
    ...(typed.verdicts === null ? [] : [{ name: 'marker_check', ...markerWords(typed.verdicts) }]),
    ...numbers('marker_score', typed.markerScores),
    { name: 'total_counts', values: typed.totals },
    { name: 'genes_detected', values: typed.detected },
    ...numbers('x', column(positions, 0)),
    ...numbers('y', column(positions, 1)),
    ...numbers('umap_1', column(layout, 0)),
    ...numbers('umap_2', column(layout, 1)),
  ]
}
