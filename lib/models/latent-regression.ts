/**
 * A logistic regression on where cells lie in latent space: one softmax over all labels, standardised coordinates, L2 penalty with C = 1, solved to
 * the optimum. scikit-learn's LogisticRegression on standardised columns is the same.
 */
import { fitLinear } from './fit-linear.ts'

export interface LatentRegression {
  /** float32, cells x labels: rows add up to 1. @param latent cells x dims */
  predict(latent: Float32Array): Float32Array
}

export interface LatentRegressionOptions {
  dims: number
  /** of each cell; -1 for cells that have none and are not learnt from. A label without cells is never predicted */
  codes: Int32Array
  labels: number
  place: string
  signal?: AbortSignal
}

/**
 * @param latent cells x dims
 * @throws BadInput TRAINING_LABELS where fewer than two labels have cells, MATRIX_NOT_FINITE; the signal's reason
 */
export async function fitLatentRegression(
  latent: Float32Array,
  { dims, codes, labels, place, signal }: LatentRegressionOptions,
): Promise<LatentRegression> {
  const taught = Int32Array.from(codes.keys()).filter((cell) => codes[cell]! >= 0)
  const used = [...new Set(taught.map((cell) => codes[cell]!))].sort((a, b) => a - b)
  const classOf = new Int32Array(labels)
  for (const [at, label] of used.entries()) classOf[label] = at
  const values = new Float32Array(taught.length * dims)
  for (const [row, cell] of taught.entries())
    values.set(latent.subarray(cell * dims, (cell + 1) * dims), row * dims)
  const { weights, intercept, mean, scale } = await fitLinear(
    {
      rows: taught.length,
      columns: dims,
      indptr: Float64Array.from({ length: taught.length + 1 }, (_, row) => row * dims),
      indices: Int32Array.from({ length: values.length }, (_, i) => i % dims),
      values,
    },
    {
      codes: taught.map((cell) => classOf[codes[cell]!]!),
      labels: used.length,
      loss: 'multinomial',
      clip: Number.POSITIVE_INFINITY,
      place,
      ...(signal && { signal }),
    },
  )
  return {
    predict(places) {
      const cells = places.length / dims
      const probabilities = new Float32Array(cells * labels)
      const scores = new Float64Array(used.length)
      const standard = new Float64Array(dims)
      for (let cell = 0; cell < cells; cell++) {
        for (let d = 0; d < dims; d++) standard[d] = (places[cell * dims + d]! - mean[d]!) / scale[d]!
        for (let row = 0; row < intercept.length; row++) {
          let score = intercept[row]!
          for (let d = 0; d < dims; d++) score += weights[row * dims + d]! * standard[d]!
          scores[row] = score
        }
        // two labels have one row, the second's; the first's score is the opposite
        if (used.length === 2) scores.set([-scores[0]!, scores[0]!])
        softmax(scores)
        for (const [at, label] of used.entries()) probabilities[cell * labels + label] = scores[at]!
      }
      return probabilities
    },
  }
}

function softmax(scores: Float64Array): void {
  const highest = scores.reduce((most, score) => Math.max(most, score), Number.NEGATIVE_INFINITY)
  let sum = 0
  for (let k = 0; k < scores.length; k++) sum += scores[k] = Math.exp(scores[k]! - highest)
  for (let k = 0; k < scores.length; k++) scores[k] = scores[k]! / sum
}
