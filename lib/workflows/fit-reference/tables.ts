/** The tables that `fit-reference` leaves: a line a cell, an epoch, a label. */
import type { CsvColumn } from '../../report/csv.ts'
import { ontologyIds } from './additions.ts'
import type { Reference } from './reference.ts'

export function predictionColumns(reference: Reference): CsvColumn[] {
  const { obs, batches, given, predicted, confidence, entropy, use, totals, detected, layout } = reference
  return [
    { name: 'cell', values: obs.index },
    { name: 'batch', ...batches },
    ...(given === null ? [] : [{ name: 'label', ...given }]),
    ...(predicted === null
      ? []
      : [
          { name: 'predicted', ...predicted },
          { name: 'confidence', values: confidence! },
          { name: 'entropy', values: entropy! },
          { name: 'ontology_term_id', ...ontologyIds(predicted, reference.terms) },
        ]),
    { name: 'use', ...use },
    { name: 'total_counts', values: totals },
    { name: 'genes_detected', values: detected },
    ...(layout === null
      ? []
      : [
          { name: 'umap_1', values: layout.filter((_, i) => i % 2 === 0) },
          { name: 'umap_2', values: layout.filter((_, i) => i % 2 === 1) },
        ]),
  ]
}

const figures = [
  'train_loss',
  'elbo_train',
  'reconstruction_loss_train',
  'kl_local_train',
  'classification_loss_train',
  'elbo_validation',
  'reconstruction_loss_validation',
  'kl_local_validation',
  'kl_weight',
  'rate',
] as const

/** Every epoch of both trainings, under the names of scvi-tools' history. */
export function historyColumns({ fitted }: Reference): CsvColumn[] {
  const lines = fitted.phases.flatMap(({ name, history }) => history.map((record) => ({ name, record })))
  return [
    { name: 'training', values: lines.map(({ name }) => name) },
    { name: 'epoch', values: lines.map(({ record }) => record.epoch) },
    ...figures.map((figure) => ({ name: figure, values: lines.map(({ record }) => record[figure] ?? null) })),
  ]
}

/** Held-out cells of each label by what they were called; null where there is no classifier. */
export function confusionColumns({ fitted, network }: Reference): CsvColumn[] | null {
  const { labels } = fitted.heldOut
  if (labels === null || network.card.kind !== 'scanvi') return null
  const names = network.card.setup.labels.categories.slice(0, network.card.shape.classes)
  return [
    { name: 'label', values: names },
    ...names.map((name, call) => ({
      name: `called ${name}`,
      values: names.map((_, label) => labels.counts[label * names.length + call]!),
    })),
  ]
}

export function geneColumns({ prepared }: Reference): CsvColumn[] {
  return [{ name: 'gene', values: prepared.modelGenes }]
}
