/**
 * The upper tail of the standard normal distribution, right to about 13 digits until a double has none left: beyond z = 38.5 it is 0.
 * Below 2.5 from the power series, above from the continued fraction; 1 - P(Z < z) would be 0 from z = 8.3 on.
 */

/** P(Z > z), in [0, 1]; NaN for NaN. */
export function normalSurvival(z: number): number {
  if (Number.isNaN(z)) return Number.NaN
  if (z < 0) return 1 - normalSurvival(-z)
  return z < 2.5 ? 0.5 - innerPart(z) : density(z) / millsFraction(z)
}

const norm = 1 / Math.sqrt(2 * Math.PI)

/** P(0 < Z < z) = density * (z + z^3/3 + z^5/15 + ...): all terms are positive, nothing cancels. */
function innerPart(z: number): number {
  let term = z
  let sum = z
  for (let odd = 3; term > sum * Number.EPSILON * 0.1; odd += 2) {
    term *= (z * z) / odd
    sum += term
  }
  return norm * Math.exp((-z * z) / 2) * sum
}

/** e^(-z^2/2) with z^2 in two parts: rounding it whole would cost three digits at z = 38. */
function density(z: number): number {
  if (z > 40) return 0
  const coarse = Math.round(z * 2 ** 20) / 2 ** 20
  const rest = (z - coarse) * (z + coarse)
  return norm * Math.exp((-coarse * coarse) / 2) * Math.exp(-rest / 2)
}

/** density / tail = z + 1/(z + 2/(z + 3/(z + ...))), from the far end. */
function millsFraction(z: number): number {
  const depth = Math.ceil(20 + 500 / (z * z))
  let fraction = z
  for (let k = depth; k >= 1; k--) fraction = z + k / fraction
  return fraction
}
