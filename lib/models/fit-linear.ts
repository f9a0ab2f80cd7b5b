/**
 * L2-penalised linear classifiers on sparse standardised cells, as scikit-learn's LogisticRegression states them, to the optimum:
 *   ovr          for each label 0.5 |w|^2 + C sum log(1 + exp(-y (w.z + b)))
 *   multinomial  0.5 |W|^2 + C sum (cross entropy of softmax(W z + b)), intercepts adding up to 0
 * with intercepts free and z = (x - mean) / scale, clipped above. Cells are never made dense; there is no chance in it, and any number of
 * threads gives the same bytes.
 *
 * Trap: two labels have one row of weights, the second label's. A softmax over scores [-s, s] is a sigmoid of 2 s, so for `multinomial` it
 * is fitted as a sigmoid with twice the strength and halved, which is the softmax's optimum exactly.
 */
import { availableParallelism } from 'node:os'
import { weightRows } from './linear-model.ts'
import {
  type Standardisation,
  standardisation,
  standardisationFrom,
  type TrainingRows,
} from './standardised-cells.ts'
import { openCrew } from './training-crew.ts'
import { centre as centred } from './training-direction.ts'
import { checkCells, checkCodes } from './training-input.ts'
import { createSharedMemory } from './training-kernel.ts'
import {
  fillMemory,
  type Loss,
  type TrainingShape,
  trainingLayout,
  trainingShape,
} from './training-memory.ts'
import { type NewtonFit, newton } from './training-newton.ts'
import { type Vector, vectorSpace } from './training-vectors.ts'

export interface LinearFitOptions {
  /** number of each cell's label, from 0 to below `labels`; each label has a cell */
  codes: Int32Array
  labels: number
  loss: Loss
  /** C, weight of the cells against the penalty: 1 */
  strength?: number
  /** what the objective may be above the optimum, as a share of it: 1e-10. Weights are then within sqrt(2 x share x objective) of theirs. */
  tolerance?: number
  /** z above is set to it: 10; Infinity for none */
  clip?: number
  /** whether the mean is subtracted: true. If not, `mean` is all zeros. */
  centre?: boolean
  /** mean and scale to use instead of those of these cells; `centre` is then of no effect */
  standard?: { mean: Float64Array; scale: Float64Array }
  /** where to begin, shaped as the result: for speed alone, the optimum is one */
  start?: { weights: Float64Array; intercept: Float64Array }
  /** as many as there are processors unless told, and one for small work; the result is the same */
  threads?: number
  /** what messages call the cells */
  place?: string
  /** hundredths of the way, never falling, 100 at the end */
  onProgress?: (done: number, total: number) => void
  signal?: AbortSignal
}

export interface LinearFit {
  /** labels x genes, or 1 x genes for two labels */
  weights: Float64Array
  intercept: Float64Array
  mean: Float64Array
  scale: Float64Array
  /** at these weights, over all labels */
  objective: number
  /** largest part of the gradient that is left */
  gradient: number
  /** what the objective is above the optimum at most, as a share of it; more than `tolerance` only where rounding allowed no more */
  above: number
  steps: number
}

const mostSteps = 200
/** Entries times labels below which starting a thread takes longer than it saves. */
const workForThreads = 2e7

/**
 * @param cells cells x genes, log1p-normalised; more genes or cells than memory has room for are refused
 * @throws BadInput TRAINING_LABELS, MATRIX_MALFORMED, MATRIX_NOT_FINITE, TRAINING_TOO_LARGE; the signal's reason
 */
