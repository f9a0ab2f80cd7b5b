/** What tells cells unlike the reference as one array of numbers, so that it can be stored beside a model's weights; and back. */
import type { OutOfReference } from './out-of-reference.ts'

/** In this order: axes, origin and centres of the space, middle and spread of distance and of ratio, values of the tail, and its count. */
export function packOutOfReference({ space, distance, ratio, tail }: OutOfReference): Float64Array {
  const parts = [
    ...[space.axes, space.origin, space.centres],
    ...[distance.middle, distance.spread, ratio.middle, ratio.spread],
    ...[tail.values, tail.atLeast, Float64Array.of(tail.count)],
  ]
  const packed = new Float64Array(parts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const part of parts) {
    packed.set(part, at)
    at += part.length
  }
  return packed
}

/** @throws RangeError where the array has another length */
export function unpackOutOfReference(
  packed: Float64Array,
  of: { labels: number; genes: number; directions: number; tail: number },
): OutOfReference {
  const { labels, genes, directions, tail } = of
  let at = 0
  const next = (length: number) => {
    at += length
    return packed.subarray(at - length, at)
  }
  const space = {
    labels,
    directions,
    axes: next(directions * genes),
    origin: next(directions),
    centres: next(labels * directions),
  }
  const distance = { middle: next(labels), spread: next(labels) }
  const ratio = { middle: next(labels), spread: next(labels) }
  const values = { values: next(tail), atLeast: next(tail), count: next(1)[0]! }
  if (at !== packed.length) throw new RangeError(`${packed.length} numbers, ${at} expected`)
  return { space, distance, ratio, tail: values }
}
