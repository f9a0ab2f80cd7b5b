/**
 * Float32 coordinates for proposing neighbours: the points about their common centre, shrunk so that no point is farther from it than 1.
 * Centring takes away what float32 would cancel (points far from the origin); shrinking keeps squares from overflowing.
 */
import type { ScaledPoints } from './points.ts'

export interface SearchSpace {
  /** what a distance is multiplied by */
  shrink: number
  references: SearchCoordinates
  queries: SearchCoordinates
}

export interface SearchCoordinates {
  values: Float32Array
  /** squared length of each row, before rounding to float32 */
  squares: Float64Array
}

export function searchSpace(references: ScaledPoints, queries: ScaledPoints): SearchSpace {
  const centre = centreOf(references)
  const reach = Math.max(farthest(references, centre), farthest(queries, centre))
  const shrink = reach > 0 ? 1 / reach : 1
  const own = coordinates(references, { centre, shrink })
  return {
    shrink,
    references: own,
    queries: queries === references ? own : coordinates(queries, { centre, shrink }),
  }
}

function centreOf({ rows, dims, values, factors }: ScaledPoints): Float64Array {
  const centre = new Float64Array(dims)
  for (let row = 0, at = 0; row < rows; row++)
    for (let j = 0; j < dims; j++, at++) centre[j]! += (values[at]! * factors[row]!) / rows
  return centre
}

function farthest({ rows, dims, values, factors }: ScaledPoints, centre: Float64Array): number {
  let largest = 0
  for (let row = 0, at = 0; row < rows; row++) {
    let squares = 0
    for (let j = 0; j < dims; j++, at++) squares += (values[at]! * factors[row]! - centre[j]!) ** 2
    largest = Math.max(largest, squares)
  }
  return Math.sqrt(largest)
}

function coordinates(
  { rows, dims, values, factors }: ScaledPoints,
  { centre, shrink }: { centre: Float64Array; shrink: number },
): SearchCoordinates {
  const moved = new Float32Array(rows * dims)
  const squares = new Float64Array(rows)
  for (let row = 0, at = 0; row < rows; row++)
    for (let j = 0; j < dims; j++, at++) {
      const coordinate = (values[at]! * factors[row]! - centre[j]!) * shrink
      moved[at] = coordinate
      squares[row]! += coordinate * coordinate
    }
  return { values: moved, squares }
}
