/**
 * What the steps of a job have to hold, from facts alone: how much the query is, how much there is to learn from, and how much of that
 * is learnt at most. Labels and genes that fall away later are counted in: a size is an upper bound wherever the settings give one.
 */
import type { Settings } from '../../job/manifest.ts'
import type { FitReferenceSettings } from '../../job/settings/fit-reference.ts'
import type { LabelFacts, LabelTerm } from '../workflow.ts'

export interface Size {
  cells: number
  genes: number
  /** stored numbers of the matrix that is read */
  stored: number
}

export interface MatrixFacts {
  inspection: { matrices: { name: string; nnz: number; shape: [number, number] }[] }
  counts: { matrix: string }
}

export const nothing: Size = { cells: 0, genes: 0, stored: 0 }

/** Of the matrix that counts are read from. */
export function sizeOf({ inspection, counts }: MatrixFacts): Size {
  const matrix = inspection.matrices.find(({ name }) => name === counts.matrix)
  return matrix === undefined
    ? nothing
    : { cells: matrix.shape[0], genes: matrix.shape[1], stored: matrix.nnz }
}

export function together(sizes: readonly Size[]): Size {
  return sizes.reduce(
    (sum, { cells, genes, stored }) => ({
      cells: sum.cells + cells,
      genes: Math.max(sum.genes, genes),
      stored: sum.stored + stored,
    }),
    nothing,
  )
}

/**
 * Training cells over the genes that the query has too. A reference gives so many cells, a type so many, unless shares of types were
 * asked for, which may take more of one.
 */
export function learntOf(
  references: readonly Size[],
  { settings, query, labels }: { settings: Settings; query: Size; labels: number },
): Size {
  if (settings.workflow === 'map-atlas') return settings.mode === 'extend' ? query : nothing
  if (settings.workflow === 'annotate') return settings.mapping === 'surgery' ? query : nothing
  if (settings.workflow === 'fit-reference') return learntOfAtlas(query, settings)
  if (settings.workflow !== 'type-cells') return nothing
  const { max_cells_per_ref, max_cells_per_type, min_cells_per_source, target_proportions } = settings
  const genes = Math.min(query.genes, together(references).genes)
  const taken = references.map(({ cells, stored }) => ({
    cells: Math.min(cells, max_cells_per_ref),
    each: Math.min(genes, stored / Math.max(1, cells)),
  }))
  const available = taken.reduce((sum, { cells }) => sum + cells, 0)
  const ofType = Math.max(max_cells_per_type, references.length * min_cells_per_source)
  const cells = target_proportions === undefined ? Math.min(available, labels * ofType) : available
  const each = taken.reduce((most, one) => Math.max(most, one.each), 0)
  return { cells, genes, stored: Math.ceil(cells * each) }
}

/** All cells over the chosen genes. */
function learntOfAtlas({ cells, genes, stored }: Size, settings: FitReferenceSettings): Size {
  const isChosen = settings.genes === 'variable' && settings.gene_panel === undefined
  const kept = isChosen ? Math.min(genes, settings.n_top_genes) : genes
  return { cells, genes: kept, stored: Math.min(stored, cells * kept) }
}

/** Types that may be learnt: labels of the references, those with one Cell Ontology id as one where the job groups by it. */
export function typesOf(
  labels: readonly (LabelFacts | null)[],
  { settings, terms }: { settings: Settings; terms: Readonly<Record<string, LabelTerm>> },
): number {
  const known = new Map(Object.entries(terms))
  const isGrouped =
    settings.workflow === 'type-cells' && settings.add_ontology && settings.group_by === 'ontology'
  const types = new Set<string>()
  for (const facts of labels)
    for (const { label } of facts?.labels ?? [])
      types.add((isGrouped ? known.get(label)?.id : undefined) ?? label)
  return types.size
}
