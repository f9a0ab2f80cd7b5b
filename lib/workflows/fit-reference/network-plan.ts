/** From settings, under scvi-tools' names, to what is trained and how: shape of the network, schedule of each of its two trainings, optimiser. */
import { expressionFields } from '../../job/settings/expression.ts'
import type { FitReferenceSettings } from '../../job/settings/fit-reference.ts'
import type { NetworkFit } from '../../models/fit-network.ts'
import type { ScanviShape } from '../../models/scanvi-network.ts'
import type { ScviShape } from '../../models/scvi-network.ts'
import type { Schedule } from '../../models/training-schedule.ts'
import type { Prepared } from './prepare.ts'

export function scviShape(prepared: Prepared, settings: FitReferenceSettings): ScviShape {
  const { batch, categorical, modelGenes, labels } = prepared
  const [batches, ...others] = [batch, ...categorical].map(({ categories }) => categories.length)
  return {
    genes: modelGenes.length,
    hidden: settings.n_hidden,
    latent: settings.n_latent,
    layers: settings.n_layers,
    categories: [batches!, ...others],
    continuous: settings.continuous_covariate_keys.length,
    encodeCovariates: settings.encode_covariates,
    deeplyInject: settings.deeply_inject_covariates,
    batchNorm: settings.use_batch_norm,
    layerNorm: settings.use_layer_norm,
    dropout: settings.dropout_rate,
    dispersion: settings.dispersion,
    likelihood: settings.gene_likelihood,
    // cells without a label have no dispersion of their own
    labels: settings.dispersion === 'gene-label' ? labels!.categories.length - 1 : 0,
    ...(!settings.use_observed_lib_size && { library: 'learned' }),
    ...(settings.latent_distribution === 'ln' && { latentDistribution: 'ln' }),
  }
}

/** @param classes labels that are told apart */
export function scanviShape(shape: ScviShape, settings: FitReferenceSettings, classes: number): ScanviShape {
  return { ...shape, classes, linearClassifier: settings.linear_classifier }
}

/** epochs of a warm-up that nobody asked otherwise for; scvi-tools' own, where the training is long enough to end it */
const longestWarmUp = 400
/** looks at the validation cells in a training that goes by none of them */
const looks = 100

export function scheduleFor(settings: FitReferenceSettings, epochs: number): Schedule {
  const warmUp = settings.n_epochs_kl_warmup ?? Math.min(longestWarmUp, Math.floor(epochs / 2))
  const { early_stopping, reduce_lr_on_plateau } = settings
  const isWatched = early_stopping || reduce_lr_on_plateau
  return {
    epochs,
    batchSize: settings.batch_size,
    rate: settings.lr,
    warmUp: {
      // of none the first epoch has the whole weight already
      over: Math.max(0, warmUp),
      least: settings.min_kl_weight,
      most: settings.max_kl_weight,
    },
    validateEvery: isWatched ? 1 : Math.ceil(epochs / looks),
    earlyStopping: early_stopping
      ? { patience: settings.early_stopping_patience, minDelta: settings.early_stopping_min_delta }
      : null,
    plateau: reduce_lr_on_plateau
      ? {
          patience: settings.lr_patience,
          factor: settings.lr_factor,
          threshold: settings.lr_threshold,
          least: settings.lr_min,
        }
      : null,
    labelledPerClass: settings.n_samples_per_label ?? null,
    seed: settings.seed,
  }
}

export function optimiserOf({ eps, weight_decay, max_norm }: FitReferenceSettings): NetworkFit['optimiser'] {
  return {
    epsilon: eps,
    ...(weight_decay > 0 && { decay: { rate: weight_decay, kind: 'coupled' as const } }),
    ...(max_norm !== undefined && { clip: max_norm }),
  }
}

/** Where a job reads and what it may overwrite is no part of what a model is; terms of labels stand on its card anyway. */
const notOfTheModel = new Set([
  ...['atlas', 'gene_panel', 'overwrite', 'compute', 'show_columns', 'ontology'],
  ...Object.keys(expressionFields),
])

/** The settings as a model's card keeps them: one plain value each. */
export function recordOf(settings: FitReferenceSettings): Record<string, string | number | boolean> {
  return Object.fromEntries(
    Object.entries(settings).flatMap(([name, value]) =>
      notOfTheModel.has(name) || value === undefined
        ? []
        : [[name, typeof value === 'object' ? JSON.stringify(value) : value] as const],
    ),
  )
}
