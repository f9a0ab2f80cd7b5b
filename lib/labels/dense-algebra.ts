/**
 * The little dense algebra that a common shape of many labels wants: Cholesky, one triangular solve, orthonormal rows, eigenvectors by
 * Jacobi's rotations. Matrices are square, rows first; sizes are tens, not thousands.
 */

/** Lower triangular L with L L' = the positive definite matrix, of which only the lower triangle is read. */
export function cholesky(matrix: Float64Array, size: number): Float64Array {
  const factor = new Float64Array(matrix.length)
  for (let k = 0; k < size; k++)
    for (let j = 0; j <= k; j++) {
      let sum = matrix[k * size + j]!
      for (let i = 0; i < j; i++) sum -= factor[k * size + i]! * factor[j * size + i]!
      factor[k * size + j] = j === k ? Math.sqrt(sum) : sum / factor[j * size + j]!
    }
  return factor
}

/** The vector becomes L^-1 times it. */
export function solveLower(factor: Float64Array, vector: Float64Array): void {
  const size = vector.length
  for (let k = 0; k < size; k++) {
    let sum = vector[k]!
    for (let j = 0; j < k; j++) sum -= factor[k * size + j]! * vector[j]!
    vector[k] = sum / factor[k * size + k]!
  }
}

export function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!
  return sum
}

/** Modified Gram-Schmidt, twice; a row that is nothing but the others becomes 0. */
export function orthonormalRows(rows: Float64Array, length: number): Float64Array {
  const count = rows.length / length
  for (let k = 0; k < count; k++) {
    const own = rows.subarray(k * length, (k + 1) * length)
    const before = Math.sqrt(dot(own, own))
    for (let pass = 0; pass < 2; pass++)
      for (let j = 0; j < k; j++) {
        const other = rows.subarray(j * length, (j + 1) * length)
        const share = dot(own, other)
        for (let i = 0; i < length; i++) own[i]! -= share * other[i]!
      }
    const norm = Math.sqrt(dot(own, own))
    const isOwn = norm > 1e-10 * before
    for (let i = 0; i < length; i++) own[i] = isOwn ? own[i]! / norm : 0
  }
  return rows
}

const sweeps = 30

/** Eigenvectors of a symmetric matrix as rows, that of the largest eigenvalue first. The matrix is used up. */
export function eigenvectors(matrix: Float64Array, size: number): Float64Array {
  const vectors = new Float64Array(size * size)
  for (let k = 0; k < size; k++) vectors[k * size + k] = 1
  for (let sweep = 0; sweep < sweeps; sweep++) {
    let turned = false
    for (let p = 0; p < size; p++)
      for (let q = p + 1; q < size; q++) {
        const off = matrix[p * size + q]!
        const [first, second] = [matrix[p * size + p]!, matrix[q * size + q]!]
        if (Math.abs(off) <= 1e-14 * Math.sqrt(Math.abs(first * second)) || off === 0) continue
        turned = true
        const half = (second - first) / (2 * off)
        const tangent = (half >= 0 ? 1 : -1) / (Math.abs(half) + Math.sqrt(half * half + 1))
        const cosine = 1 / Math.sqrt(tangent * tangent + 1)
        const turn = { p, q, cosine, sine: tangent * cosine, size }
        turnColumns(matrix, turn)
        turnRows(matrix, turn)
        turnRows(vectors, turn)
      }
    if (!turned) break
  }
  const order = Array.from({ length: size }, (_, k) => k).sort(
    (a, b) => matrix[b * size + b]! - matrix[a * size + a]!,
  )
  const sorted = new Float64Array(size * size)
  for (const [at, k] of order.entries()) sorted.set(vectors.subarray(k * size, (k + 1) * size), at * size)
  return sorted
}

interface Turn {
  p: number
  q: number
  cosine: number
  sine: number
  size: number
}

function turnRows(matrix: Float64Array, { p, q, cosine, sine, size }: Turn): void {
  for (let k = 0; k < size; k++) {
    const [one, other] = [matrix[p * size + k]!, matrix[q * size + k]!]
    matrix[p * size + k] = cosine * one - sine * other
    matrix[q * size + k] = sine * one + cosine * other
  }
}

function turnColumns(matrix: Float64Array, { p, q, cosine, sine, size }: Turn): void {
  for (let k = 0; k < size; k++) {
    const [one, other] = [matrix[k * size + p]!, matrix[k * size + q]!]
    matrix[k * size + p] = cosine * one - sine * other
    matrix[k * size + q] = sine * one + cosine * other
  }
}
