import { describe, expect, it } from 'vitest'
import { random } from '../../lib/job/random.ts'
import { type MarkerCheckPanel, renderMarkerCheck } from '../../lib/report/marker-check-png.ts'
import { hostileTexts } from './hostile-content.ts'
import { coloured, decode, inked, overflow, type Pixels } from './pixels.ts'

const [red, green, gold] = ['#d62728', '#2a9d3a', '#d8a000']

function panel(cells: number, { title = 'B cell', seed = 1 } = {}): MarkerCheckPanel {
  const generator = random(seed)
  const confidence = Float32Array.from({ length: cells }, () => generator.uniform())
  const score = Float32Array.from({ length: cells }, () => 4 * generator.uniform())
  const kinds = Uint8Array.from(confidence, (value, i) => (value < 0.8 ? 0 : score[i]! > 2 ? 2 : 1))
  return { title, confidence, score, kinds, scoreThreshold: 2 }
}

const drawn = async (panels: readonly MarkerCheckPanel[], options = {}): Promise<Pixels> =>
  decode(
    await renderMarkerCheck({ title: 'Check', panels, confidenceThreshold: 0.8, pixelRatio: 1, ...options }),
  )
/** of the first panel: left 78, 192 wide, 168 high, below title, legend and heading */
const [left, top, right, bottom] = [78, 124, 270, 292]
const threshold = left + (192 * (0.8 + 0.03)) / 1.06

describe('confidence against markers as a PNG', () => {
  it('has red left of the confidence threshold, and right of it green below and gold above that of the markers', async () => {
    const pixels = await drawn([panel(3000)])
    const middle = (top + bottom) / 2
    const low = [left, top, threshold - 3, bottom] as const
    const below = [threshold + 3, middle + 8, right, bottom] as const
    const above = [threshold + 3, top, right, middle - 8] as const
    expect(coloured(pixels, red!, { within: low })).toBeGreaterThan(2000)
    expect(coloured(pixels, green!, { within: below })).toBeGreaterThan(200)
    expect(coloured(pixels, gold!, { within: above })).toBeGreaterThan(200)
    expect(coloured(pixels, gold!, { within: low }) + coloured(pixels, green!, { within: low })).toBe(0)
    expect(coloured(pixels, red!, { within: below }) + coloured(pixels, gold!, { within: below })).toBe(0)
    expect(coloured(pixels, red!, { within: above }) + coloured(pixels, green!, { within: above })).toBe(0)
  })

  it('has a threshold of markers only where one was found', async () => {
    const one = { ...panel(0), title: 'x' }
    const level = [left + 4, (top + bottom) / 2 - 20, threshold - 6, (top + bottom) / 2 + 20] as const
    const ends = {
      confidence: Float32Array.of(0.1, 0.9),
      score: Float32Array.of(0, 4),
      kinds: Uint8Array.of(0, 2),
    }
    expect(inked(await drawn([{ ...one, ...ends }]), level)).toBeGreaterThan(50)
    expect(inked(await drawn([{ ...one, ...ends, scoreThreshold: Number.NaN }]), level)).toBe(0)
  })

  it('says that it drew 20,000 of more cells, by a seeded draw', async () => {
    const heading = [24, 98, 270, 120] as const
    const many = panel(30_000)
    const few = { ...panel(20_000), counts: { low: 16_000, high: 2000, validated: 2000 } }
    const thinned = await drawn([many])
    expect(inked(thinned, heading)).toBeGreaterThan(inked(await drawn([few]), heading) + 100)
    expect(await drawn([many])).toEqual(thinned)
    expect((await drawn([many], { seed: 4 })).data).not.toEqual(thinned.data)
  })

  it('counts what is given, also where the cells are only a part of them', async () => {
    const heading = [24, 90, 270, 106] as const
    const own = await drawn([panel(100)])
    const all = await drawn([{ ...panel(100), counts: { low: 7, high: 8, validated: 912_345 } }])
    expect(inked(own, heading)).not.toBe(inked(all, heading))
  })

  it('sets four panels in a row unless told otherwise, and keeps 60 with hostile names inside', async () => {
    const five = Array.from({ length: 5 }, (_, i) => panel(50, { seed: i }))
    const [wide, narrow] = [await drawn(five), await drawn(five, { columns: 2 })]
    expect(wide.width).toBe(2 * 24 + 4 * 262)
    expect(narrow.height).toBeGreaterThan(wide.height)
    const many = Array.from({ length: 61 }, (_, i) =>
      panel(20, { title: hostileTexts[i] ?? 'W'.repeat(500) }),
    )
    expect(overflow(await drawn(many))).toBe(0)
    expect(overflow(await drawn([panel(3)]))).toBe(0)
  })

  it('is drawn from no cell, one cell, and cells without values', async () => {
    const broken = { ...panel(4), confidence: Float32Array.of(Number.NaN, 0.5, Infinity, 0.5) }
    const flat = { ...panel(2), score: Float32Array.of(0, 0), scoreThreshold: 0 }
    for (const each of [panel(0), panel(1), broken, flat])
      expect(inked(await drawn([each]))).toBeGreaterThan(1000)
    expect(coloured(await drawn([broken]), red!, { within: [left, top, right, bottom] })).toBeGreaterThan(0)
  })

  it('without a panel says why', async () => {
    const pixels = await drawn([], { absent: 'No canonical markers are among the genes.' })
    expect(inked(pixels, [100, 100, 540, 180])).toBeGreaterThan(1000)
    expect(overflow(pixels)).toBe(0)
  })

  it('refuses a panel whose lengths differ, or a kind that there is not', async () => {
    await expect(drawn([{ ...panel(3), score: new Float32Array(2) }])).rejects.toThrow(RangeError)
    await expect(drawn([{ ...panel(1), kinds: Uint8Array.of(3) }])).rejects.toThrow(/kind above 2/)
  })
})
