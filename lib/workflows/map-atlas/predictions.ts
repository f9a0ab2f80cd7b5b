/** predictions.csv: one line a cell of the query, for whoever works in a spreadsheet or in R; and the genes that the joint file lacks. */
import type { GenePlan } from '../../knowledge/gene-plan.ts'
import type { CsvColumn } from '../../report/csv.ts'
import { errorPerGene } from '../parts/explained-cells.ts'
import { ontologyIds, ontologyNames } from './columns.ts'
import { codedOfQuery, type Mapped, ofQuery } from './mapped.ts'

export function predictionColumns(mapped: Mapped): CsvColumn[] {
  const labels = codedOfQuery(mapped.labels, mapped)
  const layout = mapped.layout === null ? null : ofQuery(mapped.layout, mapped, 2)
  const every = (values: Float32Array, first: number) => values.filter((_, i) => i % 2 === first)
  return [
    { name: 'cell', values: mapped.obs.query.index },
    { name: 'batch', ...codedOfQuery(mapped.batches, mapped) },
    { name: 'predicted', ...labels },
    { name: 'probability', values: ofQuery(mapped.probability, mapped) },
    { name: 'entropy', values: ofQuery(mapped.entropy, mapped) },
    { name: 'ontology_term_id', ...ontologyIds(labels, mapped.terms) },
    { name: 'ontology_name', ...ontologyNames(labels, mapped.terms) },
    ...(mapped.explained === null
      ? []
      : [{ name: 'reconstruction_error', values: ofQuery(errorPerGene(mapped.explained), mapped) }]),
    { name: 'total_counts', values: ofQuery(mapped.totals, mapped) },
    { name: 'genes_detected', values: ofQuery(mapped.detected, mapped) },
    { name: 'low_counts', values: Array.from(ofQuery(mapped.hasFewCounts, mapped), (flag) => flag === 1) },
    ...(layout === null
      ? []
      : [
          { name: 'umap_1', values: every(layout, 0) },
          { name: 'umap_2', values: every(layout, 1) },
        ]),
  ]
}

/** Genes that only one of both files has, by the names that it has for them. */
export function droppedColumns(
  { target, missing }: Pick<GenePlan, 'target' | 'missing'>,
  queryNames: readonly string[],
): CsvColumn[] {
  const ofQueryOnly = queryNames.filter((_, gene) => target[gene]! < 0)
  return [
    { name: 'gene', values: [...missing, ...ofQueryOnly] },
    { name: 'only_in', values: [...missing.map(() => 'atlas'), ...ofQueryOnly.map(() => 'query')] },
  ]
}
