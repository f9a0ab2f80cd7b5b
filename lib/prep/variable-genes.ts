/**
 * Highly variable genes as scanpy's `flavor='seurat'` (1.9) on logs: log dispersion, standardised among genes of like mean.
 * Before, as CellTypist does, genes seen in fewer than 5 cells are left out.
 *
 * Differs from scanpy where it is not decided by the data: exactly `top` genes (it takes all that tie with the last), ties by
 * the order of genes, and genes without a dispersion never (it takes them once the cut falls below 0).
 */
import type { ErrorReport } from '../job/errors.ts'
import type { GeneMoments } from './gene-moments.ts'

export interface VariableGenes {
  /** numbers of the genes, most variable first */
  ranked: Int32Array
  /** per gene; NaN where it was left out or has none */
  dispersions: Float64Array
  notices: ErrorReport[]
}

export interface VariableOptions {
  /** for messages: the matrix */
  place: string
  /** 2500 unless told */
  top?: number
  /** cells that a gene must be seen in: 5 unless told */
  minCells?: number
  /** 20 unless told */
  bins?: number
}

export function selectVariableGenes(moments: GeneMoments, options: VariableOptions): VariableGenes {
  const { top = 2500, minCells = 5, bins = 20 } = options
  const genes = indicesWhere(moments.detected, (cells) => cells >= minCells)
  const dispersions = new Float64Array(moments.means.length).fill(Number.NaN)
  const standardised = standardise(moments, { genes, bins })
  for (const [i, gene] of genes.entries()) dispersions[gene] = standardised[i]!
  const known = genes.filter((gene) => !Number.isNaN(dispersions[gene]!))
  const order = known.sort((a, b) => descending(dispersions[a]!, dispersions[b]!) || a - b)
  const ranked = Int32Array.from(order.slice(0, top))
  return { ranked, dispersions, notices: ranked.length === 0 ? [noneFound(options.place, minCells)] : [] }
}

/** Two infinite dispersions are equal, and their difference is no number. */
function descending(a: number, b: number): number {
  return a === b ? 0 : b > a ? 1 : -1
}

function indicesWhere(values: Int32Array, holds: (value: number) => boolean): number[] {
  const found: number[] = []
  for (const [i, value] of values.entries()) if (holds(value)) found.push(i)
  return found
}

function standardise(
  { means, variances }: GeneMoments,
  { genes, bins }: { genes: readonly number[]; bins: number },
): Float64Array {
  const logMeans = Float64Array.from(genes, (gene) => Math.log1p(means[gene] || 1e-12))
  const logDispersions = Float64Array.from(genes, (gene) => {
    const dispersion = variances[gene]! / (means[gene] || 1e-12)
    return dispersion === 0 ? Number.NaN : Math.log(dispersion)
  })
  const binOf = cutIntoBins(logMeans, bins)
  const { centre, spread } = binStatistics(logDispersions, { binOf, bins })
  return logDispersions.map((value, i) => (value - centre[binOf[i]!]!) / spread[binOf[i]!]!)
}

/** Number of the bin of each value: equal widths, closed on the right, the first a little wider (pandas.cut). */
function cutIntoBins(values: Float64Array, bins: number): Int32Array {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
  for (const value of values) {
    low = Math.min(low, value)
    high = Math.max(high, value)
  }
  const isFlat = low === high
  if (isFlat) {
    const aside = low === 0 ? 0.001 : 0.001 * Math.abs(low)
    low -= aside
    high += aside
  }
  const step = (high - low) / bins
  const edges = Float64Array.from({ length: bins + 1 }, (_, i) => (i === bins ? high : low + i * step))
  if (!isFlat) edges[0] = low - (high - low) * 0.001
  return Int32Array.from(values, (value) => {
    let bin = 0
    while (bin < bins - 1 && value > edges[bin + 1]!) bin++
    return bin
  })
}

/** Mean and standard deviation (n - 1) of each bin; one with a single gene gives it a standardised value of 1. */
function binStatistics(
  values: Float64Array,
  { binOf, bins }: { binOf: Int32Array; bins: number },
): { centre: Float64Array; spread: Float64Array } {
  const counts = new Int32Array(bins)
  const sums = new Float64Array(bins)
  const squares = new Float64Array(bins)
  const each = (use: (bin: number, value: number) => void): void => {
    for (const [i, value] of values.entries()) if (!Number.isNaN(value)) use(binOf[i]!, value)
  }
  each((bin, value) => {
    counts[bin]! += 1
    sums[bin]! += value
  })
  const centre = sums.map((sum, bin) => sum / counts[bin]!)
  each((bin, value) => {
    squares[bin]! += (value - centre[bin]!) ** 2
  })
  const spread = squares.map((sum, bin) => Math.sqrt(sum / (counts[bin]! - 1)))
  for (const [bin, count] of counts.entries()) {
    if (count !== 1) continue
    spread[bin] = centre[bin]!
    centre[bin] = 0
  }
  return { centre, spread }
}

function noneFound(place: string, minCells: number): ErrorReport {
  const problem = `no gene varies among the cells and is seen in at least ${minCells} of them`
  return { code: 'VARIABLE_GENES_NONE', place, problem, remedy: 'Give more cells, or more genes' }
}
