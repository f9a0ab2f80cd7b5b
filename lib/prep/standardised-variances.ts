/**
 * How much more each gene varies in each batch than genes of like mean do (Seurat's `vst`, as scanpy's `seurat_v3` has it): the variance of
 * counts over what a smooth curve through all genes expects, counts beyond sqrt(cells) standard deviations taken for that many.
 *
 * Trap: clipping needs the curve, and the curve all cells: a second pass. Only what lies beyond the limit is looked at there, since it alone
 * changes the sums of the first.
 */
import type { RowSlab } from '../data/cells.ts'
import { type BatchCodes, type BatchMoments, groupOf, momentsOf } from './batch-moments.ts'
import { loess } from './loess.ts'

export interface StandardisedVariances {
  /** groups x genes; 0 where the gene does not vary in the batch */
  values: Float64Array
  /** groups whose curve had no unique answer somewhere, or fewer genes than it wants */
  unsure: number[]
}

export interface StandardiseOptions {
  /** groups of the moments that take part */
  used: readonly number[]
  batches: BatchCodes | null
  span: number
}

/**
 * @param slabs the rows that the moments are of, once more
 * @param moments overwritten: their arrays are as large as all else together
 */
export async function standardisedVariances(
  slabs: AsyncIterable<RowSlab>,
  { moments, ...options }: StandardiseOptions & { moments: BatchMoments },
): Promise<StandardisedVariances> {
  const { cells, genes } = moments
  const clipping: Clipping = {
    means: moments.sums,
    spreads: moments.squares,
    limits: new Float64Array(cells.length * genes).fill(Number.POSITIVE_INFINITY),
  }
  const unsure = options.used.filter((group) => limitsOf(moments, { group, clipping, span: options.span }))
  await takeOffBeyond(slabs, { clipping, genes, groups: cells.length, batches: options.batches })
  for (const group of options.used) {
    for (let at = group * genes; at < (group + 1) * genes; at++) {
      const sizeOfLimit = clipping.limits[at]! - clipping.means[at]!
      // the limit is sqrt(n) expected deviations away
      const expected = sizeOfLimit ** 2 / cells[group]!
      // below 0 by rounding alone
      const spread = Math.max(0, clipping.spreads[at]!)
      clipping.spreads[at] = Number.isFinite(expected) ? spread / ((cells[group]! - 1) * expected) : 0
    }
  }
  return { values: clipping.spreads, unsure }
}

interface Clipping {
  means: Float64Array
  /** sums of squared distances from the mean */
  spreads: Float64Array
  /** infinite where a gene does not vary */
  limits: Float64Array
}

/** a curve may leave the heights of its points by so much and no more: through few of them it can swing beyond any count */
const mostBeyond = 2

/** @returns whether the curve is unsure */
function limitsOf(
  moments: BatchMoments,
  { group, clipping, span }: { group: number; clipping: Clipping; span: number },
): boolean {
  const { genes } = moments
  const cells = moments.cells[group]!
  const { means, variances } = momentsOf(moments, group)
  const varying = Int32Array.from(variances.keys()).filter((gene) => variances[gene]! > 0)
  const y = Float64Array.from(varying, (gene) => Math.log10(variances[gene]!))
  const curve = loess(
    Float64Array.from(varying, (gene) => Math.log10(means[gene]!)),
    { y, span },
  )
  const [low, high] = y.reduce(([low, high], one) => [Math.min(low, one), Math.max(high, one)], nowhere)
  for (const [i, gene] of varying.entries()) {
    const expected = Math.min(high + mostBeyond, Math.max(low - mostBeyond, curve.fitted[i]!))
    clipping.limits[group * genes + gene] = means[gene]! + 10 ** (expected / 2) * Math.sqrt(cells)
  }
  for (let gene = 0; gene < genes; gene++) {
    clipping.means[group * genes + gene] = means[gene]!
    clipping.spreads[group * genes + gene] = variances[gene]! * (cells - 1)
  }
  return curve.unsure > 0 || curve.isWidened
}

const nowhere: [number, number] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]

interface Pass {
  clipping: Clipping
  genes: number
  groups: number
  batches: BatchCodes | null
}

/** From each spread what counts beyond the limit add to it more than the limit would. */
async function takeOffBeyond(
  slabs: AsyncIterable<RowSlab>,
  { clipping: { means, spreads, limits }, genes, groups, batches }: Pass,
): Promise<void> {
  for await (const { start, rows, indptr, indices, values } of slabs) {
    for (let row = 0; row < rows; row++) {
      const at = groupOf(start + row, { batches, groups }) * genes
      const end = indptr[row + 1]!
      for (let i = indptr[row]!; i < end; i++) {
        const cell = at + indices[i]!
        const limit = limits[cell]!
        if (!(values[i]! > limit)) continue
        const mean = means[cell]!
        spreads[cell]! -= (values[i]! - mean) ** 2 - (limit - mean) ** 2
      }
    }
  }
}
