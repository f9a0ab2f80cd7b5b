import { describe, expect, it } from 'vitest'
import { random } from '../../lib/job/random.ts'
import { jitterRows } from '../../lib/report/confidence-jitter.ts'
import { type ConfidencePicture, renderConfidence } from '../../lib/report/confidence-png.ts'
import { hostileTexts } from './hostile-content.ts'
import { coloured, decode, inked, overflow, type Pixels } from './pixels.ts'

const [worst, best, missing] = ['#a50026', '#006837', '#59616b']
const [passing, failing] = ['#3675c6', '#c9762f']
/** left half: map from 24, 88 on, at most 388 x 380; right half: rows from 720 to 992 */
const map = [24, 88, 412, 468] as const
const rowsLeft = 720

function cells(count: number, types: number): ConfidencePicture {
  const generator = random(2)
  const xy = Float32Array.from({ length: 2 * count }, () => 1000 * generator.uniform())
  const codes = Int32Array.from({ length: count }, (_, cell) => cell % types)
  const confidence = Float32Array.from(
    codes,
    (code) => 0.95 - (0.6 * code) / types + 0.04 * generator.uniform(),
  )
  const names = Array.from({ length: types }, (_, i) => `type ${i}`)
  return { xy, confidence, codes, types: names, threshold: 0.8, pixelRatio: 1 }
}

const drawn = async (options: ConfidencePicture): Promise<Pixels> => decode(await renderConfidence(options))

