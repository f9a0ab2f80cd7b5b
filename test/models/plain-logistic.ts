/**
 * The plain way to one label against the rest, in float64, one label and one loop at a time: what the fast one is compared with.
 *   min over w, b of 0.5 |w|^2 + C sum log(1 + exp(-y (w.z + b))), the intercept free
 */
import type { StandardisedCells } from '../../lib/models/standardised-cells.ts'

export interface LogisticFit {
  weights: Float64Array
  intercept: number
  objective: number
  /** largest part of the gradient that is left, relative to that at the start */
  gradient: number
  steps: number
}

export interface LogisticOptions {
  /** weight of the cells against the penalty, 1 */
  strength?: number
  /** gradient at which it is done, relative to that at the start: 1e-7 */
  tolerance?: number
  mostSteps?: number
  /** called after each Newton step */
  onStep?: () => Promise<void>
}

/** @param signs +1 for cells of the label, -1 for others */
export async function fitLogistic(
  cells: StandardisedCells,
  signs: Int8Array,
  options: LogisticOptions = {},
): Promise<LogisticFit> {
  const { strength = 1, tolerance = 1e-7, mostSteps = 100, onStep } = options
  const problem: Problem = { cells, signs, strength }
  const size = cells.columns + 1
  let at: Float64Array = new Float64Array(size)
  let scores: Float64Array = new Float64Array(cells.rows)
  let objective = objectiveAt(problem, { at, scores })
  let gradient: Float64Array = gradientAt(problem, { at, scores })
  const begun = largest(gradient)
  let steps = 0
  while (steps < mostSteps && largest(gradient) > tolerance * begun) {
    const left = largest(gradient) / begun
    const direction = newtonDirection(problem, { scores, gradient, accuracy: Math.min(0.1, Math.sqrt(left)) })
    const moved = lineSearch(problem, { at, scores, objective, direction, slope: dot(gradient, direction) })
    if (moved === undefined) break
    ;({ at, scores, objective } = moved)
    gradient = gradientAt(problem, { at, scores })
    steps++
    await onStep?.()
  }
  return {
    weights: at.slice(0, cells.columns),
    intercept: at[cells.columns]!,
    objective,
    gradient: begun === 0 ? 0 : largest(gradient) / begun,
    steps,
  }
}

interface Problem {
  cells: StandardisedCells
  signs: Int8Array
  strength: number
}

/** Weights, and the intercept as the last number. */
interface Place {
  at: Float64Array
  scores: Float64Array
}

function objectiveAt({ signs, strength }: Problem, { at, scores }: Place): number {
  let loss = 0
  for (let row = 0; row < scores.length; row++) loss += softplus(-signs[row]! * scores[row]!)
  let penalty = 0
  for (let i = 0; i < at.length - 1; i++) penalty += at[i]! ** 2
  return 0.5 * penalty + strength * loss
}

/** log(1 + e^x) without overflow */
function softplus(x: number): number {
  return x > 0 ? x + Math.log1p(Math.exp(-x)) : Math.log1p(Math.exp(x))
}

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x))

function gradientAt({ cells, signs, strength }: Problem, { at, scores }: Place): Float64Array {
  const residuals = scores.map((score, row) => -strength * signs[row]! * sigmoid(-signs[row]! * score))
  const gradient = at.slice()
  gradient[cells.columns] = transposedTimes(cells, { residuals, into: gradient.subarray(0, cells.columns) })
  return gradient
}

/** Conjugate gradients on H d = -g, preconditioned by the diagonal of the Hessian. */
function newtonDirection(
  { cells, strength }: Problem,
  { scores, gradient, accuracy }: { scores: Float64Array; gradient: Float64Array; accuracy: number },
): Float64Array {
  const curvature = scores.map((score) => strength * sigmoid(score) * sigmoid(-score))
  const diagonal = hessianDiagonal(cells, curvature)
  const direction = new Float64Array(gradient.length)
  const residual = gradient.map((value) => -value)
  let scaled = residual.map((value, i) => value / diagonal[i]!)
  const search = scaled.slice()
  let product = dot(residual, scaled)
  const wanted = accuracy ** 2 * product
  const held = new Float64Array(cells.rows)
  for (let round = 0; round < 2 * gradient.length && product > wanted; round++) {
    const image = hessianTimes(cells, { vector: search, curvature, held })
    const step = product / dot(search, image)
    if (!Number.isFinite(step)) break
    for (let i = 0; i < direction.length; i++) {
      direction[i]! += step * search[i]!
      residual[i]! -= step * image[i]!
    }
    scaled = residual.map((value, i) => value / diagonal[i]!)
    const next = dot(residual, scaled)
    const share = next / product
    for (let i = 0; i < search.length; i++) search[i] = scaled[i]! + share * search[i]!
    product = next
  }
  return direction
}

