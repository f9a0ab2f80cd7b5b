/**
 * Mixtures of Gaussians on a line by expectation and maximisation, as scikit-learn 1.2's GaussianMixture with full covariance: k-means
 * starts, of several the one with the highest likelihood, 1e-6 added to each variance, done when the mean log likelihood moves less
 * than 1e-3. Its random numbers are not numpy's, so starts differ; the best of ten is nearly always the same.
 *
 * Where the original warns and returns components without values (all values equal, fewer distinct ones than components), this
 * returns none, with the reason: a threshold between components that do not exist is no threshold.
 * Works on distinct values with their counts: zeros are many in expression, and the order of cells cannot matter.
 */
import { type Random, random } from '../job/random.ts'
import { clusterLine, countValues, type ValueCounts } from './mixture-start.ts'

/** Components by ascending mean. */
export interface GaussianMixture {
  means: Float64Array
  variances: Float64Array
  weights: Float64Array
  /** whether the start that was best stopped moving within `mostSteps` */
  converged: boolean
  steps: number
  /** mean log density of a value, natural logarithm */
  logLikelihood: number
}

export type MixtureFit =
  | { status: 'fitted'; mixture: GaussianMixture }
  | { status: 'not-assessed'; reason: string }

export interface MixtureOptions {
  components: number
  /** 42 unless told */
  seed?: number
  /** 10 unless told */
  starts?: number
  /** of one start: 100 unless told */
  mostSteps?: number
  /** 1e-3 unless told */
  tolerance?: number
  /** added to each variance, in the squared unit of the values: 1e-6 unless told */
  leastVariance?: number
}

/** A component that holds less than this of one value is none. */
const leastHeld = 1e-6

export function fitMixture(values: Float64Array, options: MixtureOptions): MixtureFit {
  const { components, seed = 42, starts = 10 } = options
  if (!Number.isInteger(components) || components < 1) throw new RangeError(`${components} components`)
  const strange = values.reduce((count, value) => count + Number(!Number.isFinite(value)), 0)
  if (strange > 0) return none(`${strange} of ${values.length} values are not finite`)
  const sample = countValues(values)
  if (sample.values.length < components || values.length < 2)
    return none(`${sample.values.length} distinct values for ${components} components`)
  const generator = random(seed)
  let best: GaussianMixture | undefined
  for (let start = 0; start < starts; start++) {
    const fitted = fitOnce(sample, { ...options, generator })
    if (best === undefined || fitted.logLikelihood > best.logLikelihood) best = fitted
  }
  if (best === undefined || !isSound(best, sample.total))
    return none(`no ${components} components could be told apart`)
  return { status: 'fitted', mixture: byMean(best) }
}

/** For each value the probability of each component (values x components, components by mean); NaN for a value that is not finite. */
export function posteriors(mixture: GaussianMixture, values: ArrayLike<number>): Float64Array {
  const size = mixture.means.length
  const out = new Float64Array(values.length * size)
  const parts = densityParts(mixture)
  for (let i = 0; i < values.length; i++) {
    const own = out.subarray(i * size, (i + 1) * size)
    if (Number.isFinite(values[i]!)) shareOut(values[i]!, parts, own)
    else own.fill(Number.NaN)
  }
  return out
}

function none(reason: string): MixtureFit {
  return { status: 'not-assessed', reason }
}

function isSound({ means, variances, weights, logLikelihood }: GaussianMixture, total: number): boolean {
  const finite = [...means, ...variances, logLikelihood].every(Number.isFinite)
  return finite && weights.every((weight) => weight * total > leastHeld)
}

function fitOnce(sample: ValueCounts, options: MixtureOptions & { generator: Random }): GaussianMixture {
  const { components, generator, mostSteps = 100, tolerance = 1e-3, leastVariance = 1e-6 } = options
  const shares = new Float64Array(sample.values.length * components)
  let from = 0
  for (const [component, end] of clusterLine(sample, components, generator).entries()) {
    for (; from < end; from++) shares[from * components + component] = 1
  }
  let parts = maximise(sample, { shares, components, leastVariance })
  let logLikelihood = Number.NEGATIVE_INFINITY
  let converged = false
  let steps = 0
  while (steps < mostSteps && !converged) {
    steps++
    const before = logLikelihood
    logLikelihood = expect(sample, { parts, shares })
    parts = maximise(sample, { shares, components, leastVariance })
    converged = Math.abs(logLikelihood - before) < tolerance
  }
  return { ...parts, converged, steps, logLikelihood }
}

type Components = Pick<GaussianMixture, 'means' | 'variances' | 'weights'>

/** Fills the share that each component has in each value; the mean log likelihood. */
function expect(
  { values, counts, total }: ValueCounts,
  { parts, shares }: { parts: Components; shares: Float64Array },
): number {
  const size = parts.means.length
  const density = densityParts(parts)
  let sum = 0
  for (let i = 0; i < values.length; i++)
    sum += counts[i]! * shareOut(values[i]!, density, shares.subarray(i * size, (i + 1) * size))
  return sum / total
}

interface DensityParts {
  means: Float64Array
  /** log weight less the logarithm of the Gaussian's norm */
  heights: Float64Array
  /** 1 / (2 variance) */
  steepness: Float64Array
}

function densityParts({ means, variances, weights }: Components): DensityParts {
  return {
    means,
    heights: weights.map((weight, k) => Math.log(weight) - 0.5 * Math.log(2 * Math.PI * variances[k]!)),
    steepness: variances.map((variance) => 0.5 / variance),
  }
}

/** Writes each component's probability for a value; the log density of the value. */
function shareOut(value: number, { means, heights, steepness }: DensityParts, into: Float64Array): number {
  let highest = Number.NEGATIVE_INFINITY
  for (let k = 0; k < into.length; k++) {
    const log = heights[k]! - steepness[k]! * (value - means[k]!) ** 2
    into[k] = log
    if (log > highest) highest = log
  }
  let sum = 0
  for (let k = 0; k < into.length; k++) {
    into[k] = Math.exp(into[k]! - highest)
    sum += into[k]!
  }
  for (let k = 0; k < into.length; k++) into[k]! /= sum
  return highest + Math.log(sum)
}

function maximise(
  { values, counts, total }: ValueCounts,
  { shares, components, leastVariance }: { shares: Float64Array; components: number; leastVariance: number },
): Components {
  const means = new Float64Array(components)
  const variances = new Float64Array(components)
  const weights = new Float64Array(components)
  for (let k = 0; k < components; k++) {
    let held = 10 * Number.EPSILON
    let sum = 0
    for (let i = 0, at = k; i < values.length; i++, at += components) {
      const share = counts[i]! * shares[at]!
      held += share
      sum += share * values[i]!
    }
    const mean = sum / held
    let squares = 0
    for (let i = 0, at = k; i < values.length; i++, at += components)
      squares += counts[i]! * shares[at]! * (values[i]! - mean) ** 2
    means[k] = mean
    variances[k] = squares / held + leastVariance
    weights[k] = held / total
  }
  return { means, variances, weights }
}

function byMean(mixture: GaussianMixture): GaussianMixture {
  const order = [...mixture.means.keys()].sort((a, b) => mixture.means[a]! - mixture.means[b]!)
  const sorted = (values: Float64Array) => Float64Array.from(order, (k) => values[k]!)
  return {
    ...mixture,
    means: sorted(mixture.means),
    variances: sorted(mixture.variances),
    weights: sorted(mixture.weights),
  }
}
