/**
 * A model of scvi-tools as plain data: what its directory says, whatever version wrote it. Tensors have the names and shapes of the state dict
 * (the columns of covariates within their weight; state-dict.ts takes them apart for graphs).
 *
 * Trap: a model whose decoder is of a kind that is not computed here still encodes. `decoder` says so, and whoever decodes, maps or trains
 * asks `requireDecoder` first: the decoder's part of `shape` is then no description of it.
 */
import { BadInput } from '../job/errors.ts'
import type { ScanviShape } from './scanvi-network.ts'
import type { ScviShape } from './scvi-network.ts'
import type { Weight } from './state-dict.ts'

/** A column of obs and its categories; the code of a category is its place. */
export interface CategoryColumn {
  /** none where the model was made without: then all cells have the one category '0' */
  column: string | null
  categories: readonly string[]
  /** what they are in Python; here all are text */
  type: CategoryType
}

export type CategoryType = 'text' | 'integer' | 'float' | 'boolean'

/** What of a file is fed to the model. */
export interface ScviSetup {
  /** of the counts; none for X */
  layer: string | null
  batch: CategoryColumn
  /** further categorical covariates, in the order of their columns in weights */
  categorical: readonly CategoryColumn[]
  /** columns of continuous covariates, in order */
  continuous: readonly string[]
  /** in the order of their codes; of SCANVI the last is the unlabelled one */
  labels: CategoryColumn
}

export interface HistorySeries {
  /** numbers of the epochs, from 0; a figure need not be told of each */
  epochs: Float64Array
  values: Float64Array
}

export interface ScviTraining {
  /** cells that it was made with */
  cells: number
  isTrained: boolean
  /** rows of these cells; null where the file does not say */
  trainIndices: Int32Array | null
  validationIndices: Int32Array | null
  /** by the name of a figure, as scvi-tools calls them */
  history: ReadonlyMap<string, HistorySeries>
}

interface Common {
  /** by the names of the state dict, everything that is float32, used or not */
  weights: ReadonlyMap<string, Weight>
  /** steps that batch normalisations have seen, by `NAME.num_batches_tracked` */
  batchesTracked: ReadonlyMap<string, number>
  /** in the order of the model's inputs */
  genes: readonly string[]
  setup: ScviSetup
  training: ScviTraining
  /** of scvi-tools: '1.4.3' */
  version: string
  decoder: 'computed' | 'not-computed'
}

export interface PlainScviModel extends Common {
  kind: 'scvi'
  shape: ScviShape
}

export interface ScanviModel extends Common {
  kind: 'scanvi'
  shape: ScanviShape
  /** what cells without a label are called; the last of `setup.labels` */
  unlabelled: string
  /**
   * SCANVI before 1.1 was trained with its softmax taken twice. Predictions are made in the same way; only training on means another thing.
   */
  hasSoftmaxWithin: boolean
}

export type ScviModel = PlainScviModel | ScanviModel

/** Labels that a SCANVI model predicts, in the order of its logits. */
export function predictedLabels({ setup, shape }: ScanviModel): readonly string[] {
  return setup.labels.categories.slice(0, shape.classes)
}

/** @throws BadInput MODEL_DECODER where the model can only encode */
export function requireDecoder({ decoder }: Pick<ScviModel, 'decoder'>, place: string): void {
  if (decoder === 'not-computed')
    throw new BadInput(
      'MODEL_DECODER',
      place,
      'the decoder of this model is of a kind that is not computed here; it can embed cells and no more',
      'Use the embedding, or train a model with the usual decoder',
    )
}
