/**
 * The basis that block Lanczos grows: orthonormal vectors, what the operator makes of them, and the operator as seen from among them.
 * Every new block is made orthogonal to all before it, twice; once is not enough, the rounding then grows from block to block.
 */
import type { Matrix, MatrixProducts } from '../graph/matrix-products.ts'
import type { Random } from '../job/random.ts'
import { symmetricEigen } from './symmetric-eigen.ts'

/** Vectors multiplied at a time. */
export const blockWidth = 4

export interface Operator {
  size: number
  /** A block; a block is size x up to blockWidth */
  multiply(block: Matrix): Matrix | Promise<Matrix>
}

/** Basis vectors at most, by number and by bytes; beyond, the best half of them goes on. */
const usualLimit = 1000
const basisBytes = 2 ** 28

export interface Basis {
  size: number
  limit: number
  filled: number
  /** orthonormal rows, the first `filled` of `limit` */
  vectors: Float64Array
  /** what the operator makes of them */
  images: Float64Array
  /** limit x limit, vectors_i . images_j */
  projected: Float64Array
  products: MatrixProducts
}

export interface BasisOptions {
  count: number
  products: MatrixProducts
  /** vectors kept at most before a restart, 1000 unless told; at least 3 x count + 16 */
  basisLimit?: number
}

/** The largest pairs as the basis sees them. */
export interface Ritz {
  /** largest first */
  values: Float64Array
  /** count x filled, weights of the basis vectors */
  weights: Matrix
}

export function emptyBasis(size: number, { count, products, basisLimit = usualLimit }: BasisOptions): Basis {
  const affordable = Math.min(basisLimit, Math.floor(basisBytes / (16 * size)))
  const limit = Math.min(size, Math.max(affordable, 3 * count + 4 * blockWidth))
  return {
    size,
    limit,
    filled: 0,
    vectors: new Float64Array(limit * size),
    images: new Float64Array(limit * size),
    projected: new Float64Array(limit * limit),
    products,
  }
}

/**
 * Takes in a block of orthonormal columns that are orthogonal to the basis.
 * @returns what the operator makes of it
 */
export async function extend(basis: Basis, operator: Operator, block: Matrix): Promise<Matrix> {
  const { limit, projected, products } = basis
  const image = await operator.multiply(block)
  const start = basis.filled
  setRows(basis, basis.vectors, block)
  setRows(basis, basis.images, image)
  basis.filled += block.columns
  const seen = await products.product(filledRows(basis, basis.vectors), image)
  for (let i = 0; i < basis.filled; i++)
    for (let c = 0; c < block.columns; c++) {
      const value = seen.values[i * block.columns + c]!
      projected[i * limit + start + c] = projected[(start + c) * limit + i] = value
    }
  return image
}

/** Columns into the free rows of a table. */
function setRows({ size, filled }: Basis, table: Float64Array, block: Matrix): void {
  for (let c = 0; c < block.columns; c++)
    for (let i = 0; i < size; i++) table[(filled + c) * size + i] = block.values[i * block.columns + c]!
}

function filledRows({ size, filled }: Basis, table: Float64Array): Matrix {
  return { rows: filled, columns: size, values: table.subarray(0, filled * size) }
}

/**
 * What is left of the images of the last block when all that the basis spans is taken away: the next directions of the Krylov space.
 * `left` is how much that is (Frobenius). At most as many columns as the basis lacks.
 */
export async function nextBlock(
  basis: Basis,
  { image, chance }: { image: Matrix; chance: Random },
): Promise<{ block: Matrix; left: number }> {
  await subtractBasis(basis, image)
  const left = Math.sqrt(image.values.reduce((sum, value) => sum + value * value, 0))
  const block = firstColumns(image, Math.min(image.columns, basis.size - basis.filled))
  await orthonormalise(basis, { block, chance })
  return { block, left }
}

/** Orthonormal columns to begin with. */
export async function randomBlock(basis: Basis, chance: Random): Promise<Matrix> {
  const columns = Math.min(blockWidth, basis.size)
  const block = { rows: basis.size, columns, values: new Float64Array(basis.size * columns) }
  await orthonormalise(basis, { block, chance })
  return block
}

/**
 * Takes the basis, and from each column those before it, away, again as long as a column loses more than half of its length by that: a
 * small rest of a long vector holds the rounding of what fell away. A column of which nothing is left becomes a random one.
 */
async function orthonormalise(
  basis: Basis,
  { block, chance }: { block: Matrix; chance: Random },
): Promise<void> {
  for (let isSettled = false; !isSettled; ) {
    const before = Array.from({ length: block.columns }, (_, c) => lengthOf(block, c))
    if (basis.filled > 0) await subtractBasis(basis, block)
    isSettled = true
    for (let c = 0; c < block.columns; c++) {
      for (let other = 0; other < c; other++) subtractColumn(block, c, other)
      const length = lengthOf(block, c)
      if (!(length > before[c]! / 2)) isSettled = false
      for (let at = c; at < block.values.length; at += block.columns)
        block.values[at] = length > 0 ? block.values[at]! / length : chance.normal()
    }
  }
}

async function subtractBasis(basis: Basis, block: Matrix): Promise<void> {
  const vectors = filledRows(basis, basis.vectors)
  const along = await basis.products.product(vectors, block)
  const spanned = await basis.products.transposedProduct(vectors, along)
  for (let at = 0; at < block.values.length; at++) block.values[at]! -= spanned.values[at]!
}

function subtractColumn({ columns, values }: Matrix, column: number, unit: number): void {
  let along = 0
  for (let at = 0; at < values.length; at += columns) along += values[at + column]! * values[at + unit]!
  for (let at = 0; at < values.length; at += columns) values[at + column]! -= along * values[at + unit]!
}

function lengthOf({ columns, values }: Matrix, column: number): number {
  let squares = 0
  for (let at = column; at < values.length; at += columns) squares += values[at]! ** 2
  return Math.sqrt(squares)
}

export function firstColumns({ rows, columns, values }: Matrix, wanted: number): Matrix {
  if (wanted === columns) return { rows, columns, values }
  const kept = Float64Array.from(
    { length: rows * wanted },
    (_, at) => values[Math.floor(at / wanted) * columns + (at % wanted)]!,
  )
  return { rows, columns: wanted, values: kept }
}

export function ritz({ projected, limit, filled }: Basis, count: number): Ritz {
  const square = new Float64Array(filled * filled)
  for (let i = 0; i < filled; i++) square.set(projected.subarray(i * limit, i * limit + filled), i * filled)
  const { values, vectors } = symmetricEigen(square, filled, { count })
  return { values, weights: { rows: count, columns: filled, values: vectors } }
}

/** The pairs' vectors and images (count x size each), out of those of the basis. */
export async function ritzVectors(
  basis: Basis,
  { weights }: Ritz,
): Promise<{ vectors: Float64Array; images: Float64Array }> {
  const vectors = await basis.products.product(weights, filledRows(basis, basis.vectors))
  const images = await basis.products.product(weights, filledRows(basis, basis.images))
  return { vectors: vectors.values, images: images.values }
}

/** Goes on with the best half of what the basis spans; the next block stays orthogonal to it. */
export async function restart(basis: Basis, count: number): Promise<void> {
  const kept = Math.max(count + blockWidth, basis.filled >> 1)
  const best = ritz(basis, kept)
  const { vectors, images } = await ritzVectors(basis, best)
  basis.vectors.set(vectors)
  basis.images.set(images)
  basis.projected.fill(0)
  for (let i = 0; i < kept; i++) basis.projected[i * basis.limit + i] = best.values[i]!
  basis.filled = kept
}
