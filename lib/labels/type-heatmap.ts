/**
 * What the heatmaps of cell types show, as SpatialCore selects and scales it: genes that set types apart (plot_deg_heatmap), known markers
 * by type (plot_marker_heatmap) and both share and mean of markers (plot_marker_dotplot). Numbers only; drawing is the report's.
 *
 * Scales differ on purpose, as upstream: genes of the first are rows, scaled over types with the population's deviation; markers of the
 * second are columns, scaled with the sample's (pandas); of the third between least and most. Types and markers stand by name of the type,
 * where upstream takes the order of cells.
 */
import type { ErrorReport } from '../job/errors.ts'
import { checkLabelled, type LabelledExpression } from './expression.ts'
import { type MarkerTable, markCells } from './marker-genes.ts'
import { type NamedMatrix, spreadColumns, standardisedRows, transposed } from './named-matrix.ts'
import { type RankedGenes, rankGenes } from './rank-genes.ts'
import { typeMeans } from './type-means.ts'

export interface NoHeatmap {
  status: 'not-assessed'
  reason: string
}

export interface DegHeatmap {
  status: 'assessed'
  /** for each row the type that it was chosen for */
  chosenFor: string[]
  /** genes x types: mean log expression */
  means: NamedMatrix
  /** the same, each gene scaled to mean 0 and deviation 1 over the types; 0 for a gene that is the same in all */
  scaled: NamedMatrix
  /** what the choice was made by */
  ranked: RankedGenes
  notices: ErrorReport[]
}

export interface DegOptions {
  /** for messages: where the labels stand, 'obs/cell_type' */
  place: string
  /** genes of each type: 5 unless told */
  top?: number
  /** cells that a type takes: 10 unless told */
  leastCells?: number
  tieCorrection?: boolean
}

/** The genes by which types differ most; cells labelled "Unassigned", and cells of types with too few, take no part. */
export function degHeatmap(cells: LabelledExpression, options: DegOptions): DegHeatmap | NoHeatmap {
  const { top = 5, leastCells = 10, tieCorrection = false, place } = options
  checkLabelled(cells)
  const kept = typesWith(cells, leastCells)
  if (kept.length < 2)
    return {
      status: 'not-assessed',
      reason: `${kept.length} cell types have ${leastCells} cells or more, two are needed`,
    }
  const places = new Map(kept.map((code, i) => [code, i]))
  const labels = kept.map((code) => cells.labels[code]!)
  const narrowed = { ...cells, labels, codes: cells.codes.map((code) => places.get(code) ?? -1) }
  const ranked = rankGenes(narrowed, { place, tieCorrection })
  const chosen = new Map<number, string>()
  for (const group of ranked.groups) {
    if (group.status !== 'assessed') continue
    for (const gene of group.order.subarray(0, top))
      if (!chosen.has(gene) && !Number.isNaN(group.scores[gene]!)) chosen.set(gene, group.label)
  }
  if (chosen.size === 0) return { status: 'not-assessed', reason: 'no gene could be ranked' }
  const genes = [...chosen.keys()]
  const types = labels.map((_, i) => i)
  const byType = typeMeans(narrowed, { types, genes }).means
  const means = transposed({ rows: labels, columns: genes.map((gene) => cells.genes[gene]!), values: byType })
  return {
    status: 'assessed',
    chosenFor: [...chosen.values()],
    means,
    scaled: standardisedRows(means, 0),
    ranked,
    notices: ranked.notices,
  }
}

export interface MarkerOptions {
  /** for messages: where the labels stand */
  place: string
  markers: MarkerTable
}

export interface MarkerHeatmap {
  status: 'assessed'
  /** types x markers: mean log expression */
  means: NamedMatrix
  /** the same, each marker scaled over the types to mean 0 and a sample deviation of 1; 0 where that is not possible */
  scaled: NamedMatrix
  notices: ErrorReport[]
}

/** All markers of the types at hand, in all of them; "Unassigned" and the like are rows too, as upstream, but bring no markers. */
export function markerHeatmap(cells: LabelledExpression, options: MarkerOptions): MarkerHeatmap | NoHeatmap {
  const found = markerMeans(cells, options)
  if (found.status === 'not-assessed') return found
  const { means, notices } = found
  return { status: 'assessed', means, scaled: transposed(standardisedRows(transposed(means), 1)), notices }
}

export interface MarkerDots {
  status: 'assessed'
  /** types x markers: share of cells that express it, the size of a dot */
  shares: NamedMatrix
  means: NamedMatrix
  /** means of each marker between those of its least (0) and its most (1) type, the colour of a dot */
  scaled: NamedMatrix
  notices: ErrorReport[]
}

export function markerDots(cells: LabelledExpression, options: MarkerOptions): MarkerDots | NoHeatmap {
  const found = markerMeans(cells, options)
  if (found.status === 'not-assessed') return found
  const { means, shares, notices } = found
  return { status: 'assessed', shares, means, scaled: spreadColumns(means), notices }
}

function markerMeans(
  cells: LabelledExpression,
  { markers, place }: MarkerOptions,
): { status: 'assessed'; means: NamedMatrix; shares: NamedMatrix; notices: ErrorReport[] } | NoHeatmap {
  const marked = markCells(cells, markers)
  const byName = marked.types.toSorted((a, b) => order(a.label, b.label))
  const wanted = new Map<string, number>()
  for (const type of byName)
    for (const [i, name] of type.markers.entries()) if (!wanted.has(name)) wanted.set(name, type.columns[i]!)
  if (wanted.size === 0)
    return { status: 'not-assessed', reason: 'none of the types has markers among the genes' }
  const types = typesWith(cells, 1, () => true)
  const rows = types.map((code) => cells.labels[code]!)
  const columns = [...wanted.keys()]
  const own = { ...cells, expression: marked.expression }
  const { means, shares } = typeMeans(own, { types, genes: [...wanted.values()] })
  const finite = columns.flatMap((_, at) =>
    rows.every((_, row) => Number.isFinite(means[row * columns.length + at]!)) ? [at] : [],
  )
  if (finite.length === 0) return { status: 'not-assessed', reason: 'no marker has finite values' }
  const pick = (values: Float64Array): NamedMatrix => ({
    rows,
    columns: finite.map((at) => columns[at]!),
    values: Float64Array.from(
      rows.flatMap((_, row) => finite.map((at) => values[row * columns.length + at]!)),
    ),
  })
  const dropped = columns.filter((_, at) => !finite.includes(at))
  return {
    status: 'assessed',
    means: pick(means),
    shares: pick(shares),
    notices: noticeOfDropped(dropped, place),
  }
}

function noticeOfDropped(dropped: readonly string[], place: string): ErrorReport[] {
  if (dropped.length === 0) return []
  return [
    {
      code: 'GENES_NOT_FINITE',
      place,
      problem: `markers with values that are not finite were left out: ${dropped.slice(0, 5).join(', ')}`,
      remedy: 'Look where these values come from; a log1p matrix has none',
    },
  ]
}

/** Numbers of labels that have enough cells, by name. */
function typesWith(
  { codes, labels }: LabelledExpression,
  least: number,
  isWanted: (label: string) => boolean = (label) => label !== 'Unassigned',
): number[] {
  const sizes = new Int32Array(labels.length)
  for (const code of codes) if (code >= 0) sizes[code]! += 1
  const enough = labels.flatMap((label, code) => (sizes[code]! >= least && isWanted(label) ? [code] : []))
  return enough.sort((a, b) => order(labels[a]!, labels[b]!))
}

const order = (a: string, b: string): number => Number(a > b) - Number(a < b)
