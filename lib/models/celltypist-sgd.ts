/**
 * Training by stochastic gradient descent as CellTypist 1.7.1 offers it: `use_SGD`, and `mini_batch` with `balance_cell_type`, on cells
 * standardised over all and clipped above. One generator draws samples and orders in the order that CellTypist draws them in, so a seed
 * gives the model that CellTypist gives after `numpy.random.seed(seed)`.
 *
 * Trap: where an epoch takes all cells, balancing changes nothing but which come first. Results of different seeds differ widely.
 */
import { BadInput, type ErrorReport } from '../job/errors.ts'
import type { LinearArrays } from './linear-model.ts'
import { type NumpyRandom, numpyRandom } from './numpy-random.ts'
import { beginSgd, fitSgdClassifier, partialFit, type SgdModel } from './sgd.ts'
import { type DescentCells, descentCells } from './sgd-pass.ts'
import { type StandardisedCells, standardise, type TrainingRows } from './standardised-cells.ts'

export interface SgdTraining {
  /** number of each cell's label, 0 .. labels - 1; every label has cells */
  codes: Int32Array
  labels: number
  /** whole number in [0, 2^32) */
  seed: number
  /** weight of the penalty: 1e-4 */
  alpha?: number
  /** standardised values above are set to it: 10 */
  clip?: number
  /** the cells standardised already; else that is done here */
  standard?: StandardisedCells
  /** batches of a sample of the cells, epoch after epoch, instead of passes over all until the loss stays: false */
  miniBatch?: boolean
  /** of the passes over all, at most: 1000, from 50,000 cells 500, from 500,000 cells 200 */
  maxIterations?: number
  /** of the passes over all: 1e-3 */
  tolerance?: number
  /** of mini-batches: 10 */
  epochs?: number
  /** cells of a batch: 1000 */
  batchSize?: number
  /** batches of an epoch, at most: 100 */
  batchNumber?: number
  /** draw cells of rare labels first: false */
  balance?: boolean
  /** refuse what CellTypist refuses: no more cells than one batch */
  compat?: boolean
  /** for messages */
  place?: string
  /** labels done of all labels, or batches done of all batches */
  onProgress?: (done: number, total: number) => void
  signal?: AbortSignal
}

export interface SgdTrained extends LinearArrays {
  /** batches fitted; or passes over all cells, the most that a label took */
  steps: number
  notices: ErrorReport[]
}

/**
 * Weights of standardised, clipped values, one row a label (one row for two labels).
 * @param cells log1p-normalised, cells x genes; a silent gene gets weights of 0
 * @throws BadInput TRAINING_LABELS, TRAINING_VALUES; BATCH_TOO_BIG with `compat`
 */
export async function fitSgd(cells: TrainingRows, options: SgdTraining): Promise<SgdTrained> {
  const { clip = 10, place = 'training cells', miniBatch = false } = options
  checkValues(cells, place)
  checkCodes(cells, { ...options, place })
  const standard = options.standard ?? standardise(cells, { clip })
  const training = { ...options, place, alpha: options.alpha ?? 1e-4, generator: numpyRandom(options.seed) }
  const fit = await (miniBatch ? fitBatches : fitWhole)(descentCells(standard), training)
  return {
    weights: fit.model.weights,
    intercept: fit.model.intercept,
    mean: standard.mean,
    scale: standard.scale,
    steps: fit.steps,
    notices: fit.notices,
  }
}

interface Training extends SgdTraining {
  place: string
  alpha: number
  generator: NumpyRandom
}

interface Fitted {
  model: SgdModel
  steps: number
  notices: ErrorReport[]
}

async function fitWhole(cells: DescentCells, training: Training): Promise<Fitted> {
  const { codes, labels, alpha, generator, place, tolerance, onProgress } = training
  const mostEpochs = training.maxIterations ?? usualIterations(cells.rows)
  const heads = labels === 2 ? 1 : labels
  const fit = await fitSgdClassifier(cells, {
    ...{ codes, labels, alpha, generator, mostEpochs },
    ...(tolerance === undefined ? {} : { tolerance }),
    onPass: async (head) => {
      onProgress?.(head, heads)
      await pause(training)
    },
  })
  onProgress?.(heads, heads)
  const notices: ErrorReport[] = []
  if (fit.unsettled > 0)
    notices.push({
      code: 'TRAINING_UNSETTLED',
      place,
      problem: `the loss of ${fit.unsettled} of ${heads} labels still fell after ${fit.epochs} passes over the cells`,
      remedy: 'Raise "max_iter", or take logistic_regression, which is solved to its optimum',
    })
  return { model: fit, steps: fit.epochs, notices }
}