function hessianTimes(
  cells: StandardisedCells,
  { vector, curvature, held }: { vector: Float64Array; curvature: Float64Array; held: Float64Array },
): Float64Array {
  const weights = vector.subarray(0, cells.columns)
  timesCells(cells, { weights, intercept: vector[cells.columns]!, into: held })
  for (let row = 0; row < held.length; row++) held[row]! *= curvature[row]!
  const image = vector.slice()
  image[cells.columns] = transposedTimes(cells, { residuals: held, into: image.subarray(0, cells.columns) })
  return image
}

/** 1 + sum of curvature z^2 for each weight; the sum of curvature for the intercept, which has no penalty. */
function hessianDiagonal(cells: StandardisedCells, curvature: Float64Array): Float64Array {
  const { rows, columns, indptr, indices, lifted, zero } = cells
  const diagonal = new Float64Array(columns + 1)
  let all = 0
  for (let row = 0; row < rows; row++) {
    const weight = curvature[row]!
    all += weight
    for (let i = indptr[row]!; i < indptr[row + 1]!; i++) {
      const gene = indices[i]!
      const base = zero[gene]!
      diagonal[gene]! += weight * ((lifted[i]! + base) ** 2 - base ** 2)
    }
  }
  for (let gene = 0; gene < columns; gene++)
    diagonal[gene] = 1 + Math.max(0, diagonal[gene]! + all * zero[gene]! ** 2)
  diagonal[columns] = Math.max(all, Number.MIN_VALUE)
  return diagonal
}

/** Halves the step until the objective falls enough (Armijo). Scores are linear in the weights: one product serves all tries. */
function lineSearch(
  problem: Problem,
  {
    at,
    scores,
    objective,
    direction,
    slope,
  }: Place & { objective: number; direction: Float64Array; slope: number },
): (Place & { objective: number }) | undefined {
  const { cells } = problem
  const change = new Float64Array(cells.rows)
  timesCells(cells, {
    weights: direction.subarray(0, cells.columns),
    intercept: direction[cells.columns]!,
    into: change,
  })
  for (let step = 1; step > 1e-10; step /= 2) {
    const tried = {
      at: at.map((value, i) => value + step * direction[i]!),
      scores: scores.map((score, row) => score + step * change[row]!),
    }
    const reached = objectiveAt(problem, tried)
    if (reached <= objective + 1e-4 * step * slope) return { ...tried, objective: reached }
  }
  return undefined
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!
  return sum
}

function largest(values: Float64Array): number {
  return values.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
}

/** Z w + intercept, one number a cell. */
function timesCells(
  { rows, indptr, indices, lifted, zero }: StandardisedCells,
  { weights, intercept, into }: { weights: Float64Array; intercept: number; into: Float64Array },
): void {
  let base = intercept
  for (let gene = 0; gene < zero.length; gene++) base += zero[gene]! * weights[gene]!
  for (let row = 0; row < rows; row++) {
    let sum = base
    const end = indptr[row + 1]!
    for (let i = indptr[row]!; i < end; i++) sum += lifted[i]! * weights[indices[i]!]!
    into[row] = sum
  }
}

/** Z' r added to `into`, one number a gene. @returns the sum of r */
function transposedTimes(
  { rows, indptr, indices, lifted, zero }: StandardisedCells,
  { residuals, into }: { residuals: Float64Array; into: Float64Array },
): number {
  let sum = 0
  for (let row = 0; row < rows; row++) {
    const residual = residuals[row]!
    sum += residual
    if (residual === 0) continue
    const end = indptr[row + 1]!
    for (let i = indptr[row]!; i < end; i++) into[indices[i]!]! += lifted[i]! * residual
  }
  for (let gene = 0; gene < zero.length; gene++) into[gene]! += zero[gene]! * sum
  return sum
}
