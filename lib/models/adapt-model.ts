/**
 * A trained model for cells of batches that it does not know: begun by surgery (see surgery.ts), trained elsewhere, and put together again as
 * a model like any other, whose new categories follow the old ones. And the same without training: a batch that stands for none in particular.
 *
 * Trap: a batch without columns of its own is no neutral one. Every cell that the encoder was taught on had one of the reference's columns
 * added; where nothing may be trained, an unknown batch gets their mean, not zeros.
 */
import type { Random } from '../job/random.ts'
import { random } from '../job/random.ts'
import type { ScanviShape } from './scanvi-network.ts'
import type { CategoryColumn, CategoryType, ScviModel, ScviSetup, ScviTraining } from './scvi-model.ts'
import type { ScviShape } from './scvi-network.ts'
import { networkWeights } from './scvi-tensors.ts'
import { covariatesSuffix, joinWeights, splitWeights, type Weight } from './state-dict.ts'
import {
  addedSuffix,
  defaultFlags,
  extendModel,
  type Surgery,
  type SurgeryFlags,
  settleColumns,
} from './surgery.ts'

export interface AdaptOptions {
  flags: SurgeryFlags
  /** categories that the model does not know, by covariate, batch first; a covariate that is missing at the end gets none */
  more: readonly (readonly string[])[]
  /** obs column of the batch: a model that was made without one has one from here on */
  batchColumn: string
  random: Random
  /** what the model is called in messages */
  place: string
}

export interface Adaptation {
  surgery: Surgery<ScviShape | ScanviShape>
  /** the model's, with the new categories */
  setup: ScviSetup
  /** whether training can move the place of a cell, or its label */
  movesCells: boolean
  /** whether it can move cells of batches that the model knew: not where all that learns of the encoder are columns of new ones */
  movesReference: boolean
}

/** @throws BadInput MODEL_DECODER where the model can only encode */
export function beginAdaptation(
  model: ScviModel,
  { flags, more, batchColumn, random: own, place }: AdaptOptions,
): Adaptation {
  const weights = splitWeights(model.weights, networkWeights(model))
  const counts = model.shape.categories.map((_, i) => more[i]?.length ?? 0)
  const surgery = extendModel<ScviShape | ScanviShape>(
    { shape: model.shape, weights },
    { flags, more: counts, random: own, place },
  )
  const { setup } = model
  return {
    surgery,
    setup: {
      ...setup,
      batch: { ...withCategories(setup.batch, more[0] ?? []), column: setup.batch.column ?? batchColumn },
      categorical: setup.categorical.map((column, i) => withCategories(column, more[i + 1] ?? [])),
    },
    movesCells: surgery.only.some((name) => /^(?:z_encoder|classifier)\./.test(name)),
    movesReference: movesReference(surgery),
  }
}

function movesReference({ weights, only, fixed }: Surgery<ScviShape | ScanviShape>): boolean {
  const isEncoder = (name: string) => name.startsWith('z_encoder.')
  const drifts = [...weights.keys()].some((name) => {
    const [, norm] = /^(.*)\.running_mean$/.exec(name) ?? []
    return norm !== undefined && isEncoder(norm) && !fixed.includes(norm)
  })
  return drifts || only.some((name) => isEncoder(name) && !name.endsWith(addedSuffix))
}

function withCategories(column: CategoryColumn, more: readonly string[]): CategoryColumn {
  const type = more.every((category) => fits(category, column.type)) ? column.type : 'text'
  return { ...column, type, categories: [...column.categories, ...more] }
}

function fits(category: string, type: CategoryType): boolean {
  if (type === 'text') return true
  if (type === 'integer') return /^-?\d{1,15}$/.test(category)
  return type === 'float' && category.trim() !== '' && String(Number(category)) === category
}

/**
 * The model that the training made of it.
 * @param trained.weights of the network, as the training leaves them
 */
export function adaptedModel<Of extends ScviModel>(
  model: Of,
  {
    surgery,
    setup,
    weights,
    training,
  }: Pick<Adaptation, 'surgery' | 'setup'> & {
    weights: ReadonlyMap<string, Weight>
    training: ScviTraining
  },
): Of {
  const settled = settleColumns(surgery.shape, weights)
  // what nothing computes with stays as it was: a file of scvi-tools has it
  const unused = [...model.weights].filter(([name]) => !settled.weights.has(name))
  return {
    ...model,
    // dropout that was switched off for the surgery is part of the model again
    shape: { ...settled.shape, dropout: model.shape.dropout },
    weights: new Map([...joinWeights(settled.weights), ...unused]),
    setup,
    training,
  }
}

/**
 * The model with one more batch, which has the mean of the columns (and dispersions) of the others: for cells of a batch that it does not know
 * and is not to learn. Of a model with a single batch it is that batch once more.
 * @param of.name of the new batch, its last
 * @param of.batches how many batches, from the first, the mean is of; all unless told
 */
export function withAverageBatch<Of extends ScviModel>(
  model: Of,
  { name, batches = model.shape.categories[0] }: { name: string; batches?: number },
): Of {
  const { surgery, setup } = beginAdaptation(model, {
    flags: defaultFlags,
    more: [[name]],
    batchColumn: '',
    random: random(0),
    place: name,
  })
  const hasColumns = model.shape.categories[0] > 1
  const weights = new Map(surgery.weights)
  for (const [layer, added] of surgery.weights) {
    if (!layer.endsWith(addedSuffix)) continue
    const columns = surgery.weights.get(`${layer.slice(0, -addedSuffix.length)}${covariatesSuffix}`)!
    weights.set(layer, averageOf(columns, { batches: hasColumns ? batches : 0, like: added }))
  }
  const { column } = model.setup.batch
  const adapted = adaptedModel(model, { surgery, setup, weights, training: model.training })
  return { ...adapted, setup: { ...adapted.setup, batch: { ...adapted.setup.batch, column } } }
}

/** Columns of batches come first. */
function averageOf({ shape, data }: Weight, { batches, like }: { batches: number; like: Weight }): Weight {
  const [rows, width] = shape as [number, number]
  const mean = new Float32Array(rows)
  for (let row = 0; row < rows; row++) {
    let sum = 0
    for (let batch = 0; batch < batches; batch++) sum += data[row * width + batch]!
    mean[row] = batches === 0 ? 0 : sum / batches
  }
  return { shape: like.shape, data: mean }
}
