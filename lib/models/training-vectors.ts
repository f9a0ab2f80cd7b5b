/**
 * Vectors of all labels' weights and intercepts, in the order of the shared memory ([panel][gene][lane]), and how they go in and out of it:
 * cells hold values, vectors belong to z = value / scale + zero, so that scales and zeros are dealt with once a gene, not once an entry.
 *
 * Loops over panels, genes and lanes are written out in each function: a callback for each number would take longer than the number.
 */
import type { Standardisation } from './standardised-cells.ts'
import type { TrainingSetup } from './training-context.ts'
import type { Precision } from './training-kernel.ts'
import { floatsAt } from './training-memory.ts'

export interface Vector {
  weights: Float64Array
  /** one a lane */
  intercept: Float64Array
}

/** One number a lane. */
export type Lanes = Float64Array

export interface VectorSpace {
  zeros(): Vector
  dot(a: Vector, b: Vector): Lanes
  /** of weights alone */
  dotWeights(a: Vector, b: Vector): Lanes
  /** into += factor x vector, a factor for each lane */
  add(into: Vector, term: { vector: Vector; factor: Lanes }): void
  /** into = vector + factor x into */
  renew(into: Vector, term: { vector: Vector; factor: Lanes }): void
  /** into = a / b, number by number */
  divide(into: Vector, quotient: { a: Vector; b: Vector }): void
  /** leaves a vector where the kernels read it */
  pass(vector: Vector, precision: Precision): void
  /** sums of all strands over z, in order of the strands; the penalty's share added: `penalised`, a vector's weights */
  collect(precision: Precision, options: { into: Vector; penalised: Vector }): void
  /** sums of all strands over values as they lie in memory */
  collectPlain(): Vector
  /** sums over z^2, from `plain` sums over values and from sums over their squares, which lie in memory */
  collectSquares(plain: Vector): Vector
}

export function vectorSpace(
  { memory, layout, shape }: TrainingSetup,
  standard: Standardisation,
): VectorSpace {
  const { columns, panels, width } = shape
  const { zero } = standard
  const inverse = standard.scale.map((scale) => 1 / scale)
  const lanes = panels * width
  const size = columns * lanes
  const strands = shape.strands.length - 1
  const laneSums = new Float64Array(memory.buffer, layout.laneSums, strands * lanes)
  const partials = {
    single: new Float32Array(memory.buffer, layout.partials, strands * size),
    double: new Float64Array(memory.buffer, layout.partials, strands * size),
  }

  const zeros = (): Vector => ({ weights: new Float64Array(size), intercept: new Float64Array(lanes) })

  const dotWeights = (a: Vector, b: Vector): Lanes => {
    const sums = new Float64Array(lanes)
    const [left, right] = [a.weights, b.weights]
    for (let panel = 0, at = 0; panel < panels; panel++)
      for (let gene = 0; gene < columns; gene++)
        for (let lane = panel * width; lane < (panel + 1) * width; lane++, at++)
          sums[lane]! += left[at]! * right[at]!
    return sums
  }

  const sumStrands = ({ weights, intercept }: Vector, precision: Precision): void => {
    const values = partials[precision]
    weights.fill(0)
    intercept.fill(0)
    for (let strand = 0; strand < strands; strand++) {
      const from = strand * size
      for (let at = 0; at < size; at++) weights[at]! += values[from + at]!
      for (let lane = 0; lane < lanes; lane++) intercept[lane]! += laneSums[strand * lanes + lane]!
    }
  }

  return {
    zeros,
    dotWeights,
    dot: (a, b) => dotWeights(a, b).map((sum, lane) => sum + a.intercept[lane]! * b.intercept[lane]!),
    add(into, { vector, factor }) {
      const [to, from] = [into.weights, vector.weights]
      for (let panel = 0, at = 0; panel < panels; panel++)
        for (let gene = 0; gene < columns; gene++)
          for (let lane = panel * width; lane < (panel + 1) * width; lane++, at++)
            to[at]! += factor[lane]! * from[at]!
      for (let lane = 0; lane < lanes; lane++)
        into.intercept[lane]! += factor[lane]! * vector.intercept[lane]!
    },
    renew(into, { vector, factor }) {
      const [to, from] = [into.weights, vector.weights]
      for (let panel = 0, at = 0; panel < panels; panel++)
        for (let gene = 0; gene < columns; gene++)
          for (let lane = panel * width; lane < (panel + 1) * width; lane++, at++)
            to[at] = from[at]! + factor[lane]! * to[at]!
      for (let lane = 0; lane < lanes; lane++)
        into.intercept[lane] = vector.intercept[lane]! + factor[lane]! * into.intercept[lane]!
    },
    divide(into, { a, b }) {
      for (let at = 0; at < size; at++) into.weights[at] = a.weights[at]! / b.weights[at]!
      for (let lane = 0; lane < lanes; lane++) into.intercept[lane] = a.intercept[lane]! / b.intercept[lane]!
    },
    pass({ weights, intercept }, precision) {
      const into = floatsAt(memory.buffer, { precision, at: layout.vector, count: size })
      const base = intercept.slice()
      for (let panel = 0, at = 0; panel < panels; panel++)
        for (let gene = 0; gene < columns; gene++)
          for (let lane = panel * width; lane < (panel + 1) * width; lane++, at++) {
            base[lane]! += zero[gene]! * weights[at]!
            into[at] = inverse[gene]! * weights[at]!
          }
      floatsAt(memory.buffer, { precision, at: layout.base, count: lanes }).set(base)
    },
    collect(precision, { into, penalised }) {
      sumStrands(into, precision)
      const { weights, intercept } = into
      const own = penalised.weights
      for (let panel = 0, at = 0; panel < panels; panel++)
        for (let gene = 0; gene < columns; gene++)
          for (let lane = panel * width; lane < (panel + 1) * width; lane++, at++)
            weights[at] = inverse[gene]! * weights[at]! + zero[gene]! * intercept[lane]! + own[at]!
    },
    collectPlain() {
      const sums = zeros()
      sumStrands(sums, 'single')
      return sums
    },
    collectSquares(plain) {
      const sums = zeros()
      sumStrands(sums, 'single')
      const { weights, intercept } = sums
      for (let panel = 0, at = 0; panel < panels; panel++)
        for (let gene = 0; gene < columns; gene++) {
          const [over, level] = [inverse[gene]!, zero[gene]!]
          for (let lane = panel * width; lane < (panel + 1) * width; lane++, at++) {
            const stored = over * (over * weights[at]! + 2 * level * plain.weights[at]!)
            weights[at] = Math.max(0, stored + level ** 2 * intercept[lane]!)
          }
        }
      return sums
    },
  }
}
