/**
 * Standard normal draws by the block, for training: the ziggurat (Marsaglia and Tsang 2000, 128 layers; its index and its sign and size are
 * taken from different bits, as Doornik 2005 asks). What is drawn depends on the generator's state alone, and the state afterwards is told
 * by the generator.
 */
import type { Random } from './random.ts'

const layers = 128
/** where the tail begins, and the area of each layer */
const tail = 3.442619855899
const area = 9.91256303526217e-3

interface Ziggurat {
  /** right edges of the layers, the widest first, for each of 2^24 sizes; then the same with the other sign */
  edges: Float64Array
  /** sizes that lie within the next layer too */
  within: Int32Array
  /** densities at the edges, without the factor 1 / sqrt(2 pi) */
  heights: Float64Array
}

function ziggurat(): Ziggurat {
  const density = (x: number) => Math.exp(-0.5 * x * x)
  const edges = new Float64Array(layers + 1)
  const heights = new Float64Array(layers + 1)
  edges[0] = area / density(tail)
  edges[1] = tail
  for (let i = 2; i < layers; i++)
    edges[i] = Math.sqrt(-2 * Math.log(area / edges[i - 1]! + density(edges[i - 1]!)))
  for (let i = 0; i <= layers; i++) heights[i] = density(edges[i]!)
  const each = Array.from({ length: 2 * layers }, (_, i) => i % layers)
  return {
    edges: Float64Array.from(each, (layer, i) => ((i < layers ? 1 : -1) * edges[layer]!) / 2 ** 24),
    within: Int32Array.from(each, (layer) => Math.floor((2 ** 24 * edges[layer + 1]!) / edges[layer]!)),
    heights,
  }
}

const blockWords = 2048

/**
 * A filler of arrays with standard normal draws: those that one draw after another would give. Of the 32 bits of a draw eight are its layer
 * and its sign, and 24 its size.
 */
export function normalNoise(): (into: Float32Array, from: Random) => void {
  const { edges, within, heights } = ziggurat()
  const block = new Uint32Array(blockWords)
  return (into, from) => {
    // what more a draw takes comes from the same words, and after the last from the generator
    const taken = { words: block, next: 0 }
    const word = (): number => {
      const { words, next } = taken
      if (next >= words.length) return from.bits()
      taken.next++
      return words[next]!
    }
    const uniform = (): number => ((word() >>> 5) * 2 ** 26 + (word() >>> 6)) / 2 ** 53
    for (let i = 0; i < into.length; ) {
      // every draw takes a word at least, so that none is left over
      const words = block.subarray(0, Math.min(blockWords, into.length - i))
      from.fillBits(words)
      taken.words = words
      for (let at = 0; at < words.length; ) {
        const bits = words[at++]!
        const x = (bits >>> 8) * edges[bits & 255]!
        if (bits >>> 8 < within[bits & 255]!) {
          into[i++] = x
          continue
        }
        taken.next = at
        const found = atTheEdge(x, { layer: bits & 127, heights, uniform })
        at = taken.next
        if (found !== 0) into[i++] = found
      }
    }
  }
}

/** What becomes of a draw that the next layer does not hold; 0 for nothing, which no such draw comes to. */
function atTheEdge(
  x: number,
  { layer, heights, uniform }: { layer: number; heights: Float64Array; uniform: () => number },
): number {
  if (layer === 0) return Math.sign(x) * beyond(uniform)
  const height = heights[layer]! + uniform() * (heights[layer + 1]! - heights[layer]!)
  return height < Math.exp(-0.5 * x * x) ? x : 0
}

/** A draw beyond the last edge (Marsaglia 1964). */
function beyond(uniform: () => number): number {
  for (;;) {
    const x = -Math.log(1 - uniform()) / tail
    const y = -Math.log(1 - uniform())
    if (y + y > x * x) return tail + x
  }
}
