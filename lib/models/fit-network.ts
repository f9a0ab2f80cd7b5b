/**
 * Trains a network from what is known of it to weights: how it begins, and one training in a thread
 * with what it goes on from. What comes out is split weights, as state-dict.ts has them.
 */
import type { Provider } from '../graph/session.ts'
import { random } from '../job/random.ts'
import { firstWeights } from './first-weights.ts'
import { type Split, splitCells } from './minibatches.ts'
import type { NetworkTask } from './network-task.ts'
import type { TrainingState } from './network-training.ts'
import { type ThreadTrained, type TrainingWatch, trainInThread } from './network-training-thread.ts'
import { networkWeights } from './scvi-tensors.ts'
import type { Weight } from './state-dict.ts'
import type { TrainingCells } from './training-cells.ts'
import type { TrainingPlan } from './training-graph.ts'
import type { Schedule } from './training-schedule.ts'

/**
 * As a network begins: drawn by the seed, but for the weights that a trained one has already. What is usual of library sizes, where they are learned,
 * is told by the cells afterwards (library-prior.ts).
 * @param trained those of a scVI, where SCANVI begins with it
 */
export function beginning(
  task: NetworkTask,
  { seed, trained }: { seed: number; trained?: ReadonlyMap<string, Weight> },
): Map<string, Weight> {
  const weights = firstWeights(networkWeights(task), random(seed).fork('weights'))
  for (const [name, weight] of trained ?? []) {
    const there = weights.get(name)
    if (there !== undefined && String(there.shape) === String(weight.shape)) weights.set(name, weight)
  }
  return weights
}

export interface NetworkFit {
  task: NetworkTask
  data: TrainingCells
  /** as it begins */
  weights: ReadonlyMap<string, Weight>
  schedule: Schedule
  optimiser: TrainingPlan['optimiser']
  /** share of the cells to train on; 0.9, and then a last minibatch of one or two cells validates instead */
  trainShare: number | null
  /** weights that learn; all when absent */
  only?: readonly string[]
  /** batch normalisations whose running statistics stay */
  fixed?: readonly string[]
  providers?: readonly Provider[]
  threads?: number
  /** a stored state of the same training */
  from?: TrainingState
}

export interface FittedNetwork extends ThreadTrained {
  weights: Map<string, Weight>
  split: Split
}

/**
 * The split is decided by the schedule's seed alone: labelled and unlabelled cells are divided each for themselves, so that both
 * parts have the same share of them.
 * @throws StoreFailure TRAINING_DIVERGED
 */
export async function fitNetwork(fit: NetworkFit, watch: TrainingWatch = {}): Promise<FittedNetwork> {
  const { weights, trainShare, ...setup } = fit
  const split = splitOf(fit)
  const trained = await trainInThread({ ...setup, weights, split }, watch)
  const moved = new Map(
    [...weights].map(([name, weight]) => {
      const data = trained.state.carried[name]
      return [name, data === undefined ? weight : { shape: weight.shape, data }]
    }),
  )
  return { ...trained, weights: moved, split }
}

function splitOf({ data, schedule, trainShare }: NetworkFit): Split {
  const numbers = Int32Array.from({ length: data.cells }, (_, cell) => cell)
  const { labels } = data
  const groups =
    labels === null
      ? [numbers]
      : [numbers.filter((cell) => labels[cell]! >= 0), numbers.filter((cell) => labels[cell]! < 0)]
  const isOne = groups.filter(({ length }) => length > 0).length === 1
  const parts = groups.map((cells, i) =>
    splitCells(cells, {
      share: trainShare ?? 0.9,
      random: random(schedule.seed).fork(`split ${i}`),
      batchSize: schedule.batchSize,
      isExact: trainShare !== null || !isOne,
    }),
  )
  const together = (of: keyof Split) => Int32Array.from(parts.flatMap((part) => [...part[of]])).sort()
  return { train: together('train'), validation: together('validation') }
}
