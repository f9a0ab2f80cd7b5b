/**
 * Many p values at once: what each is worth when the false discoveries among all that are called shall be few.
 */
import { lowerBound } from './sorted-values.ts'

/**
 * Benjamini and Hochberg's adjusted p values: the least share of false discoveries at which each would be called.
 * NaN stays NaN and does not count among the tests.
 */
export function adjustPValues(pValues: Float64Array): Float64Array {
  const sorted = pValues.filter((p) => !Number.isNaN(p)).sort()
  const tests = sorted.length
  const adjusted = new Float64Array(tests)
  let least = 1
  for (let i = tests - 1; i >= 0; i--) {
    least = Math.min(least, (sorted[i]! * tests) / (i + 1))
    adjusted[i] = least
  }
  return pValues.map((p) => (Number.isNaN(p) ? Number.NaN : adjusted[lowerBound(sorted, p)]!))
}
