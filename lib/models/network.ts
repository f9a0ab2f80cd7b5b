/**
 * What networks of cells have in common, as scvi-tools builds them: weights by name, rows of covariates added to layers, blocks of
 * Linear - BatchNorm - LayerNorm - ReLU - Dropout. Names are those of scvi-tools' state dicts.
 *
 * The columns of a weight that belong to covariates are a weight of their own here, `NAME#covariates`: new batches add columns to it and
 * leave the rest alone, and no matrix is cut apart in every step. The importer and exporter put both together.
 */
import { constant, type Expression, input } from '../graph/expression.ts'
import type { Feeds } from '../graph/feeds.ts'
import { dropOut, linear, normaliseBatch, normaliseByRunning, normaliseLayer } from '../graph/layers.ts'
import type { Carried } from '../graph/loop.ts'
import { multiply } from '../graph/operations/arithmetic.ts'
import { scaleBytes } from '../graph/operations/choices.ts'
import { relu } from '../graph/operations/functions.ts'
import { matmul } from '../graph/operations/matrices.ts'

export type Phase = 'training' | 'inference'

/** How a weight begins: drawn, or one number. */
export type Start = { uniform: number } | { normal: number } | { constant: number }

export interface WeightSpec {
  shape: readonly number[]
  start: Start
  /** statistics follow the data and are not trained */
  kind: 'trained' | 'statistic'
}

/** Collects what a network is made of while it is put together. */
export interface Builder {
  readonly phase: Phase
  /** begins the names of noise, where a network runs a second time in a step */
  readonly pass: string
  readonly weights: Map<string, WeightSpec & { expression: Expression }>
  /** statistics and what they become */
  readonly statistics: Map<string, Carried>
  /** what cells are like, and noise, comes from here */
  readonly feeds: Feeds
  /** which of the feeds are noise, and of what kind */
  readonly noise: Map<string, Noise>
  /** statistics that stay as they are though the phase is training */
  readonly isFixed: (name: string) => boolean
}

/** Standard normal draws, or ones with this chance and else zeros. */
export type Noise = 'normal' | { keep: number }

export function builder(
  phase: Phase,
  { feeds, isFixed = () => false }: { feeds: Feeds; isFixed?: Builder['isFixed'] },
): Builder {
  return { phase, pass: '', feeds, weights: new Map(), statistics: new Map(), noise: new Map(), isFixed }
}

export function weight(
  { weights }: Builder,
  name: string,
  { shape, start, kind = 'trained' }: { shape: readonly number[]; start: Start; kind?: WeightSpec['kind'] },
): Expression {
  const there = weights.get(name)
  if (there !== undefined) return there.expression
  const expression = input(name, { type: 'float32', shape })
  weights.set(name, { shape, start, kind, expression })
  return expression
}

/** Rows of noise for the members of a group. */
export interface NoiseRows {
  group: string
  /** rows for each member */
  each?: number
  width: number
}

/** Standard normal draws. */
export function normalNoise({ feeds, noise, pass }: Builder, name: string, rows: NoiseRows): Expression {
  noise.set(`${pass}${name}`, 'normal')
  return feeds.take(`${pass}${name}`, { type: 'float32', ...rows })
}

/**
 * The columns of covariates; those that were added lie in between the others, where their covariate is. What the others' weight holds in
 * their places takes no part, also where it learns.
 */
function covariateWeight(
  into: Builder,
  name: string,
  { covariates, outputs, start }: { covariates: Covariates; outputs: number; start: Start },
): Expression {
  const { width, added } = covariates
  const whole = weight(into, `${name}.weight#covariates`, { shape: [outputs, width], start })
  if (added === undefined || added.length === 0) return whole
  const columns = weight(into, `${name}.weight#added`, { shape: [outputs, added.length], start })
  const places = new Float32Array(added.length * width)
  for (const [i, column] of added.entries()) places[i * width + column] = 1
  const spread = constant({ type: 'float32', shape: [added.length, width], data: places })
  const others = Float32Array.from({ length: width }, (_, column) => Number(!added.includes(column)))
  const kept = multiply(whole, constant({ type: 'float32', shape: [width], data: others }))
  return matmul(columns, spread, { add: kept })
}

/** What each row of a layer's input has besides: batches, other covariates, labels. */
export interface Covariates {
  /** columns of their weight; 0 where there are none */
  width: number
  /** columns that were added to a trained model and move while the others stay, as weight `NAME#added` */
  added?: readonly number[]
  /** to the layer's product without them, what their weight (outputs x width) gives each row */
  add(product: Expression, weight: Expression): Expression
}

