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

const blockWords = 2048

/**
 * A filler of arrays with standard normal draws: those that one draw after another would give. Of the 32 bits of a draw eight are its layer
 * and its sign, and 24 its size.
 */
export function normalNoise(): (into: Float32Array, from: Random) => void {
  const { edges, heights } = ziggurat()
  const signed = Float64Array.from(
    { length: 2 * layers },
    (_, i) => ((i < layers ? 1 : -1) * edges[i % layers]!) / 2 ** 24,
  )
  /** sizes below lie within the next layer too */
  const within = Int32Array.from({ length: 2 * layers }, (_, i) =>
    Math.floor((2 ** 24 * edges[(i % layers) + 1]!) / edges[i % layers]!),
  )
  /** 0 for none, which no draw comes to from here */
  const atTheEdge = (x: number, layer: number, uniform: () => number): number => {
    if (layer === 0) return Math.sign(x) * beyond(uniform)
    const height = heights[layer]! + uniform() * (heights[layer + 1]! - heights[layer]!)
    return height < Math.exp(-0.5 * x * x) ? x : 0
  }
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
        const x = (bits >>> 8) * signed[bits & 255]!
        if (bits >>> 8 < within[bits & 255]!) {
          into[i++] = x
          continue
        }
        taken.next = at
        const found = atTheEdge(x, bits & 127, uniform)
        at = taken.next
        if (found !== 0) into[i++] = found
      }
    }
  }
}

/** A draw beyond the last edge (Marsaglia 1964). */
function beyond(uniform: () => number): number {
  for (;;) {
    const x = -Math.log(1 - uniform()) / tail
    const y = -Math.log(1 - uniform())
    if (y + y > x * x) return tail + x
  }
}

const everyByte = 0x01010101
const everySecond = 0x00010001

/**
 * Ones with this chance (to one part in 2^24) and else zeros. A byte each decides, four at a time; where it says neither, which one of 256
 * does, 16 bits more.
 */
export function fillMask(into: Uint8Array, { keep, from }: { keep: number; from: Random }): void {
  const below = Math.round(keep * 2 ** 24)
  const whole = below >>> 16
  const rest = below & 0xffff
  // added to a byte of at least so much, it carries into the ninth bit
  const carry = (256 - whole) * everySecond
  const carryOfNext = rest === 0 ? carry : (255 - whole) * everySecond
  const words = new Uint32Array(Math.min(blockWords, Math.ceil(into.length / 4)))
  const fours = new Int32Array(words.buffer)
  const bytes = new Uint8Array(words.buffer)
  for (let start = 0; start < into.length; start += bytes.length) {
    const count = Math.min(words.length, Math.ceil((into.length - start) / 4))
    from.fillBits(words.subarray(0, count))
    for (let i = 0; i < count; i++) {
      const even = fours[i]! & 0x00ff00ff
      const odd = (fours[i]! >>> 8) & 0x00ff00ff
      const dropped = (((even + carry) >>> 8) & everySecond) | ((odd + carry) & (everySecond << 8))
      const surely = (((even + carryOfNext) >>> 8) & everySecond) | ((odd + carryOfNext) & (everySecond << 8))
      fours[i] = dropped ^ everyByte
      for (let open = dropped ^ surely; open !== 0; open &= open - 1)
        if ((from.bits() & 0xffff) < rest) fours[i]! |= open & -open
    }
    into.set(bytes.subarray(0, into.length - start), start)
  }
}
