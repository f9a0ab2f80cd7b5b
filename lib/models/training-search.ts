/**
 * The step along a direction: the whole of it where the objective falls enough (Armijo), else shorter; and how far the next may lead, by how
 * well the quadratic foretold this one. Scores move along, so that one product serves all tries.
 */
import type { Direction } from './training-direction.ts'
import type { Problem, State } from './training-problem.ts'
import type { Lanes } from './training-vectors.ts'

const enoughDecrease = 1e-4
/** of an objective: what its sum may lose to rounding */
const rounding = 1e-13
const leastStep = 1e-6

/** Moves the state. @returns 1 for each lane that found no step */
export async function takeStep(
  problem: Problem,
  { state, going, direction }: { state: State; going: Uint8Array; direction: Direction },
): Promise<Uint8Array> {
  const { crew, space, pool, shared } = problem
  const { vector } = direction
  const slope = pool(space.dot(state.gradient, vector))
  const own = space.dotWeights(state.at, state.at)
  const mixed = space.dotWeights(state.at, vector)
  const along = space.dotWeights(vector, vector)
  const step = Float64Array.from(going, (isGoing, lane) => (isGoing === 1 && slope[lane]! < 0 ? 1 : 0))
  const failed = going.map((isGoing, lane) => (isGoing === 1 && step[lane] === 0 ? 1 : 0))
  space.pass(vector, 'double')
  await crew.run('change')
  const applied = new Float64Array(problem.lanes)
  for (;;) {
    shared.steps.set(step.map((value, lane) => value - applied[lane]!))
    await crew.run('settle')
    applied.set(step)
    const penalty = step.map((s, lane) => 0.5 * (own[lane]! + 2 * s * mixed[lane]! + s * s * along[lane]!))
    const reached = pool(problem.losses().map((loss, lane) => loss + penalty[lane]!))
    const shorter = shorterSteps({ step, reached, slope, objective: state.objective })
    if (shorter === undefined) {
      const length = pool(space.dot(vector, vector)).map((value, lane) => step[lane]! * Math.sqrt(value))
      renewRadius(state.radius, { step, length, ratio: ratios(reached, { state, direction }) })
      state.objective = reached
      break
    }
    step.set(shorter)
    for (const lane of failed.keys()) if (going[lane] === 1 && step[lane] === 0) failed[lane] = 1
  }
  space.add(state.at, { vector, factor: step })
  space.collect('double', { into: state.gradient, penalised: state.at })
  return failed
}

/** Undefined where every lane's objective fell enough. */
function shorterSteps({
  step,
  reached,
  slope,
  objective,
}: {
  step: Lanes
  reached: Lanes
  slope: Lanes
  objective: Lanes
}): Lanes | undefined {
  let isFound = true
  const next = step.map((s, lane) => {
    const [before, after, down] = [objective[lane]!, reached[lane]!, slope[lane]!]
    if (s === 0 || after <= before * (1 + rounding) + enoughDecrease * s * down) return s
    isFound = false
    // the lowest point of the parabola through both ends
    const lowest = (-down * s * s) / (2 * (after - before - down * s))
    const shorter = Number.isFinite(lowest) ? Math.min(0.5 * s, Math.max(0.1 * s, lowest)) : 0.1 * s
    return shorter < leastStep ? 0 : shorter
  })
  return isFound ? undefined : next
}

const ratios = (reached: Lanes, { state, direction }: { state: State; direction: Direction }): Lanes =>
  reached.map((value, lane) => (value - state.objective[lane]!) / direction.predicted[lane]!)

function renewRadius(
  radius: Lanes,
  { step, length, ratio }: { step: Lanes; length: Lanes; ratio: Lanes },
): void {
  for (const [lane, s] of step.entries()) {
    const far = length[lane]!
    if (s === 0 || far === 0) continue
    if (radius[lane] === Number.POSITIVE_INFINITY) radius[lane] = 2 * far
    else if (s < 1) radius[lane] = far
    else if (ratio[lane]! < 0.25) radius[lane] = 0.5 * far
    else if (ratio[lane]! > 0.75) radius[lane] = Math.max(radius[lane]!, 2 * far)
  }
}