export const noCovariates: Covariates = { width: 0, add: (product) => product }

/** @param rows one-hot rows, all covariates side by side */
export function covariateRows(
  rows: Expression,
  { width, added }: { width: number; added?: readonly number[] },
): Covariates {
  return {
    width,
    ...(added && { added }),
    add: (product, own) => matmul(rows, own, { right: true, add: product }),
  }
}

/** x W^T + b, and the covariates' own columns. Both begin as PyTorch's Linear does, uniform within 1 / sqrt(inputs). */
export function linearLayer(
  into: Builder,
  name: string,
  {
    x,
    inputs,
    outputs,
    covariates = noCovariates,
  }: { x: Expression; inputs: number; outputs: number; covariates?: Covariates },
): Expression {
  const { width } = covariates
  const start: Start = { uniform: 1 / Math.sqrt(inputs + width) }
  const main = weight(into, `${name}.weight`, { shape: [outputs, inputs], start })
  const own = width === 0 ? undefined : covariateWeight(into, name, { covariates, outputs, start })
  const bias = weight(into, `${name}.bias`, { shape: [outputs], start })
  const plain = linear(x, { weight: main, bias })
  return own === undefined ? plain : covariates.add(plain, own)
}

export interface Block {
  inputs: number
  hidden: number
  outputs: number
  layers: number
  /** none when absent */
  covariates?: Covariates
  /** covariates are added in every layer and not only in the first */
  deeplyInject: boolean
  batchNorm: boolean
  layerNorm: boolean
  dropout: number
  /** what rows of x stand for */
  group: string
  each?: number
}

/** scvi-tools' FCLayers, its layers called `NAME.fc_layers.Layer I.J`. */
export function fullyConnected(into: Builder, name: string, x: Expression, block: Block): Expression {
  const { layers, hidden, covariates = noCovariates, deeplyInject, dropout, group, each = 1 } = block
  let value = x
  let inputs = block.inputs
  for (let i = 0; i < layers; i++) {
    const layer = `${name}.fc_layers.Layer ${i}`
    const outputs = i === layers - 1 ? block.outputs : hidden
    const isInjected = i === 0 || deeplyInject
    value = linearLayer(into, `${layer}.0`, {
      x: value,
      inputs,
      outputs,
      ...(isInjected && { covariates }),
    })
    if (block.batchNorm) value = batchNorm(into, `${layer}.1`, { x: value, features: outputs })
    if (block.layerNorm) value = normaliseLayer(value, { epsilon: 1e-5 })
    value = relu(value)
    if (dropout > 0 && into.phase === 'training') {
      const mask = `${into.pass}${layer}.mask`
      into.noise.set(mask, { keep: 1 - dropout })
      const kept = into.feeds.take(mask, { type: 'uint8', group, each, width: outputs })
      value = dropOut(value, scaleBytes(kept, 1 / (1 - dropout)))
    }
    inputs = outputs
  }
  return value
}

const batchNormEpsilon = 1e-3
const batchNormMomentum = 0.01

function batchNorm(
  into: Builder,
  name: string,
  { x, features }: { x: Expression; features: number },
): Expression {
  const shape = [features]
  const norm = {
    scale: weight(into, `${name}.weight`, { shape, start: { constant: 1 } }),
    shift: weight(into, `${name}.bias`, { shape, start: { constant: 0 } }),
    mean: weight(into, `${name}.running_mean`, { shape, start: { constant: 0 }, kind: 'statistic' }),
    variance: weight(into, `${name}.running_var`, { shape, start: { constant: 1 }, kind: 'statistic' }),
    epsilon: batchNormEpsilon,
  }
  if (into.phase === 'inference') return normaliseByRunning(x, norm)
  // a network that runs twice in a step moves its statistics twice
  const latest = (of: string, first: Expression) => into.statistics.get(`${name}.${of}`)?.after ?? first
  const { value, mean, variance } = normaliseBatch(x, {
    ...norm,
    mean: latest('running_mean', norm.mean),
    variance: latest('running_var', norm.variance),
    momentum: batchNormMomentum,
  })
  if (!into.isFixed(name)) {
    into.statistics.set(`${name}.running_mean`, { before: norm.mean, after: mean })
    into.statistics.set(`${name}.running_var`, { before: norm.variance, after: variance })
  }
  return value
}
