/** The tables of `type-cells`, as CSV and for the page: labels and their terms, markers, ranked genes, training cells. */
import type { LabelMatch } from '../../knowledge/ontology-match.ts'
import { reviewTable } from '../../knowledge/ontology-review.ts'
import type { CsvColumn } from '../../report/csv.ts'
import type { OntologyTableRow } from '../../report/ontology-table-png.ts'
import type { TypeCellsContext } from './context.ts'
import type { Typed } from './typed.ts'

/** Labels of the references with their cells, most first. */
export function labelCellsOf({ road }: TypeCellsContext): Map<string, number> {
  const cells = new Map<string, number>()
  for (const { facts } of road.inputs)
    for (const { label, cells: count } of facts.labels?.labels ?? [])
      cells.set(label, (cells.get(label) ?? 0) + count)
  return new Map([...cells].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)))
}

export function ontologyRows({ labelCells: cells, terms }: Typed): OntologyTableRow[] {
  return [...cells].flatMap(([label, count]) => {
    const term = terms[label]
    if (term === undefined) return []
    const { id, name, tier, score } = term
    return [{ label, id, name, tier, score, cells: count }]
  })
}

/** SpatialCore's `ontology_mapping.csv`. */
export function ontologyColumns(typed: Typed): CsvColumn[] {
  const rows = ontologyRows(typed)
  return [
    { name: 'input_label', values: rows.map(({ label }) => label) },
    { name: 'ontology_name', values: rows.map(({ name }) => name) },
    { name: 'ontology_id', values: rows.map(({ id }) => id) },
    { name: 'match_tier', values: rows.map(({ tier }) => tier) },
    { name: 'score', values: rows.map(({ score }) => score) },
    { name: 'n_cells', values: rows.map(({ cells }) => cells) },
    { name: 'canonical_term', values: rows.map(({ label }) => typed.terms[label]?.canonical ?? null) },
  ]
}

/** Its summary, which SpatialCore writes beside it. */
export function ontologySummary(typed: Typed): Record<string, unknown> {
  const rows = ontologyRows(typed)
  const mapped = rows.filter(({ id }) => id !== null)
  const sum = (of: typeof rows) => of.reduce((total, { cells }) => total + cells, 0)
  const tiers: Record<string, number> = {}
  for (const { tier } of rows) tiers[tier] = (tiers[tier] ?? 0) + 1
  return {
    summary: {
      total_labels: rows.length,
      mapped_labels: mapped.length,
      mapping_rate: rows.length === 0 ? 0 : mapped.length / rows.length,
      total_cells: sum(rows),
      mapped_cells: sum(mapped),
      cell_mapping_rate: rows.length === 0 ? 0 : sum(mapped) / Math.max(1, sum(rows)),
    },
    tier_breakdown: tiers,
    unmapped: rows.filter(({ id }) => id === null).map(({ label }) => label),
  }
}

/** Labels as a person corrects them and passes them back. */
export function reviewColumns({ labelCells: cells, terms }: Typed): CsvColumn[] {
  const rows = [...cells].flatMap(([label, count]) => {
    const term = terms[label]
    return term === undefined ? [] : [{ match: { label, ...term } satisfies LabelMatch, cells: count }]
  })
  return reviewTable(rows)
}

export function balanceColumns({ prepared }: Typed): CsvColumn[] {
  const { balance } = prepared
  return [
    { name: 'cell_type', values: balance.map(({ group }) => group) },
    { name: 'cell_type_ontology_term_id', values: balance.map(({ id }) => id) },
    { name: 'reference_source', values: balance.map(({ source }) => source) },
    { name: 'n_before', values: balance.map(({ before }) => before) },
    { name: 'n_after', values: balance.map(({ after }) => after) },
  ]
}

export function rankedColumns({ validation }: Typed): CsvColumn[] {
  const rows = validation?.deg.status === 'assessed' ? validation.deg.top : []
  return [
    { name: 'cell_type', values: rows.map(({ type }) => type) },
    { name: 'rank', values: rows.map(({ rank }) => rank) },
    { name: 'gene', values: rows.map(({ gene }) => gene) },
    { name: 'score', values: rows.map(({ z }) => z) },
    { name: 'log2_fold_change', values: rows.map(({ log2FoldChange }) => log2FoldChange) },
    { name: 'p_value', values: rows.map(({ p }) => p) },
    { name: 'p_value_adjusted', values: rows.map(({ adjusted }) => adjusted) },
  ]
}

/** SpatialCore's summary of the 2D validation, with what speaks for the type as a whole, and the types that could not be assessed. */
export function markerColumns({ validation }: Typed): CsvColumn[] {
  const types = validation?.types ?? []
  const enrichment = new Map((validation?.enrichment ?? []).map((type) => [type.label, type]))
  const assessed = types.map((type) => (type.status === 'assessed' ? type : null))
  const enriched = types.map(({ label }) => {
    const found = enrichment.get(label)
    return found?.status === 'assessed' ? found : null
  })
  const markers = new Map(validation?.markers)
  const sources = types.map(({ label }) => markers.get(label))
  return [
    { name: 'cell_type', values: types.map(({ label }) => label) },
    { name: 'status', values: types.map(({ status }) => status) },
    { name: 'n_cells', values: types.map(({ cells }) => cells) },
    { name: 'n_low_conf', values: assessed.map((type) => type?.lowConfidence) },
    { name: 'n_high_conf', values: assessed.map((type) => type?.highConfidence) },
    { name: 'n_validated', values: assessed.map((type) => type?.validated) },
    { name: 'pct_validated', values: assessed.map((type) => type?.percentValidated) },
    { name: 'pct_high_conf', values: assessed.map((type) => type?.percentHighConfidence) },
    { name: 'marker_threshold', values: assessed.map((type) => type?.threshold) },
    { name: 'n_markers', values: types.map(({ markers }) => markers.length) },
    { name: 'markers', values: types.map(({ markers }) => markers.join(' ')) },
    { name: 'marker_auroc', values: enriched.map((type) => type?.auroc) },
    { name: 'markers_from', values: sources.map((found) => found?.from) },
    { name: 'markers_of', values: sources.map((found) => found?.name) },
    { name: 'marker_source', values: sources.map((found) => found?.source) },
    { name: 'reason', values: types.map((type) => (type.status === 'assessed' ? null : type.reason)) },
  ]
}
