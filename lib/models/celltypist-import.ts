/**
 * A CellTypist model file (.pkl: Model, Scaler_, description; CellTypist 1.7.1, scikit-learn 0.2x to 1.x) becomes a model of ours.
 * Nothing of the file is run (pickle-read.ts).
 *
 * Trap: which probability the scores stand for is not in the scores. CellTypist always applies one sigmoid a label, even where
 * scikit-learn trained one softmax (multi_class); we keep the kind of loss and say so.
 */
import type { ErrorReport } from '../job/errors.ts'
import { celltypistNames, type Estimator, estimatorOf, scalerNames } from './celltypist-names.ts'
import {
  type LinearArrays,
  type LinearModel,
  type ModelCard,
  type ModelFacts,
  makeLinearModel,
  weightRows,
} from './linear-model.ts'
import type { OntologyTerm } from './model-card.ts'
import { corrupt, shown, unsupported } from './model-errors.ts'
import { readNumber, readNumbers, readTexts } from './pickle-numpy.ts'
import { readPickle } from './pickle-read.ts'
import { ofKind, type PickleObject, type PickleValue } from './pickle-values.ts'

export interface ImportOptions {
  name: string
  /** as CELLxGENE writes it: 'Homo sapiens' */
  organism: string
  licence: string
  source: string
  /** the Cell Ontology term of each label that has one */
  ontology: ReadonlyMap<string, OntologyTerm>
  /** when, as ISO 8601 */
  created: string
  /** the file's name, for messages; the model's name unless told */
  place?: string
}

type State = ReadonlyMap<string, PickleValue>

/** What CellTypist sets scaled values to that are above it. */
const celltypistClip = 10

/**
 * @param bytes the .pkl file
 * @returns the model, and what was decided that the file does not say
 * @throws BadInput MODEL_UNSAFE, MODEL_CORRUPT, MODEL_TOO_LARGE, MODEL_UNSUPPORTED, MODEL_NAME
 */
export function importCelltypist(
  bytes: Uint8Array,
  options: ImportOptions,
): { model: LinearModel; notices: ErrorReport[] } {
  const place = options.place ?? options.name
  const root = ofKind(readPickle(bytes, { place, allowed: celltypistNames }), 'dict')?.entries
  const classifier = ofKind(root?.get('Model'), 'object')
  const estimator = classifier && estimatorOf.get(classifier.name)
  const scaler = ofKind(root?.get('Scaler_'), 'object')
  if (classifier === undefined || estimator === undefined || !scalerNames.includes(scaler?.name ?? ''))
    throw corrupt(place, 'it is no model of CellTypist: Model or Scaler_ is missing')
  const [state, scaling] = [stateOf(classifier, place), stateOf(scaler, place)]
  const labels = readTexts(state.get('classes_'), place)
  const genes = readTexts(state.get('features'), place)
  if (labels.length < 2)
    throw unsupported(place, 'it knows one label only', 'Give a model that tells labels apart')
  const arrays = readArrays({ state, scaling, labels, genes, place })
  const loss = lossOf(state, { estimator, labels, place })
  const facts = factsOf({ estimator, state, scaling, labels, genes, loss, options, root, place })
  return { model: makeLinearModel(facts, arrays, { place }), notices: noticesOf({ loss, arrays, place }) }
}

function stateOf(object: PickleObject | undefined, place: string): State {
  const state = ofKind(object?.state, 'dict')?.entries
  if (state === undefined) throw corrupt(place, `${object?.name} is empty`)
  return state
}

interface Parts {
  state: State
  scaling: State
  labels: string[]
  genes: string[]
  place: string
}

function readArrays({ state, scaling, labels, genes, place }: Parts): LinearArrays {
  const weights = readNumbers(state.get('coef_'), place)
  const rows = weightRows(labels.length)
  if (weights.shape.join() !== `${rows},${genes.length}`)
    throw corrupt(
      place,
      `weights of shape ${weights.shape.join(' x ')} do not fit ${labels.length} labels and ${genes.length} genes`,
    )
  const vector = (from: State, key: string, length: number): Float64Array => {
    const { values, shape } = readNumbers(from.get(key), place)
    if (shape.join() !== String(length))
      throw corrupt(place, `${key} has ${shape.join(' x ')} numbers, not ${length}`)
    return values
  }
  return {
    weights: weights.values,
    intercept: vector(state, 'intercept_', rows),
    mean: isOn(scaling, 'with_mean')
      ? vector(scaling, 'mean_', genes.length)
      : new Float64Array(genes.length),
    scale: isOn(scaling, 'with_std')
      ? vector(scaling, 'scale_', genes.length)
      : new Float64Array(genes.length).fill(1),
  }
}

