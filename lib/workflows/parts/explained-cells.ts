/**
 * How well a model explains the counts of each cell: the two parts of the negative ELBO at the mean of the posterior, shard by shard in Embed, and what
 * can be compared between cells.
 *
 * Trap: the reconstruction error of a cell is mostly a matter of how much of it was sequenced. Of 2,000 blood cells it goes with the genes that were
 * detected (correlation 0.96), and the error per count goes the other way (-0.89 with the logarithm of the counts); the error per detected gene does
 * neither (0.05), so that is what cells are compared by.
 */
import type { RowSlab } from '../../data/cells.ts'
import type { StepContext } from '../workflow.ts'
import type { OpenShard, ShardLook } from './latent.ts'
import { shardRange } from './shards.ts'

/** Leaves three blocks of the shard's cells; NaN and 0 of those that take no part. */
export function explaining(): ShardLook {
  return ({ step, inference, start, end }: OpenShard) => {
    const reconstruction = new Float32Array(end - start).fill(Number.NaN)
    const divergence = new Float32Array(end - start).fill(Number.NaN)
    const genes = new Int32Array(end - start)
    return {
      async take({ slab, covariates, cells }) {
        const losses = await inference.losses(slab, covariates)
        const detected = detectedIn(slab)
        for (const [row, cell] of cells.entries()) {
          reconstruction[cell - start] = losses.reconstruction[row]!
          divergence[cell - start] = losses.divergence[row]!
          genes[cell - start] = detected[row]!
        }
      },
      async finish() {
        await step.writeBlock('reconstruction', reconstruction)
        await step.writeBlock('divergence', divergence)
        await step.writeBlock('model-genes', genes)
      },
    }
  }
}

export interface Explained {
  /** -log p(counts | place) of each cell, in nats; NaN for cells that take no part */
  reconstruction: Float32Array
  /** of the posterior from the prior */
  divergence: Float32Array
  /** genes of the model that were detected in it */
  genes: Int32Array
}

/** What all shards wrote; null where the last of them wrote nothing of the kind. */
export async function readExplained({ road, before }: StepContext, cells: number): Promise<Explained | null> {
  const { blocks } = await before('Embed', road.shards - 1).finished()
  if (!Object.hasOwn(blocks, 'reconstruction')) return null
  const explained: Explained = {
    reconstruction: new Float32Array(cells),
    divergence: new Float32Array(cells),
    genes: new Int32Array(cells),
  }
  for (let shard = 0; shard < road.shards; shard++) {
    const [start] = shardRange(shard, { cells, shards: road.shards })
    const step = before('Embed', shard)
    explained.reconstruction.set(await step.readBlock('reconstruction', Float32Array), start)
    explained.divergence.set(await step.readBlock('divergence', Float32Array), start)
    explained.genes.set(await step.readBlock('model-genes', Int32Array), start)
  }
  return explained
}

/** Nats a detected gene; NaN where there is none. */
export function errorPerGene({ reconstruction, genes }: Explained): Float32Array {
  return reconstruction.map((error, cell) => (genes[cell] === 0 ? Number.NaN : error / genes[cell]!))
}

/** Means over cells, in nats. */
export interface MeanExplained {
  cells: number
  reconstruction: number
  divergence: number
  /** negative; their sum, under the name that scvi-tools logs it by */
  elbo: number
  /** of the cells' errors per detected gene */
  perGene: number
}

/**
 * Of each group, over the cells that have a finite error; null where none has.
 * @param of.groupOf number of the group of a cell, -1 for none
 */
export function meansExplained(
  { reconstruction, divergence, genes }: Explained,
  { groups, groupOf }: { groups: number; groupOf: (cell: number) => number },
): (MeanExplained | null)[] {
  const totals = Array.from({ length: groups }, () => ({ cells: 0, error: 0, apart: 0, perGene: 0 }))
  for (let cell = 0; cell < reconstruction.length; cell++) {
    const [error, apart] = [reconstruction[cell]!, divergence[cell]!]
    const total = totals[groupOf(cell)]
    if (total === undefined || !Number.isFinite(error + apart) || genes[cell] === 0) continue
    total.cells++
    total.error += error
    total.apart += apart
    total.perGene += error / genes[cell]!
  }
  return totals.map(({ cells, error, apart, perGene }) =>
    cells === 0
      ? null
      : {
          cells,
          reconstruction: error / cells,
          divergence: apart / cells,
          elbo: (error + apart) / cells,
          perGene: perGene / cells,
        },
  )
}

/** Genes of each row with a count. */
export function detectedIn({ rows, indptr, values }: RowSlab): Int32Array {
  return Int32Array.from({ length: rows }, (_, row) => {
    let detected = 0
    for (let k = indptr[row]!; k < indptr[row + 1]!; k++) detected += Number(values[k]! > 0)
    return detected
  })
}
