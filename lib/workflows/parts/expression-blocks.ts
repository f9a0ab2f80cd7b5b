/**
 * Normalised expression of one shard's cells, computed in Embed and left as blocks of some million numbers each, so that neither the shard that writes them
 * nor the file that is made of them holds more than a block. Cells that take no part are NaN.
 */
import type { RowSlab } from '../../data/cells.ts'
import type { ExpressionSettings } from '../../job/settings/expression.ts'
import type { Step } from '../../job/steps.ts'
import type { ExpressionOptions } from '../../models/scvi-inference.ts'
import type { ScviModel } from '../../models/scvi-model.ts'
import type { StepContext } from '../workflow.ts'
import { slabRows } from './count-shards.ts'
import { batchNumbers, type ExpressionPlan } from './expression-plan.ts'
import type { OpenShard, ShardLook } from './latent.ts'
import { shardRange } from './shards.ts'

/** numbers of one block: 16 MiB */
const blockNumbers = 2 ** 22

/** Rows that make one block. */
export function blockRows(width: number): number {
  return Math.max(1, Math.floor(blockNumbers / width))
}

const blockOf = (number: number) => `expression-${String(number).padStart(5, '0')}`

/** @throws BadInput TRANSFORM_BATCH_UNKNOWN where surgery learnt none of the batches that it was to learn */
export function expressing(plan: ExpressionPlan, settings: ExpressionSettings & { seed: number }): ShardLook {
  return ({ step, inference, model, start, end }: OpenShard) => {
    const options = optionsOf(plan, { settings, model })
    const first = Math.max(start, plan.first)
    const blocks = blockWriter(step, { rows: Math.max(0, end - first), width: plan.width })
    const atOnce = blockRows(Math.max(plan.width, model.shape.genes))
    return {
      async take({ slab, covariates, cells }) {
        const wanted = Int32Array.from(cells.keys()).filter((row) => cells[row]! >= first)
        for (let from = 0; from < wanted.length; from += atOnce) {
          const rows = wanted.subarray(from, from + atOnce)
          const own = rows.map((row) => cells[row]!)
          const part = { ...slabRows(slab, rows), start: rows[0]! }
          const values = await inference.expression(part, covariates, withCells(options, own))
          for (const [i, cell] of own.entries())
            await blocks.put(cell - first, values.subarray(i * plan.width, (i + 1) * plan.width))
        }
      },
      finish: () => blocks.finish(),
    }
  }
}

function optionsOf(
  { genes, batches }: ExpressionPlan,
  { settings, model }: { settings: ExpressionSettings & { seed: number }; model: ScviModel },
): ExpressionOptions {
  const { library_size, n_samples = 1, seed } = settings
  return {
    ...(genes !== null && { genes: Int32Array.from(genes) }),
    ...(batches !== null && { batches: batchNumbers(batches, model.setup.batch.categories) }),
    ...(n_samples > 1 && { draws: { count: n_samples, seed } }),
    ...(library_size !== undefined && { librarySize: library_size }),
  }
}

/** Noise goes by a cell's number, whatever shard it is in. */
function withCells(options: ExpressionOptions, cells: Int32Array): ExpressionOptions {
  return options.draws === undefined ? options : { ...options, draws: { ...options.draws, cells } }
}

interface BlockWriter {
  /** Rows come in order; those that do not come are NaN. */
  put(row: number, values: Float32Array): Promise<void>
  finish(): Promise<void>
}

export function blockWriter(
  step: Pick<Step, 'writeBlock'>,
  { rows, width }: { rows: number; width: number },
): BlockWriter {
  const atOnce = blockRows(width)
  const blocks = Math.ceil(rows / atOnce)
  let [number, held] = [0, emptyBlock(0)]
  function emptyBlock(block: number): Float32Array {
    return new Float32Array(Math.max(0, Math.min(atOnce, rows - block * atOnce)) * width).fill(Number.NaN)
  }
  const flush = async () => {
    await step.writeBlock(blockOf(number), held)
    held = emptyBlock(++number)
  }
  return {
    async put(row, values) {
      while (row >= (number + 1) * atOnce) await flush()
      held.set(values, (row - number * atOnce) * width)
    },
    async finish() {
      while (number < blocks) await flush()
    },
  }
}

/**
 * What all shards wrote, in the order of the cells: rows of a dense matrix, a block at a time.
 * @param of.allCells those that are not written included, as shards count them
 */
export async function* expressionSlabs(
  { road, before, signal }: StepContext,
  { plan, allCells }: { plan: ExpressionPlan; allCells: number },
): AsyncGenerator<RowSlab> {
  const { first, width } = plan
  const atOnce = blockRows(width)
  for (let shard = 0; shard < road.shards; shard++) {
    const [start, end] = shardRange(shard, { cells: allCells, shards: road.shards })
    const from = Math.max(start, first)
    for (let number = 0; from + number * atOnce < end; number++) {
      signal.throwIfAborted()
      const values = await before('Embed', shard).readBlock(blockOf(number), Float32Array)
      yield denseSlab(values, { start: from - first + number * atOnce, width })
    }
  }
}

function denseSlab(values: Float32Array, { start, width }: { start: number; width: number }): RowSlab {
  const rows = values.length / width
  const indices = new Int32Array(values.length)
  for (let row = 0, at = 0; row < rows; row++) for (let gene = 0; gene < width; gene++) indices[at++] = gene
  return {
    ...{ start, rows, columns: width, indices, values },
    indptr: Float64Array.from({ length: rows + 1 }, (_, row) => row * width),
  }
}
