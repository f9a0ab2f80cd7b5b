/**
 * A seeded generator (xoshiro128**, Blackman and Vigna 2018, state filled by splitmix32): the same seed gives the same numbers on
 * every machine, and its state can be stored with a checkpoint. It decides samples and noise, never anything secret.
 */
export interface Random {
  /** 32 uniform bits, as a whole number in [0, 2^32) */
  bits(): number
  /** the array full of what `bits` would give one after another, at a quarter of the time */
  fillBits(into: Uint32Array): void
  /** uniform in [0, 1), 53 bits */
  uniform(): number
  /** uniform whole number in [0, below), without bias; 1 <= below <= 2^32 */
  integer(below: number): number
  /** mean 0, standard deviation 1 */
  normal(): number
  /** the items in a new order (Fisher-Yates), as a new array */
  shuffle<Item>(items: readonly Item[]): Item[]
  /** an independent generator, determined by this one's seed and the name alone: parts do not disturb each other */
  fork(name: string): Random
  /** what `restoreRandom` goes on from */
  state(): RandomState
}

export interface RandomState {
  seed: number
  words: [number, number, number, number]
  spareNormal: number | null
}

/** @param seed whole number in [0, 2^32) */
export function random(seed: number): Random {
  if (!Number.isInteger(seed) || seed < 0 || seed >= 2 ** 32)
    throw new RangeError(`seed ${seed} is not in [0, 2^32)`)
  const next = splitmix(seed)
  return restoreRandom({ seed, words: [next(), next(), next(), next()], spareNormal: null })
}

export function restoreRandom(from: RandomState): Random {
  // in an array of whole numbers, because variables that functions share are objects for numbers beyond 31 bits
  const state = Int32Array.from(from.words)
  let spare = from.spareNormal

  const word = (): number => {
    const [b, c, d] = [state[1]!, state[2]! ^ state[0]!, state[3]! ^ state[1]!]
    state[0]! ^= d
    state[1] = b ^ c
    state[2] = c ^ (b << 9)
    state[3] = rotate(d, 11)
    return Math.imul(rotate(Math.imul(b, 5), 7), 9) >>> 0
  }
  const uniform = (): number => ((word() >>> 5) * 2 ** 26 + (word() >>> 6)) / 2 ** 53
  const integer = (below: number): number => {
    if (!Number.isInteger(below) || below < 1 || below > 2 ** 32)
      throw new RangeError(`${below} is not in [1, 2^32]`)
    const limit = 2 ** 32 - (2 ** 32 % below)
    let drawn = word()
    while (drawn >= limit) drawn = word()
    return drawn % below
  }

  // the same steps once more: variables of a loop stay in registers
  const fillBits = (into: Uint32Array): void => {
    let [p, q, r, s] = [state[0]!, state[1]!, state[2]!, state[3]!]
    for (let i = 0; i < into.length; i++) {
      into[i] = Math.imul(rotate(Math.imul(q, 5), 7), 9)
      const shifted = q << 9
      r ^= p
      s ^= q
      q ^= r
      p ^= s
      r ^= shifted
      s = rotate(s, 11)
    }
    state.set([p, q, r, s])
  }

  return {
    bits: word,
    fillBits,
    uniform,
    integer,
    normal() {
      if (spare !== null) {
        const value = spare
        spare = null
        return value
      }
      // Box-Muller; 1 - u is in (0, 1], so the logarithm is finite
      const radius = Math.sqrt(-2 * Math.log(1 - uniform()))
      const angle = 2 * Math.PI * uniform()
      spare = radius * Math.sin(angle)
      return radius * Math.cos(angle)
    },
    shuffle(items) {
      const order = [...items]
      for (let i = order.length - 1; i > 0; i--) {
        const j = integer(i + 1)
        const held = order[i]!
        order[i] = order[j]!
        order[j] = held
      }
      return order
    },
    fork: (name) => random(hash(name, from.seed)),
    state() {
      const [a, b, c, d] = Uint32Array.from(state)
      return { seed: from.seed, words: [a!, b!, c!, d!], spareNormal: spare }
    },
  }
}

function rotate(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits))
}

function splitmix(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x9e3779b9) | 0
    let mixed = state ^ (state >>> 16)
    mixed = Math.imul(mixed, 0x21f0aaad)
    mixed ^= mixed >>> 15
    mixed = Math.imul(mixed, 0x735a2d97)
    return (mixed ^ (mixed >>> 15)) >>> 0
  }
}

/** FNV-1a over UTF-16 units, started from the seed. */
function hash(text: string, seed: number): number {
  let value = 0x811c9dc5 ^ seed
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193)
  return splitmix(value >>> 0)()
}
