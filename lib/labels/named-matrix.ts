/**
 * Small dense matrices with names, as figures want them, and the three ways in which SpatialCore scales them.
 */

/** rows x columns values, by rows. */
export interface NamedMatrix {
  rows: string[]
  columns: string[]
  values: Float64Array
}

/** Rows become columns. */
export function transposed({ rows, columns, values }: NamedMatrix): NamedMatrix {
  const turned = new Float64Array(values.length)
  for (let row = 0; row < rows.length; row++)
    for (let column = 0; column < columns.length; column++)
      turned[column * rows.length + row] = values[row * columns.length + column]!
  return { rows: columns, columns: rows, values: turned }
}

/** Rows to mean 0 and deviation 1; 0 where they do not vary. @param fewer what the number of values is lessened by in the variance */
export function standardisedRows(matrix: NamedMatrix, fewer: 0 | 1): NamedMatrix {
  const size = matrix.columns.length
  const values = matrix.values.slice()
  for (let row = 0; row < matrix.rows.length; row++) {
    const own = values.subarray(row * size, (row + 1) * size)
    const mean = own.reduce((sum, value) => sum + value, 0) / size
    const squares = own.reduce((sum, value) => sum + (value - mean) ** 2, 0)
    const deviation = Math.sqrt(squares / (size - fewer))
    // equal values can have a mean that is off in the last digit, and a deviation of nothing but that
    const isFlat = !(deviation > 1e-12 * Math.abs(mean))
    for (let i = 0; i < size; i++) own[i] = isFlat ? 0 : (own[i]! - mean) / deviation
  }
  return { ...matrix, values }
}

/** Each column from 0, its least, to nearly 1, its most; 0 where it is flat. */
export function spreadColumns(matrix: NamedMatrix): NamedMatrix {
  const size = matrix.columns.length
  const values = matrix.values.slice()
  for (let column = 0; column < size; column++) {
    const own = matrix.rows.map((_, row) => matrix.values[row * size + column]!)
    const least = own.reduce((low, value) => Math.min(low, value), Number.POSITIVE_INFINITY)
    const most = own.reduce((high, value) => Math.max(high, value), Number.NEGATIVE_INFINITY)
    // upstream adds 1e-10, so that a flat marker is 0 and the most is just below 1
    for (const [row, value] of own.entries())
      values[row * size + column] = (value - least) / (most - least + 1e-10)
  }
  return { ...matrix, values }
}
