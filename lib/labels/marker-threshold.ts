/**
 * Where a marker score parts cells that express from cells that do not, by a Gaussian mixture, as SpatialCore's classify_by_threshold:
 * with two components where the upper becomes the likelier, with three or more half way between the two LOWEST means (the third is
 * stronger expression, not another state). A cell is high when the components above the lowest hold more than 0.3 of it: that
 * is not the same cut as the threshold, and upstream's plots use the threshold.
 *
 * Fitted on at most 20,000 cells, drawn from the sorted scores so that the order of cells does not matter.
 */
import type { ErrorReport } from '../job/errors.ts'
import { random } from '../job/random.ts'
import type { Expression } from './expression.ts'
import { fitMixture, type GaussianMixture, posteriors } from './gaussian-mixture.ts'
import { type MetageneMethod, metageneScores } from './metagene.ts'

export interface ScoreThreshold {
  status: 'assessed'
  threshold: number
  mixture: GaussianMixture
}

export interface NoThreshold {
  status: 'not-assessed'
  reason: string
}

export interface ThresholdOptions {
  /** Gaussians, 2 or more */
  components: number
  /** cells that the mixture is fitted on, at most: 20,000 unless told */
  mostCells?: number
  /** 42 unless told */
  seed?: number
}

/** The threshold of scores, in their unit; the scores must be finite. */
export function scoreThreshold(
  scores: Float64Array,
  options: ThresholdOptions,
): ScoreThreshold | NoThreshold {
  const { components, mostCells = 20_000, seed = 42 } = options
  if (!Number.isInteger(components) || components < 2) throw new RangeError(`${components} components`)
  const fit = fitMixture(sample(scores, { size: mostCells, seed }), { components, seed })
  if (fit.status === 'not-assessed') return fit
  return { status: 'assessed', threshold: thresholdOf(fit.mixture), mixture: fit.mixture }
}

export function thresholdOf(mixture: GaussianMixture): number {
  const [low, high] = mixture.means
  if (low === undefined || high === undefined) throw new RangeError('one component has no threshold')
  return (mixture.means.length === 2 ? crossing(mixture) : undefined) ?? (low + high) / 2
}

const points = 1000

/** The last of 1000 points between the means before the upper component becomes the likelier; none where it is from the start. */
function crossing(mixture: GaussianMixture): number | undefined {
  const low = mixture.means[0]!
  const step = (mixture.means[1]! - low) / (points - 1)
  const line = Float64Array.from({ length: points }, (_, i) =>
    i === points - 1 ? mixture.means[1]! : low + i * step,
  )
  const signs = probabilityHigh(mixture, line).map((high) => Math.sign(high - 0.5))
  const at = signs.findIndex((sign, i) => i + 1 < points && signs[i + 1] !== sign)
  return at < 0 ? undefined : line[at]
}

/** For each score what all components but the lowest hold of it, in [0, 1]; NaN for a score that is not finite. */
export function probabilityHigh(mixture: GaussianMixture, scores: ArrayLike<number>): Float64Array {
  const size = mixture.means.length
  const shares = posteriors(mixture, scores)
  return Float64Array.from(scores, (_, i) => {
    let high = 0
    for (let k = 1; k < size; k++) high += shares[i * size + k]!
    return high
  })
}

export interface ClassifyOptions extends Partial<ThresholdOptions> {
  /** for messages: what is classified */
  place: string
  method?: MetageneMethod
  shift?: number
  /** a cell is high above this: 0.3 unless told */
  cutoff?: number
  /** finite cells that it takes: 100 unless told */
  leastCells?: number
  /** numbers of the cells; all unless told */
  cells?: Int32Array
}

export interface Classification extends ScoreThreshold {
  /** for each cell its metagene (of one gene: its value); NaN where a marker is not finite */
  scores: Float64Array
  /** for each cell P(high), NaN where invalid */
  probabilities: Float64Array
  /** for each cell 1 high, 0 low, -1 invalid */
  clusters: Int8Array
  high: number
  low: number
  invalid: number
  notices: ErrorReport[]
}

/** @param genes columns of the markers, each once; two components unless told */
export function classifyByThreshold(
  expression: Expression,
  genes: ArrayLike<number>,
  options: ClassifyOptions,
): Classification | NoThreshold {
  const { method = 'shifted-geometric-mean', components = 2, cutoff = 0.3, leastCells = 100 } = options
  const { cells, shift, place } = options
  const own = { ...(cells && { cells }), ...(shift !== undefined && { shift }) }
  // a cell that one marker makes invalid is invalid in the sum, and in the least value where a marker is below 0
  const sums = metageneScores(expression, genes, { ...own, method: 'arithmetic-mean' })
  const valid = sums.filter(Number.isFinite).length
  if (valid < leastCells)
    return { status: 'not-assessed', reason: `fewer than ${leastCells} cells with finite markers` }
  const isGeometric = genes.length > 1 && method.endsWith('geometric-mean')
  if (isGeometric && hasNegative(metageneScores(expression, genes, { ...own, method: 'minimum' }), sums))
    return { status: 'not-assessed', reason: 'negative values, which a geometric mean does not take' }
  const scores = genes.length === 1 ? sums : metageneScores(expression, genes, { ...own, method })
  for (let i = 0; i < scores.length; i++) if (!Number.isFinite(sums[i]!)) scores[i] = Number.NaN
  const finite = scores.filter(Number.isFinite)
  const found = scoreThreshold(finite, { ...options, components })
  if (found.status === 'not-assessed') return found
  const probabilities = probabilityHigh(found.mixture, scores)
  const clusters = Int8Array.from(probabilities, (high) => (Number.isNaN(high) ? -1 : Number(high > cutoff)))
  const high = clusters.filter((cluster) => cluster === 1).length
  const invalid = scores.length - finite.length
  const low = finite.length - high
  return { ...found, scores, probabilities, clusters, high, low, invalid, notices: mostlyZero(finite, place) }
}

function hasNegative(least: Float64Array, sums: Float64Array): boolean {
  return least.some((value, i) => value < 0 && Number.isFinite(sums[i]!))
}

/** Below this a metagene of logs is that of a cell without any marker. */
const zero = 1e-6

function mostlyZero(scores: Float64Array, place: string): ErrorReport[] {
  const zeros = scores.filter((score) => score < zero).length
  if (zeros < 0.5 * scores.length) return []
  return [
    {
      code: 'MARKERS_MOSTLY_ZERO',
      place,
      problem: `${zeros} of ${scores.length} cells express none of the markers, so the threshold parts zeros from the rest`,
      remedy:
        'Read it as "expressed at all", not as high expression, or give markers that more cells express',
    },
  ]
}

/** Some of the values, drawn without putting back, whatever their order; all where they are not more than `size`. */
function sample(values: Float64Array, { size, seed }: { size: number; seed: number }): Float64Array {
  if (values.length <= size) return values
  const sorted = values.slice().sort()
  const generator = random(seed).fork('threshold cells')
  for (let i = 0; i < size; i++) {
    const j = i + generator.integer(sorted.length - i)
    const held = sorted[i]!
    sorted[i] = sorted[j]!
    sorted[j] = held
  }
  return sorted.subarray(0, size)
}
