/**
 * A whole number shared out by weight within bounds: each part as near to its share as whole cells allow (largest remainder), none
 * below its lower or above its upper bound, the sum exact.
 *
 * What a bound takes or gives is settled over all parts at once, as far bounds first where they pull more (the rule by which boxes
 * that flex are laid out), so that the order of the parts decides nothing but ties: of those the heavier part, then the first.
 */

export interface Shares {
  /** not negative; parts without weight get their lower bound, and more only when the others are full */
  weights: ArrayLike<number>
  /** whole numbers; 0 unless told */
  lower?: ArrayLike<number>
  /** whole numbers, none below its lower bound */
  upper: ArrayLike<number>
}

/**
 * @param total no more than the upper bounds together, else they are what is given. Where it is less than the lower bounds together,
 *   none gets more than its lower bound, and the smallest are served first
 */
export function apportion(total: number, { weights, lower, upper }: Shares): Int32Array {
  const parts = Array.from(
    { length: upper.length },
    (_, i): Part => ({ weight: weights[i]!, least: lower?.[i] ?? 0, most: upper[i]!, given: 0, rest: 0 }),
  )
  for (const { weight, least, most } of parts)
    if (!(weight >= 0) || weight === Number.POSITIVE_INFINITY || !(least >= 0) || !(least <= most))
      throw new RangeError(`a part of weight ${weight} between ${least} and ${most}`)
  if (sum(parts, ({ least }) => least) >= total) serveSmallest(parts, total)
  else
    share(
      parts,
      Math.min(
        total,
        sum(parts, ({ most }) => most),
      ),
    )
  return Int32Array.from(parts, ({ given }) => given)
}

interface Part {
  weight: number
  least: number
  most: number
  given: number
  /** what was cut off when its share was rounded down */
  rest: number
}

/** Lower bounds that are more than there is: all alike up to a level that the smaller bounds stay below. */
function serveSmallest(parts: readonly Part[], total: number): void {
  let left = total
  const order = [...parts].sort((a, b) => a.least - b.least)
  for (const [i, part] of order.entries()) {
    const others = order.length - i
    if (part.least * others > left) {
      const level = Math.floor(left / others)
      for (const one of order.slice(i)) one.given = level
      left -= level * others
      break
    }
    part.given = part.least
    left -= part.least
  }
  topUp(parts, { left, most: ({ least }) => least })
}

function share(parts: readonly Part[], total: number): void {
  let open = parts.filter((part) => part.weight > 0)
  let left = total
  for (const part of parts)
    if (part.weight === 0) {
      part.given = part.least
      left -= part.least
    }
  while (open.length > 0) {
    const fixed = fixedByBounds(open, left)
    if (fixed.size === 0) break
    for (const part of fixed) left -= part.given
    open = open.filter((part) => !fixed.has(part))
  }
  roundDown(open, left)
  topUp(parts, { left: left - sum(open, ({ given }) => given), most: ({ most }) => most })
}

/** Parts whose share of what is left lies beyond a bound: those below, those above, or both, whichever pull more. */
function fixedByBounds(open: readonly Part[], left: number): Set<Part> {
  const weight = sum(open, (part) => part.weight)
  const wanted = (part: Part) => (left * part.weight) / weight
  const lacking = sum(open, (part) => Math.max(0, part.least - wanted(part)))
  const beyond = sum(open, (part) => Math.max(0, wanted(part) - part.most))
  const fixed = new Set<Part>()
  for (const part of open) {
    const want = wanted(part)
    if (lacking >= beyond && want < part.least) part.given = part.least
    else if (beyond >= lacking && want > part.most) part.given = part.most
    else continue
    fixed.add(part)
  }
  return fixed
}

/** By whole numbers where the weights are, so that a share that is a whole number has no rest. */
function roundDown(parts: readonly Part[], left: number): void {
  const weight = sum(parts, (part) => part.weight)
  for (const part of parts) {
    const product = left * part.weight
    part.given = Math.floor(product / weight)
    part.rest = product - part.given * weight
    if (part.rest >= 0) continue
    part.given--
    part.rest += weight
  }
}

/** What is left goes one by one to the parts that rounding cut most; a part at its bound is passed over. */
function topUp(parts: readonly Part[], given: { left: number; most: (part: Part) => number }): void {
  const order = [...parts].sort((a, b) => b.rest - a.rest || b.weight - a.weight)
  let { left } = given
  while (left > 0) {
    const before = left
    for (const part of order) {
      if (left === 0) break
      if (part.given >= given.most(part)) continue
      part.given++
      left--
    }
    if (left === before) return
  }
}

function sum(parts: readonly Part[], value: (part: Part) => number): number {
  let total = 0
  for (const part of parts) total += value(part)
  return total
}
