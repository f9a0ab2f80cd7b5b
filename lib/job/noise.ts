/**
 * Noise by the block, for training: standard normal draws by the ziggurat (Marsaglia and Tsang 2000, 128 layers; its index and its
 * sign and size are taken from different bits, as Doornik 2005 asks) and masks of kept units. Ten times the speed of drawing one by one.
 * What is drawn depends on the generator's state alone, and the state afterwards is told by the generator.
 */
import type { Random } from './random.ts'

const layers = 128
/** where the tail begins, and the area of each layer */
const tail = 3.442619855899
const area = 9.91256303526217e-3

interface Ziggurat {
  /** right edges of the layers, the widest first */
  edges: Float64Array
  /** densities at them, without the factor 1 / sqrt(2 pi) */
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
  return { edges, heights }
}

/** A filler of arrays with standard normal draws. */
export function normalNoise(): (into: Float32Array, from: Random) => void {
  const { edges, heights } = ziggurat()
  const draw = (random: Random): number => {
    for (;;) {
      const bits = random.bits()
      const layer = bits & 127
      // 24 bits of size and one of sign
      const sign = bits & 128 ? -1 : 1
      const x = ((bits >>> 8) / 2 ** 24) * edges[layer]!
      if (x < edges[layer + 1]!) return sign * x
      if (layer === 0) return sign * beyond(random)
      const height = heights[layer]! + random.uniform() * (heights[layer + 1]! - heights[layer]!)
      if (height < Math.exp(-0.5 * x * x)) return sign * x
    }
  }
  return (into, from) => {
    for (let i = 0; i < into.length; i++) into[i] = draw(from)
  }
}

/** A draw beyond the last edge (Marsaglia 1964). */
function beyond(random: Random): number {
  for (;;) {
    const x = -Math.log(1 - random.uniform()) / tail
    const y = -Math.log(1 - random.uniform())
    if (y + y > x * x) return tail + x
  }
}

/** Ones with this chance (to one part in 65,536) and else zeros; two of every 32 bits. */
export function fillMask(into: Uint8Array, { keep, from }: { keep: number; from: Random }): void {
  const below = Math.round(keep * 65_536)
  const pairs = into.length >> 1
  const block = new Uint32Array(Math.min(2048, Math.ceil(into.length / 2)))
  for (let start = 0; start < pairs; start += block.length) {
    const words = block.subarray(0, pairs - start)
    from.fillBits(words)
    for (let i = 0, at = 2 * start; i < words.length; i++, at += 2) {
      const word = words[i]!
      // the sign of a difference, which V8 takes without the branch of a comparison
      into[at] = ((word & 0xffff) - below) >>> 31
      into[at + 1] = ((word >>> 16) - below) >>> 31
    }
  }
  if (into.length % 2 === 1) into[into.length - 1] = Number((from.bits() & 0xffff) < below)
}
