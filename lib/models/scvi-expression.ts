/**
 * Expression as a model's decoder has it: shares of genes at places in latent space, in the cells' own batches or as if in others, times a library
 * size. The mean over draws of z, as scvi-tools' `get_normalized_expression` with `return_mean`; or at the mean of z, which needs no chance.
 */
import type { RowSlab } from '../data/cells.ts'
import { float32, type Tensor } from '../graph/tensor.ts'
import { placesOfDraws } from './latent-shares.ts'
import { learnedSizes } from './learned-sizes.ts'
import type { DecodedRows, ExpressionOptions } from './scvi-inference.ts'
import {
  cellNoise,
  covariatesOf,
  type Parts,
  type Range,
  rangesOf,
  runGraph,
} from './scvi-inference-parts.ts'
import { requireDecoder } from './scvi-model.ts'
import { type CellCovariates, entryFeeds } from './slab-feeds.ts'

interface Places {
  /** rows x latent */
  z: Float32Array
  covariates: CellCovariates
  /** number in the matrix of row 0 */
  start: number
  batch?: number | undefined
}

export async function decode(parts: Parts, places: Places): Promise<DecodedRows> {
  const { genes, latent, dispersion } = parts.model.shape
  requireDecoder(parts.model, parts.place)
  const rows = places.z.length / latent
  const whole = () => new Float32Array(rows * genes)
  const decoded: DecodedRows = { share: whole(), dropout: null, logTheta: null }
  for await (const range of rangesOf({ rows, columns: genes }, parts)) {
    const { share, dropout, logTheta } = await decodeRange(parts, { ...places, ...range })
    decoded.share.set(share!, range.from * genes)
    if (dropout !== undefined) {
      decoded.dropout ??= whole()
      decoded.dropout.set(dropout, range.from * genes)
    }
    if (logTheta !== undefined && dispersion === 'gene') decoded.logTheta = logTheta
    else if (logTheta !== undefined) {
      decoded.logTheta ??= whole()
      decoded.logTheta.set(logTheta, range.from * genes)
    }
  }
  return decoded
}

const ofBatch = 'category 0'

/** One run. `z` holds all rows, of which these are decoded. */
async function decodeRange(
  parts: Parts,
  { z, covariates, start, batch, from, to }: Places & Range,
): Promise<Record<string, Float32Array | undefined>> {
  const { latent, categories } = parts.model.shape
  if (batch !== undefined && !(Number.isInteger(batch) && batch >= 0 && batch < categories[0]))
    throw new RangeError(`batch ${batch} is none of ${categories[0]}`)
  const graph = await parts.decoder()
  const asked =
    batch === undefined ? graph.wanted : new Set([...graph.wanted].filter((name) => name !== ofBatch))
  return runGraph(graph, {
    z: float32(z.subarray(from * latent, to * latent), [to - from, latent]),
    ...covariatesOf(parts, { wanted: asked }, { covariates, start, from, to }),
    ...(batch !== undefined && { [ofBatch]: repeated(batch, to - from) }),
  })
}

function repeated(value: number, rows: number): Tensor {
  return { type: 'int32', shape: [rows], data: new Int32Array(rows).fill(value) }
}

export async function expression(
  parts: Parts,
  given: { slab: RowSlab; covariates: CellCovariates } & ExpressionOptions,
): Promise<Float32Array> {
  const { slab, genes, draws } = given
  requireDecoder(parts.model, parts.place)
  const { genes: all, latent } = parts.model.shape
  if (draws !== undefined && !(draws.count >= 1)) throw new RangeError(`${draws.count} draws give no mean`)
  if (genes?.some((gene) => !(gene >= 0 && gene < all))) throw new RangeError(`a gene is none of ${all}`)
  const width = genes?.length ?? all
  const values = new Float32Array(slab.rows * width)
  for await (const range of rangesOf(slab, parts, (draws?.count ?? 1) * latent))
    values.set(await expressionOf(parts, { ...given, ...range }), range.from * width)
  return values
}

async function expressionOf(
  parts: Parts,
  given: { slab: RowSlab; covariates: CellCovariates } & ExpressionOptions & Range,
): Promise<Float32Array> {
  const { slab, covariates, from, to, librarySize = 1 } = given
  const counted = entryFeeds({ slab, from, to }, parts.place)
  const places = await placesOf(parts, { ...given, counted })
  const isLearned = librarySize === 'latent' && parts.model.shape.library === 'learned'
  const sizes = isLearned ? await learnedSizes(parts, { ...given, counted, start: slab.start }) : []
  const genes = given.genes ?? Int32Array.from({ length: parts.model.shape.genes }, (_, gene) => gene)
  const total = new Float64Array((to - from) * genes.length)
  const batches: readonly (number | undefined)[] = given.batches ?? [undefined]
  for (const [look, z] of places.entries())
    for (const batch of batches) {
      const rows = { covariates, start: slab.start + from, from: 0, to: to - from }
      const { share } = await decodeRange(parts, { z, batch, ...rows })
      addChosen(total, share!, { genes, columns: slab.columns, sizes: sizes[look] })
    }
  const library = counted.library!.data as Float32Array
  const times = 1 / (places.length * batches.length)
  const values = new Float32Array(total.length)
  for (let row = 0, at = 0; row < to - from; row++) {
    const own = typeof librarySize === 'number' ? librarySize : library[row]!
    const size = times * (isLearned ? 1 : own)
    for (let end = at + genes.length; at < end; at++) values[at] = total[at]! * size
  }
  return values
}

/** Where in latent space the rows are looked at: once at their means, or at each draw. */
async function placesOf(
  parts: Parts,
  given: {
    slab: RowSlab
    covariates: CellCovariates
    counted: Record<string, Tensor>
  } & Pick<ExpressionOptions, 'draws'> &
    Range,
): Promise<Float32Array[]> {
  const { slab, covariates, counted, from, to, draws } = given
  const graph = await parts.encoder()
  const cells = { covariates, start: slab.start, from, to }
  const { mean, variance } = await runGraph(graph, { ...counted, ...covariatesOf(parts, graph, cells) })
  if (draws === undefined) return [parts.places({ mean: mean!, variance: variance! })]
  const { latent } = parts.model.shape
  const width = draws.count * latent
  const numbers = draws.cells?.subarray(from, to)
  const noise = cellNoise(draws.seed, { from: slab.start + from, to: slab.start + to, width, numbers })
  return Array.from({ length: draws.count }, (_, draw) => {
    const drawn = mean!.map((centre, i) => {
      const cell = Math.floor(i / latent)
      return centre + Math.sqrt(variance![i]!) * noise[cell * width + draw * latent + (i % latent)]!
    })
    return placesOfDraws(drawn, parts.model.shape)
  })
}

function addChosen(
  total: Float64Array,
  share: Float32Array,
  { genes, columns, sizes }: { genes: Int32Array; columns: number; sizes: Float32Array | undefined },
): void {
  const { length } = genes
  const rows = share.length / columns
  for (let row = 0, at = 0; row < rows; row++) {
    const size = sizes?.[row] ?? 1
    for (let i = 0; i < length; i++) total[at++]! += size * share[row * columns + genes[i]!]!
  }
}
