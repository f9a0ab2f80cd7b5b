/**
 * What the expression says of the labels: which genes set the types apart, and whether cells of a type express its markers. A check that
 * could not be made is 'not-assessed' with its reason, and nothing is taken for passed on that account.
 */
import { BadInput, type ErrorReport } from '../../job/errors.ts'
import { loadGenes } from '../../knowledge/genes.ts'
import { presentMarkers } from '../../knowledge/marker-file.ts'
import { type LabelMarkers, markersOfLabels } from '../../knowledge/markers.ts'
import type { Expression, LabelledExpression } from '../../labels/expression.ts'
import { type CheckedType, checkMarkers, type UncheckedType } from '../../labels/marker-check.ts'
import { type EnrichedType, markerEnrichment, type UnenrichedType } from '../../labels/marker-enrichment.ts'
import type { NamedMatrix } from '../../labels/named-matrix.ts'
import { degHeatmap, markerDots, markerHeatmap } from '../../labels/type-heatmap.ts'
import type { Coded } from '../parts/coded.ts'
import type { CellClass } from './classes.ts'
import type { TypeCellsContext } from './context.ts'
import { givenMarkers } from './documents.ts'

/** A matrix as JSON keeps it. */
export interface StoredMatrix {
  rows: string[]
  columns: string[]
  values: number[]
}

type Absent = { status: 'not-assessed'; reason: string }

export interface Validation {
  /** markers that were looked for, by class */
  markers: [label: string, LabelMarkers][]
  types: (CheckedType | UncheckedType)[]
  enrichment: (EnrichedType | UnenrichedType)[]
  deg: { status: 'assessed'; chosenFor: string[]; scaled: StoredMatrix; top: RankedGene[] } | Absent
  markerMeans: { status: 'assessed'; scaled: StoredMatrix } | Absent
  markerDots: { status: 'assessed'; shares: StoredMatrix; scaled: StoredMatrix } | Absent
}

export interface RankedGene {
  type: string
  gene: string
  rank: number
  z: number
  p: number
  adjusted: number
  log2FoldChange: number
}

export interface CellsToValidate {
  expression: Expression & { values: Float32Array }
  genes: readonly string[]
  /** of every cell, before any is set aside */
  predicted: Coded
  confidence: Float64Array
  classes: readonly CellClass[]
}

/** @returns with the class (`cellClasses`) of each cell and its metagene */
export async function validate(
  context: TypeCellsContext,
  cells: CellsToValidate,
): Promise<{ validation: Validation; verdicts: Int32Array; scores: Float64Array; notices: ErrorReport[] }> {
  const { settings } = context.road
  const { expression, genes, predicted, confidence } = cells
  const place = `obs/${settings.annotation_prefix}_predicted`
  const labelled: LabelledExpression = {
    expression,
    genes: [...genes],
    codes: predicted.codes,
    labels: predicted.categories,
  }
  const { markers, notices: told } = await markersFor(context, { classes: cells.classes, genes })
  const table = new Map([...markers].map(([label, { genes: own }]) => [label, own]))
  const options = { place, markers: table }
  const checked = checkMarkers(labelled, {
    ...options,
    confidence,
    confidenceThreshold: settings.confidence_threshold,
    leastCells: settings.min_cells_per_plot,
    seed: settings.seed,
  })
  const enriched = markerEnrichment(labelled, options)
  const deg = degHeatmap(labelled, { place, top: settings.n_deg_genes })
  const means = markerHeatmap(labelled, options)
  const dots = markerDots(labelled, options)
  const notices = [...told, ...checked.notices, ...ancestorNotice(markers, place)]
  if (deg.status === 'not-assessed') notices.push(noDeg(deg.reason, place))
  const validation: Validation = {
    markers: [...markers],
    types: checked.types,
    enrichment: enriched.types,
    deg:
      deg.status === 'not-assessed'
        ? deg
        : {
            status: 'assessed',
            chosenFor: deg.chosenFor,
            scaled: stored(deg.scaled),
            top: topGenes(deg, genes, settings.n_deg_genes),
          },
    markerMeans:
      means.status === 'not-assessed' ? means : { status: 'assessed', scaled: stored(means.scaled) },
    markerDots:
      dots.status === 'not-assessed'
        ? dots
        : { status: 'assessed', shares: stored(dots.shares), scaled: stored(dots.scaled) },
  }
  return { validation, verdicts: Int32Array.from(checked.classes), scores: checked.scores, notices }
}

/**
 * The user's markers come first, then those that come along, of the type or of the nearest type above it; as the data spell them, where
 * they have them under another name.
 */
export async function markersFor(
  context: TypeCellsContext,
  { classes, genes }: { classes: readonly CellClass[]; genes: readonly string[] },
): Promise<{ markers: Map<string, LabelMarkers>; notices: ErrorReport[] }> {
  const { settings, inputs } = context.road
  const given = givenMarkers(context.road)
  const ids = new Map(classes.flatMap(({ name, id }) => (id === null ? [] : [[name, id] as const])))
  const species = settings.organism ?? inputs[0]!.facts.inspection.species
  const markers = await markersOfLabels(
    classes.map(({ name }) => name),
    { ids, ancestors: true, ...(given !== undefined && { given }), ...(species !== null && { species }) },
  )
  const lists = new Map([...markers].map(([label, { genes: own }]) => [label, own]))
  const table = species === null ? undefined : await loadGenes(species)
  try {
    const found = presentMarkers(lists, genes, { place: 'query', ...(table !== undefined && { table }) })
    for (const [label, own] of found.present) markers.set(label, { ...markers.get(label)!, genes: own })
    return { markers, notices: found.notices }
  } catch (error) {
    // labels do not hang on it: then no type is assessed
    if (!(error instanceof BadInput)) throw error
    const { code, place, problem, remedy } = error
    return { markers, notices: [{ code, place, problem, remedy }] }
  }
}

function ancestorNotice(markers: ReadonlyMap<string, LabelMarkers>, place: string): ErrorReport[] {
  const lent = [...markers].filter(([, { from }]) => from === 'ancestor')
  if (lent.length === 0) return []
  const shown = lent.slice(0, 10).map(([label, { name }]) => `${label} (${name})`)
  const problem = `${lent.length} types have no markers of their own and are checked with those of a type above: ${shown.join(', ')}`
  return [{ code: 'MARKERS_OF_ANCESTOR', place, problem, remedy: 'Give their markers in a file: markers' }]
}

function noDeg(reason: string, place: string): ErrorReport {
  const problem = `no genes were ranked between types: ${reason}`
  return { code: 'DEG_NOT_ASSESSED', place, problem, remedy: 'Labels do not need it' }
}

function topGenes(
  { ranked }: Extract<ReturnType<typeof degHeatmap>, { status: 'assessed' }>,
  genes: readonly string[],
  top: number,
): RankedGene[] {
  return ranked.groups.flatMap((group) => {
    if (group.status !== 'assessed') return []
    return Array.from(group.order.subarray(0, top), (gene, i) => ({
      type: group.label,
      gene: genes[gene]!,
      rank: i + 1,
      z: group.scores[gene]!,
      p: group.pValues[gene]!,
      adjusted: group.adjusted[gene]!,
      log2FoldChange: group.foldChanges[gene]!,
    }))
  })
}

function stored({ rows, columns, values }: NamedMatrix): StoredMatrix {
  return { rows, columns, values: Array.from(values, (value) => Number(value.toPrecision(7))) }
}