async function fitBatches(cells: DescentCells, training: Training): Promise<Fitted> {
  const { codes, labels, alpha, generator, onProgress } = training
  const { epochs = 10, batchSize = 1000, batchNumber = 100, balance = false } = training
  if (training.compat === true && cells.rows <= batchSize) throw tooBig(cells.rows, training)
  const sampled = Math.min(batchNumber * batchSize, cells.rows)
  const batches = Math.ceil(sampled / batchSize)
  const weights = balance ? inverseShares(codes, labels) : undefined
  const model = beginSgd({ genes: cells.columns, labels })
  for (let epoch = 0; epoch < epochs; epoch++) {
    const sample =
      weights === undefined
        ? generator.permutation(cells.rows).subarray(0, sampled)
        : generator.choice(sampled, weights)
    for (let batch = 0; batch < batches; batch++) {
      const rows = sample.subarray(batch * batchSize, (batch + 1) * batchSize)
      await partialFit(model, { cells, rows, codes, alpha, generator, onPass: () => pause(training) })
      onProgress?.(epoch * batches + batch + 1, epochs * batches)
    }
  }
  const notices = batchNotices(training, { cells: cells.rows, sampled, batchSize })
  return { model, steps: epochs * batches, notices }
}

function batchNotices(
  { place, balance = false, compat = false }: Training,
  { cells, sampled, batchSize }: { cells: number; sampled: number; batchSize: number },
): ErrorReport[] {
  const notices: ErrorReport[] = []
  if (cells <= batchSize && !compat)
    notices.push({
      code: 'TRAINING_ONE_BATCH',
      place,
      problem: `${cells} cells make one batch of ${batchSize}; each epoch took all of them`,
      remedy: 'Lower "batch_size" for more batches, or take logistic_regression',
    })
  if (balance && sampled === cells)
    notices.push({
      code: 'TRAINING_NOT_BALANCED',
      place,
      problem: `an epoch of ${sampled} cells takes them all, so balance_cell_type changed nothing but their order`,
      remedy: 'Lower "batch_number" or "batch_size", or balance the types beforehand with max_cells_per_type',
    })
  return notices
}

/** 1 / (cells of the label x labels), one a cell. */
function inverseShares(codes: Int32Array, labels: number): Float64Array {
  const counts = labelCounts(codes, labels)
  return Float64Array.from(codes, (code) => 1 / (counts[code]! * labels))
}

function usualIterations(cells: number): number {
  if (cells < 50_000) return 1000
  return cells < 500_000 ? 500 : 200
}

async function pause({ signal }: Training): Promise<void> {
  await new Promise(setImmediate)
  signal?.throwIfAborted()
}

function labelCounts(codes: Int32Array, labels: number): Int32Array {
  const counts = new Int32Array(labels)
  for (const code of codes) counts[code]! += 1
  return counts
}

function checkCodes(
  cells: TrainingRows,
  { codes, labels, place }: { codes: Int32Array; labels: number; place: string },
): void {
  if (codes.length !== cells.rows) throw new RangeError(`${codes.length} labels for ${cells.rows} cells`)
  if (codes.some((code) => code < 0 || code >= labels))
    throw new RangeError(`a label is not in 0 .. ${labels - 1}`)
  const used = labelCounts(codes, labels).filter((count) => count > 0).length
  if (labels >= 2 && used === labels) return
  const problem = `${used} of ${labels} labels have cells; a model tells at least two apart`
  const remedy = 'Give cells of at least two types, and no label without cells'
  throw new BadInput('TRAINING_LABELS', place, problem, remedy)
}

/** Squares of larger values leave the range of numbers. */
const largestValue = 1e100

function checkValues({ values }: TrainingRows, place: string): void {
  const bad = values.find((value) => !(Math.abs(value) <= largestValue))
  if (bad === undefined) return
  const problem = `a value is ${bad}: that cannot be standardised`
  throw new BadInput('TRAINING_VALUES', place, problem, 'Give counts, or their logarithms, without gaps')
}

function tooBig(cells: number, { place, batchSize = 1000 }: Training): BadInput {
  const problem = `${cells} cells are no more than one batch of ${batchSize}`
  return new BadInput(
    'BATCH_TOO_BIG',
    place,
    problem,
    'Lower "batch_size", or take "sgd" without mini-batches',
  )
}
