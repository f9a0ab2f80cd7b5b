import { describe, expect, it } from 'vitest'
import { type Curve, renderCurves } from '../../lib/report/curve-png.ts'
import { colourAt, coloured, decode, inked, overflow, type Pixels } from './pixels.ts'

const drawn = async (curves: readonly Curve[], note?: string): Promise<Pixels> =>
  decode(
    await renderCurves({
      title: 'Training',
      curves,
      valueName: 'loss',
      pixelRatio: 1,
      ...(note !== undefined && { note }),
    }),
  )
const [first, second] = ['#3675c6', '#e16324']
/** the plot without notes: left 102, 640 wide, from 56 on, 320 high */
const plot = [102, 56, 742, 376] as const

const ten = Array.from({ length: 10 }, (_, i) => i + 1)

describe('the course of a training as a PNG', () => {
  it('has a line for each curve, falling where its values fall', async () => {
    const pixels = await drawn([
      { name: 'training', epochs: ten, values: ten.map((epoch) => 100 - epoch) },
      { name: 'validation', epochs: ten, values: ten.map(() => 95) },
    ])
    const at = (left: number, colour: string) =>
      Array.from({ length: 320 }, (_, i) => i + 56).filter((top) => colourAt(pixels, left, top) === colour)
    expect(Math.max(...at(150, first!))).toBeLessThan(Math.min(...at(700, first!)))
    expect(Math.abs(at(150, second!)[0]! - at(700, second!)[0]!)).toBeLessThanOrEqual(1)
    expect(overflow(pixels)).toBe(0)
  })

  it('stays within its frame and says how much lies above, when the first epochs are far off', async () => {
    const values = ten.map((epoch) => (epoch === 1 ? 1e6 : 100 - epoch))
    const pixels = await drawn([{ name: 'training', epochs: ten, values }])
    // one line of notes moves the plot down by 16
    expect(coloured(pixels, first!, { within: [102, 40, 742, 70] })).toBe(0)
    expect(inked(pixels, [24, 42, 500, 58])).toBeGreaterThan(50)
    // what is left is no flat line at the bottom
    expect(coloured(pixels, first!, { within: [102, 72, 742, 200] })).toBeGreaterThan(50)
  })

  it('shows a training of one epoch as points, leaves out what is no number, and says where nothing is left', async () => {
    const one = await drawn([{ name: 'training', epochs: [1], values: [3] }])
    expect(coloured(one, first!, { within: plot })).toBeGreaterThan(10)
    const some = [{ name: 'a', epochs: [1, 2, 3], values: [3, 2, 1] }]
    const holed = [{ name: 'a', epochs: [1, 2, 2.5, 3], values: [3, 2, Number.NaN, 1] }]
    expect(await drawn(holed)).toEqual(await drawn(some))
    const none = await drawn([{ name: 'a', epochs: [1], values: [Number.POSITIVE_INFINITY] }])
    expect(coloured(none, first!)).toBe(0)
    expect(inked(none)).toBeGreaterThan(500)
  })

  it('keeps hostile names within its rim', async () => {
    const name = `\u202e<script>${'long '.repeat(200)}`
    expect(overflow(await drawn([{ name, epochs: ten, values: ten }], name))).toBe(0)
  })
})
