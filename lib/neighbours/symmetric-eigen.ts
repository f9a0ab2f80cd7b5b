/**
 * The largest eigenvalues of a symmetric matrix of some hundred rows, or all, with their eigenvectors: Householder reduction to three
 * diagonals, then QL steps with implicit shifts (Golub and Van Loan, Matrix Computations, 8.3). What was done is recorded, and done
 * backwards to the wanted vectors alone: a few of them cost a fraction of what all do.
 */

export interface Eigen {
  /** largest first */
  values: Float64Array
  /** count x size, row i the eigenvector of values[i], of length 1 */
  vectors: Float64Array
}

/** Rounding leaves an off-diagonal that is this much smaller than its neighbours without meaning. */
const epsilon = 2 ** -52
const stepLimit = 60

/**
 * @param matrix size x size; only what is on and below the diagonal is read
 * @param options.count pairs wanted, all unless told
 * @throws RangeError when the matrix holds a number that is not finite
 */
export function symmetricEigen(
  matrix: Float64Array,
  size: number,
  { count = size }: { count?: number } = {},
): Eigen {
  const reduced = tridiagonal(matrix, size)
  const rotations = diagonalise(reduced)
  const { diagonal, mirrors } = reduced
  const order = Array.from(diagonal.keys())
    .sort((a, b) => diagonal[b]! - diagonal[a]!)
    .slice(0, count)
  const columns = new Float64Array(size * count)
  for (const [place, row] of order.entries()) columns[row * count + place] = 1
  for (const rotation of rotations.reverse()) rotateRows(columns, count, rotation)
  for (const mirror of mirrors.reverse()) reflectRows(columns, count, mirror)
  const vectors = new Float64Array(count * size)
  for (let row = 0; row < size; row++)
    for (let place = 0; place < count; place++) vectors[place * size + row] = columns[row * count + place]!
  return { values: Float64Array.from(order, (row) => diagonal[row]!), vectors }
}

/** I - normal normal^T on the coordinates from `from` on. */
interface Mirror {
  from: number
  normal: Float64Array
}

interface Tridiagonal {
  diagonal: Float64Array
  /** beside[i] stands between diagonal[i] and diagonal[i + 1]; the last is 0 */
  beside: Float64Array
  /** what was done to the matrix on both sides, in order */
  mirrors: Mirror[]
}

/** A mirror per column takes all below the first subdiagonal to 0. */
function tridiagonal(matrix: Float64Array, size: number): Tridiagonal {
  const work = new Float64Array(size * size)
  for (let i = 0; i < size; i++)
    for (let j = 0; j <= i; j++) work[i * size + j] = work[j * size + i] = matrix[i * size + j]!
  const beside = new Float64Array(size)
  const mirrors: Mirror[] = []
  for (let column = 0; column + 2 < size; column++) {
    const from = column + 1
    const mirror = mirrorOf(work.subarray(column * size + from, (column + 1) * size))
    beside[column] = mirror?.image ?? work[column * size + from]!
    if (mirror === undefined) continue
    mirrors.push({ from, normal: mirror.normal })
    reflectBothSides(work, { size, from, normal: mirror.normal })
  }
  if (size > 1) beside[size - 2] = work[(size - 2) * size + size - 1]!
  return { diagonal: Float64Array.from({ length: size }, (_, i) => work[i * size + i]!), beside, mirrors }
}

/** The mirror (its normal of length sqrt 2) that turns a vector into its own length on the first axis; none where it lies there. */
function mirrorOf(vector: Float64Array): { normal: Float64Array; image: number } | undefined {
  let rest = 0
  for (let i = 1; i < vector.length; i++) rest += vector[i]! ** 2
  if (rest === 0) return undefined
  const first = vector[0]!
  // away from the vector's own sign, so that nothing cancels
  const image = first > 0 ? -Math.sqrt(first ** 2 + rest) : Math.sqrt(first ** 2 + rest)
  const normal = Float64Array.from(vector)
  normal[0] = first - image
  const scale = Math.sqrt(2 / (normal[0] ** 2 + rest))
  return { normal: normal.map((value) => value * scale), image }
}

