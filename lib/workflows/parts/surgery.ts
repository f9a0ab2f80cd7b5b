/**
 * scArches surgery as part of a step: the model gets columns for the new batches of the query and learns them, all cells of the query counting as
 * unlabelled. What it begins with depends on the model, what it is to learn and the seed alone, so any step can put the adapted model
 * together again from the weights that another trained.
 */
import type { ErrorReport } from '../../job/errors.ts'
import { random } from '../../job/random.ts'
import { type Adaptation, adaptedModel, beginAdaptation } from '../../models/adapt-model.ts'
import type { FittedNetwork, NetworkFit } from '../../models/fit-network.ts'
import { priorNotices, withLibraryPrior } from '../../models/library-prior.ts'
import type { NetworkTask } from '../../models/network-task.ts'
import type { ScanviShape } from '../../models/scanvi-network.ts'
import { requireDecoder, type ScviModel } from '../../models/scvi-model.ts'
import type { Weight } from '../../models/state-dict.ts'
import type { SurgeryFlags } from '../../models/surgery.ts'
import type { StepContext } from '../workflow.ts'
import { readCellCodes, readTrainingCells } from './count-shards.ts'
import { type Phase, trainPhase } from './train-network.ts'

export interface SurgeryPlan {
  /** what the model is called in messages */
  place: string
  flags: SurgeryFlags
  /** categories that the model does not know, by covariate, batch first */
  more: readonly (readonly string[])[]
  batchColumn: string
  seed: number
}

/** @throws BadInput MODEL_DECODER */
export function planSurgery(model: ScviModel, { seed, ...plan }: SurgeryPlan): Adaptation {
  requireDecoder(model, plan.place)
  return beginAdaptation(model, { ...plan, random: random(seed).fork('surgery') })
}

export interface Surgery extends Pick<NetworkFit, 'schedule' | 'optimiser' | 'trainShare'> {
  phase: Phase
  /** which of the cells that take part are learnt from; all when absent */
  isWanted?: (cell: number) => boolean
}

export interface Operated {
  fitted: FittedNetwork
  /** that were learnt from */
  cells: number
  notices: ErrorReport[]
}

/**
 * @param of.model before the surgery
 * @param of.place what the model is called in messages
 * @throws BadInput CELLS_EMPTY, CELLS_TOO_MANY and as `trainPhase`
 */
export async function trainSurgery(
  context: StepContext,
  {
    adaptation: { surgery, setup },
    model,
    place,
  }: { adaptation: Adaptation; model: ScviModel; place: string },
  { phase, isWanted, schedule, optimiser, trainShare }: Surgery,
): Promise<Operated> {
  const codes = await readCellCodes(context.before('Prepare'))
  const { data } = await readTrainingCells(context, {
    codes,
    genes: model.shape.genes,
    ...(isWanted && { isWanted }),
  })
  const begun = withLibraryPrior(surgery.weights, { data, from: model.shape.categories[0] })
  const names = begun.guessed.map((batch) => setup.batch.categories[batch]!)
  const fitted = await trainPhase(context, phase, {
    task: taskOf(model, surgery.shape),
    data: { ...data, labels: null },
    weights: begun.weights,
    ...{ schedule, optimiser, trainShare },
    only: surgery.only,
    fixed: surgery.fixed,
  })
  return { fitted, cells: data.cells, notices: [...priorNotices({ names, place }), ...fitted.notices] }
}

function taskOf({ kind }: ScviModel, shape: Adaptation['surgery']['shape']): NetworkTask {
  if (kind === 'scvi') return { kind, shape }
  return { kind, shape: shape as ScanviShape, classificationRatio: 50, hasLabels: false }
}

/** All weights that a surgery ended with, one after the other. */
export function packedWeights({ surgery }: Adaptation, weights: ReadonlyMap<string, Weight>): Float32Array {
  const parts = [...surgery.weights.keys()].map((name) => {
    const weight = weights.get(name)
    if (weight === undefined) throw new Error(`the surgery lost ${name}`)
    return weight.data
  })
  const packed = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const part of parts) {
    packed.set(part, at)
    at += part.length
  }
  return packed
}

/** The model with such weights, as it embeds. */
export function withPackedWeights<Of extends ScviModel>(
  model: Of,
  { adaptation, packed }: { adaptation: Adaptation; packed: Float32Array },
): Of {
  let at = 0
  const weights = new Map<string, Weight>()
  for (const [name, { shape, data }] of adaptation.surgery.weights) {
    weights.set(name, { shape, data: packed.subarray(at, at + data.length) as Weight['data'] })
    at += data.length
  }
  if (at !== packed.length) throw new Error(`${packed.length} numbers for ${at} weights`)
  return adaptedModel(model, { ...adaptation, weights, training: model.training })
}
