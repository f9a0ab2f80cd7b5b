/**
 * Every tensor of a model of scvi-tools, by the names of its state dict and in its order, among them those that no computation needs: the encoder
 * of library sizes where these are observed, heads of the decoder that the likelihood leaves out, the prior of labels. scvi-tools loads no model
 * that lacks one.
 */
import { wholeFeeds } from '../graph/feeds.ts'
import { builder, type WeightSpec } from './network.ts'
import { classify, type ScanviShape, scanviLoss } from './scanvi-network.ts'
import { encode } from './scvi-encoder.ts'
import type { ScviModel } from './scvi-model.ts'
import { cellsOf, type ScviShape, scviLoss } from './scvi-network.ts'
import { covariatesSuffix } from './state-dict.ts'

export type KindAndShape = Pick<ScviModel, 'kind' | 'shape'>

type Specs = Map<string, WeightSpec>

/** The weights that a network computes with, covariates apart, as graphs take them. `part` 'encoder' is what z and labels need. */
export function networkWeights(
  of: KindAndShape,
  part: 'all' | 'encoder' = 'all',
): ReadonlyMap<string, WeightSpec> {
  // columns that surgery added are columns like others here
  const { added: _, ...shape } = of.shape
  const into = builder('training', { feeds: wholeFeeds() })
  const cells = cellsOf(into, shape)
  if (part === 'encoder') {
    const { mean } = encode(into, cells, shape)
    if (of.kind === 'scanvi') classify(into, mean, { shape: shape as ScanviShape, group: cells.group })
  } else if (of.kind === 'scvi') scviLoss(into, cells, shape)
  else scanviLoss(into, cells, shape as ScanviShape)
  return into.weights
}

/** Beginnings of names, in the order of scvi-tools. */
const order = [
  ...['px_r', 'y_prior', 'library_log_', 'z_encoder.', 'l_encoder.', 'decoder.px_decoder.'],
  ...[
    'decoder.px_scale_decoder.',
    'decoder.px_r_decoder.',
    'decoder.px_dropout_decoder.',
    'classifier.',
    'encoder_z2_z1.',
    'decoder_z1_z2.',
  ],
]

/** All tensors that hold float32 numbers, whole: covariates are columns of their weight. */
export function stateTensors(of: KindAndShape): ReadonlyMap<string, WeightSpec> {
  const split = networkWeights(of)
  const all: Specs = new Map()
  for (const [name, spec] of split)
    if (!name.endsWith(covariatesSuffix)) all.set(name, whole(name, spec, split))
  for (const [name, spec] of unusedTensors(of.shape, all)) all.set(name, spec)
  if (of.kind === 'scanvi') {
    const { classes } = of.shape as ScanviShape
    all.set('y_prior', { shape: [1, classes], start: { constant: 1 / classes }, kind: 'statistic' })
  }
  const rank = ([name]: [string, WeightSpec]) => order.findIndex((start) => name.startsWith(start))
  return new Map([...all].sort((a, b) => rank(a) - rank(b)))
}

function whole(name: string, spec: WeightSpec, split: ReadonlyMap<string, WeightSpec>): WeightSpec {
  const tail = split.get(`${name}${covariatesSuffix}`)
  const { kind, start, shape } = spec
  return { kind, start, shape: tail === undefined ? shape : [shape[0]!, shape[1]! + tail.shape[1]!] }
}

/** The library's encoder has one layer whatever the other's has, and one output. */
function unusedTensors(shape: ScviShape, used: Specs): Specs {
  const { hidden, genes } = shape
  const unused: Specs = new Map()
  const layer = 'z_encoder.encoder.fc_layers.Layer 0.'
  const isLearned = shape.library === 'learned'
  for (const [name, spec] of isLearned ? [] : used)
    if (name.startsWith(layer)) unused.set(`l_encoder.${name.slice('z_encoder.'.length)}`, spec)
  const linear = (name: string, outputs: number) => {
    const start = { uniform: 1 / Math.sqrt(hidden) }
    unused.set(`${name}.weight`, { shape: [outputs, hidden], start, kind: 'trained' })
    unused.set(`${name}.bias`, { shape: [outputs], start, kind: 'trained' })
  }
  if (!isLearned) {
    linear('l_encoder.mean_encoder', 1)
    linear('l_encoder.var_encoder', 1)
  }
  for (const head of ['decoder.px_r_decoder', 'decoder.px_dropout_decoder'])
    if (!used.has(`${head}.weight`)) linear(head, genes)
  return unused
}
