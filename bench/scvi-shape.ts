import type { ScviShape } from '../lib/models/scvi-network.ts'

/** scvi-tools' defaults, of two batches; genes and widths are each bench's own. */
export const usualShape: Omit<ScviShape, 'genes' | 'hidden' | 'latent'> = {
  layers: 1,
  categories: [2],
  continuous: 0,
  encodeCovariates: false,
  deeplyInject: true,
  batchNorm: 'both',
  layerNorm: 'none',
  dropout: 0.1,
  dispersion: 'gene',
  likelihood: 'zinb',
  labels: 0,
}
