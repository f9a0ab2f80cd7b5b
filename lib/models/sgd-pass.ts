/**
 * One pass of stochastic gradient descent over cells for one label against the rest, as scikit-learn's SGDClassifier makes it with
 * log loss and L2 penalty: one cell after another, the intercept without penalty, a step of 1 / (alpha (t0 + t - 1)).
 *
 * Standardised cells are S + 1 z0', and no zero is ever filled in: the weights are held as a v + b z0, so that a step touches only the
 * genes that the cell expresses. What needs all genes (v.z0, s.z0, z0.z0) is carried along as single numbers.
 */
import type { StandardisedCells } from './standardised-cells.ts'

export interface DescentCells extends StandardisedCells {
  /** s.z0 of each cell */
  tilt: Float64Array
  /** z0.z0 */
  zeroLength: number
}

/** One label's weights, and where they stand. */
export interface Descent {
  /** one a gene; changed in place */
  weights: Float64Array
  intercept: number
  /** 1 before the first cell, then one more for each */
  clock: number
}

/** Below this the scale of the weights is worked into them, as in scikit-learn. */
const smallestScale = 1e-9

export function descentCells(cells: StandardisedCells): DescentCells {
  const { rows, indptr, indices, lifted, zero } = cells
  const tilt = new Float64Array(rows)
  for (let row = 0; row < rows; row++) {
    let sum = 0
    for (let i = indptr[row]!; i < indptr[row + 1]!; i++) sum += lifted[i]! * zero[indices[i]!]!
    tilt[row] = sum
  }
  return { ...cells, tilt, zeroLength: dot(zero, zero) }
}

/** The clock's start for the "optimal" schedule: the first step has the size of a typical weight, 1 / sqrt(sqrt(alpha)). */
export function scheduleStart(alpha: number): number {
  return 1 / (Math.sqrt(1 / Math.sqrt(alpha)) * alpha)
}

/**
 * @param order the cells to visit, one after another
 * @param options.positive the label that is told from the others
 * @returns the sum of the losses, each cell's before its step
 */
export function descend(
  cells: DescentCells,
  {
    order,
    codes,
    positive,
    alpha,
    state,
  }: { order: Int32Array; codes: Int32Array; positive: number; alpha: number; state: Descent },
): number {
  const { indptr, indices, lifted, zero, tilt, zeroLength } = cells
  const { weights } = state
  const begun = scheduleStart(alpha)
  let { intercept, clock } = state
  let scale = 1
  let alongZero = 0
  let onZero = dot(weights, zero)
  let losses = 0
  for (let at = 0; at < order.length; at++) {
    const row = order[at]!
    const from = indptr[row]!
    const to = indptr[row + 1]!
    let product = onZero
    for (let i = from; i < to; i++) product += weights[indices[i]!]! * lifted[i]!
    const sign = codes[row] === positive ? 1 : -1
    const margin = sign * (scale * product + alongZero * (tilt[row]! + zeroLength) + intercept)
    const step = 1 / (alpha * (begun + clock - 1))
    losses += logLoss(margin)
    const change = -step * sign * logSlope(margin)
    const shrink = Math.max(0, 1 - step * alpha)
    scale *= shrink
    alongZero *= shrink
    if (scale < smallestScale) {
      materialise(weights, { scale, alongZero, zero })
      scale = 1
      alongZero = 0
      onZero = dot(weights, zero)
    }
    if (change !== 0) {
      const own = change / scale
      for (let i = from; i < to; i++) weights[indices[i]!]! += own * lifted[i]!
      onZero += own * tilt[row]!
      alongZero += change
      intercept += change
    }
    clock++
  }
  materialise(weights, { scale, alongZero, zero })
  state.intercept = intercept
  state.clock = clock
  return losses
}

/** log(1 + e^-m), the ends as scikit-learn cuts them */
function logLoss(margin: number): number {
  if (margin > 18) return Math.exp(-margin)
  if (margin < -18) return -margin
  return Math.log(1 + Math.exp(-margin))
}

/** its derivative by m */
function logSlope(margin: number): number {
  if (margin > 18) return -Math.exp(-margin)
  if (margin < -18) return -1
  return -1 / (Math.exp(margin) + 1)
}

function materialise(
  weights: Float64Array,
  { scale, alongZero, zero }: { scale: number; alongZero: number; zero: Float64Array },
): void {
  for (let gene = 0; gene < weights.length; gene++)
    weights[gene] = scale * weights[gene]! + alongZero * zero[gene]!
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!
  return sum
}
