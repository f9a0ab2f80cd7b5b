/** The registry of a model as scvi-tools 1.4 keeps it: all six fields, those that are not used empty. scvi-registry.ts reads it. */
import { categoryArray, textArray } from './pickle-numpy.ts'
import { dict, float, list, type PickleValue } from './pickle-values.ts'
import type { CategoryColumn, ScanviModel, ScviModel } from './scvi-model.ts'

type Entry = [string, PickleValue]

/** Whose layout this is; SCANVI of it takes its softmax once, whatever the model was trained with. */
const writtenAs = '1.4.3'

/** @param id UUID of what the model was set up with */
export function registryValue(model: ScviModel, id: string): PickleValue {
  const { setup, kind } = model
  const names = (columns: readonly (string | null)[]) => (columns.length === 0 ? null : list([...columns]))
  const fed: Entry[] = [
    ['layer', setup.layer],
    ['batch_key', setup.batch.column],
    ['size_factor_key', null],
    ['categorical_covariate_keys', names(setup.categorical.map(({ column }) => column))],
    ['continuous_covariate_keys', names(setup.continuous)],
  ]
  const labels: Entry = ['labels_key', setup.labels.column]
  return dict([
    ['scvi_version', writtenAs],
    ['model_name', kind === 'scvi' ? 'SCVI' : 'SCANVI'],
    [
      'setup_args',
      dict(
        model.kind === 'scvi'
          ? [labels, ...fed]
          : [labels, ['unlabeled_category', unlabelledValue(model)], ...fed, ['use_minified', false]],
      ),
    ],
    ['field_registries', dict(fieldRegistries(model))],
    ['setup_method_name', 'setup_anndata'],
    ['_scvi_uuid', id],
  ])
}

function fieldRegistries(model: ScviModel): Entry[] {
  const { genes, training, setup } = model
  const { layer, batch, labels, categorical, continuous } = setup
  const unlabelled: Entry[] = model.kind === 'scvi' ? [] : [['unlabeled_category', unlabelledValue(model)]]
  const inX: Entry[] = [
    ['n_obs', training.cells],
    ['n_vars', genes.length],
    ['column_names', textArray(genes)],
  ]
  return [
    [
      'X',
      field(layer === null ? ['X', null] : ['layers', layer], inX, [
        ['n_vars', genes.length],
        ['n_cells', training.cells],
      ]),
    ],
    ['batch', columnField('batch', batch)],
    ['labels', columnField('labels', labels, unlabelled)],
    ['size_factor', field(null, [], [])],
    [
      'extra_categorical_covs',
      field(
        categorical.length === 0 ? null : ['obsm', '_scvi_extra_categorical_covs'],
        covariateState(categorical),
        [['n_extra_categorical_covs', categorical.length]],
      ),
    ],
    [
      'extra_continuous_covs',
      field(
        continuous.length === 0 ? null : ['obsm', '_scvi_extra_continuous_covs'],
        continuous.length === 0 ? [] : [['columns', textArray(continuous)]],
        [['n_extra_continuous_covs', continuous.length]],
      ),
    ],
  ]
}

function columnField(name: 'batch' | 'labels', column: CategoryColumn, more: Entry[] = []): PickleValue {
  const state: Entry[] = [
    ['categorical_mapping', mappingOf(column)],
    ['original_key', column.column ?? `_scvi_${name}`],
    ...more,
  ]
  return field(['obs', `_scvi_${name}`], state, [[`n_${name}`, column.categories.length]])
}

function covariateState(columns: readonly CategoryColumn[]): Entry[] {
  if (columns.length === 0) return []
  return [
    ['mappings', dict(columns.map((one): Entry => [one.column ?? '', mappingOf(one)]))],
    ['field_keys', list(columns.map(({ column }) => column))],
    ['n_cats_per_key', list(columns.map(({ categories }) => categories.length))],
  ]
}

/** Python compares it with the labels of cells: a number where they are numbers. */
export function unlabelledValue({ unlabelled, setup }: ScanviModel): PickleValue {
  const { type } = setup.labels
  if (type === 'boolean') return unlabelled === 'True'
  if (type === 'float') return float(Number(unlabelled))
  return type === 'integer' ? Number(unlabelled) : unlabelled
}

const mappingOf = ({ categories, type }: CategoryColumn) => categoryArray({ values: categories, type })

/** @param place attribute and key of the AnnData that the field lies in; none where it is not used */
function field(place: readonly [string, string | null] | null, state: Entry[], stats: Entry[]): PickleValue {
  const lies: Entry[] =
    place === null
      ? []
      : [
          ['attr_name', place[0]],
          ['attr_key', place[1]],
        ]
  return dict([
    ['data_registry', dict(lies)],
    ['state_registry', dict(state)],
    ['summary_stats', dict(stats)],
  ])
}
