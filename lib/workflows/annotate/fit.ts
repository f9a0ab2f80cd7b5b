/**
 * Fit of `annotate` with `mapping: surgery`: the network learns the batches of the query, as CELLxGENE Annotate's reference-mapping model does, by its
 * schedule: until the training ELBO gets no better. The adapted model lives as long as the job's intermediate files do and no longer.
 *
 * Trap: a reference whose encoder was trained without batches gains nothing here: no cell would move. That is told, and nothing is trained.
 */
import type { ErrorReport } from '../../job/errors.ts'
import type { AnnotateSettings } from '../../job/settings/annotate.ts'
import type { Adaptation } from '../../models/adapt-model.ts'
import { loadNetwork } from '../../models/bundle.ts'
import type { NetworkModel } from '../../models/network-model.ts'
import { defaultFlags } from '../../models/surgery.ts'
import type { EpochRecord, Schedule } from '../../models/training-schedule.ts'
import { packedWeights, planSurgery, trainSurgery } from '../parts/surgery.ts'
import { forgetPhases, type Phase } from '../parts/train-network.ts'
import type { StepResult } from '../workflow.ts'
import type { AnnotateContext } from './context.ts'
import type { NetworkCells } from './network-cells.ts'
import type { Prepared } from './prepare.ts'

/** What the step leaves in its record, beside block `weights` where it trained. */
export interface Fitted {
  /** cells that it learnt from; 0 where nothing was trained */
  cells: number
  history: EpochRecord[]
  provider: string | null
}

const phase: Phase = { name: 'surgery', note: 'adapting the model to the query' }

export async function fit(context: AnnotateContext): Promise<StepResult> {
  const { road, stores, step } = context
  const { settings } = road
  const prepared = (await context.before('Prepare').finished()).value as Prepared
  const reference = await loadNetwork(stores.models, road.models[0]!)
  const adaptation = adaptationOf(reference, { settings, cells: prepared.network! })
  const notices: ErrorReport[] = [...adaptation.surgery.notices]
  const nothing: Fitted = { cells: 0, history: [], provider: null }
  if (!adaptation.movesCells) return { value: nothing, notices }
  const { fitted, cells, ...told } = await trainSurgery(
    context,
    { adaptation, model: reference.model, place: placeOf(reference) },
    {
      phase,
      schedule: scheduleOf(settings),
      optimiser: {
        epsilon: 0.01,
        ...(settings.weight_decay > 0 && { decay: { rate: settings.weight_decay, kind: 'coupled' } }),
      },
      trainShare: settings.train_size ?? null,
    },
  )
  await step.writeBlock('weights', packedWeights(adaptation, fitted.weights))
  await forgetPhases(context, [phase.name])
  const value: Fitted = { cells, history: fitted.state.history, provider: fitted.provider }
  return { value, notices: [...notices, ...told.notices] }
}

/** The same in every step. @throws BadInput MODEL_DECODER */
export function adaptationOf(
  reference: NetworkModel,
  { settings, cells }: { settings: AnnotateSettings; cells: NetworkCells },
): Adaptation {
  return planSurgery(reference.model, {
    place: placeOf(reference),
    flags: defaultFlags,
    more: [cells.batches.added, ...cells.added],
    batchColumn: settings.batch_key ?? 'dataset',
    seed: settings.seed,
  })
}

function placeOf({ card }: NetworkModel): string {
  return `model: ${card.name}`
}

function scheduleOf(settings: AnnotateSettings): Schedule {
  const { early_stopping_patience, early_stopping_min_delta, n_epochs_kl_warmup } = settings
  return {
    epochs: settings.max_epochs,
    batchSize: settings.training_batch_size,
    rate: settings.lr,
    warmUp: n_epochs_kl_warmup === 0 ? null : { over: n_epochs_kl_warmup, least: 0, most: 1 },
    validateEvery: 1,
    earlyStopping: { patience: early_stopping_patience, minDelta: early_stopping_min_delta, of: 'train' },
    plateau: { patience: settings.lr_patience, factor: settings.lr_factor, threshold: 0, least: 0 },
    labelledPerClass: null,
    seed: settings.seed,
  }
}
