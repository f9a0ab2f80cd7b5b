/** The objectives as they are written down, on a dense table and number by number: what the sparse way is compared with. */
import type { TrainingRows } from '../../lib/models/standardised-cells.ts'

export interface Weights {
  weights: Float64Array
  intercept: Float64Array
}

export interface Question {
  codes: Int32Array
  labels: number
  loss: 'ovr' | 'multinomial'
  strength: number
}

export function denseOf({ rows, columns, indptr, indices, values }: TrainingRows): number[][] {
  return Array.from({ length: rows }, (_, row) => {
    const cells = new Array<number>(columns).fill(0)
    for (let i = indptr[row]!; i < indptr[row + 1]!; i++) cells[indices[i]!] = values[i]!
    return cells
  })
}

export function sparseOf(dense: readonly (readonly number[])[], { keepZeros = false } = {}): TrainingRows {
  const indptr = [0]
  const indices: number[] = []
  const values: number[] = []
  for (const row of dense) {
    for (const [gene, value] of row.entries()) {
      if (value === 0 && !keepZeros) continue
      indices.push(gene)
      values.push(value)
    }
    indptr.push(indices.length)
  }
  return {
    rows: dense.length,
    columns: dense[0]?.length ?? 0,
    indptr: Int32Array.from(indptr),
    indices: Int32Array.from(indices),
    values: Float64Array.from(values),
  }
}

/** Divisor n, clipped above. */
export function standardised(
  dense: readonly (readonly number[])[],
  { mean, scale, clip = 10 }: { mean: Float64Array; scale: Float64Array; clip?: number },
): number[][] {
  return dense.map((row) => row.map((value, gene) => Math.min((value - mean[gene]!) / scale[gene]!, clip)))
}

export function objectiveOf(z: readonly (readonly number[])[], { codes, labels, loss, strength }: Question) {
  return ({ weights, intercept }: Weights): number => {
    const genes = z[0]!.length
    const dot = (row: readonly number[], head: number): number =>
      row.reduce((sum, value, gene) => sum + value * weights[head * genes + gene]!, intercept[head]!)
    const heads = Array.from(intercept.keys())
    const squares = weights.reduce((sum, value) => sum + value ** 2, 0)
    // a softmax over two labels has a row of weights for each, one the other's negative
    let total = loss === 'multinomial' && labels === 2 ? squares : 0.5 * squares
    for (const [cell, row] of z.entries()) {
      const scores = heads.map((head) => dot(row, head))
      const own = codes[cell]!
      if (loss === 'multinomial') {
        const all = labels === 2 ? [-scores[0]!, scores[0]!] : scores
        const most = Math.max(...all)
        total += strength * (most + Math.log(all.reduce((sum, s) => sum + Math.exp(s - most), 0)) - all[own]!)
      } else
        for (const head of heads) {
          const isOwn = labels === 2 ? own === 1 : own === head
          const wrong = isOwn ? -scores[head]! : scores[head]!
          total += strength * (Math.max(wrong, 0) + Math.log1p(Math.exp(-Math.abs(wrong))))
        }
    }
    return total
  }
}

/** Largest slope of the objective by central differences. */
export function largestSlope(objective: (at: Weights) => number, at: Weights, step = 1e-4): number {
  let largest = 0
  for (const part of [at.weights, at.intercept])
    for (const [i, value] of part.entries()) {
      part[i] = value + step
      const above = objective(at)
      part[i] = value - step
      largest = Math.max(largest, Math.abs(above - objective(at)) / (2 * step))
      part[i] = value
    }
  return largest
}
