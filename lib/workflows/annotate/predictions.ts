/** predictions.csv: one line a cell, for whoever works in a spreadsheet or in R. */
import type { CsvColumn } from '../../report/csv.ts'
import type { Annotated } from './annotated.ts'
import { ontologyIds, ontologyNames } from './annotations.ts'

export function predictionColumns(annotated: Annotated): CsvColumn[] {
  const { labels, raw, terms, obs, byModel, byCell, clusters, second, fewCounts, layout, others } = annotated
  const numbers = (name: string, values: ArrayLike<number> | null): CsvColumn[] =>
    values === null ? [] : [{ name, values }]
  return [
    { name: 'cell', values: obs.index },
    { name: 'predicted', ...labels },
    { name: 'uncertainty', values: annotated.uncertainty },
    { name: 'ontology_term_id', ...ontologyIds(labels, terms) },
    { name: 'ontology_name', ...ontologyNames(labels, terms) },
    ...others.flatMap(({ column, labels: found, uncertainty }): CsvColumn[] => [
      { name: `predicted_${column}`, ...found },
      { name: `uncertainty_${column}`, values: uncertainty },
    ]),
    ...(raw === null ? [] : [{ name: 'predicted_raw', ...raw }]),
    ...(byModel === null ? [] : [{ name: 'model', ...byModel }]),
    ...(byCell === null ? [] : [{ name: 'predicted_by_cell', ...byCell }]),
    ...(clusters === null ? [] : [{ name: 'cluster', ...clusters }]),
    ...numbers('majority_share', annotated.majorityShare),
    ...(second === null ? [] : [{ name: 'second', ...second }]),
    ...numbers('margin', annotated.margin),
    { name: 'total_counts', values: annotated.totals },
    { name: 'genes_detected', values: annotated.detected },
    ...(fewCounts === null
      ? []
      : [{ name: 'low_counts', values: Array.from(fewCounts, (flag) => flag === 1) }]),
    ...numbers('umap_1', layout?.filter((_, i) => i % 2 === 0) ?? null),
    ...numbers('umap_2', layout?.filter((_, i) => i % 2 === 1) ?? null),
  ]
}
