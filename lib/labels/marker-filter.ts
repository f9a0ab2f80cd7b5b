/**
 * Which cells keep their label when it must be confident AND backed by its markers: SpatialCore's filter_by_marker_validation, the
 * arithmetic mean of a type's markers against the threshold of three Gaussians among the cells of that type.
 *
 * Upstream lets a cell pass the marker test when its type has no markers or no mixture could be fitted, and fail it when the type has
 * fewer than 15 cells. That is the policy 'spatialcore'. Here such a cell is 'not assessed' unless told otherwise, and never counts
 * as passed.
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
  tellUnassessed,
} from './marker-genes.ts'
import { scoreThreshold } from './marker-threshold.ts'
import { metageneScores } from './metagene.ts'

/** What is said of a cell. */
export const verdicts = { notAssessed: -1, failed: 0, passed: 1 } as const

export interface FilteredType {
  /** 'not-assessed' whenever there is no threshold, whatever the policy makes of its cells */
  status: 'assessed' | 'not-assessed'
  label: string
  cells: number
  markers: string[]
  /** of the mean of the markers, in the unit of the values; NaN where not assessed */
  threshold: number
  passedConfidence: number
  passedMarkers: number
  passedBoth: number
  /** of all its cells, 0 to 100; NaN where no cell could be assessed */
  percentPassed: number
  /** why there is no threshold */
  reason?: string
}

export interface MarkerFilter {
  /** most cells first, of equally many by name */
  types: FilteredType[]
  /** for each cell the mean of its own type's markers; NaN where there are none, or the type was not looked at */
  scores: Float64Array
  /** for each cell one of `verdicts` */
  markers: Int8Array
  /** for each cell 1 where the confidence is at or above the threshold */
  confidence: Uint8Array
  /** for each cell one of `verdicts`: failed when either failed, passed when both passed */
  both: Int8Array
  notices: ErrorReport[]
}

export interface FilterOptions {
  /** for messages: where the labels stand, 'obs/cell_type' */
  place: string
  markers: MarkerTable
  /** one a cell; NaN fails */
  confidence: ArrayLike<number>
  /** at or above passes: 0.5 unless told */
  confidenceThreshold?: number
  /** cells that a type takes: 15 unless told */
  leastCells?: number
  /** 3 unless told */
  components?: number
  /** 42 unless told */
  seed?: number
  /** 'strict' unless told */
  policy?: 'strict' | 'spatialcore'
}

/** @throws RangeError where labels, confidences and expression have different numbers of cells */
export function filterByMarkers(cells: LabelledExpression, options: FilterOptions): MarkerFilter {
  const { rows } = cells.expression
  const { confidence, confidenceThreshold = 0.5, policy = 'strict' } = options
  if (confidence.length !== rows) throw new RangeError(`${confidence.length} confidences for ${rows} cells`)
  const marked = markCells(cells, options.markers)
  const confident = Uint8Array.from(confidence, (value) => Number(value >= confidenceThreshold))
  const markers = new Int8Array(rows).fill(policy === 'strict' ? verdicts.notAssessed : verdicts.failed)
  const scores = new Float64Array(rows).fill(Number.NaN)
  const judged = marked.types.map((type) => judgeType(type, { marked, options, markers, scores }))
  const both = markers.map((verdict, cell) => (confident[cell] === 1 ? verdict : verdicts.failed))
  const types = marked.types.map((type, i) => summary(type, { judged: judged[i]!, confident, markers, both }))
  const unassessed = types.flatMap(({ label, cells, reason }) =>
    reason === undefined ? [] : [{ label, cells, reason }],
  )
  const notices =
    policy === 'strict'
      ? noticeOfUnassessed(unassessed, options.place)
      : noticeOfPassed(unassessed, options.place)
  return { types, scores, markers, confidence: confident, both, notices }
}

interface Judged {
  threshold: number
  reason?: string
}

function judgeType(
  type: MarkedType,
  {
    marked,
    options,
    markers,
    scores,
  }: { marked: MarkedCells; options: FilterOptions; markers: Int8Array; scores: Float64Array },
): Judged {
  const { components = 3, seed = 42, leastCells = 15, policy = 'strict' } = options
  const unassessed = (reason: string, upstream: 0 | 1): Judged => {
    const verdict = policy === 'strict' ? verdicts.notAssessed : upstream
    for (const cell of type.cells) markers[cell] = verdict
    return { threshold: Number.NaN, reason }
  }
  if (type.cells.length < leastCells) return unassessed(`fewer than ${leastCells} cells`, 0)
  const missing = markersMissing(type, 1)
  if (missing !== undefined) return unassessed(missing, 1)
  const own = metageneScores(marked.expression, type.columns, {
    cells: type.cells,
    method: 'arithmetic-mean',
  })
  for (const [i, cell] of type.cells.entries()) scores[cell] = own[i]!
  const found = scoreThreshold(policy === 'strict' ? own.filter(Number.isFinite) : own, { components, seed })
  if (found.status === 'not-assessed') return unassessed(found.reason, 1)
  for (const [i, cell] of type.cells.entries())
    markers[cell] = Number.isFinite(own[i]!) ? Number(own[i]! >= found.threshold) : verdicts.notAssessed
  return { threshold: found.threshold }
}

function summary(
  type: MarkedType,
  parts: { judged: Judged; confident: Uint8Array; markers: Int8Array; both: Int8Array },
): FilteredType {
  const { judged, confident, markers, both } = parts
  const count = (verdict: Int8Array | Uint8Array) =>
    type.cells.reduce((sum, cell) => sum + Number(verdict[cell] === verdicts.passed), 0)
  const passedBoth = count(both)
  const isSilent = type.cells.every((cell) => markers[cell] === verdicts.notAssessed)
  return {
    status: judged.reason === undefined ? 'assessed' : 'not-assessed',
    label: type.label,
    cells: type.cells.length,
    markers: type.markers,
    threshold: judged.threshold,
    passedConfidence: count(confident),
    passedMarkers: count(markers),
    passedBoth,
    percentPassed: isSilent ? Number.NaN : (100 * passedBoth) / type.cells.length,
    ...(judged.reason !== undefined && { reason: judged.reason }),
  }
}

function noticeOfPassed(
  types: readonly { label: string; cells: number; reason: string }[],
  place: string,
): ErrorReport[] {
  if (types.length === 0) return []
  return [
    {
      code: 'MARKERS_NOT_CHECKED',
      place,
      problem: `the policy "spatialcore" decided without looking at markers for ${types.length} cell types: ${tellUnassessed(types)}`,
      remedy: 'Set the policy "strict" to have them told apart from cells that passed or failed',
    },
  ]
}
