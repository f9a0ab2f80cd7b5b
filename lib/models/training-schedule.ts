/**
 * The course of a training: how long, at what rate, how much the divergence weighs, and when to end or slow down. Names and rules are those of
 * scvi-tools' TrainingPlan and its callbacks (PyTorch Lightning's EarlyStopping, PyTorch's ReduceLROnPlateau).
 */

export interface Schedule {
  epochs: number
  batchSize: number
  rate: number
  /** the weight of the divergence rises from `least` to `most` over these epochs; 1 from the start when null */
  warmUp: { over: number; least: number; most: number } | null
  /** epochs between two looks at the validation cells; null for none */
  validateEvery: number | null
  /** epochs without a better elbo, of the validation cells unless told, after which training ends */
  earlyStopping: { patience: number; minDelta: number; of?: 'train' } | null
  /** epochs without a better validation elbo after which the rate is multiplied by `factor` */
  plateau: { patience: number; factor: number; threshold: number; least: number } | null
  /** cells of each class that teach the classifier in an epoch; all when null */
  labelledPerClass: number | null
  seed: number
}

/** One epoch as told; names are those of scvi-tools' history. */
export interface EpochRecord {
  epoch: number
  train_loss: number
  elbo_train: number
  reconstruction_loss_train: number
  kl_local_train: number
  classification_loss_train?: number
  elbo_validation?: number
  reconstruction_loss_validation?: number
  kl_local_validation?: number
  kl_weight: number
  rate: number
}

/** Of early stopping and of the plateau: the best value, and epochs since. */
export interface Best {
  stop: number | null
  stopSince: number
  plateau: number | null
  plateauSince: number
}

export const noBest: Best = { stop: null, stopSince: 0, plateau: null, plateauSince: 0 }

/** Of the divergence, in this epoch. */
export function klWeight({ warmUp }: Schedule, epoch: number): number {
  if (warmUp === null) return 1
  const { over, least, most } = warmUp
  return epoch >= over ? most : least + (epoch / over) * (most - least)
}

/** What an epoch means for those that follow; its validation nothing where there was none. */
export function heed(
  { earlyStopping, plateau }: Schedule,
  { best: before, rate: used, record }: { best: Best; rate: number; record: EpochRecord },
): { best: Best; rate: number; isLast: boolean } {
  const best = { ...before }
  let rate = used
  let isLast = false
  const elbo = record.elbo_validation
  const watched = earlyStopping?.of === 'train' ? record.elbo_train : elbo
  if (watched !== undefined && earlyStopping !== null) {
    const isBetter = best.stop === null || watched < best.stop - earlyStopping.minDelta
    if (isBetter) best.stop = watched
    best.stopSince = isBetter ? 0 : best.stopSince + 1
    isLast = best.stopSince >= earlyStopping.patience
  }
  if (elbo !== undefined && plateau !== null) {
    const isBetter = best.plateau === null || elbo < best.plateau - plateau.threshold
    if (isBetter) best.plateau = elbo
    best.plateauSince = isBetter ? 0 : best.plateauSince + 1
    if (best.plateauSince > plateau.patience) {
      rate = Math.max(plateau.least, rate * plateau.factor)
      best.plateauSince = 0
    }
  }
  return { best, rate, isLast }
}
