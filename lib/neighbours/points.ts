/**
 * Points and their nearest neighbours, as every part of this folder takes and gives them, and the one distance they agree on:
 * in float64, so that neighbours are ordered alike whichever search proposed them.
 */
import { BadInput } from '../job/errors.ts'

export interface Points {
  rows: number
  dims: number
  /** rows x dims, row by row */
  values: Float32Array
}

/** For each row the k nearest, nearest first, equally near ones by number. */
export interface Neighbours {
  rows: number
  k: number
  /** rows x k, numbers of rows of the points that were searched */
  indices: Int32Array
  /** rows x k */
  distances: Float32Array
}

/** 'cosine' is 1 - cosine of the angle, from 0 to 2. */
export type Metric = 'euclidean' | 'cosine'

/** Points with a factor for each row, by which the metric becomes a plain distance: 1, or 1 / length for the cosine. */
export interface ScaledPoints extends Points {
  factors: Float64Array
}

/**
 * @param place what the points are, for the message: 'obsm/X_pca'
 * @throws BadInput POINTS_MALFORMED, POINTS_NOT_FINITE; for the cosine POINT_WITHOUT_DIRECTION when a point is all zero
 */
export function scaledPoints(points: Points, options: { metric: Metric; place: string }): ScaledPoints {
  const { rows, dims, values } = points
  const { metric, place } = options
  if (values.length !== rows * dims || dims < 1)
    throw new BadInput(
      'POINTS_MALFORMED',
      place,
      `${rows} points of ${dims} numbers cannot be made of ${values.length} numbers`,
      'Give a table of at least one column',
    )
  const factors = new Float64Array(rows).fill(1)
  for (let row = 0; row < rows; row++) {
    let squares = 0
    for (let j = row * dims; j < (row + 1) * dims; j++) squares += values[j]! ** 2
    if (!Number.isFinite(squares))
      throw new BadInput(
        'POINTS_NOT_FINITE',
        place,
        `point ${row} holds a number that is missing or infinite`,
        'Remove the cells whose coordinates are not numbers, or compute the coordinates anew',
      )
    if (metric === 'euclidean') continue
    if (squares === 0)
      throw new BadInput(
        'POINT_WITHOUT_DIRECTION',
        place,
        `point ${row} is all zero and has no angle to others`,
        'Remove empty cells, or use the Euclidean distance',
      )
    factors[row] = 1 / Math.sqrt(squares)
  }
  return { rows, dims, values, factors }
}

/** Squared distance of row a of one table to row b of the other; beyond `limit` any number above it. */
export function squaredDistance(
  from: { table: ScaledPoints; row: number },
  to: { table: ScaledPoints; row: number },
  limit = Number.POSITIVE_INFINITY,
): number {
  const { values: left, dims, factors: leftFactors } = from.table
  const { values: right, factors: rightFactors } = to.table
  const [a, b] = [leftFactors[from.row]!, rightFactors[to.row]!]
  const [leftStart, rightStart] = [from.row * dims, to.row * dims]
  let sum = 0
  for (let j = 0; j < dims; j++) {
    const difference = left[leftStart + j]! * a - right[rightStart + j]! * b
    sum += difference * difference
    if (sum > limit) return sum
  }
  return sum
}

/** 1 - cosine is half the squared chord, which keeps its digits where the two are almost the same direction. */
export function distanceOf(squared: number, metric: Metric): number {
  return metric === 'euclidean' ? Math.sqrt(squared) : squared / 2
}
