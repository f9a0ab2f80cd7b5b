/**
 * Mean and variance of each gene over all cells, from streamed rows of logs, of what the logs stand for (expm1): what
 * variable genes are chosen by. Welford's updating over the entries, then the zeros at once (Chan), so that a gene that is
 * the same in every cell has a variance of exactly 0.
 */
import type { RowSlab } from '../data/cells.ts'

export interface GeneMoments {
  cells: number
  /** per gene, of expm1 of the logs */
  means: Float64Array
  /** per gene, with n - 1 in the denominator */
  variances: Float64Array
  /** per gene: cells in which it is not zero */
  detected: Int32Array
}

/** @param options.columns genes of the rows */
export async function geneMoments(
  slabs: AsyncIterable<RowSlab>,
  { columns }: { columns: number },
): Promise<GeneMoments> {
  const detected = new Int32Array(columns)
  const means = new Float64Array(columns)
  const squares = new Float64Array(columns)
  let cells = 0
  for await (const { rows, indptr, indices, values } of slabs) {
    cells += rows
    const stored = indptr[rows]!
    for (let i = 0; i < stored; i++) {
      if (values[i] === 0) continue
      const gene = indices[i]!
      const value = Math.expm1(values[i]!)
      const count = detected[gene]! + 1
      const away = value - means[gene]!
      const mean = means[gene]! + away / count
      detected[gene] = count
      means[gene] = mean
      squares[gene] = squares[gene]! + away * (value - mean)
    }
  }
  return { cells, detected, ...withZeros({ cells, detected, means, squares }) }
}

interface OverEntries {
  cells: number
  detected: Int32Array
  means: Float64Array
  squares: Float64Array
}

function withZeros({ cells, detected, means, squares }: OverEntries): {
  means: Float64Array
  variances: Float64Array
} {
  const variances = squares.map((sum, gene) => {
    const count = detected[gene]!
    const zeros = (means[gene]! ** 2 * count * (cells - count)) / cells
    return cells > 1 ? (sum + zeros) / (cells - 1) : 0
  })
  return { means: means.map((mean, gene) => (cells > 0 ? (mean * detected[gene]!) / cells : 0)), variances }
}
