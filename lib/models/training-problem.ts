/**
 * What the parts of Newton's method share: where it stands, and sums over strands and lanes. One-vs-rest labels are problems of their own that
 * share each pass over the cells, so every number of the search exists once a lane; a softmax is one problem, whose numbers are added up over
 * the lanes, so that all lanes hold the same.
 */
import type { TrainingSetup } from './training-context.ts'
import type { TrainingCrew } from './training-crew.ts'
import type { Precision } from './training-kernel.ts'
import type { Lanes, Vector, VectorSpace } from './training-vectors.ts'

export interface Problem {
  setup: TrainingSetup
  crew: TrainingCrew
  space: VectorSpace
  lanes: number
  /** values of separate problems stay, those of one problem become their sum */
  pool(values: Lanes): Lanes
  /** what the main thread and the strands leave for each other, one number a lane */
  shared: { steps: Lanes; curvatures: Lanes; cut: Float64Array }
  losses(): Lanes
  curvatures(): Lanes
}

/** Where the search stands; lanes beyond the last label are never `going`. */
export interface State {
  at: Vector
  objective: Lanes
  gradient: Vector
  /** how long a step may be: weights and intercepts, euclidean */
  radius: Lanes
  /** of products with the Hessian */
  precision: Precision
}

export function makeProblem(parts: Pick<Problem, 'setup' | 'crew' | 'space'>): Problem {
  const { memory, layout, shape } = parts.setup
  const lanes = shape.panels * shape.width
  const strands = shape.strands.length - 1
  const doubles = (at: number, count: number): Float64Array => new Float64Array(memory.buffer, at, count)
  const overStrands = (at: number) => (): Lanes => {
    const sums = new Float64Array(lanes)
    for (const [i, value] of doubles(at, strands * lanes).entries()) sums[i % lanes]! += value
    return sums
  }
  return {
    ...parts,
    lanes,
    pool: (values) => (shape.loss === 'ovr' ? values : values.fill(values.reduce((sum, v) => sum + v, 0))),
    shared: {
      steps: doubles(layout.steps, lanes),
      curvatures: doubles(layout.curvatures, lanes),
      cut: doubles(layout.cut, 1),
    },
    losses: overStrands(layout.laneLosses),
    curvatures: overStrands(layout.laneCurvatures),
  }
}
