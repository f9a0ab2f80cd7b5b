/**
 * Where cells lie in a model's latent space, and the probabilities of their labels: computed shard by shard in Embed, read back whole by the steps
 * after it. Cells that take no part (count-shards.ts) have NaN in both.
 */
import type { RowSlab } from '../../data/cells.ts'
import type { ErrorReport } from '../../job/errors.ts'
import type { Step } from '../../job/steps.ts'
import { type ScviInference, scviInference } from '../../models/scvi-inference.ts'
import type { ScviModel } from '../../models/scvi-model.ts'
import type { CellCovariates } from '../../models/slab-feeds.ts'
import type { StepContext } from '../workflow.ts'
import { type CellCodes, codesOf, slabRows } from './count-shards.ts'
import { readShard, shardRange } from './shards.ts'
import { providersOf } from './train-network.ts'

/** cells embedded between two looks at signals */
const rowsAtOnce = 4096

export interface OpenShard {
  step: Step
  model: ScviModel
  inference: ScviInference
  /** its cells, among all */
  start: number
  end: number
}

/** Some cells of a shard that take part, in their order; covariates are of these rows alone. */
export interface ShardRows {
  slab: RowSlab
  covariates: CellCovariates
  /** number of each row among all cells */
  cells: Int32Array
}

/** What else is asked of a model about the cells that it embeds; it writes blocks of its own. */
export type ShardLook = (shard: OpenShard) => {
  take(rows: ShardRows): Promise<void>
  finish(): Promise<void>
}

export interface ShardToEmbed {
  model: ScviModel
  codes: CellCodes
  /** of what the cells are, for messages */
  place: string
  /** what blocks are called by, where several models embed: 'latent' and 'soft' unless told */
  prefix?: string
  looks?: readonly ShardLook[]
}

/** Writes the latent means of this shard's cells (rows x latent), and of SCANVI their probabilities (rows x classes). */
export async function embedShard(
  context: StepContext,
  { model, codes, place, prefix = '', looks = [] }: ShardToEmbed,
): Promise<{ cells: number; notices: ErrorReport[] }> {
  const { road, step, shard } = context
  const cells = codes.leftOut.length
  const [start, end] = shardRange(shard, { cells, shards: road.shards })
  const slab = await readShard(context.before('Prepare'), shard, { start, columns: model.shape.genes })
  const rows = Int32Array.from({ length: end - start }, (_, row) => row).filter(
    (row) => codes.leftOut[start + row] === 0,
  )
  const notices: ErrorReport[] = []
  const inference = scviInference(model, { place, notices, providers: providersOf(road.settings) })
  const open: OpenShard = { step, model, inference, start, end }
  const all = [embedding(prefix), ...looks].map((look) => look(open))
  try {
    for (let from = 0; from < rows.length; from += rowsAtOnce) {
      const own = rows.subarray(from, from + rowsAtOnce)
      const numbers = own.map((row) => start + row)
      const taken = { slab: slabRows(slab, own), covariates: covariatesOf(codes, numbers), cells: numbers }
      for (const look of all) await look.take(taken)
      context.progress(from + own.length, rows.length, 'cells', 'embedding')
    }
    for (const look of all) await look.finish()
  } finally {
    await inference.close()
  }
  return { cells: rows.length, notices }
}

function covariatesOf(codes: CellCodes, cells: Int32Array): CellCovariates {
  const { categories, continuous, labels } = codesOf(codes, cells)
  return {
    categories,
    ...(continuous !== null && { continuous }),
    ...(labels !== null && { labels }),
  }
}

function embedding(prefix: string): ShardLook {
  return ({ step, model, inference, start, end }) => {
    const { latent } = model.shape
    const classes = model.kind === 'scanvi' ? model.shape.classes : 0
    const places = new Float32Array((end - start) * latent).fill(Number.NaN)
    const soft = new Float32Array((end - start) * classes).fill(Number.NaN)
    return {
      async take({ slab, covariates, cells }) {
        const { mean, logits } = await inference.posterior(slab, covariates)
        for (const [i, cell] of cells.entries()) {
          const row = cell - start
          places.set(mean.subarray(i * latent, (i + 1) * latent), row * latent)
          if (logits !== null)
            soft.set(softmax(logits.subarray(i * classes, (i + 1) * classes)), row * classes)
        }
      },
      async finish() {
        await step.writeBlock(`${prefix}latent`, places)
        if (classes > 0) await step.writeBlock(`${prefix}soft`, soft)
      },
    }
  }
}

function softmax(logits: Float32Array): Float32Array {
  const most = logits.reduce((largest, value) => Math.max(largest, value), Number.NEGATIVE_INFINITY)
  const weights = logits.map((value) => Math.exp(value - most))
  const total = weights.reduce((sum, value) => sum + value, 0)
  return weights.map((value) => value / total)
}

export interface Embedded {
  /** cells x latent; NaN for cells that take no part */
  latent: Float32Array
  /** cells x classes; null where no label is predicted */
  soft: Float32Array | null
}

/** What all shards wrote, in the order of the cells. */
export async function readEmbedded(
  { road, before }: StepContext,
  {
    cells,
    latent: dims,
    classes,
    prefix = '',
  }: { cells: number; latent: number; classes: number; prefix?: string },
): Promise<Embedded> {
  const whole = async (name: string, width: number) => {
    const values = new Float32Array(cells * width)
    for (let shard = 0; shard < road.shards; shard++) {
      const [start] = shardRange(shard, { cells, shards: road.shards })
      values.set(await before('Embed', shard).readBlock(`${prefix}${name}`, Float32Array), start * width)
    }
    return values
  }
  return { latent: await whole('latent', dims), soft: classes === 0 ? null : await whole('soft', classes) }
}

export interface Called {
  /** the most likely class of each cell; -1 for cells that take no part */
  codes: Int32Array
  /** its probability; NaN where there is none */
  confidence: Float32Array
  /** of the probabilities, from 0 (one label has all) to 1 (all are alike); NaN where there are none */
  entropy: Float32Array
}

/** @param soft cells x classes */
export function callLabels(soft: Float32Array, classes: number): Called {
  const cells = soft.length / classes
  const called: Called = {
    codes: new Int32Array(cells).fill(-1),
    confidence: new Float32Array(cells).fill(Number.NaN),
    entropy: new Float32Array(cells).fill(Number.NaN),
  }
  for (let cell = 0; cell < cells; cell++) {
    const own = soft.subarray(cell * classes, (cell + 1) * classes)
    if (Number.isNaN(own[0]!)) continue
    let best = 0
    let entropy = 0
    for (let label = 0; label < classes; label++) {
      const chance = own[label]!
      if (chance > own[best]!) best = label
      if (chance > 0) entropy -= chance * Math.log(chance)
    }
    called.codes[cell] = best
    called.confidence[cell] = own[best]!
    called.entropy[cell] = classes === 1 ? 0 : entropy / Math.log(classes)
  }
  return called
}
