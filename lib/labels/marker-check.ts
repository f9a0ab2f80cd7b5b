/**
 * Confidence against markers, one type at a time: the numbers of SpatialCore's plot_2d_validation. A cell is of low confidence, of high
 * confidence only, or of high confidence with its type's markers at or above the threshold that a mixture of three Gaussians
 * finds among the cells of that type.
 *
 * A type that cannot be looked at (fewer than 15 cells, fewer than two markers, fewer than 100 cells for the mixture, no mixture) is told as
 * 'not-assessed' with its reason; upstream leaves it out. The threshold parts the cells of ONE type: where they all express their
 * markers alike, it still parts them, so `validated` compares cells of a type and says little about the type: see marker-enrichment.ts.
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
import { classifyByThreshold } from './marker-threshold.ts'

/** Classes of cells. */
export const cellClasses = { notAssessed: -1, lowConfidence: 0, highConfidence: 1, validated: 2 } as const

export interface CheckedType {
  status: 'assessed'
  label: string
  cells: number
  lowConfidence: number
  /** of high confidence, without the markers */
  highConfidence: number
  validated: number
  /** cells with a marker that is no finite number: in none of the three */
  unscored: number
  /** of all its cells, 0 to 100 */
  percentValidated: number
  /** of all its cells, with or without the markers */
  percentHighConfidence: number
  /** of the metagene, in the unit of the values */
  threshold: number
  markers: string[]
}

export interface UncheckedType {
  status: 'not-assessed'
  label: string
  cells: number
  markers: string[]
  reason: string
}

export interface MarkerCheck {
  /** most cells first */
  types: (CheckedType | UncheckedType)[]
  /** for each cell one of `cellClasses` */
  classes: Int8Array
  /** for each cell the metagene of its own type; NaN where the type is not assessed */
  scores: Float64Array
  notices: ErrorReport[]
}

export interface CheckOptions {
  /** for messages: where the labels stand, 'obs/cell_type' */
  place: string
  markers: MarkerTable
  /** one a cell; NaN is low */
  confidence: ArrayLike<number>
  /** at or above is high: 0.8 unless told */
  confidenceThreshold?: number
  /** cells that a type takes: 15 unless told */
  leastCells?: number
  /** cells that the mixture takes, 100 unless told, as upstream */
  leastToFit?: number
  /** markers that a type takes: 2 unless told */
  leastMarkers?: number
  /** 3 unless told */
  components?: number
  /** 42 unless told */
  seed?: number
}

/** @throws RangeError where labels, confidences and expression have different numbers of cells */
export function checkMarkers(cells: LabelledExpression, options: CheckOptions): MarkerCheck {
  const { rows } = cells.expression
  if (options.confidence.length !== rows)
    throw new RangeError(`${options.confidence.length} confidences for ${rows} cells`)
  const marked = markCells(cells, options.markers)
  const classes = new Int8Array(rows).fill(cellClasses.notAssessed)
  const scores = new Float64Array(rows).fill(Number.NaN)
  const notices: ErrorReport[] = []
  const types = marked.types.map((type) => checkType(type, { marked, options, classes, scores, notices }))
  const unchecked = types.filter((type) => type.status === 'not-assessed')
  return { types, classes, scores, notices: [...noticeOfUnassessed(unchecked, options.place), ...notices] }
}

function checkType(
  type: MarkedType,
  {
    marked,
    options,
    classes,
    scores,
    notices,
  }: Pick<MarkerCheck, 'classes' | 'scores' | 'notices'> & {
    marked: MarkedCells
    options: CheckOptions
  },
): CheckedType | UncheckedType {
  const { label, cells, markers } = type
  const { leastCells = 15, leastToFit = 100, leastMarkers = 2, confidenceThreshold = 0.8 } = options
  const { components = 3, seed = 42, place, confidence } = options
  const unchecked = (reason: string): UncheckedType => ({
    status: 'not-assessed',
    label,
    cells: cells.length,
    markers,
    reason,
  })
  if (cells.length < leastCells) return unchecked(`fewer than ${leastCells} cells`)
  const missing = markersMissing(type, leastMarkers)
  if (missing !== undefined) return unchecked(missing)
  const found = classifyByThreshold(marked.expression, type.columns, {
    place: `${place}: ${label}`,
    cells,
    components,
    seed,
    leastCells: leastToFit,
  })
  if (found.status === 'not-assessed') return unchecked(found.reason)
  notices.push(...found.notices)

  const counts = new Map<number, number>()
  for (const [i, cell] of cells.entries()) {
    const score = found.scores[i]!
    const isConfident = confidence[cell]! >= confidenceThreshold
    const own = classOf({ score, isConfident, threshold: found.threshold })
    classes[cell] = own
    scores[cell] = score
    counts.set(own, (counts.get(own) ?? 0) + 1)
  }
  const count = (name: keyof typeof cellClasses) => counts.get(cellClasses[name]) ?? 0
  const [validated, highConfidence] = [count('validated'), count('highConfidence')]
  return {
    status: 'assessed',
    label,
    cells: cells.length,
    lowConfidence: count('lowConfidence'),
    highConfidence,
    validated,
    unscored: count('notAssessed'),
    percentValidated: (100 * validated) / cells.length,
    percentHighConfidence: (100 * (highConfidence + validated)) / cells.length,
    threshold: found.threshold,
    markers,
  }
}

function classOf({
  score,
  isConfident,
  threshold,
}: {
  score: number
  isConfident: boolean
  threshold: number
}): number {
  if (Number.isNaN(score)) return cellClasses.notAssessed
  if (!isConfident) return cellClasses.lowConfidence
  return score >= threshold ? cellClasses.validated : cellClasses.highConfidence
}
