/**
 * Logistic regression by stochastic gradient descent, one label against the rest, as scikit-learn 1.2's SGDClassifier (log loss, L2,
 * learning rate "optimal", not averaged): `fit` until the loss no longer falls, and `partial_fit` of a batch.
 *
 * Trap: each label visits the cells in an order of its own. Its seed is drawn from the generator for every call, shuffles by
 * a 32-bit xorshift, and every epoch shuffles the order of the one before with the SAME seed.
 */
import { weightRows } from './linear-model.ts'
import { type NumpyRandom, numpyRandom } from './numpy-random.ts'
import { type Descent, type DescentCells, descend } from './sgd-pass.ts'

export interface SgdModel {
  /** heads x genes: a head a label, or one for two labels, whose second is the positive one */
  weights: Float64Array
  intercept: Float64Array
  /** of the schedule: 1, and one more for each cell visited; goes on over batches */
  clock: number
}

export interface SgdFit extends SgdModel {
  /** the most epochs that a label took */
  epochs: number
  /** labels whose loss still fell when the epochs were used up */
  unsettled: number
}

interface Visit {
  /** of each cell of the matrix its label */
  codes: Int32Array
  /** the penalty's weight: 1e-4 in scikit-learn */
  alpha: number
  /** draws the labels' seeds; without one the cells are visited in the order given */
  generator?: NumpyRandom
  /** called after each pass of a label, with the number of its head */
  onPass?: (head: number) => Promise<void>
}

export interface SgdFitOptions extends Visit {
  labels: number
  /** 1000 */
  mostEpochs?: number
  /** the loss of a cell has to fall by this much within `patience` epochs: 1e-3 */
  tolerance?: number
  /** 5 */
  patience?: number
}

export interface SgdBatch extends Visit {
  /** numbers of the cells, in the order given */
  rows: Int32Array
}

/** scikit-learn draws seeds below the largest int32 */
const seedLimit = 2 ** 31 - 1

export function beginSgd({ genes, labels }: { genes: number; labels: number }): SgdModel {
  const heads = weightRows(labels)
  return { weights: new Float64Array(heads * genes), intercept: new Float64Array(heads), clock: 1 }
}

/** `fit`: a model from nothing. Two labels or more, codes 0 .. labels - 1. */
export async function fitSgdClassifier(cells: DescentCells, options: SgdFitOptions): Promise<SgdFit> {
  const { labels, generator, mostEpochs = 1000, tolerance = 1e-3, patience = 5 } = options
  const model = beginSgd({ genes: cells.columns, labels })
  const seeds = headSeeds(model, generator)
  let epochs = 0
  let unsettled = 0
  for (const [head, seed] of seeds.entries()) {
    const state = headState(model, { head, genes: cells.columns })
    const order = Int32Array.from({ length: cells.rows }, (_, row) => row)
    let least = Number.POSITIVE_INFINITY
    let stalled = 0
    let epoch = 0
    while (epoch < mostEpochs && stalled < patience) {
      const losses = visit(cells, { ...options, order, seed, state, positive: positiveOf(model, head) })
      epoch++
      stalled = losses > least - tolerance * cells.rows ? stalled + 1 : 0
      least = Math.min(least, losses)
      await options.onPass?.(head)
    }
    if (stalled < patience) unsettled++
    epochs = Math.max(epochs, epoch)
    model.intercept[head] = state.intercept
  }
  model.clock += epochs * cells.rows
  return { ...model, epochs, unsettled }
}

/** `partial_fit`: one pass of each label over a batch; the model goes on from where it was, in place. */
export async function partialFit(
  model: SgdModel,
  { cells, ...batch }: SgdBatch & { cells: DescentCells },
): Promise<void> {
  for (const [head, seed] of headSeeds(model, batch.generator).entries()) {
    const state = headState(model, { head, genes: cells.columns })
    visit(cells, { ...batch, order: batch.rows.slice(), seed, state, positive: positiveOf(model, head) })
    model.intercept[head] = state.intercept
    await batch.onPass?.(head)
  }
  model.clock += batch.rows.length
}

function visit(
  cells: DescentCells,
  part: Visit & { order: Int32Array; seed: number | undefined; state: Descent; positive: number },
): number {
  const { order, seed, state, codes, alpha, positive } = part
  if (seed !== undefined) shuffle(order, seed)
  return descend(cells, { order, codes, positive, alpha, state })
}

/** Of two labels the second is the positive one. */
function positiveOf(model: SgdModel, head: number): number {
  return model.intercept.length === 1 ? 1 : head
}

function headState(model: SgdModel, { head, genes }: { head: number; genes: number }): Descent {
  return {
    weights: model.weights.subarray(head * genes, (head + 1) * genes),
    intercept: model.intercept[head]!,
    clock: model.clock,
  }
}

/** A seed a head: of two labels straight from the generator, of more by a generator for each, seeded from it. */
function headSeeds(model: SgdModel, generator: NumpyRandom | undefined): (number | undefined)[] {
  const heads = model.intercept.length
  if (generator === undefined) return new Array(heads).fill(undefined)
  if (heads === 1) return [shuffleSeed(generator)]
  return Array.from({ length: heads }, () => generator.integer(0, seedLimit)).map((seed) =>
    shuffleSeed(numpyRandom(seed)),
  )
}

/** The first number drawn is for the data's own use, which nothing reads. */
function shuffleSeed(generator: NumpyRandom): number {
  generator.integer(1, seedLimit)
  return generator.integer(0, seedLimit)
}

/** Fisher-Yates from the front; the numbers are a xorshift's (13, 17, 5), of 31 bits. */
function shuffle(order: Int32Array, seed: number): void {
  let state = seed === 0 ? 1 : seed
  for (let i = 0; i < order.length - 1; i++) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    const j = i + ((state & 0x7fffffff) % (order.length - i))
    const held = order[i]!
    order[i] = order[j]!
    order[j] = held
  }
}
