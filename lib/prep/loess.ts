/**
 * A smooth curve through points, as loess draws it (Cleveland, Grosse and Shyu's dloess as in scikit-misc: one predictor, local quadratics,
 * gaussian): fitted at a few vertices, between which values and slopes are blended. The vertices are where its k-d tree cuts the points, so they
 * decide the last digits.
 *
 * Trap: where points coincide a local fit has no unique answer and upstream stops ("near singularities", "zero-width neighborhood"). Here it is
 * the least of all answers, and `unsure` counts such vertices.
 */

export interface Curve {
  /** height of the curve at each point, in the order of the points */
  fitted: Float64Array
  /** vertices of the curve, and how many of them had no unique fit */
  vertices: number
  unsure: number
  /** the span held too few points for a quadratic, so local fits looked at more */
  isWidened: boolean
}

/** a local fit looks at no fewer points than this, where there are as many */
const fewest = 10
/** a cell of the tree has at most this share of the points that a local fit looks at */
const cellShare = 0.2

/**
 * @param x where the points are, `y` how high; finite
 * @param options.span share of the points that each local fit looks at, in (0, 1]; 0.3 unless told
 * @throws RangeError when the lengths differ or a number is not finite
 */
export function loess(x: Float64Array, { y, span = 0.3 }: { y: Float64Array; span?: number }): Curve {
  if (x.length !== y.length) throw new RangeError(`${x.length} places for ${y.length} heights`)
  const count = x.length
  if (count === 0) return { fitted: new Float64Array(0), vertices: 0, unsure: 0, isWidened: false }
  if (!x.every(Number.isFinite) || !y.every(Number.isFinite)) throw new RangeError('a point is not finite')
  const order = Uint32Array.from(x.keys()).sort((a, b) => x[a]! - x[b]! || a - b)
  const points = { x: Float64Array.from(order, (i) => x[i]!), y: Float64Array.from(order, (i) => y[i]!) }
  const asked = Math.floor(count * span + 1e-5)
  // fewer than 4 are not enough for a quadratic, where upstream stops
  const isWidened = asked < 4
  const neighbours = !isWidened ? Math.min(count, asked) : Math.min(count, fewest)
  const places = verticesOf(points.x, Math.floor(count * (span * cellShare)))
  const knots = places.map((place) => fitAt(place, { points, neighbours }))
  const fitted = new Float64Array(count)
  let right = 1
  for (let i = 0; i < count; i++) {
    while (right < places.length - 1 && points.x[i]! > places[right]!) right++
    const [from, to] = [right - 1, right]
    const blended = { from: knots[from]!, to: knots[to]!, left: places[from]!, right: places[to]! }
    fitted[order[i]!] = hermite(points.x[i]!, blended)
  }
  const unsure = knots.filter((knot) => knot.isUnsure).length
  return { fitted, vertices: knots.length, unsure, isWidened }
}

/**
 * Ascending: both ends of a box a little wider than the points, and where the tree cuts. A cell with more than `most` points is cut at its
 * middle one; points that are equal stay together, the nearest border between unequal ones is taken, to the right before the left.
 */
function verticesOf(x: Float64Array, most: number): number[] {
  const [low, high] = [x[0]!, x[x.length - 1]!]
  const aside = 0.005 * Math.max(high - low, 1e-10 * Math.max(Math.abs(low), Math.abs(high)) + 1e-30)
  const places = [low - aside, high + aside]
  const cells = [{ from: 0, to: x.length - 1, left: places[0]!, right: places[1]! }]
  for (let cell = cells.pop(); cell !== undefined; cell = cells.pop()) {
    const { from, to, left, right } = cell
    if (to - from + 1 <= most) continue
    const cut = cutOf(x, cell)
    const place = x[cut]
    if (place === undefined || place === left || place === right) continue
    places.push(place)
    cells.push({ from, to: cut, left, right: place }, { from: cut + 1, to, left: place, right })
  }
  return places.sort((a, b) => a - b)
}

/** Upstream counts points from 1, which decides which of two middle ones it is. */
function cutOf(x: Float64Array, { from, to }: { from: number; to: number }): number {
  const middle = Math.floor((from + to + 2) / 2) - 1
  for (let aside = 0; middle + aside < to && middle + aside >= from; ) {
    if (x[middle + aside] !== x[middle + aside + 1]) return middle + aside
    aside = aside > 0 ? -aside : 1 - aside
  }
  return middle
}

interface Knot {
  value: number
  slope: number
  isUnsure: boolean
}

interface Points {
  /** ascending */
  x: Float64Array
  y: Float64Array
}

