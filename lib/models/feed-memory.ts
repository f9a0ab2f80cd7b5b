/**
 * Memory that is written to again and again: arrays by name, of any content. What was given under a name before shares its memory with what is
 * given next, unless that had to be longer.
 */
export interface FeedMemory {
  numbers(name: string, length: number): Float32Array
  bytes(name: string, length: number): Uint8Array
}

export function feedMemory(): FeedMemory {
  const held = new Map<string, ArrayBuffer>()
  const room = (name: string, bytes: number): ArrayBuffer => {
    const there = held.get(name)
    if (there !== undefined && there.byteLength >= bytes) return there
    // the next is seldom much longer: cells have about as many entries
    const made = new ArrayBuffer(Math.ceil(bytes * 1.1))
    held.set(name, made)
    return made
  }
  return {
    numbers: (name, length) => new Float32Array(room(name, 4 * length), 0, length),
    bytes: (name, length) => new Uint8Array(room(name, length), 0, length),
  }
}
