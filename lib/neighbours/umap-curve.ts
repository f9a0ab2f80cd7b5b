/**
 * The curve of UMAP: closeness of two points at a distance in the layout, 1 / (1 + a d^(2b)). a and b are fitted by least squares
 * (Levenberg-Marquardt) to the wanted shape: 1 up to `minDist`, then falling as exp(-(d - minDist) / spread), on 300 distances up to
 * 3 spreads, as umap-learn does.
 */

export interface UmapCurve {
  a: number
  b: number
}

const samples = 300

/** @throws RangeError unless 0 <= minDist <= spread and spread > 0 */
export function fitCurve({ minDist, spread }: { minDist: number; spread: number }): UmapCurve {
  if (!(minDist >= 0 && minDist <= spread && spread > 0 && spread < Number.POSITIVE_INFINITY))
    throw new RangeError(`minDist ${minDist} is not in [0, spread ${spread}], or spread not above 0`)
  let curve: UmapCurve = { a: 1, b: 1 }
  let current = normalEquations(curve, { minDist, spread })
  let damping = 1e-3
  for (let i = 0; i < 500 && damping < 1e12; i++) {
    const step = dampedStep(current, damping)
    const tried = { a: curve.a + step.a, b: curve.b + step.b }
    const next = normalEquations(tried, { minDist, spread })
    if (!(next.error < current.error)) {
      damping *= 4
      continue
    }
    curve = tried
    current = next
    damping /= 4
    if (Math.abs(step.a) < 1e-12 * curve.a && Math.abs(step.b) < 1e-12 * curve.b) break
  }
  return curve
}

/** J'J, J'r and the sum of squares of the residuals. */
interface NormalEquations {
  aa: number
  ab: number
  bb: number
  ra: number
  rb: number
  error: number
}

function normalEquations(
  { a, b }: UmapCurve,
  { minDist, spread }: { minDist: number; spread: number },
): NormalEquations {
  const sums = { aa: 0, ab: 0, bb: 0, ra: 0, rb: 0, error: 0 }
  for (let i = 0; i < samples; i++) {
    const distance = (3 * spread * i) / (samples - 1)
    const wanted = distance < minDist ? 1 : Math.exp(-(distance - minDist) / spread)
    const power = distance ** (2 * b)
    const value = 1 / (1 + a * power)
    const byA = -power * value * value
    // at distance 0 the curve is 1 whatever b; the logarithm there is not finite
    const byB = distance === 0 ? 0 : 2 * a * Math.log(distance) * byA
    const residual = wanted - value
    sums.aa += byA * byA
    sums.ab += byA * byB
    sums.bb += byB * byB
    sums.ra += byA * residual
    sums.rb += byB * residual
    sums.error += residual * residual
  }
  return sums
}

function dampedStep({ aa, ab, bb, ra, rb }: NormalEquations, damping: number): UmapCurve {
  const [p, q] = [aa * (1 + damping), bb * (1 + damping)]
  const determinant = p * q - ab * ab
  return { a: (q * ra - ab * rb) / determinant, b: (p * rb - ab * ra) / determinant }
}
