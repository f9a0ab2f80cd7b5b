/**
 * scArches surgery (Lotfollahi et al. 2022; `load_query_data` of scvi-tools 1.4): a trained scVI or SCANVI model gets a column for each new
 * category of its covariates, and only these columns (and what the flags let go) learn from the query.
 *
 * What does not move is no part of the training at all, so it is the same to the bit and no weight decay pulls at it. New columns lie
 * behind the old ones of their own covariate; the original appends them behind all, and with a second covariate the old columns no longer
 * line up. A covariate that had one category has no columns; its old category gets columns of zeros, so the reference stays where it was, where the
 * original starts both at random (reference latents moved by up to 0.14). A learned library's encoder learns whole, statistics too, as in the original:
 * no cell's place depends on it.
 */
import type { ErrorReport } from '../job/errors.ts'
import type { Random } from '../job/random.ts'
import type { ScanviShape } from './scanvi-network.ts'
import { priorMeans, priorVariances } from './scvi-encoder.ts'
import type { ScviShape } from './scvi-network.ts'
import { covariatesSuffix, type Weight } from './state-dict.ts'

export interface SurgeryFlags {
  /** everything learns */
  unfrozen: boolean
  freezeDropout: boolean
  /** the encoder's first layer */
  freezeExpression: boolean
  freezeDecoderFirstLayer: boolean
  freezeBatchnormEncoder: boolean
  freezeBatchnormDecoder: boolean
  freezeClassifier: boolean
  /** the classifier's running statistics follow the query although its weights are frozen, as in the original */
  classifierDrifts: boolean
}

/** scvi-tools' defaults, but for the drift. */
export const defaultFlags: SurgeryFlags = {
  unfrozen: false,
  freezeDropout: false,
  freezeExpression: true,
  freezeDecoderFirstLayer: true,
  freezeBatchnormEncoder: true,
  freezeBatchnormDecoder: false,
  freezeClassifier: true,
  classifierDrifts: false,
}

export interface Surgery<Of extends ScviShape | ScanviShape> {
  shape: Of
  /** of the new network, as its training begins */
  weights: Map<string, Weight>
  /** those that learn */
  only: string[]
  /** batch normalisations whose running statistics stay */
  fixed: string[]
  notices: ErrorReport[]
}

export interface SurgeryOptions {
  flags: SurgeryFlags
  /** new categories by covariate, batch first */
  more: readonly number[]
  random: Random
  /** what the model is called in messages */
  place: string
}

/** @param model weights split as the network has them (see state-dict.ts) */
export function extendModel<Of extends ScviShape | ScanviShape>(
  { shape, weights }: { shape: Of; weights: ReadonlyMap<string, Weight> },
  { flags, more, random, place }: SurgeryOptions,
): Surgery<Of> {
  const columns = newColumns(shape.categories, more)
  const extended: Of = {
    ...shape,
    categories: shape.categories.map((count, i) => count + (more[i] ?? 0)) as [number, ...number[]],
    added: columns.added,
    ...(flags.freezeDropout && { dropout: 0 }),
  }
  const all = new Map(weights)
  for (const layer of injectedLayers(extended, weights)) addColumns(all, { layer, columns, random })
  if (shape.dispersion === 'gene-batch' && (more[0] ?? 0) > 0)
    all.set('px_r', moreGroups(all.get('px_r')!, more[0]!))
  for (const prior of [priorMeans, priorVariances])
    if (all.has(prior)) all.set(prior, moreGroups(all.get(prior)!, more[0] ?? 0))
  const norms = [...new Set([...all.keys()].flatMap((name) => name.match(/^(.*)\.running_mean$/)?.[1] ?? []))]
  return {
    shape: extended,
    weights: all,
    only: [...all.keys()].filter((name) => learns(name, flags)),
    fixed: flags.unfrozen ? [] : norms.filter((name) => staysFixed(name, flags)),
    notices: trapsOf(shape, { flags, columns, place }),
  }
}

interface Columns {
  /** of all covariates' weights together, once extended */
  width: number
  /** where the old ones went */
  kept: number[]
  added: number[]
}

/** Covariates with one category have no columns; one that gets a second has columns for both. */
function newColumns(categories: readonly number[], more: readonly number[]): Columns {
  const columns: Columns = { width: 0, kept: [], added: [] }
  for (const [i, before] of categories.entries()) {
    const after = before + (more[i] ?? 0)
    if (after === 1) continue
    for (let category = 0; category < after; category++) {
      const column = columns.width++
      if (category >= before) columns.added.push(column)
      else if (before > 1) columns.kept.push(column)
    }
  }
  return columns
}

/** Names of the linear layers that take covariates. */
function injectedLayers(shape: ScviShape, weights: ReadonlyMap<string, Weight>): string[] {
  const encoders = ['z_encoder.encoder', 'l_encoder.encoder']
  const networks = [...(shape.encodeCovariates ? encoders : []), 'decoder.px_decoder']
  return networks
    .flatMap((network) =>
      Array.from(
        { length: shape.deeplyInject ? shape.layers : 1 },
        (_, i) => `${network}.fc_layers.Layer ${i}.0.weight`,
      ),
    )
    .filter((name) => weights.has(name))
}

