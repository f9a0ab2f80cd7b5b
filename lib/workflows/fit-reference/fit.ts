/**
 * Fit of `fit-reference`: a scVI of all cells, then, where there are labels, a SCANVI that starts from it; how right it is in cells whose labels it
 * was not taught; and the model into the model store.
 *
 * Trap: SCANVI divides its cells anew, labelled and unlabelled for themselves, as the original does. Cells that it holds out were in scVI's training,
 * without their labels.
 */
import { AlreadyExists, type ErrorReport, isCoded } from '../../job/errors.ts'
import { loadCard, saveModel } from '../../models/bundle.ts'
import { beginning, type FittedNetwork } from '../../models/fit-network.ts'
import { priorNotices, withLibraryPrior } from '../../models/library-prior.ts'
import type { NetworkTask } from '../../models/network-task.ts'
import { checkTrainingCells, type TrainingCells } from '../../models/training-cells.ts'
import { readCellCodes, readTrainingCells } from '../parts/count-shards.ts'
import { forgetPhases, trainPhase } from '../parts/train-network.ts'
import type { StepResult } from '../workflow.ts'
import type { FitReferenceContext } from './context.ts'
import { epochsOf } from './epochs.ts'
import { type HeldOut, heldOutResults } from './held-out.ts'
import { keptCells } from './kept-cells.ts'
import { optimiserOf, recordOf, scanviShape, scheduleFor, scviShape } from './network-plan.ts'
import type { Prepared } from './prepare.ts'
import { type PhaseHistory, phaseHistory, referenceModel, storedModel } from './trained-model.ts'

export interface Fitted {
  /** content id */
  model: string
  kind: 'scvi' | 'scanvi'
  /** of the last training; cells */
  trained: number
  validated: number
  provider: string
  phases: PhaseHistory[]
  heldOut: HeldOut
  /** cells that stay with the model, and the columns that label them; null where none do */
  kept: { cells: number; columns: string[] } | null
}

const phases = ['scvi', 'scanvi'] as const

export async function fit(context: FitReferenceContext): Promise<StepResult> {
  const { road, stores, before, step } = context
  const { settings } = road
  const prepared = (await before('Prepare').finished()).value as Prepared
  await refuseOtherModel(context)
  const codes = await readCellCodes(before('Prepare'))
  const { data, rows } = await readTrainingCells(context, { codes, genes: prepared.modelGenes.length })
  const shape = scviShape(prepared, settings)
  const place = road.inputs[0]!.facts.inspection.place
  checkTrainingCells(data, shape, { place, nameOf: (cell) => String(rows[cell]! + 1) })
  const trained = await trainBoth(context, { data, prepared })
  const last = trained.at(-1)!
  const model = referenceModel(trained, {
    ...{ prepared, settings, rows },
    counts: road.inputs[0]!.facts.counts.matrix,
  })
  const heldOut = await heldOutResults(model, { data, split: last.fitted.split, signal: context.signal })
  const kept = await keptCells(context, { model, prepared, data, rows })
  const { reference } = kept
  const network = await storedModel(context, { trained, model, prepared, heldOut, reference })
  await saveModel(stores.models, network, { replace: true })
  const { train, validation } = last.fitted.split
  await step.writeBlock(
    'validation',
    Int32Array.from(validation, (cell) => rows[cell]!),
  )
  const value: Fitted = {
    model: network.card.id,
    kind: model.kind,
    trained: train.length,
    validated: validation.length,
    provider: last.fitted.provider,
    phases: trained.map(({ name, fitted }) => phaseHistory(name, fitted)),
    heldOut,
    kept:
      reference === undefined
        ? null
        : { cells: reference.cells, columns: reference.columns.map(({ column }) => column) },
  }
  const notices = [...trained.flatMap(({ fitted }) => fitted.notices), ...kept.notices]
  notices.push(...stoppingNotices(context, value))
  await forgetPhases(context, phases)
  return { value, notices: [...new Map(notices.map((one) => [JSON.stringify(one), one])).values()] }
}

