/**
 * SCANVI (Xu et al. 2021; scvi-tools 1.4's SCANVAE): scVI whose latent place z1 is itself drawn from a label and a second place z2, with a
 * classifier of z1. Every cell is summed over all labels, weighted by the classifier's probabilities; cells with a label also teach the
 * classifier, from the mean of z1, in a minibatch of their own.
 *
 * Rows of cell and label together come label by label: all cells with the first label, then with the second. Trap: the encoder sees both
 * minibatches as in training, and its running statistics move twice a step. The divergence of a learned library is warmed up with the rest.
 * In a logistic normal space z1 is the normal place, and the decoder alone takes its shares. The original's loss asks for the normal
 * density at the shares, where moving all dimensions alike costs nothing and gains without end; trained so, 32 % of simulated labels were right, and
 * over 90 % in this way.
 */
import type { Expression } from '../graph/expression.ts'
import { lengthOf } from '../graph/feeds.ts'
import {
  add,
  divide,
  mean,
  multiply,
  negative,
  subtract,
  sum,
  unsqueeze,
} from '../graph/operations/arithmetic.ts'
import { exp, log, logSoftmax, square } from '../graph/operations/functions.ts'
import { oneHot, reshape, transpose } from '../graph/operations/places.ts'
import { type Builder, type Covariates, fullyConnected, linearLayer } from './network.ts'
import { divergence, drawFrom, encode, isIn, type Posterior, posterior } from './scvi-encoder.ts'
import { type Cells, type ScviLoss, type ScviShape, scviLoss } from './scvi-network.ts'

export interface ScanviShape extends ScviShape {
  /** labels that can be predicted */
  classes: number
  /** one layer from latent place to logits, without a hidden one */
  linearClassifier: boolean
}

/** Logits of the labels: rows x classes. */
export function classify(
  into: Builder,
  z: Expression,
  { shape, group }: { shape: ScanviShape; group: string },
): Expression {
  const { latent, hidden, layers, classes, linearClassifier, dropout } = shape
  if (linearClassifier)
    return linearLayer(into, 'classifier.classifier.0', { x: z, inputs: latent, outputs: classes })
  const h = fullyConnected(into, 'classifier.classifier.0', z, {
    ...normsOf('encoder', shape),
    inputs: latent,
    hidden,
    outputs: hidden,
    layers,
    dropout,
    group,
  })
  return linearLayer(into, 'classifier.classifier.1', { x: h, inputs: hidden, outputs: classes })
}

function normsOf(part: 'encoder' | 'decoder', { batchNorm, layerNorm }: ScanviShape) {
  return { batchNorm: isIn(batchNorm, part), layerNorm: isIn(layerNorm, part), deeplyInject: true }
}

export interface ScanviLoss extends ScviLoss {
  /** what is added to the reconstruction for z1 and its label, of each cell: cells x 1 */
  latent: Expression
  /** of z2, of the label and of a learned library, of each cell: cells x 1; in place of scVI's */
  divergence: Expression
  ofLibrary: undefined
}

export function scanviLoss(into: Builder, cells: Cells, shape: ScanviShape): ScanviLoss {
  const first = scviLoss(into, cells, shape)
  const { drawn: z1, posterior: q1 } = first
  const rows = { group: cells.group, each: shape.classes }
  const labels = labelRows(shape.classes, cells.group)
  const q2 = encodeSecond(into, z1, { shape, labels, ...rows })
  const z2 = drawFrom(into, q2, { name: 'z2', width: shape.latent, ...rows })
  const p1 = decodeSecond(into, z2, { shape, labels, ...rows })
  const logChance = logSoftmax(classify(into, z1, { shape, group: cells.group }))
  const chance = exp(logChance)
  // [labels, cells, latent]: each cell's z1 against what each label expects of it
  const expected = {
    mean: byLabel(p1.mean, shape, cells),
    variance: byLabel(p1.variance, shape, cells),
  }
  const surprise = negative(logDensity(unsqueeze(z1, [0]), expected))
  const byChance = (ofRows: Expression) =>
    transpose(sum(multiply(reshape(ofRows, [shape.classes, cells.group]), transpose(chance)), [0]))
  const ofLabel = sum(multiply(chance, add(logChance, Math.log(shape.classes))), [1])
  const whole = add(byChance(divergence(q2)), ofLabel)
  return {
    ...first,
    latent: add(logDensity(z1, q1), byChance(surprise)),
    divergence: first.ofLibrary === undefined ? whole : add(whole, first.ofLibrary),
    ofLibrary: undefined,
  }
}

/**
 * Cross entropy of the classifier on labelled cells, in the mean: [1, 1]. It is taught from the mean of z1, which the encoder finds in a
 * pass of its own.
 */
export function classificationLoss(
  into: Builder,
  { cells, labels, shape }: { cells: Cells; labels: Expression; shape: ScanviShape },
): Expression {
  const again = { ...into, pass: `${cells.group} ` }
  const q = encode(again, cells, shape)
  const logChance = logSoftmax(classify(again, q.mean, { shape, group: cells.group }))
  const own = sum(multiply(logChance, oneHot(labels, { classes: shape.classes, like: logChance })), [1])
  return negative(mean(own))
}

interface Second {
  shape: ScanviShape
  labels: Covariates
  group: string
  each: number
}

/** q(z2 | z1, label): rows of label and cell. */
function encodeSecond(into: Builder, z1: Expression, { shape, labels, group, each }: Second): Posterior {
  const { latent, hidden, layers, dropout } = shape
  const h = fullyConnected(into, 'encoder_z2_z1.encoder', z1, {
    ...normsOf('encoder', shape),
    inputs: latent,
    hidden,
    outputs: hidden,
    layers,
    covariates: labels,
    dropout,
    group,
    each,
  })
  return posterior(into, 'encoder_z2_z1', h, shape)
}

/** p(z1 | z2, label); its variance has no floor. */
function decodeSecond(into: Builder, z2: Expression, { shape, labels, group, each }: Second): Posterior {
  const { latent, hidden, layers } = shape
  const h = fullyConnected(into, 'decoder_z1_z2.decoder', z2, {
    ...normsOf('decoder', shape),
    inputs: latent,
    hidden,
    outputs: hidden,
    layers,
    covariates: labels,
    dropout: 0,
    group,
    each,
  })
  const head = (of: string) =>
    linearLayer(into, `decoder_z1_z2.${of}`, { x: h, inputs: hidden, outputs: latent })
  return { mean: head('mean_decoder'), variance: exp(head('var_decoder')) }
}

/** Labels as covariates. The first layer's product is of cells and is spread over the labels here: it is the same for all. */
function labelRows(classes: number, cells: string): Covariates {
  return {
    width: classes,
    add(product, weight) {
      const [rows, width] = product.shape as [string, number]
      const lifted = rows === cells ? unsqueeze(product, [0]) : reshape(product, [classes, cells, width])
      const rowsOfBoth = lengthOf({ group: cells, each: classes })
      return reshape(add(lifted, unsqueeze(transpose(weight), [1])), [rowsOfBoth, width])
    },
  }
}

function byLabel(rows: Expression, { classes, latent }: ScanviShape, { group }: Cells): Expression {
  return reshape(rows, [classes, group, latent])
}

/** log N(x; mean, variance), summed over the last axis. */
function logDensity(x: Expression, { mean: centre, variance }: Posterior): Expression {
  const distance = divide(square(subtract(x, centre)), variance)
  const each = add(add(distance, log(variance)), Math.log(2 * Math.PI))
  return multiply(sum(each, [-1]), -0.5)
}
