/**
 * The registry of a model of scvi-tools: which columns of obs its cells' batches, labels and covariates were, and their categories. Layout of
 * scvi-tools 0.15 to 1.5.
 *
 * Trap: fields that are not used are there, empty; and a model without batches has one batch, 0.
 */
import { corrupt, shown } from './model-errors.ts'
import { categoryOf, readCategories, readNumber } from './pickle-numpy.ts'
import { entriesOf, ofKind, type PickleValue } from './pickle-values.ts'
import type { CategoryColumn, ScviSetup } from './scvi-model.ts'

export type Entries = ReadonlyMap<string, PickleValue>

export interface ScviRegistry {
  /** 'SCVI', 'SCANVI', ... as the file has it */
  kind: string
  version: string
  setup: ScviSetup
  cells: number
  /** the softplus of a size factor stands in place of the softmax */
  hasSizeFactor: boolean
  /** of SCANVI */
  unlabelled: string | null
}

const none: Entries = new Map()

/** @throws BadInput MODEL_CORRUPT */
export function readScviRegistry(registry: Entries, place: string): ScviRegistry {
  const told = entriesOf(registry.get('setup_args')) ?? none
  const fields = entriesOf(registry.get('field_registries'))
  if (fields === undefined) throw corrupt(place, 'field_registries is missing')
  const stateOf = (field: string) => entriesOf(entriesOf(fields.get(field))?.get('state_registry')) ?? none
  const [x, batch, labels] = ['X', 'batch', 'labels'].map(stateOf) as [Entries, Entries, Entries]
  const unlabelled = labels.get('unlabeled_category') ?? told.get('unlabeled_category')
  return {
    kind: textOf(registry.get('model_name')) ?? '',
    version: textOf(registry.get('scvi_version')) ?? '',
    setup: {
      layer: textOf(told.get('layer')),
      batch: columnOf(batch, { name: textOf(told.get('batch_key')), place: `${place}, batch` }),
      categorical: covariatesOf(stateOf('extra_categorical_covs'), `${place}, extra_categorical_covs`),
      continuous: continuousOf(stateOf('extra_continuous_covs'), `${place}, extra_continuous_covs`),
      labels: columnOf(labels, { name: textOf(told.get('labels_key')), place: `${place}, labels` }),
    },
    cells: readNumber(x.get('n_obs'), place) ?? 0,
    hasSizeFactor: (told.get('size_factor_key') ?? null) !== null,
    unlabelled: unlabelled === undefined || unlabelled === null ? null : categoryOf(unlabelled, place).text,
  }
}

function columnOf(state: Entries, { name, place }: { name: string | null; place: string }): CategoryColumn {
  const { values, type } = readCategories(state.get('categorical_mapping'), place)
  return { column: name, categories: distinct(values, place), type }
}

function covariatesOf(state: Entries, place: string): CategoryColumn[] {
  const mappings = entriesOf(state.get('mappings')) ?? none
  return (ofKind(state.get('field_keys'), 'list')?.items ?? []).map((key) => {
    const column = textOf(key)
    if (column === null) throw corrupt(place, 'the name of a covariate is no text')
    const { values, type } = readCategories(mappings.get(column), `${place}, ${shown(column)}`)
    return { column, categories: distinct(values, place), type }
  })
}

function continuousOf(state: Entries, place: string): string[] {
  const columns = state.get('columns')
  return columns === undefined ? [] : readCategories(columns, place).values
}

function distinct(values: string[], place: string): string[] {
  if (values.length === 0) throw corrupt(place, 'there are no categories')
  if (new Set(values).size < values.length) throw corrupt(place, 'a category is there twice')
  return values
}

export function textOf(value: PickleValue | undefined): string | null {
  return typeof value === 'string' ? value : null
}
