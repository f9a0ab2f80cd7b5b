/**
 * One number of confidence a cell from decision scores, as SpatialCore's `transform_confidence` makes it. Scores are cells x labels.
 *
 * Traps: `zscore` compares a cell's scores with each other, so its ceiling is sigma(sqrt(labels - 1)): with two labels no cell reaches 0.8,
 * with fifty nearly all noise does. `minmax` is 1 for every cell whose scores are not all equal. Both are here for parity, not for use.
 */
import { BadInput, type ErrorReport } from '../job/errors.ts'

export const confidenceMethods = ['raw', 'zscore', 'softmax', 'minmax'] as const
export type ConfidenceMethod = (typeof confidenceMethods)[number]

/** scores that vary less than this count as equal */
const flat = 1e-10

/**
 * float64, one a cell; NaN where a score is NaN. `raw` is the highest score itself, the others lie in [0, 1].
 * @throws BadInput CONFIDENCE_SHAPE with fewer than two labels, or scores that are no whole rows
 */
export function transformConfidence(
  scores: Float32Array | Float64Array,
  { labels, method }: { labels: number; method: ConfidenceMethod },
): Float64Array {
  checkShape(scores.length, labels)
  const of = transforms[method]
  if (of === undefined) {
    const problem = `"${String(method)}" is no way to make confidence of scores`
    throw new BadInput(
      'CONFIDENCE_METHOD',
      'confidence',
      problem,
      `Take one of ${confidenceMethods.join(', ')}`,
    )
  }
  const confidence = new Float64Array(scores.length / labels)
  for (let cell = 0; cell < confidence.length; cell++)
    confidence[cell] = of(scores.subarray(cell * labels, (cell + 1) * labels))
  return confidence
}

/** The highest confidence that `zscore` can give with so many labels: sigma(sqrt(labels - 1)). */
export function zscoreCeiling(labels: number): number {
  return 1 / (1 + Math.exp(-Math.sqrt(Math.max(0, labels - 1))))
}

/** A notice where `zscore` leaves hardly any cell at the threshold, or none; undefined elsewhere. */
export function zscoreCeilingNotice({
  labels,
  threshold,
}: {
  labels: number
  threshold: number
}): ErrorReport | undefined {
  const ceiling = zscoreCeiling(labels)
  if (threshold <= 0 || ceiling >= threshold + 0.01) return undefined
  return {
    code: 'CONFIDENCE_CEILING',
    place: 'confidence',
    problem: `with ${labels} labels the z-score confidence is at most ${ceiling.toFixed(4)}: ${
      ceiling < threshold ? 'no cell reaches' : 'hardly a cell reaches'
    } the threshold ${threshold}`,
    remedy:
      'Take the calibrated confidence, which does not depend on the number of labels, or a lower threshold',
  }
}

function checkShape(length: number, labels: number): void {
  const shaped = Number.isInteger(labels) && labels >= 2 && length % labels === 0
  if (shaped) return
  const problem =
    labels >= 2
      ? `${length} scores are not whole rows of ${labels} labels`
      : `scores of ${labels} label(s) say nothing of confidence: it compares labels`
  throw new BadInput(
    'CONFIDENCE_SHAPE',
    'scores',
    problem,
    'Give a cells x labels matrix with two or more labels',
  )
}

type Row = Float32Array | Float64Array

const transforms: Record<ConfidenceMethod, (row: Row) => number> = {
  raw: highest,
  zscore(row) {
    let sum = 0
    for (const score of row) sum += score
    const mean = sum / row.length
    let squares = 0
    for (const score of row) squares += (score - mean) ** 2
    const spread = Math.sqrt(squares / row.length)
    return 1 / (1 + Math.exp(-(highest(row) - mean) / (spread < flat ? 1 : spread)))
  },
  softmax(row) {
    const most = highest(row)
    let sum = 0
    for (const score of row) sum += Math.exp(score - most)
    return 1 / sum
  },
  minmax(row) {
    const most = highest(row)
    if (Number.isNaN(most)) return Number.NaN
    let least = Number.POSITIVE_INFINITY
    for (const score of row) least = Math.min(least, score)
    return most - least < flat ? 0 : 1
  },
}

/** NaN if any is. */
function highest(row: Row): number {
  let most = Number.NEGATIVE_INFINITY
  for (const score of row) most = Math.max(most, score)
  return most
}
