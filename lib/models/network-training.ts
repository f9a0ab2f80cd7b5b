/**
 * Epoch after epoch, as scvi-tools trains: shuffled minibatches, the warm-up of the divergence, validation, early stopping and a rate that
 * falls on a plateau. What goes beyond it: a loss that is no number takes training back to the last good epoch with half the rate, and the
 * state can be stored at any run of steps and gone on from, to the same weights bit for bit (on the same provider).
 *
 * `elbo` in the history is scvi-tools': minus the evidence lower bound, per cell, with the whole divergence; lower is better.
 */
import { type ErrorReport, StoreFailure } from '../job/errors.ts'
import { type Random, type RandomState, random, restoreRandom } from '../job/random.ts'
import { logFactorials } from './log-factorial.ts'
import type { Batches } from './minibatch-feeds.ts'
import { cellsPerClass, minibatches, type Split, shuffled } from './minibatches.ts'
import type { Carried, Runner, StepsTold } from './network-runner.ts'
import type { TrainingCells } from './training-cells.ts'
import { type Best, type EpochRecord, heed, klWeight, noBest, type Schedule } from './training-schedule.ts'

export interface TrainingState {
  carried: Carried
  /** the epoch it is in, and how many of its steps are done */
  epoch: number
  step: number
  random: RandomState
  rate: number
  /** sums over the steps of this epoch that are done */
  sums: EpochSums
  history: EpochRecord[]
  best: Best
  rollbacks: number
}

interface EpochSums {
  cells: number
  steps: number
  loss: number
  reconstruction: number
  divergence: number
  classification: number
}

export interface TrainingHooks {
  onEpoch?(record: EpochRecord): void
  onSteps?(at: { epoch: number; step: number; steps: number }): void
  /** asked after every run of steps: go on, store the state and go on, or stop here */
  ask?(): 'on' | 'store' | 'stop'
  onState?(state: TrainingState): void
}

export interface Trained {
  state: TrainingState
  /** all epochs were done, or early stopping ended them; false after 'stop' */
  isDone: boolean
  notices: ErrorReport[]
}

const mostRollbacks = 3

export interface TrainingInput {
  runner: Runner
  data: TrainingCells
  split: Split
  schedule: Schedule
  from?: TrainingState
}

/** @throws StoreFailure TRAINING_DIVERGED */
export async function trainNetwork(
  { runner, data, split, schedule, from }: TrainingInput,
  { onEpoch, onSteps, ask, onState }: TrainingHooks = {},
): Promise<Trained> {
  const notices: ErrorReport[] = []
  const constants = constantsOf(data, split)
  const lastState = (state: TrainingState): TrainingState => ({ ...state, carried: runner.carried() })
  let state = from ?? freshState(runner, schedule)
  runner.restore(state.carried)
  let good = state
  while (state.epoch < schedule.epochs) {
    const plan = epochPlan(state.epoch, { data, split, schedule })
    const generator = restoreRandom(state.random)
    let answer = 'on' as 'on' | 'store' | 'stop'
    const batches = Object.fromEntries(
      Object.entries(plan).map(([group, steps]) => [group, steps.slice(state.step)]),
    )
    const { epoch } = state
    const weight = klWeight(schedule, epoch)
    const begun = state
    const { told, steps } = await runner.train(batches, {
      rate: state.rate,
      klWeight: weight,
      random: generator,
      onSteps(done) {
        onSteps?.({ epoch: begun.epoch, step: begun.step + done, steps: plan.cells!.length })
        answer = ask?.() ?? 'on'
        return answer === 'on'
      },
    })
    const sums = added(state.sums, { told, steps, cells: batches.cells! })
    if (!Object.values(sums).every(Number.isFinite)) {
      state = rolledBack(good, { rollbacks: state.rollbacks + 1, rate: state.rate / 2, notices })
      runner.restore(state.carried)
      continue
    }
    state = { ...state, step: state.step + steps, sums, random: generator.state() }
    if (state.step < plan.cells!.length) {
      const stored = lastState(state)
      onState?.(stored)
      if (answer === 'stop') return { state: stored, isDone: false, notices }
      state = stored
      continue
    }
    const record = await finishEpoch(state, { runner, split, schedule, klWeight: weight, constants })
    const { isLast, ...next } = heed(schedule, { ...state, record })
    const history = [...state.history, record]
    state = lastState({ ...state, ...next, epoch: epoch + 1, step: 0, sums: noSums, history })
    good = state
    onEpoch?.(record)
    if (answer !== 'on') onState?.(state)
    if (isLast) break
    if (answer === 'stop') return { state, isDone: state.epoch >= schedule.epochs, notices }
  }
  return { state, isDone: true, notices }
}