const isOn = (state: State, key: string): boolean => state.get(key) !== false

function lossOf(
  state: State,
  { estimator, labels, place }: { estimator: Estimator; labels: readonly string[]; place: string },
): ModelCard['loss'] {
  if (estimator === 'SGDClassifier') {
    const loss = state.get('loss')
    // 'log' until scikit-learn 1.3
    if (loss === 'log_loss' || loss === 'log') return 'ovr'
    const remedy = 'Train it with the logistic loss, as CellTypist does'
    throw unsupported(place, `its loss "${shown(String(loss))}" gives no probabilities`, remedy)
  }
  const multiClass = state.get('multi_class')
  if (multiClass === 'ovr' || multiClass === 'multinomial') return multiClass
  // 'auto', and versions without the setting: one softmax, but for two labels and for liblinear
  return labels.length === 2 || state.get('solver') === 'liblinear' ? 'ovr' : 'multinomial'
}

interface FactParts extends Parts {
  estimator: Estimator
  loss: ModelCard['loss']
  options: ImportOptions
  root: State | undefined
}

function factsOf({
  estimator,
  state,
  scaling,
  labels,
  genes,
  loss,
  options,
  root,
  place,
}: FactParts): ModelFacts {
  const description = ofKind(root?.get('description'), 'dict')?.entries
  const said = (key: string): string => {
    const value = description?.get(key)
    return typeof value === 'string' ? value : String(readNumber(value, place) ?? '')
  }
  return {
    name: options.name,
    version: said('version'),
    organism: options.organism,
    geneIds: geneIdsOf(genes),
    genes,
    labels,
    ontology: Object.fromEntries(labels.map((label) => [label, options.ontology.get(label) ?? null])),
    labelsSource: said('source'),
    loss,
    clip: celltypistClip,
    centred: isOn(scaling, 'with_mean'),
    classifiers: ['default'],
    licence: options.licence,
    source: options.source,
    details: said('details'),
    url: said('url'),
    trained: {
      how: 'a CellTypist model file',
      estimator,
      date: said('date'),
      cells: readNumber(scaling.get('n_samples_seen_'), place) ?? null,
      parameters: parametersOf(state, place),
    },
    metrics: {},
    created: options.created,
  }
}

function geneIdsOf(genes: readonly string[]): ModelCard['geneIds'] {
  const ids = genes.filter((gene) => /^ENS[A-Z]*G\d+/.test(gene)).length
  return 2 * ids > genes.length ? 'ensembl' : 'symbol'
}

/** The settings of the estimator: scikit-learn ends the names of what was learned with an underscore. */
function parametersOf(state: State, place: string): ModelCard['trained']['parameters'] {
  const parameters: [string, string | number | boolean | null][] = []
  for (const [name, value] of state) {
    if (name.startsWith('_') || name.endsWith('_') || name === 'features') continue
    const setting = readNumber(value, place) ?? value
    if (setting === null || typeof setting !== 'object') parameters.push([name, setting])
  }
  return Object.fromEntries(parameters)
}

function noticesOf({
  loss,
  arrays,
  place,
}: {
  loss: ModelCard['loss']
  arrays: LinearArrays
  place: string
}): ErrorReport[] {
  const notices: ErrorReport[] = []
  if (loss === 'multinomial')
    notices.push({
      code: 'MODEL_SOFTMAX',
      place,
      problem:
        'the model was trained with one softmax over all labels; CellTypist would show a sigmoid for each label',
      remedy: 'Best matches are the same; thresholds on probabilities mean something else than in CellTypist',
    })
  const flat = arrays.scale.filter((value) => value === 0).length
  if (flat > 0)
    notices.push({
      code: 'MODEL_SCALE_ZERO',
      place,
      problem: `${flat} genes have a scale of 0`,
      remedy: 'They are taken as 1, as scikit-learn does when it trains; nothing needs to be done',
    })
  return notices
}