describe('confidence by place and type as a PNG', () => {
  const corners = {
    xy: Float32Array.of(0, 0, 10, 0, 0, 10, 10, 10),
    confidence: Float32Array.of(1, 0, 0, 0),
    codes: Int32Array.of(0, 0, 0, 0),
    types: ['B cell'],
    threshold: 0.8,
    pixelRatio: 1,
  }
  // the 5th to the 95th percentile of 0, 0, 0, 1 is 0 to 0.85
  const upperLeft = [24, 88, 60, 124] as const
  const lowerLeft = [24, 432, 60, 468] as const

  it('has y downwards for positions in an image and upwards for UMAP, with one scale for both axes', async () => {
    const spatial = await drawn(corners)
    expect(coloured(spatial, best!, { within: upperLeft })).toBeGreaterThan(20)
    expect(coloured(spatial, best!, { within: lowerLeft })).toBe(0)
    const umap = await drawn({ ...corners, positionName: 'UMAP' })
    expect(coloured(umap, best!, { within: upperLeft })).toBe(0)
    expect(coloured(umap, best!, { within: lowerLeft })).toBeGreaterThan(20)
    const wide = await drawn({ ...corners, xy: Float32Array.of(0, 0, 100, 0, 0, 10, 100, 10) })
    expect(coloured(wide, worst!, { within: [380, 88, 412, 300] })).toBeGreaterThan(40)
    expect(inked(wide, [24, 320, 412, 430])).toBe(0)
  })

  it('draws every cell of the map on a dark ground, cells without a confidence in grey', async () => {
    const options = cells(400, 3)
    options.confidence.fill(Number.NaN, 0, 100)
    const pixels = await drawn(options)
    expect(coloured(pixels, missing!, { within: map })).toBeGreaterThan(500)
    expect(coloured(pixels, '#1b1f24', { within: map })).toBeGreaterThan(50_000)
    expect(coloured(await drawn(cells(400, 3)), missing!, { within: map })).toBe(0)
  })

  it('puts the type of the highest median on top, and points on the side of the threshold where they belong', async () => {
    const options = cells(300, 3)
    const swapped = { ...options, confidence: options.confidence.map((value) => 1.3 - value) }
    expect(jitterRows(options).map(({ name }) => name)).toEqual(['type 0', 'type 1', 'type 2'])
    expect(jitterRows(swapped).map(({ name }) => name)).toEqual(['type 2', 'type 1', 'type 0'])
    const pixels = await drawn(options)
    const threshold = rowsLeft + (272 * 0.83) / 1.06
    const rows = (row: number, side: 'below' | 'above'): readonly [number, number, number, number] => {
      const [top, bottom] = [88 + 48 * row, 136 + 48 * row]
      return side === 'below' ? [rowsLeft, top, threshold - 3, bottom] : [threshold + 3, top, 992, bottom]
    }
    expect(coloured(pixels, passing!, { within: rows(0, 'above') })).toBeGreaterThan(100)
    expect(coloured(pixels, failing!, { within: rows(0, 'below') })).toBe(0)
    expect(coloured(pixels, failing!, { within: rows(2, 'below') })).toBeGreaterThan(100)
    expect(coloured(pixels, passing!, { within: rows(2, 'above') })).toBe(0)
  })

  it('draws a row in at most 3,000 cells, its median and share being of all', () => {
    const options = cells(20_000, 2)
    const [first] = jitterRows(options)
    expect([first!.cells.length, first!.drawn.length]).toEqual([10_000, 3000])
    expect(new Set(first!.drawn).size).toBe(3000)
    expect(first!.drawn.every((cell) => options.codes[cell] === 0)).toBe(true)
    const sorted = options.confidence.filter((_, cell) => cell % 2 === 0).sort()
    expect(first!.median).toBeCloseTo((sorted[4999]! + sorted[5000]!) / 2, 6)
    expect(jitterRows({ ...options, seed: 1 })[0]!.drawn).not.toEqual(first!.drawn)
  })

  it('shows the 20 types of the highest median, or as many as wanted, and says how many are left out', async () => {
    const note = [531, 66, 1100, 82] as const
    const [some, many] = [await drawn(cells(400, 20)), await drawn(cells(400, 37))]
    expect(many.height).toBe(some.height)
    expect(inked(some, note)).toBe(0)
    expect(inked(many, note)).toBeGreaterThan(200)
    expect((await drawn({ ...cells(400, 37), maxTypes: 37 })).height).toBeGreaterThan(many.height)
  })

  it('without positions says so in place of the map', async () => {
    const pixels = await drawn({ ...cells(30, 2), xy: null, absent: 'The file has no obsm/spatial.' })
    expect(coloured(pixels, '#1b1f24', { within: map })).toBeLessThan(1500)
    expect(inked(pixels, map)).toBeGreaterThan(10_000)
    expect(coloured(pixels, passing!, { within: [rowsLeft, 88, 992, 184] })).toBeGreaterThan(20)
  })

  it('is drawn of one cell, of none, of cells without place, type or value, and of hostile names', async () => {
    const one = cells(1, 1)
    const lost = {
      ...cells(3, 1),
      xy: new Float32Array(6).fill(Number.NaN),
      codes: Int32Array.of(-1, -1, -1),
    }
    const unknown = { ...cells(9, 3), confidence: new Float32Array(9).fill(Number.NaN) }
    const hostile = {
      ...cells(200, hostileTexts.length),
      types: hostileTexts,
      title: 'W'.repeat(900),
      maxTypes: 99,
    }
    for (const options of [one, cells(0, 0), lost, unknown, hostile]) {
      const pixels = await drawn(options)
      expect(overflow(pixels)).toBe(0)
      expect(inked(pixels)).toBeGreaterThan(2000)
    }
  })

  it('of 150,000 cells is below 1 MB, and the same file twice', async () => {
    const png = await renderConfidence({ ...cells(150_000, 30), pixelRatio: 2 })
    expect(png.length).toBeLessThan(1_000_000)
    const [first, again] = [await renderConfidence(cells(500, 4)), await renderConfidence(cells(500, 4))]
    expect(Buffer.from(again).equals(first)).toBe(true)
    expect(Buffer.from(await renderConfidence({ ...cells(500, 4), seed: 1 })).equals(first)).toBe(false)
  })

  it('refuses lengths that differ and codes without a type', async () => {
    await expect(renderConfidence({ ...cells(3, 1), codes: new Int32Array(2) })).rejects.toThrow(RangeError)
    await expect(renderConfidence({ ...cells(3, 1), xy: new Float32Array(5) })).rejects.toThrow(RangeError)
    await expect(renderConfidence({ ...cells(3, 2), types: ['x'] })).rejects.toThrow(/outside of the 1 types/)
  })
})
