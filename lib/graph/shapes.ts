/** How shapes combine: NumPy's rules of broadcasting, with lengths that are words and equal only to themselves. */
import type { Length, Shape } from './expression.ts'

/** @throws Error for shapes that do not fit together: a mistake in a model, found while it is put together */
export function broadcast(left: Shape, right: Shape): Shape {
  const rank = Math.max(left.length, right.length)
  return Array.from({ length: rank }, (_, axis) => {
    const a = lengthAt(left, axis - rank)
    const b = lengthAt(right, axis - rank)
    if (a === b || b === 1) return a
    if (a === 1) return b
    throw new Error(`shapes [${left.join(', ')}] and [${right.join(', ')}] do not fit together`)
  })
}

/** Axes counted from the end, -1 the last; 1 where a shape has fewer. */
function lengthAt(shape: Shape, fromEnd: number): Length {
  return shape[shape.length + fromEnd] ?? 1
}

export function isSameShape(left: Shape, right: Shape): boolean {
  return left.length === right.length && left.every((length, axis) => length === right[axis])
}

/** The axes of `shape` along which something shaped as `narrow` was repeated. */
export function repeatedAxes(shape: Shape, narrow: Shape): number[] {
  const more = shape.length - narrow.length
  return shape.flatMap((length, axis) => {
    const was = axis < more ? undefined : narrow[axis - more]
    return was === undefined || (was === 1 && length !== 1) ? [axis] : []
  })
}

/** Axes from 0, whatever sign they were given with. */
export function positiveAxis(axis: number, { length: rank }: Shape): number {
  const positive = axis < 0 ? axis + rank : axis
  if (positive < 0 || positive >= rank) throw new Error(`there is no axis ${axis} of ${rank}`)
  return positive
}

export function reducedShape(shape: Shape, axes: readonly number[]): Shape {
  return shape.map((length, axis) => (axes.includes(axis) ? 1 : length))
}