/** The quadratic by weighted least squares of the nearest points: its height and slope at the place. */
function fitAt(place: number, { points, neighbours }: { points: Points; neighbours: number }): Knot {
  const { from, to, radius } = nearest(points.x, { place, neighbours })
  const weights = new Float64Array(to - from)
  for (let i = from; i < to; i++) {
    const share = radius > 0 ? Math.sqrt((points.x[i]! - place) ** 2 / radius) : 1
    weights[i - from] = Math.sqrt((1 - share ** 3) ** 3)
  }
  // all of them equally far: then they count alike
  const isFlat = !weights.some((weight) => weight > 0)
  if (isFlat) weights.fill(1)
  const columns = [0, 1, 2].map((power) =>
    weights.map((weight, i) => weight * (points.x[from + i]! - place) ** power),
  )
  const target = weights.map((weight, i) => weight * points.y[from + i]!)
  const { solution, isSingular } = leastSquares(columns, target)
  return { value: solution[0]!, slope: solution[1]!, isUnsure: isFlat || isSingular }
}

/** Points [from, to), those as far as the last of them included only where all are equally far; `radius` is the square of how far that is. */
function nearest(
  x: Float64Array,
  { place, neighbours }: { place: number; neighbours: number },
): { from: number; to: number; radius: number } {
  let [low, high] = [0, x.length - neighbours]
  while (low < high) {
    const middle = (low + high) >> 1
    if (place - x[middle]! > x[middle + neighbours]! - place) low = middle + 1
    else high = middle
  }
  let [from, to] = [low, low + neighbours]
  const squared = (i: number): number => (x[i]! - place) ** 2
  const radius = Math.max(squared(from), squared(to - 1))
  while (from > 0 && squared(from - 1) <= radius) from--
  while (to < x.length && squared(to) <= radius) to++
  return { from, to, radius }
}

/**
 * Least squares by singular values (one-sided Jacobi on columns scaled to length 1); directions that are nothing but rounding are left out.
 * The columns are overwritten.
 */
function leastSquares(
  columns: Float64Array[],
  target: Float64Array,
): { solution: number[]; isSingular: boolean } {
  const lengths = columns.map((column) => Math.sqrt(dot(column, column)) || 1)
  columns.forEach((column, j) => {
    for (let i = 0; i < column.length; i++) column[i]! /= lengths[j]!
  })
  const turns = columns.map((_, j) => Float64Array.from(columns, (_, k) => (j === k ? 1 : 0)))
  for (let sweep = 0; sweep < 30; sweep++) if (!sweepOnce(columns, turns)) break
  const singular = columns.map((column) => Math.sqrt(dot(column, column)))
  const least = Math.max(...singular) * 100 * Number.EPSILON
  const along = columns.map((column, j) =>
    singular[j]! > least ? dot(column, target) / singular[j]! ** 2 : 0,
  )
  const solution = lengths.map(
    (length, k) => along.reduce((sum, size, j) => sum + size * turns[j]![k]!, 0) / length,
  )
  return { solution, isSingular: singular.some((value) => value <= least) }
}

/** Turns each pair of columns to a right angle; false when they all were. */
function sweepOnce(columns: Float64Array[], turns: Float64Array[]): boolean {
  let hasTurned = false
  for (let j = 0; j < columns.length; j++)
    for (let k = j + 1; k < columns.length; k++) {
      const [a, b] = [columns[j]!, columns[k]!]
      const [aa, bb, ab] = [dot(a, a), dot(b, b), dot(a, b)]
      if (Math.abs(ab) <= Number.EPSILON * Math.sqrt(aa * bb) || ab === 0) continue
      hasTurned = true
      const zeta = (bb - aa) / (2 * ab)
      const tangent = (zeta >= 0 ? 1 : -1) / (Math.abs(zeta) + Math.hypot(1, zeta))
      const cosine = 1 / Math.hypot(1, tangent)
      turn(a, b, { cosine, sine: cosine * tangent })
      turn(turns[j]!, turns[k]!, { cosine, sine: cosine * tangent })
    }
  return hasTurned
}

function turn(a: Float64Array, b: Float64Array, { cosine, sine }: { cosine: number; sine: number }): void {
  for (let i = 0; i < a.length; i++) {
    const [one, other] = [a[i]!, b[i]!]
    a[i] = cosine * one - sine * other
    b[i] = sine * one + cosine * other
  }
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!
  return sum
}

/** The cubic with the values and slopes of two knots. */
function hermite(
  x: number,
  { from, to, left, right }: { from: Knot; to: Knot; left: number; right: number },
): number {
  const width = right - left
  const h = (x - left) / width
  const value = (1 - h) ** 2 * (1 + 2 * h) * from.value + h ** 2 * (3 - 2 * h) * to.value
  return value + (h * (1 - h) ** 2 * from.slope + h ** 2 * (h - 1) * to.slope) * width
}
