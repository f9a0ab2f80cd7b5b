/** Logs of counts scaled over more genes, scaled anew over the genes that are left: log1p of counts per 10,000 among these alone. */

/** @returns the values of the same rows; rows without counts stay empty */
export function rescaleRows<Values extends Float32Array | Float64Array>(
  { rows, indptr, values }: { rows: number; indptr: Float64Array | Int32Array; values: Values },
  { target = 1e4 }: { target?: number } = {},
): Values {
  const scaled = values.slice() as Values
  for (let row = 0; row < rows; row++) {
    const [from, to] = [indptr[row]!, indptr[row + 1]!]
    let total = 0
    for (let i = from; i < to; i++) total += Math.expm1(values[i]!)
    if (!(total > 0)) continue
    for (let i = from; i < to; i++) scaled[i] = Math.log1p((Math.expm1(values[i]!) / total) * target)
  }
  return scaled
}
