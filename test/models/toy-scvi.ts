/** Small models of scvi-tools with weights that were drawn, and files of bytes in memory. */
import type { ByteSource } from '../../lib/data/source.ts'
import { random } from '../../lib/job/random.ts'
import { firstWeights } from '../../lib/models/first-weights.ts'
import type { ScanviShape } from '../../lib/models/scanvi-network.ts'
import type { CategoryColumn, ScviModel } from '../../lib/models/scvi-model.ts'
import type { ScviShape } from '../../lib/models/scvi-network.ts'
import { stateTensors } from '../../lib/models/scvi-tensors.ts'

export function sourceOf(bytes: Uint8Array, place = 'model.pt'): ByteSource {
  return {
    place,
    size: bytes.length,
    read: async (offset, length) => {
      if (offset < 0 || length < 0 || offset + length > bytes.length)
        throw new Error(`bytes ${offset} to ${offset + length} of ${bytes.length} were asked for`)
      return bytes.slice(offset, offset + length)
    },
    close: async () => {},
  }
}

export const smallShape: ScviShape = {
  genes: 12,
  hidden: 8,
  latent: 3,
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

const column = (name: string, count: number): CategoryColumn => ({
  column: name,
  categories: Array.from({ length: count }, (_, i) => `${name} ${i}`),
  type: 'text',
})

/** A SCANVI where classes are given. */
export function toyScvi(
  change: Partial<ScanviShape> = {},
  { seed = 1, labels }: { seed?: number; labels?: CategoryColumn } = {},
): ScviModel {
  const { classes, linearClassifier = false, ...shape } = { ...smallShape, ...change }
  const of =
    classes === undefined
      ? { kind: 'scvi' as const, shape }
      : { kind: 'scanvi' as const, shape: { ...shape, classes, linearClassifier } }
  const specs = stateTensors(of)
  const [batches, ...others] = shape.categories
  const common = {
    weights: firstWeights(specs, random(seed)),
    batchesTracked: new Map(
      [...specs.keys()]
        .filter((name) => name.endsWith('.running_var'))
        .map((name, i) => [name.replace('running_var', 'num_batches_tracked'), i]),
    ),
    genes: Array.from({ length: shape.genes }, (_, i) => (i === 0 ? '__proto__' : `G${i}`)),
    setup: {
      layer: 'counts',
      batch: column('sample', batches),
      categorical: others.map((count, i) => column(`covariate_${i}`, count)),
      continuous: Array.from({ length: shape.continuous }, (_, i) => `age_${i}`),
      labels: labels ?? column('cell_type', classes === undefined ? Math.max(1, shape.labels) : classes + 1),
    },
    training: {
      cells: 50,
      isTrained: true,
      trainIndices: Int32Array.of(3, 1, 4),
      validationIndices: Int32Array.of(0, 2),
      history: new Map([
        ['elbo_train', { epochs: Float64Array.of(0, 2), values: Float64Array.of(3.5, Number.NaN) }],
      ]),
    },
    version: '1.4.3',
    decoder: 'computed' as const,
  }
  if (of.kind === 'scvi') return { ...of, ...common }
  return {
    ...of,
    ...common,
    unlabelled: common.setup.labels.categories.at(-1)!,
    hasSoftmaxWithin: false,
  }
}