/** A name that another job took meanwhile is refused before the training, and never overwritten unasked. */
async function refuseOtherModel({ road, stores }: FitReferenceContext): Promise<void> {
  const { settings, inputs } = road
  if (settings.overwrite) return
  const card = await loadCard(stores.models, settings.name).catch((error: unknown) => {
    if (isCoded(error) && error.code === 'MODEL_MISSING') return undefined
    throw error
  })
  if (card === undefined) return
  const isOurs =
    card.kind !== 'linear' &&
    JSON.stringify(card.training.settings) === JSON.stringify(recordOf(settings)) &&
    card.training.sources.some(({ etag }) => etag === inputs[0]!.pin.etag)
  if (isOurs) return
  throw new AlreadyExists(
    'MODEL_EXISTS',
    `${stores.models.place}/${settings.name}`,
    'the name stands for another model already',
    'Choose another name, or set overwrite: true (the old model stays there under its id)',
  )
}

export interface TrainedPhase {
  name: (typeof phases)[number]
  task: NetworkTask
  fitted: FittedNetwork
}

async function trainBoth(
  context: FitReferenceContext,
  { data, prepared }: { data: TrainingCells; prepared: Prepared },
): Promise<TrainedPhase[]> {
  const { settings } = context.road
  const epochs = epochsOf(settings, data.cells)
  const shape = scviShape(prepared, settings)
  const byLabel = shape.dispersion === 'gene-label' && { dispersions: data.labels ?? undefined }
  const common = { optimiser: optimiserOf(settings), trainShare: settings.train_size ?? null }
  const scvi: NetworkTask = { kind: 'scvi', shape }
  const begun = withLibraryPrior(beginning(scvi, { seed: settings.seed }), { data })
  const first = await trainPhase(
    context,
    { name: 'scvi', note: 'training scVI' },
    {
      ...common,
      task: scvi,
      // labels have no other part in it than that, nor in how its cells are divided
      data: { ...data, labels: null, ...byLabel },
      weights: begun.weights,
      schedule: scheduleFor(settings, epochs.scvi),
    },
  )
  const unsure = priorNotices({
    names: begun.guessed.map((code) => prepared.batch.categories[code]!),
    place: `${context.road.inputs[0]!.facts.inspection.place}:/obs/${settings.batch_key}`,
  })
  const notices = [...unsure, ...first.notices]
  const done: TrainedPhase[] = [{ name: 'scvi', task: scvi, fitted: { ...first, notices } }]
  if (prepared.labels === null) return done
  const classes = prepared.labels.categories.length - 1
  const scanvi: NetworkTask = {
    kind: 'scanvi',
    shape: scanviShape(shape, settings, classes),
    classificationRatio: settings.classification_ratio,
    hasLabels: true,
  }
  const second = await trainPhase(
    context,
    { name: 'scanvi', note: 'training SCANVI' },
    {
      ...common,
      task: scanvi,
      data: { ...data, ...byLabel },
      weights: beginning(scanvi, { seed: settings.seed, trained: first.weights }),
      schedule: scheduleFor(settings, epochs.scanvi),
    },
  )
  return [...done, { name: 'scanvi', task: scanvi, fitted: second }]
}

/** What was asked for and could not be, or was hardly of use. */
function stoppingNotices({ road }: FitReferenceContext, { validated, phases: done }: Fitted): ErrorReport[] {
  const { settings } = road
  const notices: ErrorReport[] = []
  const goesByValidation = settings.early_stopping || settings.reduce_lr_on_plateau
  if (goesByValidation && validated === 0)
    notices.push({
      code: 'VALIDATION_NONE',
      place: 'train_size',
      problem: 'all cells were trained on: early_stopping and reduce_lr_on_plateau had nothing to go by',
      remedy: 'Leave out train_size',
    })
  for (const { name, history } of done) {
    const most = history.at(-1)?.kl_weight ?? settings.max_kl_weight
    if (most < 0.5 * settings.max_kl_weight)
      notices.push({
        code: 'WARM_UP_UNFINISHED',
        place: 'n_epochs_kl_warmup',
        problem: `the ${name} training ended with a weight of the divergence of ${most.toFixed(2)} and not ${settings.max_kl_weight}: batches may be less mixed than they could`,
        remedy: 'Leave out n_epochs_kl_warmup, or train longer',
      })
  }
  return notices
}
