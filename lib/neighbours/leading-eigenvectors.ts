/**
 * The largest eigenvalues of a symmetric positive operator that is only known by what it does to vectors: block Lanczos with full
 * orthogonalisation in float64 and thick restarts (Golub and Van Loan, Matrix Computations, 10.3; Wu and Simon 2000). Blocks of four,
 * because one pass over the matrix then serves four vectors, and values that occur up to four times are not missed.
 */
import { setImmediate } from 'node:timers/promises'
import { random } from '../job/random.ts'
import {
  type Basis,
  type BasisOptions,
  blockWidth,
  emptyBasis,
  extend,
  nextBlock,
  type Operator,
  type Ritz,
  randomBlock,
  restart,
  ritz,
  ritzVectors,
} from './krylov-basis.ts'

export interface LeadingEigen {
  /** largest first */
  values: Float64Array
  /** count x size, each of length 1 */
  vectors: Float64Array
  /** the largest residual |A v - value v| relative to its value */
  residual: number
}

export interface EigenOptions extends BasisOptions {
  seed: number
  /** residual |A v - value v| / value at which a vector is settled, 1e-6 unless told */
  tolerance?: number
  signal?: AbortSignal
}

/** Values this small beside the largest are rounding, and settled. */
const negligible = 1e-14
const restartLimit = 100

/** @returns `count` pairs; `residual` above the tolerance says that they did not settle within the limit of restarts */
export async function leadingEigenvectors(operator: Operator, options: EigenOptions): Promise<LeadingEigen> {
  const { count, seed, tolerance = 1e-6, signal } = options
  const basis = emptyBasis(operator.size, options)
  const chance = random(seed)
  let block = await randomBlock(basis, chance)
  let look: Look = { filled: 0, residual: Number.POSITIVE_INFINITY }
  let nextLook = 2 * count
  for (let restarts = 0; ; ) {
    const image = await extend(basis, operator, block)
    const next = await nextBlock(basis, { image, chance })
    const isComplete = basis.filled === basis.size
    const isFull = basis.filled + blockWidth > basis.limit
    if (isComplete || isFull || basis.filled >= nextLook) {
      const seen = ritz(basis, count)
      const likely = likelyResidual(seen, { width: block.columns, left: next.left })
      const isLast = isComplete || restarts === restartLimit
      if (isLast || likely <= tolerance) {
        const found = await pairsOf(basis, seen)
        if (isLast || found.residual <= tolerance) return found
      }
      const latest = { filled: basis.filled, residual: likely }
      nextLook = whenSettled(look, latest, tolerance)
      look = latest
    }
    block = next.block
    if (isFull && basis.limit < basis.size) {
      await restart(basis, count)
      restarts++
    }
    await setImmediate()
    signal?.throwIfAborted()
  }
}

/** How far the pairs were from settled, at some size of the basis. */
interface Look {
  filled: number
  residual: number
}

/** Size of the basis at which to look again: a look costs as much as many blocks, so residuals are taken to go on falling as they did. */
function whenSettled(before: Look, now: Look, tolerance: number): number {
  const fall = Math.log(before.residual / now.residual) / (now.filled - before.filled)
  const expected = now.filled + Math.log(now.residual / tolerance) / fall
  const [soonest, latest] = [1.04 * now.filled, 1.3 * now.filled]
  return fall > 0 ? Math.min(latest, Math.max(soonest, expected)) : latest
}

/** Residual of the pairs from their share in the last block: all that the basis does not hold leaves by it. */
function likelyResidual({ values, weights }: Ritz, { width, left }: { width: number; left: number }): number {
  let residual = 0
  for (const [pair, value] of values.entries()) {
    const end = (pair + 1) * weights.columns
    const missed = left * Math.hypot(...weights.values.subarray(end - width, end))
    if (missed > negligible * values[0]!) residual = Math.max(residual, missed / value)
  }
  return residual
}

/** The pairs themselves, and how far they are from being eigenvectors. */
async function pairsOf(basis: Basis, seen: Ritz): Promise<LeadingEigen> {
  const { size } = basis
  const { values } = seen
  const { vectors, images } = await ritzVectors(basis, seen)
  let residual = 0
  for (const [pair, value] of values.entries()) {
    let squares = 0
    for (let i = pair * size; i < (pair + 1) * size; i++) squares += (images[i]! - value * vectors[i]!) ** 2
    const isSettled = squares <= (negligible * values[0]!) ** 2
    if (!isSettled) residual = Math.max(residual, Math.sqrt(squares) / Math.max(value, Number.MIN_VALUE))
  }
  return { values, vectors, residual }
}
