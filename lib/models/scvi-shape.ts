/**
 * What a network of scvi-tools is like, told from the shapes of its tensors: they cannot be wrong, while settings beside them can (a published model
 * says n_hidden 512 and has 128). Settings decide only what no shape shows.
 */
import { corrupt, unsupported } from './model-errors.ts'
import type { ScanviShape } from './scanvi-network.ts'
import { priorMeans } from './scvi-encoder.ts'
import type { ScviSetup } from './scvi-model.ts'
import type { ScviShape, Where } from './scvi-network.ts'
import type { ScviSettings } from './scvi-settings.ts'
import type { Weight } from './state-dict.ts'

export interface ShapeParts {
  weights: ReadonlyMap<string, Weight>
  setup: ScviSetup
  settings: ScviSettings
  place: string
}

const first = 'fc_layers.Layer 0.0.weight'

/** @throws BadInput MODEL_CORRUPT, MODEL_UNSUPPORTED */
export function scviShapeOf({ weights, setup, settings, place }: ShapeParts): ScviShape {
  const rowsAndColumns = (name: string): [number, number] => {
    const [rows, columns, ...more] = weights.get(name)?.shape ?? []
    if (!rows || !columns || more.length > 0) throw corrupt(place, `the matrix "${name}" is missing`)
    return [rows, columns]
  }
  const [latent, hidden] = rowsAndColumns('z_encoder.mean_encoder.weight')
  const [, inputs] = rowsAndColumns(`z_encoder.encoder.${first}`)
  const [genes] = rowsAndColumns('decoder.px_scale_decoder.0.weight')
  let layers = 1
  while (weights.has(`z_encoder.encoder.fc_layers.Layer ${layers}.0.weight`)) layers++
  const categories = [setup.batch, ...setup.categorical].map((column) => column.categories.length)
  const continuous = setup.continuous.length
  const covariates = categories.reduce((width, count) => width + (count > 1 ? count : 0), 0)
  const beside = inputs - genes
  const encodes = beside > 0 || (settings.encodeCovariates && continuous + covariates === 0)
  if (encodes && settings.isEmbedded)
    throw unsupported(place, 'its encoder takes embedded batches', 'Use a model with one-hot batches')
  if (beside !== 0 && beside !== continuous + covariates)
    throw corrupt(
      place,
      `the encoder takes ${inputs} numbers of ${genes} genes and ${continuous + covariates} covariates`,
    )
  const given = (part: string) => weights.has(`${part}.fc_layers.Layer 0.1.running_mean`)
  const shape: ScviShape = {
    genes,
    hidden,
    latent,
    layers,
    categories: categories as [number, ...number[]],
    continuous,
    encodeCovariates: encodes,
    deeplyInject: settings.deeplyInject,
    batchNorm: whereOf(given('z_encoder.encoder'), given('decoder.px_decoder')),
    layerNorm: settings.layerNorm,
    dropout: settings.dropout,
    dispersion: settings.dispersion,
    likelihood: settings.likelihood ?? 'nb',
    labels: settings.dispersion === 'gene-label' ? (weights.get('px_r')?.shape[1] ?? 0) : 0,
    ...(settings.learnsLibrary && weights.has(priorMeans) && { library: 'learned' }),
    ...(settings.latentDistribution === 'ln' && { latentDistribution: 'ln' }),
  }
  if (settings.isEmbedded) return shape
  return { ...shape, deeplyInject: isInjected(shape, { rowsAndColumns, covariates }) }
}

/** Whether the second layer takes covariates too; the settings say it where nothing shows it. */
function isInjected(
  { layers, hidden, deeplyInject }: ScviShape,
  { rowsAndColumns, covariates }: { rowsAndColumns(name: string): [number, number]; covariates: number },
): boolean {
  if (layers < 2 || covariates === 0) return deeplyInject
  return rowsAndColumns('decoder.px_decoder.fc_layers.Layer 1.0.weight')[1] === hidden + covariates
}

function whereOf(encoder: boolean, decoder: boolean): Where {
  if (encoder && decoder) return 'both'
  return encoder ? 'encoder' : decoder ? 'decoder' : 'none'
}

/** @throws BadInput MODEL_CORRUPT */
export function scanviShapeOf(shape: ScviShape, { weights, setup, place }: ShapeParts): ScanviShape {
  const linear = weights.get('classifier.classifier.0.weight')
  const last = linear ?? weights.get('classifier.classifier.1.weight')
  const classes = last?.shape[0]
  if (!classes) throw corrupt(place, 'the classifier is missing')
  const known = setup.labels.categories.length
  // the last is what cells without a label are called
  if (classes !== known - 1)
    throw corrupt(place, `the classifier tells ${classes} labels apart, and ${known - 1} are named`)
  return { ...shape, classes, linearClassifier: linear !== undefined }
}
