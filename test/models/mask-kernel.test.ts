import { describe, expect, it } from 'vitest'
import { random, restoreRandom } from '../../lib/job/random.ts'
import { maskFiller } from '../../lib/models/mask-kernel.ts'

const rotated = (word: number, by: number) => ((word << by) | (word >>> (32 - by))) >>> 0

/** The four generators one after another, in plain numbers. */
function expected(length: number, { keep, seed }: { keep: number; seed: number }): number[] {
  const words = new Uint32Array(16)
  random(seed).fillBits(words)
  const lanes = [0, 1, 2, 3].map((lane) => [0, 1, 2, 3].map((i) => words[4 * i + lane]!))
  const next = (state: number[]): number => {
    let [a, b, c, d] = state as [number, number, number, number]
    const drawn = (rotated((a + d) >>> 0, 7) + a) >>> 0
    const moved = (b << 9) >>> 0
    c = (c ^ a) >>> 0
    d = (d ^ b) >>> 0
    b = (b ^ c) >>> 0
    a = (a ^ d) >>> 0
    c = (c ^ moved) >>> 0
    d = rotated(d, 11)
    state.splice(0, 4, a, b, c, d)
    return drawn
  }
  const kept: number[] = []
  while (kept.length < length)
    for (const lane of lanes) {
      const drawn = next(lane)
      for (const half of [drawn & 0xffff, drawn >>> 16]) kept.push(Number(half < Math.round(keep * 65_536)))
    }
  return kept.slice(0, length)
}

describe('a mask of kept units', () => {
  it('is what four generators side by side say, 16 bits a unit, over any number of blocks', () => {
    const fill = maskFiller()
    for (const length of [0, 1, 7, 16, 17, 32_767, 32_768, 32_769, 70_001])
      for (const keep of [0.3, 0.5, 0.9, 0.99999]) {
        const mask = new Uint8Array(length)
        fill(mask, { keep, from: random(7) })
        expect(Buffer.from(mask).equals(Buffer.from(expected(length, { keep, seed: 7 })))).toBe(true)
      }
  })

  it('keeps as many as the chance says, and nothing at 0, all at 1', () => {
    const fill = maskFiller()
    const mask = new Uint8Array(1_000_001)
    fill(mask, { keep: 0.9, from: random(1) })
    const share = mask.reduce((count, one) => count + one, 0) / mask.length
    expect(Math.abs(share - 0.9)).toBeLessThan(4 * Math.sqrt(0.09 / mask.length) + 1e-5)
    for (const keep of [0, 1]) {
      fill(mask, { keep, from: random(1) })
      expect(mask.every((one) => one === keep)).toBe(true)
    }
  })

  it('differs from one call to the next, and between neighbouring units', () => {
    const fill = maskFiller()
    const from = random(3)
    const [first, second] = [new Uint8Array(100_000), new Uint8Array(100_000)]
    fill(first, { keep: 0.5, from })
    fill(second, { keep: 0.5, from })
    const agreement = (shift: number) =>
      first.reduce((same, one, i) => same + Number(one === second[(i + shift) % second.length]), 0) / 100_000
    const within = (lag: number) =>
      first.reduce((same, one, i) => same + Number(one === first[(i + lag) % first.length]), 0) / 100_000
    // a half, give or take five standard errors
    for (const share of [0, 1, 2, 4, 8, 16].flatMap((by) => [agreement(by), ...(by > 0 ? [within(by)] : [])]))
      expect(Math.abs(share - 0.5)).toBeLessThan(5 * Math.sqrt(0.25 / 100_000))
  })

  it('goes on from a stored state as if it had not stopped', () => {
    const fill = maskFiller()
    const from = random(5)
    fill(new Uint8Array(100), { keep: 0.9, from })
    const again = restoreRandom(from.state())
    const [one, other] = [new Uint8Array(5000), new Uint8Array(5000)]
    fill(one, { keep: 0.9, from })
    maskFiller()(other, { keep: 0.9, from: again })
    expect(Buffer.from(one).equals(Buffer.from(other))).toBe(true)
    expect(again.state()).toEqual(from.state())
  })
})
