/**
 * The numbers of NumPy's `RandomState(seed)` (1.24): scikit-learn and CellTypist draw their orders and samples from it, so that the
 * same seed gives the same training here as there. MT19937 by Matsumoto and Nishimura (1998), filled from one whole number.
 *
 * Trap: whole numbers are drawn by masking 32-bit words and drawing again where they are too large, never by a remainder.
 */

const length = 624
const shift = 397

export interface NumpyRandom {
  /** uniform in [0, 2^32) */
  word(): number
  /** `random_sample`: uniform in [0, 1), 53 bits */
  uniform(): number
  /** `randint(low, high)`: uniform whole number in [low, high), at most 2^32 of them */
  integer(low: number, high: number): number
  /** `permutation(count)`: 0 .. count - 1 in a new order */
  permutation(count: number): Int32Array
  /** `choice(p.size, count, replace=False, p=p)`: places drawn one after another, each by what is left of the weights */
  choice(count: number, weights: Float64Array): Int32Array
}

/** @param seed whole number in [0, 2^32) */
export function numpyRandom(seed: number): NumpyRandom {
  if (!Number.isInteger(seed) || seed < 0 || seed >= 2 ** 32)
    throw new RangeError(`seed ${seed} is not in [0, 2^32)`)
  const key = filled(seed)
  let at = length

  const word = (): number => {
    if (at === length) {
      twist(key)
      at = 0
    }
    let value = key[at++]!
    value ^= value >>> 11
    value ^= (value << 7) & 0x9d2c5680
    value ^= (value << 15) & 0xefc60000
    return (value ^ (value >>> 18)) >>> 0
  }
  const uniform = (): number => ((word() >>> 5) * 2 ** 26 + (word() >>> 6)) / 2 ** 53
  /** uniform in [0, most] */
  const upTo = (most: number): number => {
    if (most === 0) return 0
    const mask = 0xffffffff >>> Math.clz32(most)
    let drawn = (word() & mask) >>> 0
    while (drawn > most) drawn = (word() & mask) >>> 0
    return drawn
  }

  return {
    word,
    uniform,
    integer(low, high) {
      if (!(high > low) || high - low > 2 ** 32)
        throw new RangeError(`no range of 32 bits: [${low}, ${high})`)
      return low + upTo(high - low - 1)
    },
    permutation(count) {
      const order = Int32Array.from({ length: count }, (_, i) => i)
      for (let i = count - 1; i > 0; i--) {
        const j = upTo(i)
        const held = order[i]!
        order[i] = order[j]!
        order[j] = held
      }
      return order
    },
    choice: (count, weights) => weighedChoice(count, { weights, uniform }),
  }
}

/**
 * As many uniform numbers as places are still wanted are looked up in the running sum of the weights left; those that hit a place
 * twice count once, and the rest is drawn again without the places found.
 */
function weighedChoice(
  count: number,
  { weights, uniform }: { weights: Float64Array; uniform: () => number },
): Int32Array {
  const left = weights.slice()
  if (count > left.filter((weight) => weight > 0).length)
    throw new RangeError(`${count} places wanted, fewer have a weight`)
  const found = new Int32Array(count)
  const sums = new Float64Array(left.length)
  let known = 0
  while (known < count) {
    const drawn = Float64Array.from({ length: count - known }, uniform)
    runningShares(left, sums)
    for (const share of drawn) {
      const place = firstAbove(sums, share)
      // its weight is taken away at once, the sums stay: as NumPy's, which looks all of a round up in the same sums
      if (left[place] === 0) continue
      left[place] = 0
      found[known++] = place
    }
  }
  return found
}

function runningShares(weights: Float64Array, into: Float64Array): void {
  let sum = 0
  for (let i = 0; i < weights.length; i++) into[i] = sum += weights[i]!
  for (let i = 0; i < into.length; i++) into[i]! /= sum
}

/** First place whose running sum is above the share. */
function firstAbove(sums: Float64Array, share: number): number {
  let low = 0
  let high = sums.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (sums[middle]! <= share) low = middle + 1
    else high = middle
  }
  return low
}

function filled(seed: number): Uint32Array {
  const key = new Uint32Array(length)
  let value = seed >>> 0
  for (let i = 0; i < length; i++) {
    key[i] = value
    value = (Math.imul(1812433253, value ^ (value >>> 30)) + i + 1) >>> 0
  }
  return key
}

function twist(key: Uint32Array): void {
  for (let i = 0; i < length; i++) {
    const joined = (key[i]! & 0x80000000) | (key[(i + 1) % length]! & 0x7fffffff)
    key[i] = key[(i + shift) % length]! ^ (joined >>> 1) ^ ((joined & 1) * 0x9908b0df)
  }
}
