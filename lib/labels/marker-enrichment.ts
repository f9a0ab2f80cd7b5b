/**
 * How far the cells of a type express its markers above all other cells: mean in and out, and the probability that a cell of the type
 * scores above another one (AUROC, ties as half). It takes no mixture and few cells, so a type whose threshold cannot be found still has
 * evidence. Our own addition; upstream compares cells within a type only.
 *
 * It is no independent proof where the classifier saw the same genes: near 0.5 it speaks against a label, near 1 it fits.
 */
import type { ErrorReport } from '../job/errors.ts'
import type { LabelledExpression } from './expression.ts'
import {
  type MarkedCells,
  type MarkedType,
  type MarkerTable,
  markCells,
  markersMissing,
  noticeOfUnassessed,
} from './marker-genes.ts'
import { type MetageneMethod, metageneScores } from './metagene.ts'

export interface EnrichedType {
  status: 'assessed'
  label: string
  /** cells of the type and all others, those with a finite score */
  cells: number
  others: number
  markers: string[]
  /** of the metagene, in the unit of the values */
  meanInside: number
  meanOutside: number
  /** 0 to 1; 0.5 is no difference */
  auroc: number
}

export interface UnenrichedType {
  status: 'not-assessed'
  label: string
  cells: number
  markers: string[]
  reason: string
}

export interface EnrichmentOptions {
  /** for messages: where the labels stand, 'obs/cell_type' */
  place: string
  markers: MarkerTable
  /** 'shifted-geometric-mean' unless told */
  method?: MetageneMethod
  /** markers that a type takes: 1 unless told */
  leastMarkers?: number
}

export interface Enrichment {
  /** most cells first, of equally many by name */
  types: (EnrichedType | UnenrichedType)[]
  notices: ErrorReport[]
}

/** All other cells are those of other types and those without one. */
export function markerEnrichment(cells: LabelledExpression, options: EnrichmentOptions): Enrichment {
  const marked = markCells(cells, options.markers)
  const types = marked.types.map((type) => enrichType(type, { marked, codes: cells.codes, options }))
  const without = types.filter((type) => type.status === 'not-assessed')
  return { types, notices: noticeOfUnassessed(without, options.place) }
}

function enrichType(
  type: MarkedType,
  { marked, codes, options }: { marked: MarkedCells; codes: Int32Array; options: EnrichmentOptions },
): EnrichedType | UnenrichedType {
  const { label, code, markers } = type
  const { method = 'shifted-geometric-mean', leastMarkers = 1 } = options
  const without = (reason: string): UnenrichedType => ({
    status: 'not-assessed',
    label,
    cells: type.cells.length,
    markers,
    reason,
  })
  const missing = markersMissing(type, leastMarkers)
  if (missing !== undefined) return without(missing)
  const scores = metageneScores(marked.expression, type.columns, { method })
  // sorted, so that the order of cells does not touch the last digit of a mean either
  const inside = scores.filter((score, cell) => codes[cell] === code && Number.isFinite(score)).sort()
  const outside = scores.filter((score, cell) => codes[cell] !== code && Number.isFinite(score)).sort()
  if (inside.length === 0) return without('no cell has finite markers')
  if (outside.length === 0) return without('there are no other cells to compare with')
  return {
    status: 'assessed',
    label,
    cells: inside.length,
    others: outside.length,
    markers,
    meanInside: mean(inside),
    meanOutside: mean(outside),
    auroc: shareAbove(inside, outside),
  }
}

/**
 * The share of all pairs in which the first is above the second, equal ones as half (AUROC); NaN where there is no pair.
 * Both ascending.
 */
export function shareAbove(ours: Float64Array, theirs: Float64Array): number {
  let wins = 0
  let below = 0
  let notAbove = 0
  for (const value of ours) {
    while (below < theirs.length && theirs[below]! < value) below++
    while (notAbove < theirs.length && theirs[notAbove]! <= value) notAbove++
    wins += (below + notAbove) / 2
  }
  return wins / (ours.length * theirs.length)
}

function mean(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}
