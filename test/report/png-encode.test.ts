import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { encodePng, shownSize } from '../../lib/report/png-encode.ts'
import { decode } from './pixels.ts'

const opaque = (
  width: number,
  colours: readonly number[],
): { data: Uint8ClampedArray; width: number; height: number } => {
  const pixels = Uint32Array.from(colours, (colour) => (0xff000000 | colour) >>> 0)
  return { data: new Uint8ClampedArray(pixels.buffer), width, height: colours.length / width }
}

describe('a PNG with a palette', () => {
  it('has every pixel exactly, of up to 256 colours', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 9 }),
        fc.array(fc.integer({ min: 0, max: 0xffffff }), { minLength: 1, maxLength: 25 }),
        async (width, colours) => {
          const picture = opaque(
            width,
            [...Array(Math.ceil(colours.length / width) * width)].map((_, i) => colours[i % colours.length]!),
          )
          const decoded = await decode(await encodePng(picture, { pixelRatio: 1 }))
          expect([decoded.width, decoded.height]).toEqual([picture.width, picture.height])
          expect(Buffer.from(decoded.data).equals(Buffer.from(picture.data))).toBe(true)
        },
      ),
      { numRuns: 40 },
    )
  })

  it('of 40,000 colours keeps those that fill areas, and moves no other by more than can be seen in a point', async () => {
    const area = Array.from({ length: 100_000 }, (_, i) => (i % 2 === 0 ? 0x0000ff : 0x123456))
    const rare = Array.from({ length: 40_000 }, (_, i) => ((i % 200) << 16) | (Math.floor(i / 200) << 8) | 7)
    const picture = opaque(1000, [...area, ...rare])
    const decoded = await decode(await encodePng(picture, { pixelRatio: 1 }))
    expect(
      Buffer.from(decoded.data.subarray(0, 400_000)).equals(Buffer.from(picture.data.subarray(0, 400_000))),
    ).toBe(true)
    let farthest = 0
    for (let i = 0; i < decoded.data.length; i++)
      farthest = Math.max(farthest, Math.abs(decoded.data[i]! - picture.data[i]!))
    expect(farthest).toBeLessThan(32)
  })

  it('keeps the colours of a scale though others are more frequent', async () => {
    const scale = Uint32Array.from({ length: 30 }, (_, i) => 0xff0000ff - 5 * i)
    const many = Array.from({ length: 3000 }, (_, i) => ((i % 60) << 18) | ((i % 50) << 10))
    const picture = opaque(100, [
      ...many,
      ...many,
      ...Array.from({ length: 100 }, (_, i) => scale[i % 30]! & 0xffffff),
    ])
    const decoded = await decode(await encodePng(picture, { pixelRatio: 1, keep: scale }))
    expect(decoded.data.slice(-400)).toEqual(picture.data.slice(-400))
  })

  it('says how large it wants to be shown', async () => {
    for (const pixelRatio of [1, 1.5, 2])
      expect(shownSize(await encodePng(opaque(60, Array(1800).fill(5)), { pixelRatio }))).toEqual({
        width: 60 / pixelRatio,
        height: 30 / pixelRatio,
      })
  })

  it('that is cut short or no PNG has no size, and none makes the reader fail', async () => {
    const png = await encodePng(opaque(2, [1, 2]), { pixelRatio: 1 })
    expect(shownSize(png.subarray(0, 20))).toBeNull()
    expect(shownSize(new TextEncoder().encode('<svg onload=alert(1)>'.repeat(5)))).toBeNull()
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (noise) => {
        const size = shownSize(Uint8Array.from([...png.subarray(0, 33), ...noise]))
        expect(size!.width).toBeGreaterThan(0)
      }),
    )
  })
})
