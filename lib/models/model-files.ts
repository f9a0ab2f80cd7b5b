/**
 * A model as the three files that SpatialCore's `save_model_artifacts` leaves: NAME.pkl for CellTypist, NAME_celltypist.json about the
 * training, NAME_colors.json. SpatialCore writes two schemas under the name of the second; ours has the keys of both.
 *
 * Trap: labels become keys here. `Object.fromEntries` makes a property of any text, "__proto__" too; assignment would not.
 */
import { product } from '../job/product.ts'
import { exportCelltypist } from './celltypist-export.ts'
import type { LinearModel } from './linear-model.ts'
import type { TrainingRecord } from './training-record.ts'

export interface ModelFile {
  name: string
  bytes: Uint8Array
}

/** How many genes `panel_genes` lists: SpatialCore's number. */
const listedGenes = 50

/**
 * @param options.training what the card knows of the training; an imported model has none, and the JSON says null
 * @param options.colours '#RRGGBB' of each label of the model
 * @throws RangeError where a label has no colour
 */
export function modelFiles(
  model: LinearModel,
  { training, colours }: { training: TrainingRecord | undefined; colours: ReadonlyMap<string, string> },
): ModelFile[] {
  const { name, labels } = model.card
  const pairs = labels.map((label): [string, string] => {
    const colour = colours.get(label)
    if (colour === undefined) throw new RangeError(`no colour for the label "${label}"`)
    return [label, colour]
  })
  return [
    { name: `${name}.pkl`, bytes: exportCelltypist(model) },
    { name: `${name}_celltypist.json`, bytes: json(describeModel(model, training)) },
    { name: `${name}_colors.json`, bytes: json(Object.fromEntries(pairs)) },
  ]
}

function describeModel({ card }: LinearModel, training: TrainingRecord | undefined): object {
  const { name, created, genes, labels } = card
  const panelGenes = training?.panel_genes ?? genes.length
  return {
    model_name: name,
    created_at: created,
    celldrop_version: product.version,
    // none took part
    celltypist_version: null,
    n_genes: genes.length,
    n_cell_types: labels.length,
    cell_types: labels,
    genes,
    training: describeTraining(card, training),
    references: training?.references.map(referenceEntry) ?? [],
    panel_genes: {
      n_genes: panelGenes,
      genes: genes.slice(0, listedGenes),
      genes_truncated: panelGenes > Math.min(listedGenes, genes.length),
    },
    cell_type_summary: Object.fromEntries(
      training?.cells_by_label.map(({ label, cells }) => [label, cells]) ?? [],
    ),
  }
}

function referenceEntry({ name, cells_used, etag, label_column }: TrainingRecord['references'][number]) {
  return { name, n_cells_used: cells_used, etag, label_column }
}

/** SpatialCore's nine settings are always there: null where the classifier has no such setting, or nothing is known. */
function describeTraining(card: LinearModel['card'], training: TrainingRecord | undefined): object {
  const isDescent = card.trained.estimator === 'SGDClassifier'
  return {
    use_SGD: training === undefined ? isDescent : training.classifier !== 'logistic_regression',
    mini_batch: training === undefined ? null : training.classifier === 'sgd_mini_batch',
    ...{ balance_cell_type: null, feature_selection: null, n_jobs: null, max_iter: null },
    ...{ epochs: null, batch_size: null, batch_number: null },
    ...(training?.parameters ?? card.trained.parameters),
    n_cells: card.trained.cells,
    n_genes: card.genes.length,
    n_cell_types: card.labels.length,
    label_column: training?.label_column ?? null,
    multi_class: card.loss,
    ...(training === undefined ? {} : describeChoice(training)),
  }
}

function describeChoice(training: TrainingRecord): object {
  const { classifier, seed, balance_strategy, max_cells_per_type, min_cells_per_type, notices } = training
  return {
    ...{ classifier, seed, balance_strategy, max_cells_per_type, min_cells_per_type },
    target_proportions: Object.fromEntries(
      training.target_proportions.map(({ label, share }) => [label, share]),
    ),
    n_notices: notices,
  }
}

function json(value: object): Uint8Array {
  return new TextEncoder().encode(`${JSON.stringify(value, null, 2)}\n`)
}
