/**
 * The direction of a Newton step: conjugate gradients on H d = -g, with the diagonal of H as preconditioner, for all lanes at once. A lane stops
 * when its residual is small enough, or where its step would leave the region in which a quadratic is to be believed (Steihaug 1983).
 */
import type { Problem, State } from './training-problem.ts'
import type { Lanes, Vector } from './training-vectors.ts'

/** Beyond this a step is taken as it is: rounding has the better of the method. */
const mostRounds = 500
const leastCurvature = 1e-9

export interface Direction {
  vector: Vector
  /** what the quadratic says that a whole step changes the objective by */
  predicted: Lanes
}

export async function newtonDirection(
  problem: Problem,
  { state, going, accuracy }: { state: State; going: Uint8Array; accuracy: Lanes },
): Promise<Direction> {
  const { crew, space, pool } = problem
  const { gradient, precision } = state
  const diagonal = await hessianDiagonal(problem)
  const [direction, scaled, image] = [space.zeros(), space.zeros(), space.zeros()]
  const residual = {
    weights: gradient.weights.map((value) => -value),
    intercept: gradient.intercept.map((value) => -value),
  }
  space.divide(scaled, { a: residual, b: diagonal })
  const search = { weights: scaled.weights.slice(), intercept: scaled.intercept.slice() }
  let product = pool(space.dot(residual, scaled))
  const wanted = product.map((value, lane) => accuracy[lane]! ** 2 * value)
  const open = Uint8Array.from(going)
  for (let round = 0; round < mostRounds; round++) {
    for (const lane of open.keys()) if (!(product[lane]! > wanted[lane]!)) open[lane] = 0
    if (!open.includes(1)) break
    space.pass(search, precision)
    await crew.run('image', precision)
    space.collect(precision, { into: image, penalised: search })
    const bend = pool(space.dot(search, image))
    const step = product.map((value, lane) => (open[lane] === 1 && bend[lane]! > 0 ? value / bend[lane]! : 0))
    shorten(problem, { step, radius: state.radius, direction, search, open })
    space.add(direction, { vector: search, factor: step })
    space.add(residual, { vector: image, factor: step.map((value) => -value) })
    space.divide(scaled, { a: residual, b: diagonal })
    const next = pool(space.dot(residual, scaled))
    const share = next.map((value, lane) => (open[lane] === 1 ? value / product[lane]! : 0))
    space.renew(search, { vector: scaled, factor: share })
    product = next
  }
  if (problem.setup.shape.loss === 'multinomial') centre(direction.intercept, problem.setup.shape.heads)
  const [slope, left] = [pool(space.dot(gradient, direction)), pool(space.dot(residual, direction))]
  return { vector: direction, predicted: slope.map((value, lane) => 0.5 * (value - left[lane]!)) }
}

/** Shortens the steps that would lead out of the radius, and closes their lanes. */
function shorten(
  { space, pool, lanes }: Problem,
  parts: { step: Lanes; radius: Lanes; direction: Vector; search: Vector; open: Uint8Array },
): void {
  const { step, radius, direction, search, open } = parts
  for (let lane = 0; lane < lanes; lane++) if (step[lane] === 0) open[lane] = 0
  if (!radius.some(Number.isFinite)) return
  const own = pool(space.dot(direction, direction))
  const mixed = pool(space.dot(direction, search))
  const along = pool(space.dot(search, search))
  for (let lane = 0; lane < lanes; lane++) {
    const [x, a, b, c] = [step[lane]!, own[lane]!, mixed[lane]!, along[lane]!]
    const room = radius[lane]! ** 2 - a
    if (x === 0 || !(2 * x * b + x * x * c > room)) continue
    step[lane] = (-b + Math.sqrt(b * b + c * Math.max(0, room))) / c
    open[lane] = 0
  }
}

/** 1 + curvature x z^2 for weights; curvature alone for intercepts, which have no penalty. */
async function hessianDiagonal({ crew, space }: Problem): Promise<Vector> {
  await crew.run('diagonal', 'single')
  const plain = space.collectPlain()
  await crew.run('diagonalSquares', 'single')
  const diagonal = space.collectSquares(plain)
  for (let i = 0; i < diagonal.weights.length; i++) diagonal.weights[i]! += 1
  diagonal.intercept = diagonal.intercept.map((value) => Math.max(value, leastCurvature))
  return diagonal
}

/** A softmax does not change when all intercepts do by the same: their sum stays 0. */
export function centre(intercept: Lanes, heads: number): void {
  const mean = intercept.reduce((sum, value) => sum + value, 0) / heads
  for (let head = 0; head < heads; head++) intercept[head]! -= mean
}