function freshState(runner: Runner, { rate, seed }: Schedule): TrainingState {
  return {
    carried: runner.carried(),
    epoch: 0,
    step: 0,
    random: random(seed).fork('noise').state(),
    rate,
    sums: noSums,
    history: [],
    best: noBest,
    rollbacks: 0,
  }
}

const noSums: EpochSums = { cells: 0, steps: 0, loss: 0, reconstruction: 0, divergence: 0, classification: 0 }

/** Determined by seed and epoch alone, so that a stored state need not hold it. */
function epochPlan(
  epoch: number,
  { data, split, schedule }: { data: TrainingCells; split: Split; schedule: Schedule },
): Batches {
  const { batchSize, labelledPerClass, seed } = schedule
  const own: Random = random(seed).fork(`epoch ${epoch}`)
  const cells = minibatches(shuffled(split.train, own), batchSize)
  const { labels } = data
  const known = labels === null ? new Int32Array() : split.train.filter((cell) => labels[cell]! >= 0)
  if (labels === null || known.length === 0) return { cells }
  const taught =
    labelledPerClass === null ? known : cellsPerClass(known, { labels, most: labelledPerClass, random: own })
  const labelled = minibatches(shuffled(taught, own), batchSize)
  // as often as the longer loader has minibatches, from the start again
  return { cells, labelled: cells.map((_, i) => labelled[i % labelled.length]!) }
}

function added(
  sums: EpochSums,
  { told, steps, cells }: { told: StepsTold; steps: number; cells: readonly Int32Array[] },
): EpochSums {
  const after = { ...sums }
  for (let i = 0; i < steps; i++) {
    const { length } = cells[i]!
    after.cells += length
    after.steps++
    after.loss += told.loss[i]! * length
    after.reconstruction += told.reconstruction[i]!
    after.divergence += told.divergence[i]!
    after.classification += told.classification?.[i] ?? 0
  }
  return after
}

function rolledBack(
  good: TrainingState,
  { rollbacks, rate, notices }: { rollbacks: number; rate: number; notices: ErrorReport[] },
): TrainingState {
  const place = `epoch ${good.epoch + 1}`
  if (rollbacks > mostRollbacks) {
    const problem = `the loss was no number for the ${rollbacks}th time, at a rate of ${rate * 2}`
    const remedy = 'Look for cells with very many counts or far too few; a lower rate may help'
    throw new StoreFailure('TRAINING_DIVERGED', place, problem, remedy)
  }
  const problem = `the loss was no number: training went back to the end of the epoch before, with a rate of ${rate}`
  notices.push({
    code: 'TRAINING_WENT_BACK',
    place,
    problem,
    remedy: 'Nothing need be done if the curve looks sound',
  })
  // other noise than the one that led there
  const noise = restoreRandom(good.random).fork(`after ${rollbacks}`).state()
  return { ...good, step: 0, sums: noSums, rate, rollbacks, random: noise }
}

interface EpochEnd {
  runner: Runner
  split: Split
  schedule: Schedule
  klWeight: number
  constants: Constants
}

async function finishEpoch(
  { epoch, sums, rate }: TrainingState,
  { runner, split, schedule, klWeight, constants }: EpochEnd,
): Promise<EpochRecord> {
  const reconstruction = sums.reconstruction / sums.cells + constants.train
  const divergence = sums.divergence / sums.cells
  const record: EpochRecord = {
    epoch,
    train_loss: sums.loss / sums.cells + constants.train,
    elbo_train: reconstruction + divergence,
    reconstruction_loss_train: reconstruction,
    kl_local_train: divergence,
    ...(sums.classification !== 0 && { classification_loss_train: sums.classification / sums.steps }),
    kl_weight: klWeight,
    rate,
  }
  const { validateEvery, batchSize, seed } = schedule
  const looks = validateEvery !== null && (epoch + 1) % validateEvery === 0 && split.validation.length > 0
  if (!looks) return record
  const noise = random(seed).fork(`validation ${epoch}`)
  const found = await runner.look(minibatches(split.validation, batchSize), noise)
  const cells = split.validation.length
  const seen = found.reconstruction / cells + constants.validation
  return {
    ...record,
    elbo_validation: seen + found.divergence / cells,
    reconstruction_loss_validation: seen,
    kl_local_validation: found.divergence / cells,
  }
}

/** log(x!) summed over the counts of a cell, in the mean: what the graph leaves out. */
type Constants = Record<keyof Split, number>

function constantsOf({ indptr, counts }: TrainingCells, { train, validation }: Split): Constants {
  const logFactorial = logFactorials()
  const mean = (cells: Int32Array) => {
    let sum = 0
    for (const cell of cells)
      for (let i = indptr[cell]!; i < indptr[cell + 1]!; i++) sum += logFactorial(counts[i]!)
    return sum / cells.length
  }
  return { train: mean(train), validation: mean(validation) }
}
