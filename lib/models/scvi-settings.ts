/**
 * Settings that scvi-tools keeps of a model (`init_params_`), of those that shapes of tensors do not show, with its defaults; and which of them
 * say that a part of the model is of a kind that is not computed here.
 */
import type { Likelihood } from './count-likelihood.ts'
import { corrupt, shown, unsupported } from './model-errors.ts'
import { readNumber } from './pickle-numpy.ts'
import { entriesOf, ofKind, type PickleValue } from './pickle-values.ts'
import type { ScviShape, Where } from './scvi-network.ts'
import { textOf } from './scvi-registry.ts'

export interface ScviSettings {
  dropout: number
  dispersion: ScviShape['dispersion']
  /** null for one that is not computed here */
  likelihood: Likelihood | null
  layerNorm: Where
  batchNorm: Where
  deeplyInject: boolean
  encodeCovariates: boolean
  /** the library size; by a prior that its tensors hold */
  learnsLibrary: boolean
  latentDistribution: 'normal' | 'ln'
  /** batches are vectors that were learned */
  isEmbedded: boolean
  /** why the decoder is not computed; empty where it is */
  decoderReasons: string[]
  /** settings that are not known here and are set */
  unknown: string[]
}

/** All that the constructors of SCVI and SCANVI in 0.15 to 1.5 know and that changes nothing here. */
const withoutEffect = new Set([
  ...['n_hidden', 'n_latent', 'n_layers', 'linear_classifier', 'datamodule', 'use_gpu', 'use_cuda'],
  ...['labels_groups', 'use_labels_groups', 'extra_payload_autotune', 'y_prior', 'unlabeled_category'],
  ...['pretrained_model', 'use_minified', 'n_continuous_cov', 'registry'],
])
const known = new Set([
  ...['dropout_rate', 'dispersion', 'gene_likelihood', 'use_observed_lib_size', 'latent_distribution'],
  ...['log_variational', 'encode_covariates', 'deeply_inject_covariates', 'batch_representation'],
  ...['use_batch_norm', 'use_layer_norm', 'use_size_factor_key', 'var_activation'],
  ...['extra_encoder_kwargs', 'extra_decoder_kwargs', 'batch_embedding_kwargs', 'classifier_parameters'],
])

/** Of a classifier: sizes show in its tensors, and nothing is dropped out when cells are looked at. */
const shownOrIdle = ['n_hidden', 'n_layers', 'dropout_rate']

/**
 * @param value `init_params_`
 * @throws BadInput MODEL_UNSUPPORTED where cells are encoded in a way that is not computed here, MODEL_CORRUPT
 */
export function readSettings(value: PickleValue | undefined, place: string): ScviSettings {
  const all = flattened(value, place)
  const chosen = <Choice extends string>(key: string, choices: readonly Choice[], usual: Choice): Choice => {
    const told = all.get(key) ?? usual
    const found = choices.find((one) => one === told)
    if (found === undefined) throw refused(place, `${key} is ${printed(told)}`)
    return found
  }
  const flag = (key: string, usual: boolean): boolean => {
    const told = all.get(key) ?? usual
    if (typeof told !== 'boolean') throw corrupt(place, `${key} is neither true nor false`)
    return told
  }
  const dropout = readNumber(all.get('dropout_rate') ?? null, place) ?? 0.1
  if (!(dropout >= 0 && dropout < 1)) throw corrupt(place, `dropout_rate is ${dropout}`)
  if (!flag('log_variational', true)) throw refused(place, 'it encodes counts without their logarithm')
  for (const key of ['var_activation', 'extra_encoder_kwargs'])
    if (isSet(all.get(key))) throw refused(place, `${key} is set`)
  const ofClassifier = [...(entriesOf(all.get('classifier_parameters'))?.keys() ?? [])]
  if (ofClassifier.some((key) => !shownOrIdle.includes(key)))
    throw refused(place, `classifier_parameters has ${shown(ofClassifier.join(', '))}`)
  const wheres = ['encoder', 'decoder', 'both', 'none'] as const
  const likelihood = textOf(all.get('gene_likelihood') ?? 'zinb')
  const isKnown = likelihood === 'zinb' || likelihood === 'nb' || likelihood === 'poisson'
  const isEmbedded = chosen('batch_representation', ['one-hot', 'embedding'], 'one-hot') === 'embedding'
  const reasons: [boolean, string][] = [
    [!isKnown, `its likelihood is "${shown(String(likelihood))}"`],
    [isSet(all.get('extra_decoder_kwargs')), 'its decoder has settings of its own'],
    [isEmbedded, 'its batches are embedded'],
  ]
  return {
    dropout,
    dispersion: chosen('dispersion', ['gene', 'gene-batch', 'gene-label', 'gene-cell'], 'gene'),
    likelihood: isKnown ? likelihood : null,
    layerNorm: chosen('use_layer_norm', wheres, 'none'),
    batchNorm: chosen('use_batch_norm', wheres, 'both'),
    deeplyInject: flag('deeply_inject_covariates', true),
    encodeCovariates: flag('encode_covariates', false),
    learnsLibrary: !flag('use_observed_lib_size', true),
    latentDistribution: chosen('latent_distribution', ['normal', 'ln'], 'normal'),
    isEmbedded,
    decoderReasons: reasons.flatMap(([is, reason]) => (is ? [reason] : [])),
    unknown: [...all].flatMap(([key, one]) =>
      known.has(key) || withoutEffect.has(key) || !isSet(one) ? [] : [key],
    ),
  }
}

/** Settings by name: since 0.15 they lie in `kwargs` (by the name of the argument that took them) and `non_kwargs`; before, side by side. */
function flattened(value: PickleValue | undefined, place: string): Map<string, PickleValue> {
  const told = entriesOf(value)
  if (told === undefined) throw corrupt(place, 'init_params_ is missing')
  const all = new Map<string, PickleValue>()
  const put = (from: PickleValue | undefined) => {
    for (const [key, one] of entriesOf(from) ?? []) all.set(key, one)
  }
  if (told.has('non_kwargs')) {
    put(told.get('non_kwargs'))
    for (const group of entriesOf(told.get('kwargs'))?.values() ?? []) put(group)
    return all
  }
  for (const [key, one] of told)
    if (entriesOf(one) === undefined) all.set(key, one)
    else put(one)
  return all
}

function isSet(value: PickleValue | undefined): boolean {
  if (value === undefined || value === null || value === false) return false
  return ofKind(value, 'dict')?.entries.size !== 0
}

function printed(value: PickleValue): string {
  return typeof value === 'string' ? `"${shown(value)}"` : 'of an unknown kind'
}

function refused(place: string, problem: string) {
  return unsupported(
    place,
    problem,
    'Embed cells with scvi-tools itself, or train a model with the usual encoder',
  )
}
