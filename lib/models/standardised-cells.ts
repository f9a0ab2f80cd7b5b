/**
 * Training cells as a linear model sees them: z = (x - mean) / scale, values above `clip` set to it, without ever filling zeros in.
 * A zero of gene j is z0_j in every cell, so Z = S + 1 z0' with S as sparse as the counts; products with Z are products with S and a dot.
 */

/** Cells x genes in CSR form, values log1p-normalised. */
export interface TrainingRows {
  rows: number
  columns: number
  /** rows + 1 offsets */
  indptr: Float64Array | Int32Array
  indices: Int32Array
  values: Float32Array | Float64Array
}

export interface StandardisedCells {
  rows: number
  columns: number
  indptr: Float64Array | Int32Array
  indices: Int32Array
  /** z - z0 of each stored entry */
  lifted: Float64Array
  /** z of a zero, one a gene */
  zero: Float64Array
  mean: Float64Array
  /** standard deviation over all cells (divisor n); 1 where a gene does not vary */
  scale: Float64Array
}

/** What standardises a gene's values, for each gene. */
export interface Standardisation {
  /** 0 where values are not centred */
  mean: Float64Array
  /** standard deviation about the mean over all cells (divisor n), centred or not; 1 where a gene does not vary */
  scale: Float64Array
  /** z of a zero */
  zero: Float64Array
  /** the value from which on z is clipped */
  highest: Float64Array
  /** what a clipped zero is as a value: 0 unless `highest` is negative */
  lifts: Float64Array
}

/** Means and standard deviations over these cells. @param options.centre whether the mean is subtracted: true */
export function standardisation(
  { rows, columns, indptr, indices, values }: TrainingRows,
  { clip = 10, centre = true }: { clip?: number; centre?: boolean } = {},
): Standardisation {
  const mean = new Float64Array(columns)
  const scale = new Float64Array(columns)
  const seen = new Int32Array(columns)
  const [from, to] = [indptr[0]!, indptr[rows]!]
  for (let i = from; i < to; i++) {
    mean[indices[i]!]! += values[i]!
    seen[indices[i]!]! += 1
  }
  for (let gene = 0; gene < columns; gene++) mean[gene]! /= rows
  for (let i = from; i < to; i++) scale[indices[i]!]! += (values[i]! - mean[indices[i]!]!) ** 2
  for (let gene = 0; gene < columns; gene++) {
    const variance = (scale[gene]! + (rows - seen[gene]!) * mean[gene]! ** 2) / rows
    // rounding leaves a trace of variance in a gene that is the same everywhere
    scale[gene] = variance > 10 * Number.EPSILON * mean[gene]! ** 2 ? Math.sqrt(variance) : 1
  }
  return standardisationFrom({ mean: centre ? mean : new Float64Array(columns), scale }, { clip })
}

/** The rest from means and standard deviations that were computed before, such as over more cells. */
export function standardisationFrom(
  { mean, scale }: { mean: Float64Array; scale: Float64Array },
  { clip = 10 }: { clip?: number } = {},
): Standardisation {
  const highest = mean.map((value, gene) => value + clip * scale[gene]!)
  const lifts = highest.map((value) => Math.min(0, value))
  const zero = mean.map((value, gene) => Math.min(-value / scale[gene]!, clip))
  return { mean, scale, zero, highest, lifts }
}

export function standardise(cells: TrainingRows, { clip = 10 }: { clip?: number } = {}): StandardisedCells {
  const { rows, columns, indptr, indices, values } = cells
  const { mean, scale, zero } = standardisation(cells, { clip })
  const lifted = new Float64Array(indices.length)
  for (let i = 0; i < indices.length; i++) {
    const gene = indices[i]!
    lifted[i] = Math.min((values[i]! - mean[gene]!) / scale[gene]!, clip) - zero[gene]!
  }
  return { rows, columns, indptr, indices, lifted, zero, mean, scale }
}