/** work <- H work H on rows and columns from `from` on, H = I - n n^T. */
function reflectBothSides(
  work: Float64Array,
  { size, from, normal }: { size: number; from: number; normal: Float64Array },
): void {
  const length = size - from
  const product = new Float64Array(length)
  let along = 0
  for (let i = 0; i < length; i++) {
    const start = (from + i) * size + from
    let sum = 0
    for (let j = 0; j < length; j++) sum += work[start + j]! * normal[j]!
    product[i] = sum
    along += sum * normal[i]!
  }
  for (let i = 0; i < length; i++) product[i]! -= (along / 2) * normal[i]!
  for (let i = 0; i < length; i++) {
    const start = (from + i) * size + from
    const [p, n] = [product[i]!, normal[i]!]
    for (let j = 0; j < length; j++) work[start + j]! -= p * normal[j]! + n * product[j]!
  }
}

function reflectRows(rows: Float64Array, width: number, { from, normal }: Mirror): void {
  const sums = new Float64Array(width)
  for (let i = 0; i < normal.length; i++) {
    const start = (from + i) * width
    for (let j = 0; j < width; j++) sums[j]! += normal[i]! * rows[start + j]!
  }
  for (let i = 0; i < normal.length; i++) {
    const start = (from + i) * width
    for (let j = 0; j < width; j++) rows[start + j]! -= normal[i]! * sums[j]!
  }
}

/** Of coordinates `row` and `row + 1`. */
interface Rotation {
  row: number
  sine: number
  cosine: number
}

/** QL steps until nothing beside the diagonal is left. */
function diagonalise({ diagonal, beside }: Tridiagonal): Rotation[] {
  const rotations: Rotation[] = []
  for (let first = 0; first < diagonal.length; first++) {
    for (let step = 0; ; step++) {
      const last = endOfBlock(diagonal, beside, first)
      if (last === first) break
      if (step === stepLimit)
        throw new RangeError('eigenvalues did not settle: the matrix holds no finite numbers')
      qlStep({ diagonal, beside, rotations }, first, last)
    }
  }
  return rotations
}

function endOfBlock(diagonal: Float64Array, beside: Float64Array, first: number): number {
  let last = first
  while (last + 1 < diagonal.length) {
    const scale = Math.abs(diagonal[last]!) + Math.abs(diagonal[last + 1]!)
    if (Math.abs(beside[last]!) <= epsilon * scale) break
    last++
  }
  return last
}

/** One QL step with Wilkinson's shift on the block from `first` to `last`. */
function qlStep(
  { diagonal, beside, rotations }: { diagonal: Float64Array; beside: Float64Array; rotations: Rotation[] },
  first: number,
  last: number,
): void {
  const half = (diagonal[first + 1]! - diagonal[first]!) / (2 * beside[first]!)
  const root = Math.hypot(half, 1)
  let bulge = diagonal[last]! - diagonal[first]! + beside[first]! / (half + (half < 0 ? -root : root))
  let [sine, cosine, carried] = [1, 1, 0]
  for (let i = last - 1; i >= first; i--) {
    const side = sine * beside[i]!
    const through = cosine * beside[i]!
    const length = Math.hypot(side, bulge)
    beside[i + 1] = length
    if (length === 0) {
      // the block falls apart here: what is carried goes back, and the next step works on the parts
      diagonal[i + 1]! -= carried
      beside[last] = 0
      return
    }
    sine = side / length
    cosine = bulge / length
    const moved = diagonal[i + 1]! - carried
    const turned = (diagonal[i]! - moved) * sine + 2 * cosine * through
    carried = sine * turned
    diagonal[i + 1] = moved + carried
    bulge = cosine * turned - through
    rotations.push({ row: i, sine, cosine })
  }
  diagonal[first]! -= carried
  beside[first] = bulge
  beside[last] = 0
}

function rotateRows(rows: Float64Array, width: number, { row, sine, cosine }: Rotation): void {
  const upper = row * width
  const lower = upper + width
  for (let j = 0; j < width; j++) {
    const [a, b] = [rows[upper + j]!, rows[lower + j]!]
    rows[upper + j] = cosine * a + sine * b
    rows[lower + j] = cosine * b - sine * a
  }
}