function addColumns(
  weights: Map<string, Weight>,
  { layer, columns, random }: { layer: string; columns: Columns; random: Random },
): void {
  const main = weights.get(layer)!
  const [outputs, inputs] = main.shape as [number, number]
  const old = weights.get(`${layer}${covariatesSuffix}`)
  const whole = new Float32Array(outputs * columns.width)
  for (let row = 0; row < outputs; row++)
    for (const [i, column] of columns.kept.entries())
      whole[row * columns.width + column] = old!.data[row * columns.kept.length + i]!
  weights.set(`${layer}${covariatesSuffix}`, { shape: [outputs, columns.width], data: whole })
  if (columns.added.length === 0) return
  const within = 1 / Math.sqrt(inputs + columns.width)
  const own = random.fork(layer)
  const data = Float32Array.from(
    { length: outputs * columns.added.length },
    () => (2 * own.uniform() - 1) * within,
  )
  weights.set(`${layer}${addedSuffix}`, { shape: [outputs, columns.added.length], data })
}

export const addedSuffix = '#added'

/** A new batch has the mean of the others: dispersions do not learn, and what is usual of library sizes is told later (library-prior.ts). */
function moreGroups({ shape, data }: Weight, more: number): Weight {
  const [genes, groups] = shape as [number, number]
  const wide = new Float32Array(genes * (groups + more))
  for (let gene = 0; gene < genes; gene++) {
    const row = data.subarray(gene * groups, (gene + 1) * groups)
    wide.set(row, gene * (groups + more))
    const mean = row.reduce((sum, value) => sum + value, 0) / groups
    wide.fill(mean, gene * (groups + more) + groups, (gene + 1) * (groups + more))
  }
  return { shape: [genes, groups + more], data: wide }
}

/** Once trained, the added columns become columns as all others. */
export function settleColumns<Of extends ScviShape | ScanviShape>(
  shape: Of,
  weights: ReadonlyMap<string, Weight>,
): { shape: Of; weights: Map<string, Weight> } {
  const { added = [], ...settled } = shape
  const all = new Map<string, Weight>()
  for (const [name, weight] of weights) {
    if (name.endsWith(addedSuffix)) continue
    const more = name.endsWith(covariatesSuffix)
      ? weights.get(`${name.slice(0, -covariatesSuffix.length)}${addedSuffix}`)
      : undefined
    all.set(name, more === undefined ? weight : together(weight, { more, added }))
  }
  return { shape: settled as Of, weights: all }
}

function together(whole: Weight, { more, added }: { more: Weight; added: readonly number[] }): Weight {
  const [outputs, width] = whole.shape as [number, number]
  const data = whole.data.slice()
  for (let row = 0; row < outputs; row++)
    for (const [i, column] of added.entries()) data[row * width + column] = more.data[row * added.length + i]!
  return { shape: whole.shape, data }
}

const isStatistic = (name: string) =>
  /\.running_(?:mean|var)$/.test(name) || name === priorMeans || name === priorVariances
const isNorm = (name: string) => /\.fc_layers\.Layer \d+\.1\.(?:weight|bias)$/.test(name)

function learns(name: string, flags: SurgeryFlags): boolean {
  if (isStatistic(name) || name === 'y_prior') return false
  if (flags.unfrozen || name.endsWith(addedSuffix)) return true
  if (name.startsWith('classifier.')) return !flags.freezeClassifier
  if (name.startsWith('l_encoder.')) return true
  if (isNorm(name)) {
    if (name.includes('encoder')) return !flags.freezeBatchnormEncoder
    return name.includes('decoder') && !flags.freezeBatchnormDecoder
  }
  if (name.startsWith('z_encoder.encoder.fc_layers.Layer 0.0.')) return !flags.freezeExpression
  if (name.startsWith('decoder.px_decoder.fc_layers.Layer 0.0.')) return !flags.freezeDecoderFirstLayer
  return false
}

function staysFixed(norm: string, flags: SurgeryFlags): boolean {
  if (norm.startsWith('classifier.')) return flags.freezeClassifier && !flags.classifierDrifts
  if (norm.startsWith('l_encoder.')) return false
  return norm.includes('encoder') ? flags.freezeBatchnormEncoder : flags.freezeBatchnormDecoder
}

/** What users met and could not see (scvi-tools #2331 and others). */
function trapsOf(
  shape: ScviShape,
  { flags, columns, place }: { flags: SurgeryFlags; columns: Columns; place: string },
): ErrorReport[] {
  const notices: ErrorReport[] = []
  const isEncoderFrozen = !flags.unfrozen && flags.freezeExpression && flags.freezeBatchnormEncoder
  if (!shape.encodeCovariates && isEncoderFrozen)
    notices.push({
      code: 'SURGERY_MOVES_NOTHING',
      place,
      problem:
        "this model's encoder does not know of batches: surgery changes its decoder alone, and no cell's place",
      remedy:
        'The places are those of the frozen model. Train the reference with encode_covariates: true for a surgery that can correct the query',
    })
  if (columns.added.length === 0)
    notices.push({
      code: 'SURGERY_NO_NEW_BATCH',
      place,
      problem: 'every batch of the query is one that the reference has',
      remedy: 'Give the query a batch of its own, unless it really is of the same batch',
    })
  return notices
}
