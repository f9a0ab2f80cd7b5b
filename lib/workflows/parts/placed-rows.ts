/** Cells that have a place in a latent space, apart from those that have none (NaN), and back among them. */

/** Numbers of the cells that have one. @param latent cells x dims */
export function placedRows(latent: Float32Array, dims: number): Int32Array {
  const cells = Int32Array.from({ length: latent.length / dims }, (_, cell) => cell)
  return cells.filter((cell) => !Number.isNaN(latent[cell * dims]!))
}

/** Of values of all cells (cells x width) those of some, in memory of their own where they are not all. */
export function takenRows(
  values: Float32Array,
  { rows, width }: { rows: Int32Array; width: number },
): Float32Array {
  if (rows.length * width === values.length) return values
  const taken = new Float32Array(rows.length * width)
  for (const [at, row] of rows.entries())
    taken.set(values.subarray(row * width, (row + 1) * width), at * width)
  return taken
}

/** Values of some cells among all; NaN for the others. */
export function spreadRows(
  values: Float32Array,
  { rows, width, cells }: { rows: Int32Array; width: number; cells: number },
): Float32Array {
  if (rows.length === cells) return values
  const spread = new Float32Array(cells * width).fill(Number.NaN)
  for (const [at, row] of rows.entries())
    spread.set(values.subarray(at * width, (at + 1) * width), row * width)
  return spread
}
