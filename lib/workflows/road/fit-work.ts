/**
 * How long Fit takes, from facts and settings alone: for each way to train its own throughput, measured on two EPYC cores.
 *
 * Newton's method goes by stored numbers times labels, each further round from where the first one ended. Descent goes over them again
 * and again, on one thread, and no round saves it anything: 20,000 cells x 2,000 genes with 6 million stored numbers and 30 labels took 23 s
 * for 100 passes over all, and 2 s for ten epochs of mini-batches. Trap: how many passes it takes until the loss stays is not known
 * before (19 for sorted blood cells, 730 for simulated types that overlap); the estimate allows for a hundred, or `max_iter` if fewer.
 */
import type { Settings } from '../../job/manifest.ts'
import type { TypeCellsSettings } from '../../job/settings/type-cells.ts'
import { epochsOf } from '../fit-reference/epochs.ts'
import type { Size } from './step-sizes.ts'

export interface FitWork {
  /** on two processors */
  seconds: number
  /** whether more processors make it faster */
  spreads: boolean
}

/** Stored numbers of training cells times labels that two processors learn from in a second, in one round. */
const solvedPerSecond = 20e6
/** Stored numbers that one thread visits in a second, once for each label and pass. */
const visitedPerSecond = 600e6
const usualPasses = 100
/** Cells of a surgery in a second: SCANVI of 128 hidden values over 2,000 genes, with some ten labels. */
const adaptedPerSecond = 2000

/** A surgery that ends when its ELBO gets no better ended after 105 to 134 epochs on blood cells. */
const epochsUntilStopped = 130

/** Cells times genes that a scVI of 128 hidden values learns from in a second: 4,000 cells of 2,000 genes. */
const learntPerSecond = 8e6
/** A SCANVI looks at each cell twice, and at each label once. */
const scanviFactor = 2.5

/** undefined where nothing is trained */
export function fitWork(
  settings: Settings,
  { learnt, labels }: { learnt: Size; labels: number },
): FitWork | undefined {
  if (settings.workflow === 'map-atlas')
    return settings.mode === 'extend'
      ? { seconds: (settings.max_epochs * learnt.cells) / adaptedPerSecond, spreads: false }
      : undefined
  if (settings.workflow === 'annotate') {
    const epochs = Math.min(settings.max_epochs, epochsUntilStopped)
    return settings.mapping === 'surgery'
      ? { seconds: (epochs * learnt.cells) / adaptedPerSecond, spreads: false }
      : undefined
  }
  if (settings.workflow === 'fit-reference') {
    const { scvi, scanvi } = epochsOf(settings, Math.max(1, learnt.cells))
    const rounds = scvi + (settings.label_column === undefined ? 0 : scanviFactor * scanvi)
    const width = settings.n_hidden / 128
    return { seconds: (rounds * learnt.cells * learnt.genes * width) / learntPerSecond, spreads: false }
  }
  if (settings.workflow !== 'type-cells') return undefined
  const { classifier, feature_selection } = settings
  const rounds = settings.calibration_folds + 1
  const spreads = classifier === 'logistic_regression'
  const solving = (learnt.stored * labels * rounds) / solvedPerSecond
  const descending = (rounds * visitsOf(settings, { learnt, labels })) / visitedPerSecond
  // genes are chosen by one descent over all cells, whatever follows
  const choosing = feature_selection ? visitsOfPasses(settings, { learnt, labels }) / visitedPerSecond : 0
  return { seconds: choosing + (spreads ? solving : descending), spreads }
}

interface Training {
  learnt: Size
  labels: number
}

/** Numbers that one training by descent visits. */
function visitsOf(settings: TypeCellsSettings, { learnt, labels }: Training): number {
  if (settings.classifier !== 'sgd_mini_batch') return visitsOfPasses(settings, { learnt, labels })
  const { epochs, batch_size, batch_number } = settings
  const sampled = Math.min(learnt.cells, batch_size * batch_number)
  const batches = Math.ceil(sampled / batch_size)
  const each = learnt.stored / Math.max(1, learnt.cells)
  // at the start and the end of each batch the weights of all genes are gone over
  return epochs * labels * (sampled * each + 2 * batches * learnt.genes)
}

function visitsOfPasses({ max_iter }: TypeCellsSettings, { learnt, labels }: Training): number {
  return Math.min(max_iter, usualPasses) * learnt.stored * labels
}
