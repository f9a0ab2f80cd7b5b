/**
 * Fit of `map-atlas` in mode extend: scArches surgery. The model gets columns for the new batches of the query and learns them, all cells of
 * the query counting as unlabelled; everything else stays as it is, to the bit. The adapted model goes into the model store.
 *
 * Trap (scvi-tools #2331): a reference whose encoder was trained without batches gains nothing here. That is told and nothing is trained,
 * where the original trains, moves no cell, and says nothing.
 */
import type { ErrorReport } from '../../job/errors.ts'
import type { MapAtlasSettings } from '../../job/settings/map-atlas.ts'
import { saveModel } from '../../models/bundle.ts'
import type { NetworkFit } from '../../models/fit-network.ts'
import type { SurgeryFlags } from '../../models/surgery.ts'
import type { EpochRecord, Schedule } from '../../models/training-schedule.ts'
import { planSurgery, trainSurgery } from '../parts/surgery.ts'
import { forgetPhases, type Phase } from '../parts/train-network.ts'
import type { StepResult } from '../workflow.ts'
import { adaptedName, adaptedNetwork, cellsToKeep } from './adapted-network.ts'
import { loadAtlasModel } from './atlas-model.ts'
import type { MapAtlasContext } from './context.ts'
import type { Prepared } from './prepare.ts'

/** What the step leaves in its record. */
export interface Fitted {
  /** content id and name of the adapted model; null where nothing was trained: the frozen one embeds */
  model: string | null
  name: string | null
  /** cells that it learnt from */
  cells: number
  history: EpochRecord[]
  provider: string | null
}

const phase: Phase = { name: 'surgery', note: 'adapting the model to the query' }

export async function fit(context: MapAtlasContext): Promise<StepResult> {
  const { road, stores } = context
  const { settings } = road
  const prepared = (await context.before('Prepare').finished()).value as Prepared
  const reference = await loadAtlasModel(stores.models, road.models[0]!)
  const { model, card } = reference
  const place = `model: ${card.name}`
  const adaptation = planSurgery(model, {
    place,
    flags: flagsOf(settings),
    more: [prepared.batches.added, ...prepared.added],
    batchColumn: settings.batch_key,
    seed: settings.seed,
  })
  const notices: ErrorReport[] = [...adaptation.surgery.notices]
  const nothing: Fitted = { model: null, name: null, cells: 0, history: [], provider: null }
  if (!adaptation.movesCells) return { value: nothing, notices }
  // before the training: it is not to be lost to a damaged file
  const { kept, notices: ofKept } = await cellsToKeep(stores.models, { card, adaptation })
  notices.push(...ofKept)
  const { fitted, cells, ...told } = await trainSurgery(
    context,
    { adaptation, model, place },
    {
      phase,
      isWanted: (cell) => cell >= prepared.atlasCells,
      schedule: scheduleOf(settings),
      optimiser: optimiserOf(settings),
      trainShare: settings.train_size ?? null,
    },
  )
  const named = await adaptedName(context, card)
  notices.push(...named.notices)
  const adapted = adaptedNetwork(context, { reference, adaptation, fitted, name: named.name, kept })
  await saveModel(stores.models, adapted, { replace: true })
  await forgetPhases(context, [phase.name])
  const value: Fitted = {
    model: adapted.card.id,
    name: adapted.card.name,
    cells,
    history: fitted.state.history,
    provider: fitted.provider,
  }
  return { value, notices: [...notices, ...told.notices] }
}

function flagsOf(settings: MapAtlasSettings): SurgeryFlags {
  return {
    unfrozen: settings.unfrozen,
    freezeDropout: settings.freeze_dropout,
    freezeExpression: settings.freeze_expression,
    freezeDecoderFirstLayer: settings.freeze_decoder_first_layer,
    freezeBatchnormEncoder: settings.freeze_batchnorm_encoder,
    freezeBatchnormDecoder: settings.freeze_batchnorm_decoder,
    freezeClassifier: settings.freeze_classifier,
    classifierDrifts: settings.classifier_drift,
  }
}

function scheduleOf(settings: MapAtlasSettings): Schedule {
  const { max_epochs, batch_size, lr, n_epochs_kl_warmup, early_stopping, early_stopping_patience, seed } =
    settings
  return {
    epochs: max_epochs,
    batchSize: batch_size,
    rate: lr,
    warmUp: n_epochs_kl_warmup === 0 ? null : { over: n_epochs_kl_warmup, least: 0, most: 1 },
    validateEvery: 1,
    earlyStopping: early_stopping ? { patience: early_stopping_patience, minDelta: 0 } : null,
    plateau: null,
    labelledPerClass: null,
    seed,
  }
}

/** scvi-tools' Adam. */
function optimiserOf({ weight_decay }: MapAtlasSettings): NetworkFit['optimiser'] {
  return {
    epsilon: 0.01,
    ...(weight_decay > 0 && { decay: { rate: weight_decay, kind: 'coupled' } }),
  }
}
