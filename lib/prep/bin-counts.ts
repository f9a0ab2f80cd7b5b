/**
 * Each cell's counts as bins of its own quantiles, as scPDAC's `slice_and_bin` makes them for its SCANVI models: 0 stays 0, what is above is the
 * number of edges that it reaches, from 1 to bins - 1.
 *
 * Trap: edges are compared with the very counts that they were made from, so they are rounded step by step as numpy's `linspace` and
 * `quantile` (1.22 and later) round. Stored zeros are dropped first, which scPDAC takes for counts where the matrix is sparse.
 */
import type { RowSlab } from '../data/cells.ts'
import { type Alignment, alignRows } from './align-genes.ts'
import { checkCounts, noneBroken } from './count-values.ts'

export interface BinOptions {
  /** for messages: the matrix */
  place: string
  /** 2 to 65,536; 50 unless told */
  bins?: number
}

/**
 * All rows in order, once: over the genes of a panel, each gene there or zero, then binned.
 * @param options.genes where each column goes (`planGenes`); columns that are one gene are summed
 * @throws BadInput VALUES_NOT_COUNTS at a negative, NaN or infinite value
 */
export async function* binnedRows(
  slabs: AsyncIterable<RowSlab>,
  { genes, ...options }: BinOptions & { genes: Pick<Alignment, 'target' | 'genes'> },
): AsyncGenerator<RowSlab> {
  for await (const slab of slabs) yield binRows(alignRows(slab, genes), options)
}

/** Bins in place of counts, zeros left out; a slab of its own memory, a cell without counts stays empty. */
export function binRows(slab: RowSlab, { place, bins = 50 }: BinOptions): RowSlab {
  if (!Number.isInteger(bins) || bins < 2 || bins > 2 ** 16) throw new RangeError(`${bins} bins`)
  // counts that are not whole have quantiles like any others
  checkCounts(slab, { place, broken: noneBroken() })
  const { rows, values } = slab
  const most = slab.indptr[rows]!
  const indptr = new Int32Array(rows + 1)
  const indices = new Int32Array(most)
  const binned = bins <= 256 ? new Uint8Array(most) : new Uint16Array(most)
  let at = 0
  for (let row = 0; row < rows; row++) {
    const first = at
    for (let i = slab.indptr[row]!; i < slab.indptr[row + 1]!; i++) if (values[i]! > 0) indices[at++] = i
    const own = new Float64Array(at - first)
    for (let i = first; i < at; i++) own[i - first] = values[indices[i]!]!
    const edges = binEdges(own, bins)
    for (let i = first; i < at; i++) {
      binned[i] = edgesReached(edges, own[i - first]!)
      indices[i] = slab.indices[indices[i]!]!
    }
    indptr[row + 1] = at
  }
  return { ...slab, indptr, indices: indices.subarray(0, at), values: binned.subarray(0, at) }
}

/** bins - 1 quantiles of the values from the least to the most, ascending; none without values. */
export function binEdges(values: Float64Array, bins: number): Float64Array {
  if (values.length === 0) return new Float64Array(0)
  const sorted = values.slice().sort()
  const last = sorted.length - 1
  const edges = new Float64Array(bins - 1)
  const step = 1 / (bins - 2)
  for (let i = 0; i < edges.length; i++) {
    const place = last * (i === 0 ? 0 : i === bins - 2 ? 1 : i * step)
    const below = Math.floor(place)
    const from = sorted[below]!
    const to = sorted[Math.min(last, below + 1)]!
    const share = place - below
    edges[i] = share < 0.5 ? from + (to - from) * share : to - (to - from) * (1 - share)
  }
  return edges
}

function edgesReached(edges: Float64Array, value: number): number {
  let low = 0
  let high = edges.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (edges[middle]! <= value) low = middle + 1
    else high = middle
  }
  return low
}
