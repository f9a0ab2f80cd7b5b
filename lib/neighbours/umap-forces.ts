/**
 * The two forces of UMAP as tables over the squared distance: how strongly neighbours draw, and strangers push. The exact formulas
 * need a power for each of the billion pairs of a layout; a table indexed by the bits of the float (256 steps in each power of two,
 * straight lines between) is within 2e-5 of them, below the noise of the sampling, at a fraction of the time.
 */
import type { UmapCurve } from './umap-curve.ts'

/** squared distances from 2^-40 to 2^24; what lies beyond has the force at the end */
const lowestExponent = -40
const highestExponent = 24
const stepBits = 8
export const shift = 23 - stepBits
export const firstBits = (127 + lowestExponent) << 23
export const steps = (highestExponent - lowestExponent) << stepBits

export interface Forces {
  /** steps + 1 values: factor of the difference of two neighbours, below 0 */
  attraction: Float32Array
  /** the same for a stranger, above 0 */
  repulsion: Float32Array
  /** one number and its bits, by which the tables are entered */
  float: Float32Array
  bits: Int32Array
}

export function tabulateForces({ a, b }: UmapCurve, { repulsion }: { repulsion: number }): Forces {
  const bits = new Int32Array(1)
  const float = new Float32Array(bits.buffer)
  const [drawn, pushed] = [new Float32Array(steps + 1), new Float32Array(steps + 1)]
  for (let step = 0; step <= steps; step++) {
    bits[0] = firstBits + (step << shift)
    const squared = float[0]!
    const power = a * squared ** b
    drawn[step] = (-2 * b * power) / (1 + power) / squared
    // 0.001 keeps strangers that coincide from flying apart for ever
    pushed[step] = (2 * repulsion * b) / ((0.001 + squared) * (1 + power))
  }
  return { attraction: drawn, repulsion: pushed, float, bits }
}
