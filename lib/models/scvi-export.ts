/**
 * Writes `model.pt` of a model directory that scvi-tools (1.4) loads, for SCVI and SCANVI: state dict, names of genes, and the attributes that its
 * `load` takes up, all six field registries among them. Tensors that were imported come out byte for byte.
 *
 * Trap: scvi-tools compares every tensor's shape with a model that it makes from these settings; those that nothing needs must be there too. They
 * keep their values where they have their shape, and are drawn anew where it changed.
 */
import { createHash } from 'node:crypto'
import { random } from '../job/random.ts'
import { firstWeights } from './first-weights.ts'
import { int64Array, textArray } from './pickle-numpy.ts'
import { dict, float, type PickleValue } from './pickle-values.ts'
import { historyValue } from './scvi-history.ts'
import { requireDecoder, type ScviModel } from './scvi-model.ts'
import { registryValue, unlabelledValue } from './scvi-registry-write.ts'
import { networkWeights, stateTensors } from './scvi-tensors.ts'
import { covariatesSuffix, type Weight } from './state-dict.ts'
import { orderedDict, type TorchWriter, torchWriter } from './torch-write.ts'

type Entry = [string, PickleValue]

/**
 * The bytes of `[prefix]model.pt`.
 * @throws BadInput MODEL_DECODER for a model that can only encode; Error where a weight that is needed is missing or of another shape
 */
export function exportScvi(model: ScviModel): Uint8Array {
  requireDecoder(model, 'model')
  const tensors = wholeState(model)
  const writer = torchWriter('model')
  return writer.save(
    dict([
      ['model_state_dict', stateDict(model, { tensors, writer })],
      ['var_names', textArray(model.genes)],
      ['attr_dict', dict(attributes(model, identity(model, tensors)))],
    ]),
  )
}

function wholeState(model: ScviModel): Map<string, Weight> {
  const used = networkWeights(model)
  const wanted = stateTensors(model)
  const fits = (name: string, shape: readonly number[]) =>
    String(model.weights.get(name)?.shape) === String(shape)
  const absent = new Map([...wanted].filter(([name, { shape }]) => !fits(name, shape)))
  for (const [name, { shape }] of absent)
    if (used.has(name)) {
      const there = model.weights.get(name)?.shape.join(', ') ?? 'missing'
      throw new Error(`weight ${name} is [${there}] and not [${shape.join(', ')}]`)
    }
  const drawn = firstWeights(absent, random(0))
  return new Map([...wanted.keys()].map((name) => [name, drawn.get(name) ?? model.weights.get(name)!]))
}

function stateDict(
  { batchesTracked }: ScviModel,
  { tensors, writer }: { tensors: ReadonlyMap<string, Weight>; writer: TorchWriter },
): PickleValue {
  const entries: Entry[] = []
  for (const [name, { shape, data }] of tensors) {
    if (name.endsWith(covariatesSuffix)) continue
    entries.push([name, writer.tensor({ type: 'float32', shape, data })])
    if (!name.endsWith('.running_var')) continue
    const counter = name.replace(/running_var$/, 'num_batches_tracked')
    const steps = BigInt64Array.of(BigInt(batchesTracked.get(counter) ?? 0))
    entries.push([counter, writer.tensor({ type: 'int64', shape: [], data: steps })])
  }
  const none = dict([
    ['params', dict([])],
    ['constraints', dict([])],
  ])
  return orderedDict([...entries, ['pyro_param_store', none]])
}

/** The same model has the same identity: a UUID of its content. */
function identity({ genes }: ScviModel, tensors: ReadonlyMap<string, Weight>): string {
  const hash = createHash('sha256').update(JSON.stringify(genes))
  for (const [name, { data }] of tensors)
    hash.update(name).update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
  const digits = hash.digest('hex')
  return digits.replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12}).*$/, '$1-$2-4$3-8$4-$5')
}

function attributes(model: ScviModel, id: string): Entry[] {
  const { training } = model
  const rows = (indices: Int32Array | null) => (indices === null ? null : int64Array(indices))
  const own: Entry[] =
    model.kind === 'scvi'
      ? []
      : [
          ['unlabeled_category_', unlabelledValue(model)],
          ['unsupervised_history_', null],
          ['semisupervised_history_', null],
        ]
  return [
    ['get_normalized_function_name_', 'get_normalized_expression'],
    ['history_', historyValue(training.history)],
    ['init_params_', initialSettings(model)],
    ['is_trained_', training.isTrained],
    ['registry_', registryValue(model, id)],
    ['run_id_', ''],
    ['run_name_', ''],
    ['test_indices_', int64Array([])],
    ['train_indices_', rows(training.trainIndices)],
    ['validation_indices_', rows(training.validationIndices)],
    ...own,
  ]
}

/** Settings that are none of a constructor's own are written where they differ from its defaults. */
function initialSettings({ kind, shape }: ScviModel): PickleValue {
  const { hidden, latent, layers, dropout, dispersion, likelihood } = shape
  const usual = { encodeCovariates: false, deeplyInject: true, layerNorm: 'none', batchNorm: 'both' } as const
  const names = {
    encodeCovariates: 'encode_covariates',
    deeplyInject: 'deeply_inject_covariates',
    layerNorm: 'use_layer_norm',
    batchNorm: 'use_batch_norm',
  } as const
  const changed = (Object.keys(names) as (keyof typeof names)[]).flatMap((key): Entry[] =>
    shape[key] === usual[key] ? [] : [[names[key], shape[key]]],
  )
  const common: Entry[] = [
    ['n_hidden', hidden],
    ['n_latent', latent],
    ['n_layers', layers],
    ['dropout_rate', float(dropout)],
    ['dispersion', dispersion],
    ['gene_likelihood', likelihood],
    ['use_observed_lib_size', shape.library !== 'learned'],
  ]
  const space: Entry = ['latent_distribution', shape.latentDistribution ?? 'normal']
  if (kind === 'scvi') return settings('kwargs', { given: changed, named: [...common, space] })
  const linear: Entry = ['linear_classifier', 'linearClassifier' in shape && shape.linearClassifier]
  return settings('model_kwargs', {
    given: [space, ...changed],
    named: [...common, linear, ['datamodule', null]],
  })
}

function settings(group: string, { given, named }: { given: Entry[]; named: Entry[] }): PickleValue {
  return dict([
    ['kwargs', dict([[group, dict(given)]])],
    ['non_kwargs', dict(named)],
  ])
}
