/**
 * Newton's method for linear classifiers, all labels at once: each step by conjugate gradients (Hessian times vector, never the Hessian) within
 * a trusted radius. Products with the Hessian are float32 over the cells that matter; objectives and gradients are float64 over all.
 *
 * The penalty bends the objective by at least 1, so half the squared gradient bounds what is left above the optimum: it stops there, not
 * where it stops moving.
 */
import { newtonDirection } from './training-direction.ts'
import { makeProblem, type Problem, type State } from './training-problem.ts'
import { takeStep } from './training-search.ts'
import type { Lanes, Vector } from './training-vectors.ts'

export interface NewtonOptions {
  /** what may be left above the optimum, as a share of the objective */
  tolerance: number
  mostSteps: number
  start?: Vector
  /** share of the way, from 0 to 1, by the logarithm of what is left */
  onStep?: (share: number) => void
}

export interface NewtonFit {
  at: Vector
  objective: number
  /** largest part of the gradient */
  gradient: number
  /** what is left above the optimum at most, as a share of the objective */
  above: number
  steps: number
}

/** Curvature left out of the Hessian, as a share of each lane's: more makes passes cheaper and directions worse. */
const usualCut = 0.02
/** Steps after which nothing is left out any more. */
const stepsWithCut = 40
const accuracies = { least: 0.1, most: 0.3 }

export async function newton(
  parts: Pick<Problem, 'setup' | 'crew' | 'space'>,
  { tolerance, mostSteps, start, onStep }: NewtonOptions,
): Promise<NewtonFit> {
  const problem = makeProblem(parts)
  const { shape } = parts.setup
  const state = await begin(problem, start)
  const begun = boundOf(problem, state)
  const stuck = new Uint8Array(problem.lanes)
  for (let steps = 0; ; steps++) {
    const bound = boundOf(problem, state)
    const allowed = state.objective.map((value) => tolerance * value)
    const left = bound.map((value, lane) => (lane < shape.heads ? value / allowed[lane]! : 0))
    onStep?.(shareOfWay({ bound, begun, allowed, heads: shape.heads }))
    const going = Uint8Array.from(left, (value, lane) => (stuck[lane] === 0 && !(value <= 1) ? 1 : 0))
    if (!going.includes(1) || steps >= mostSteps)
      return result(problem, { state, steps, above: tolerance * Math.max(...left) })
    await chooseRows(problem, {
      going,
      cut: state.precision === 'single' && steps < stepsWithCut ? usualCut : 0,
    })
    const accuracy = bound.map((value, lane) =>
      Math.max(accuracies.least, Math.min(accuracies.most, (value / begun[lane]!) ** 0.25)),
    )
    const direction = await newtonDirection(problem, { state, going, accuracy })
    const failed = await takeStep(problem, { state, going, direction })
    // a direction that leads nowhere may be float32's fault, or that of cells left out: once more without both
    if (state.precision === 'double')
      for (const [lane, isFailed] of failed.entries()) stuck[lane]! |= isFailed
    else if (failed.includes(1)) state.precision = 'double'
  }
}

async function begin({ crew, space, pool, lanes, shared, losses }: Problem, start?: Vector): Promise<State> {
  const at = start ?? space.zeros()
  space.pass(at, 'double')
  shared.steps.fill(1)
  await crew.run('change')
  await crew.run('settle')
  const penalty = space.dotWeights(at, at)
  const objective = pool(losses().map((loss, lane) => loss + 0.5 * penalty[lane]!))
  const gradient = space.zeros()
  space.collect('double', { into: gradient, penalised: at })
  const radius = new Float64Array(lanes).fill(Number.POSITIVE_INFINITY)
  return { at, objective, gradient, radius, precision: 'single' }
}

/** What is left above the optimum, at most. */
function boundOf({ space, pool, curvatures }: Problem, { gradient }: State): Lanes {
  const bends = curvatures()
  const squares = space.dotWeights(gradient, gradient)
  return pool(
    squares.map((square, lane) => {
      const free = gradient.intercept[lane]!
      return 0.5 * (square + (free === 0 ? 0 : (free * free) / Math.max(bends[lane]!, Number.MIN_VALUE)))
    }),
  )
}

async function chooseRows(
  { crew, shared, curvatures }: Problem,
  { going, cut }: { going: Uint8Array; cut: number },
): Promise<void> {
  const bends = curvatures()
  // cells matter only to lanes that are still under way
  shared.curvatures.set(bends.map((value, lane) => (going[lane] === 1 ? value : Number.POSITIVE_INFINITY)))
  shared.cut[0] = cut
  await crew.run('choose')
}

function shareOfWay(parts: { bound: Lanes; begun: Lanes; allowed: Lanes; heads: number }): number {
  const { bound, begun, allowed, heads } = parts
  let share = 1
  for (let head = 0; head < heads; head++) {
    const whole = Math.log(begun[head]! / allowed[head]!)
    if (bound[head]! > allowed[head]! && whole > 0)
      share = Math.min(share, Math.max(0, Math.log(begun[head]! / bound[head]!) / whole))
  }
  return share
}

function result(
  { setup }: Problem,
  { state, steps, above }: { state: State; steps: number; above: number },
): NewtonFit {
  const { at, objective, gradient } = state
  const largest = (values: Float64Array): number => values.reduce((most, v) => Math.max(most, Math.abs(v)), 0)
  return {
    at,
    // one problem has its objective in every lane
    objective: setup.shape.loss === 'ovr' ? objective.reduce((sum, value) => sum + value, 0) : objective[0]!,
    gradient: Math.max(largest(gradient.weights), largest(gradient.intercept)),
    above,
    steps,
  }
}
