/**
 * Sparse cells as a model standardises them, never made dense: z = (x - mean) / scale, clipped above, is z0 + lifted, where z0 is what a zero
 * becomes and lifted is 0 wherever the count is. Sums over z are sums over the stored entries, and z0 drops out of all that is centred.
 */

/** Cells x genes in CSR form, log1p-normalised as the model wants them. */
export interface SparseCells {
  rows: number
  columns: number
  indptr: Float64Array | Int32Array
  indices: Int32Array
  values: Float32Array | Float64Array
}

/** How the model standardises a gene; a scale of 0 counts as 1. */
export interface Standard {
  mean: Float64Array
  scale: Float64Array
  /** 10 unless told; null for none */
  clip?: number | null
}

export interface LiftedRows {
  cells: SparseCells
  /** the rows that are meant, in this order */
  rows: Int32Array
  /** of each stored entry of these rows, one row after the other */
  lifted: Float64Array
}

/** @throws RangeError when the model's genes are not those of the cells */
export function liftRows(
  cells: SparseCells,
  { standard, rows }: { standard: Standard; rows: Int32Array },
): LiftedRows {
  const { mean, scale, clip = 10 } = standard
  if (cells.columns === 0 || mean.length !== cells.columns || scale.length !== cells.columns)
    throw new RangeError(`${mean.length} means and ${scale.length} scales for ${cells.columns} genes`)
  const most = clip ?? Number.POSITIVE_INFINITY
  const width = scale.map((value) => (value === 0 ? 1 : value))
  const zero = mean.map((value, gene) => Math.min(-value / width[gene]!, most))
  let entries = 0
  for (const row of rows) entries += cells.indptr[row + 1]! - cells.indptr[row]!
  const lifted = new Float64Array(entries)
  let at = 0
  for (const row of rows)
    for (let i = cells.indptr[row]!; i < cells.indptr[row + 1]!; i++) {
      const gene = cells.indices[i]!
      lifted[at++] = Math.min((cells.values[i]! - mean[gene]!) / width[gene]!, most) - zero[gene]!
    }
  return { cells, rows, lifted }
}

/** Mean of z over the rows, less z0; one a gene. */
export function meanOf({ cells, rows, lifted }: LiftedRows): Float64Array {
  const mean = new Float64Array(cells.columns)
  let at = 0
  for (const row of rows)
    for (let i = cells.indptr[row]!; i < cells.indptr[row + 1]!; i++)
      mean[cells.indices[i]!]! += lifted[at++]!
  return mean.map((sum) => sum / rows.length)
}

/** rows x size: axes (size x genes) times lifted, plus the origin. */
export function project(
  { cells, rows, lifted }: LiftedRows,
  { axes, size, origin }: { axes: Float64Array; size: number; origin: Float64Array },
): Float64Array {
  // gene by gene the axes lie together: one walk through memory an entry
  const byGene = transposed(axes, cells.columns)
  const places = new Float64Array(rows.length * size)
  let at = 0
  for (let cell = 0; cell < rows.length; cell++) {
    const row = rows[cell]!
    const place = places.subarray(cell * size, (cell + 1) * size)
    place.set(origin)
    for (let i = cells.indptr[row]!; i < cells.indptr[row + 1]!; i++) {
      const value = lifted[at++]!
      const start = cells.indices[i]! * size
      for (let k = 0; k < size; k++) place[k]! += value * byGene[start + k]!
    }
  }
  return places
}

/** size x genes: scores (rows x size) transposed, times z less its mean. */
export function projectBack(
  { cells, rows, lifted }: LiftedRows,
  { scores, size, centre }: { scores: Float64Array; size: number; centre: Float64Array },
): Float64Array {
  const byGene = new Float64Array(cells.columns * size)
  const sums = new Float64Array(size)
  let at = 0
  for (let cell = 0; cell < rows.length; cell++) {
    const row = rows[cell]!
    const score = scores.subarray(cell * size, (cell + 1) * size)
    for (let k = 0; k < size; k++) sums[k]! += score[k]!
    for (let i = cells.indptr[row]!; i < cells.indptr[row + 1]!; i++) {
      const value = lifted[at++]!
      const start = cells.indices[i]! * size
      for (let k = 0; k < size; k++) byGene[start + k]! += value * score[k]!
    }
  }
  for (let gene = 0; gene < cells.columns; gene++)
    for (let k = 0; k < size; k++) byGene[gene * size + k]! -= centre[gene]! * sums[k]!
  return transposed(byGene, size)
}

function transposed(matrix: Float64Array, columns: number): Float64Array {
  const rows = matrix.length / columns
  const turned = new Float64Array(matrix.length)
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++)
      turned[column * rows + row] = matrix[row * columns + column]!
  return turned
}
