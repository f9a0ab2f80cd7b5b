/**
 * The layout of UMAP by stochastic gradient descent (McInnes, Healy and Melville 2018, algorithm 5; schedule as umap-learn): every
 * edge is drawn together as often as its weight says, and each time some strangers, drawn by chance, are pushed off.
 *
 * One thread, one order: the same seed gives the same bytes. Distances are measured in float64, coordinates kept in float32.
 */
import type { RandomState } from '../job/random.ts'
import { type Forces, firstBits, shift, steps } from './umap-forces.ts'

/** no coordinate of a gradient counts more */
const clip = 4
const lastPlace = (steps << shift) - 1

export interface Descent {
  /** points x 2: what moves */
  layout: Float32Array
  /** what it is drawn to and pushed off from: the same array, or one that stays */
  others: Float32Array
  heads: Int32Array
  tails: Int32Array
  /** epochs from one turn of an edge to its next, from 1 */
  period: Float64Array
  /** epoch of the next turn of each edge; starts as a copy of `period` */
  due: Float64Array
  forces: Forces
  negativeSamples: number
  /** state of xoshiro128**, moved on */
  words: Int32Array
}

export interface Edges {
  heads: Int32Array
  tails: Int32Array
  period: Float64Array
}

export function initialWords({ words }: RandomState): Int32Array {
  return Int32Array.from(words, (word) => word | 0)
}

/**
 * One epoch of the edges [from, to). The generator of lib/job/random.ts is written out here, and forces are looked up in place: a
 * call for each of a billion draws would cost more than the draw.
 */
export function descend(
  descent: Descent,
  { epoch, step, from, to }: { epoch: number; step: number; from: number; to: number },
): void {
  const { layout, others, heads, tails, period, due, negativeSamples, words } = descent
  const { attraction, repulsion, float, bits } = descent.forces
  const movesBoth = layout === others
  const scale = others.length / 2 / 2 ** 32
  let [s0, s1, s2, s3] = [words[0]!, words[1]!, words[2]!, words[3]!]
  for (let edge = from; edge < to; edge++) {
    if (due[edge]! > epoch) continue
    due[edge]! += period[edge]!
    const head = heads[edge]! * 2
    const tail = tails[edge]! * 2
    let x = layout[head]!
    let y = layout[head + 1]!
    let dx = x - others[tail]!
    let dy = y - others[tail + 1]!
    let squared = dx * dx + dy * dy
    if (squared > 0) {
      float[0] = squared
      const place = withinTable(bits[0]! - firstBits)
      const at = place >> shift
      const share = (place & ((1 << shift) - 1)) / (1 << shift)
      const force = attraction[at]! + share * (attraction[at + 1]! - attraction[at]!)
      const moveX = step * clipped(force * dx)
      const moveY = step * clipped(force * dy)
      x += moveX
      y += moveY
      if (movesBoth) {
        others[tail]! -= moveX
        others[tail + 1]! -= moveY
      }
    }
    for (let sample = 0; sample < negativeSamples; sample++) {
      const spun = Math.imul(s1, 5)
      const word = Math.imul((spun << 7) | (spun >>> 25), 9) >>> 0
      const shifted = s1 << 9
      s2 ^= s0
      s3 ^= s1
      s1 ^= s2
      s0 ^= s3
      s2 ^= shifted
      s3 = (s3 << 11) | (s3 >>> 21)
      const stranger = ((word * scale) | 0) * 2
      if (movesBoth && stranger === head) continue
      dx = x - others[stranger]!
      dy = y - others[stranger + 1]!
      squared = dx * dx + dy * dy
      if (squared === 0) continue
      float[0] = squared
      const place = withinTable(bits[0]! - firstBits)
      const at = place >> shift
      const share = (place & ((1 << shift) - 1)) / (1 << shift)
      const force = repulsion[at]! + share * (repulsion[at + 1]! - repulsion[at]!)
      x += step * clipped(force * dx)
      y += step * clipped(force * dy)
    }
    layout[head] = x
    layout[head + 1] = y
  }
  words.set([s0, s1, s2, s3])
}

/** Comparisons, because Math.min and Math.max also care for signed zeros, which costs here. */
function clipped(value: number): number {
  return value > clip ? clip : value < -clip ? -clip : value
}

function withinTable(place: number): number {
  return place < 0 ? 0 : place > lastPlace ? lastPlace : place
}
