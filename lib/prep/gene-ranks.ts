/**
 * Genes in the order of their ranks over several batches, as Seurat's SelectIntegrationFeatures and scanpy's `seurat_v3` choose them: the median
 * of the ranks in those batches where the gene is among the first `top`, and in how many it is.
 *
 * Trap: a rank at or beyond `top` counts as missing, not as last, so that a gene of one batch alone can come before one of all. Equal values
 * within a batch are in numpy's order; equal ranks over batches in that of the genes.
 */
import { orderDescending } from './numpy-order.ts'

export interface GeneRanks {
  /** genes that have a rank, best first; `top` at most */
  ranked: Int32Array
  /** per gene the median; NaN where it is among the first in no batch */
  ranks: Float64Array
  /** per gene the batches where it is among the first */
  batches: Int32Array
}

export interface RankOptions {
  genes: number
  /** rows of the values that count */
  used: readonly number[]
  top: number
  /** which comes first: the median rank (`seurat_v3`) or the number of batches (`seurat_v3_paper`) */
  flavour: 'seurat_v3' | 'seurat_v3_paper'
}

/** @param values batches x genes, the more the better; 0 has no rank. Overwritten with the ranks. */
export function rankGenes(values: Float64Array, options: RankOptions): GeneRanks {
  const { genes, used, top } = options
  for (const batch of used) becomeRanks(values.subarray(batch * genes, (batch + 1) * genes), top)
  const ranks = new Float64Array(genes).fill(Number.NaN)
  const batches = new Int32Array(genes)
  for (let gene = 0; gene < genes; gene++) {
    const own = used.map((batch) => values[batch * genes + gene]!).filter((rank) => !Number.isNaN(rank))
    batches[gene] = own.length
    if (own.length > 0) ranks[gene] = median(own)
  }
  const byRank = (a: number, b: number): number => ranks[a]! - ranks[b]!
  const byBatches = (a: number, b: number): number => batches[b]! - batches[a]!
  const [first, second] = options.flavour === 'seurat_v3' ? [byRank, byBatches] : [byBatches, byRank]
  const known = Int32Array.from(ranks.keys()).filter((gene) => batches[gene]! > 0)
  known.sort((a, b) => first(a, b) || second(a, b) || a - b)
  return { ranked: known.slice(0, top), ranks, batches }
}

/** Ranks from 0, most first; NaN beyond the first `top`. */
function becomeRanks(values: Float64Array, top: number): void {
  const order = orderDescending(values).filter((gene) => values[gene]! > 0)
  values.fill(Number.NaN)
  for (const [rank, gene] of order.subarray(0, top).entries()) values[gene] = rank
}

function median(values: number[]): number {
  values.sort((a, b) => a - b)
  const middle = values.length >> 1
  return values.length % 2 === 1 ? values[middle]! : (values[middle - 1]! + values[middle]!) / 2
}
