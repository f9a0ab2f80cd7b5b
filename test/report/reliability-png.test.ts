import { describe, expect, it } from 'vitest'
import { type ReliabilityBin, renderReliability } from '../../lib/report/reliability-png.ts'
import { colourAt, coloured, decode, inked, overflow, type Pixels } from './pixels.ts'

const drawn = async (
  bins: readonly ReliabilityBin[],
  options: { threshold?: number; ece?: number } = {},
): Promise<Pixels> =>
  decode(await renderReliability({ title: 'Reliability', bins, ece: 0.05, pixelRatio: 1, ...options }))
/** the plot: left 102, 400 wide and high, from 88 on; the cells below it from 502 to 586 */
const place = (confidence: number, accuracy: number): [number, number] => [
  102 + 400 * confidence,
  88 + 400 * (1 - accuracy),
]
const [point, gap, bar] = ['#3675c6', '#d9825b', '#4a7fb8']

describe('a reliability diagram as a PNG', () => {
  it('has a point for each bin at its confidence and accuracy, and the way to the diagonal', async () => {
    const pixels = await drawn([
      { confidence: 0.3, accuracy: 0.1, cells: 10 },
      { confidence: 0.9, accuracy: 0.6, cells: 30 },
    ])
    expect(colourAt(pixels, ...place(0.3, 0.1))).toBe(point)
    expect(colourAt(pixels, ...place(0.9, 0.6))).toBe(point)
    expect(colourAt(pixels, ...place(0.9, 0.75))).toBe(gap)
    expect(colourAt(pixels, ...place(0.2, 0.8))).toBe('#ffffff')
    expect(colourAt(pixels, ...place(0.5, 0.5))).not.toBe('#ffffff')
  })

  it('has bars as high as their cells, and shows a single one', async () => {
    const pixels = await drawn([
      { confidence: 0.3, accuracy: 0.3, cells: 1 },
      { confidence: 0.6, accuracy: 0.5, cells: 50_000 },
      { confidence: 0.9, accuracy: 0.9, cells: 100_000 },
    ])
    const heights = [0.3, 0.6, 0.9].map((confidence) => {
      const left = Math.round(102 + 400 * confidence)
      return coloured(pixels, bar!, { within: [left, 502, left + 1, 586] })
    })
    expect(heights[0]).toBeGreaterThanOrEqual(1)
    expect(heights[1]! / heights[2]!).toBeCloseTo(0.5, 1)
  })

  it('leaves out bins without cells or numbers, and without any says that nothing was assessed', async () => {
    const empty = { confidence: Number.NaN, accuracy: Number.NaN, cells: 0 }
    const some = [{ confidence: 0.5, accuracy: 0.5, cells: 3 }]
    expect(await drawn([...some, empty])).toEqual(await drawn(some))
    expect(inked(await drawn([empty]), [100, 100, 540, 180])).toBeGreaterThan(1000)
    expect(coloured(await drawn([empty]), point!)).toBe(0)
  })

  it('says where no calibration error was assessed, and has a threshold only when told', async () => {
    const bins = [{ confidence: 0.5, accuracy: 0.5, cells: 3 }]
    const note = [24, 40, 500, 58] as const
    expect(inked(await drawn(bins, { ece: Number.NaN }), note)).not.toBe(inked(await drawn(bins), note))
    const line = [102 + 400 * 0.8 - 3, 300, 102 + 400 * 0.8 + 3, 400] as const
    expect(inked(await drawn(bins, { threshold: 0.8 }), line)).toBeGreaterThan(40)
    expect(inked(await drawn(bins), line)).toBe(0)
  })

  it('stays inside of the picture with confidences beyond 0 to 1, and is the same file twice', async () => {
    const bins = [
      { confidence: -3, accuracy: 0.5, cells: 3 },
      { confidence: 7, accuracy: 1, cells: 1e9 },
    ]
    expect(overflow(await drawn(bins, { threshold: 0.8 }))).toBe(0)
    const options = { title: 'W'.repeat(900), bins, ece: 0.1 }
    expect(await renderReliability(options)).toEqual(await renderReliability(options))
  })
})