export async function fitLinear(cells: TrainingRows, options: LinearFitOptions): Promise<LinearFit> {
  const { codes, labels, tolerance = 1e-10, clip = 10, centre = true, place = 'training cells' } = options
  checkNumbers(options)
  checkCodes(codes, { cells: cells.rows, labels, place })
  checkCells(cells, place)
  const standard =
    options.standard === undefined
      ? standardisation(cells, { clip, centre })
      : standardisationFrom(options.standard, { clip })
  const { shape, factor } = shapeOf(cells, options)
  const entries = cells.indptr[cells.rows]! - cells.indptr[0]!
  const layout = trainingLayout(shape, { entries, place })
  const memory = createSharedMemory(layout.bytes)
  fillMemory(memory, { cells, codes, standard, layout, shape })
  const setup = { memory, layout, shape }
  const isSmall = entries * shape.heads < workForThreads
  const crew = openCrew(setup, {
    threads: options.threads ?? (isSmall ? 1 : availableParallelism()),
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  })
  try {
    const start = options.start === undefined ? {} : { start: packed(options.start, { shape, factor }) }
    const fit = await newton(
      { setup, crew, space: vectorSpace(setup, standard) },
      { tolerance, mostSteps, onStep: progress(options.onProgress), ...start },
    )
    return unpacked(fit, { shape, factor, standard })
  } finally {
    await crew.close()
  }
}

function checkNumbers({ strength = 1, tolerance = 1, clip = 1, threads = 1 }: LinearFitOptions): void {
  if (!(strength > 0 && strength < Number.POSITIVE_INFINITY && tolerance > 0 && clip > 0 && threads >= 1))
    throw new RangeError(`strength ${strength}, tolerance ${tolerance}, clip ${clip}, threads ${threads}`)
}

/** @returns also what the fitted weights are to be divided by */
function shapeOf(
  cells: TrainingRows,
  { labels, loss, strength = 1 }: LinearFitOptions,
): { shape: TrainingShape; factor: number } {
  const heads = weightRows(labels)
  const factor = heads === 1 && loss === 'multinomial' ? 2 : 1
  const fitted = heads === 1 ? 'ovr' : loss
  return { shape: trainingShape(cells, { heads, loss: fitted, strength: factor * strength }), factor }
}

function progress(onProgress: LinearFitOptions['onProgress']): (share: number) => void {
  let told = -1
  return (share) => {
    const done = Math.floor(100 * share)
    if (done > told) onProgress?.(done, 100)
    told = Math.max(told, done)
  }
}

/** Weights by label in the order of the shared memory, times `factor`. */
function packed(
  { weights, intercept }: { weights: Float64Array; intercept: Float64Array },
  { shape, factor }: { shape: TrainingShape; factor: number },
): Vector {
  const { heads, columns, panels, width } = shape
  if (weights.length !== heads * columns || intercept.length !== heads)
    throw new RangeError(`a start of ${weights.length} weights for ${heads} rows of ${columns}`)
  const vector = {
    weights: new Float64Array(panels * columns * width),
    intercept: new Float64Array(panels * width),
  }
  for (let head = 0; head < heads; head++) {
    const first = Math.floor(head / width) * columns * width + (head % width)
    for (let gene = 0; gene < columns; gene++)
      vector.weights[first + gene * width] = factor * weights[head * columns + gene]!
    vector.intercept[head] = factor * intercept[head]!
  }
  if (shape.loss === 'multinomial') centred(vector.intercept, heads)
  return vector
}

function unpacked(
  fit: NewtonFit,
  { shape, factor, standard }: { shape: TrainingShape; factor: number; standard: Standardisation },
): LinearFit {
  const { heads, columns, width } = shape
  const { mean, scale } = standard
  const weights = new Float64Array(heads * columns)
  for (let head = 0; head < heads; head++) {
    const first = Math.floor(head / width) * columns * width + (head % width)
    for (let gene = 0; gene < columns; gene++)
      weights[head * columns + gene] = fit.at.weights[first + gene * width]! / factor
  }
  const intercept = fit.at.intercept.slice(0, heads).map((value) => value / factor)
  const { gradient, above, steps } = fit
  return { weights, intercept, mean, scale, objective: fit.objective / factor, gradient, above, steps }
}
