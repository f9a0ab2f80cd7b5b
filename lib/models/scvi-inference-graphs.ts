/** The graphs that a trained model is looked at with, its weights within them: one that encodes, one of library sizes, one that decodes, one that compares. */
import { graphOf } from '../graph/emit.ts'
import type { Expression } from '../graph/expression.ts'
import { wholeFeeds } from '../graph/feeds.ts'
import { writeModel } from '../graph/onnx-write.ts'
import { add } from '../graph/operations/arithmetic.ts'
import { openSession, type Session, type SessionOptions } from '../graph/session.ts'
import { float32 } from '../graph/tensor.ts'
import { reconstructionByCell } from './count-likelihood-by-cell.ts'
import { type Builder, builder } from './network.ts'
import { classify, type ScanviShape, scanviLoss } from './scanvi-network.ts'
import { encode, encodeLibrary } from './scvi-encoder.ts'
import type { ScviModel } from './scvi-model.ts'
import { type Cells, cellsOf, decode, scviLoss, shares } from './scvi-network.ts'
import { splitWeights } from './state-dict.ts'

export interface OpenGraph {
  session: Session
  /** names of what is fed */
  wanted: ReadonlySet<string>
}

type Outputs = Record<string, Expression>

/** `mean` and `variance` of z, and `logits` of labels at the mean where the model has them. */
export function encoderOutputs(into: Builder, cells: Cells, { kind, shape }: ScviModel): Outputs {
  const { mean, variance } = encode(into, cells, shape)
  if (kind === 'scvi') return { mean, variance }
  return { mean, variance, logits: classify(into, mean, { shape, group: cells.group }) }
}

/** `mean` and `variance` of the logarithm of the library size, of a model that learns it. */
export function libraryOutputs(into: Builder, cells: Cells, { shape }: ScviModel): Outputs {
  const { mean, variance } = encodeLibrary(into, cells, shape)
  return { mean, variance }
}

/** Of a place `z`: `share` of each gene, logits of `dropout` and `logTheta` where the likelihood has them. */
export function decoderOutputs(into: Builder, cells: Cells, { shape }: ScviModel): Outputs {
  const z = into.feeds.take('z', { type: 'float32', group: cells.group, width: shape.latent })
  const decoded = decode(into, z, { cells, shape })
  const { dropout, logTheta } = decoded
  return {
    share: shares(decoded),
    ...(dropout !== undefined && { dropout }),
    ...(logTheta !== undefined && { logTheta }),
  }
}

/**
 * Of a draw of z (and z2, label by label; and of a learned library): `reconstruction` without log x!, `divergence`, and for SCANVI `latent`, what its model of z adds to
 * the reconstruction.
 */
export function lossOutputs(into: Builder, cells: Cells, model: ScviModel): Outputs {
  const { shape } = model
  const loss =
    model.kind === 'scvi' ? scviLoss(into, cells, shape) : scanviLoss(into, cells, shape as ScanviShape)
  const { logits, dropout, logTheta } = decode(into, loss.z, { cells, shape })
  const counted = {
    ...{ logits, library: loss.library },
    ...(dropout !== undefined && { dropout }),
    ...(logTheta !== undefined && { logTheta }),
  }
  return {
    reconstruction: reconstructionByCell(shape.likelihood, counted, cells.entries),
    divergence: loss.ofLibrary === undefined ? loss.divergence : add(loss.divergence, loss.ofLibrary),
    ...('latent' in loss && { latent: loss.latent as Expression }),
  }
}

/** @throws Error where a weight is missing or of another shape */
export async function openGraph(
  model: ScviModel,
  outputsOf: (into: Builder, cells: Cells, model: ScviModel) => Outputs,
  options: SessionOptions,
): Promise<OpenGraph> {
  const into = builder('inference', { feeds: wholeFeeds() })
  const { inputs, constants, ...graph } = graphOf(
    model.kind,
    outputsOf(into, cellsOf(into, model.shape), model),
  )
  const used = new Set(inputs.map(({ name }) => name))
  const weights = splitWeights(model.weights, new Map([...into.weights].filter(([name]) => used.has(name))))
  const fed = inputs.filter(({ name }) => !weights.has(name))
  const fixed = Object.fromEntries(
    [...weights].map(([name, { data, shape }]) => [name, float32(data, shape)]),
  )
  const bytes = writeModel({ ...graph, inputs: fed, constants: { ...constants, ...fixed } })
  const session = await openSession(bytes, options)
  return { session, wanted: new Set(fed.map(({ name }) => name)) }
}
