import { describe, expect, it } from 'vitest'
import { type DotplotPicture, renderDotplot } from '../../lib/report/dotplot-png.ts'
import { hostileTexts } from './hostile-content.ts'
import { coloured, decode, inked, overflow } from './pixels.ts'

const [lightest, darkest] = ['#fff5f0', '#67000d']

const one = (size: number, colour: number): DotplotPicture => ({
  title: 'Dots',
  rows: ['CD3D'],
  columns: ['T cell'],
  size: Float32Array.of(size),
  colour: Float32Array.of(colour),
  pixelRatio: 2,
})
/** below the slanted name and left of the legend */
const plot = [120, 150, 300, 250] as const

async function dark(size: number, colour = 1): Promise<number> {
  return coloured(await decode(await renderDotplot(one(size, colour))), darkest!, { within: plot, apart: 1 })
}

describe('a dot plot as a PNG', () => {
  it('draws shares as areas: half of the cells is half of the ink', async () => {
    const [all, half, tenth] = [await dark(1), await dark(0.5), await dark(0.1)]
    expect(all).toBeGreaterThan(1200)
    expect(half / all).toBeGreaterThan(0.42)
    expect(half / all).toBeLessThan(0.56)
    expect(tenth / all).toBeLessThan(0.13)
    expect(await dark(7)).toBe(all)
  })

  it('colours by the mean, with an outline about the lightest, and leaves a share of 0 empty', async () => {
    expect(await dark(1, 0)).toBe(0)
    const light = await decode(await renderDotplot(one(1, 0)))
    expect(coloured(light, lightest!, { within: plot, apart: 1 })).toBeGreaterThan(1200)
    const empty = await decode(await renderDotplot(one(0, 1)))
    const outlined = inked(light, plot) - inked(empty, plot)
    expect(outlined).toBeGreaterThan(1400)
  })

  it('shows a missing share as a cross and a missing mean in grey, and both in the legend only then', async () => {
    const full = await decode(await renderDotplot(one(1, 1)))
    const noMean = await decode(await renderDotplot(one(1, Number.NaN)))
    expect(coloured(full, '#d5d9de', { apart: 1 })).toBe(0)
    expect(coloured(noMean, '#d5d9de', { within: plot, apart: 1 })).toBeGreaterThan(1200)
    expect(noMean.height).toBe(full.height + 50)
    const noShare = await decode(await renderDotplot(one(Number.NaN, 1)))
    expect(inked(noShare, plot)).toBeGreaterThan(inked(await decode(await renderDotplot(one(0, 1))), plot))
    expect(noShare.height).toBe(full.height + 50)
  })

  it('keeps 60 types with hostile names inside of the picture', async () => {
    const columns = Array.from({ length: 60 }, (_, i) => hostileTexts[i] ?? `type ${i} ${'W'.repeat(99)}`)
    const rows = columns.slice(0, 20)
    const values = Float32Array.from({ length: 1200 }, (_, i) => (i % 11) / 10)
    const long = 'W '.repeat(900)
    const png = await renderDotplot({
      ...one(1, 1),
      rows,
      columns,
      rowGroups: rows,
      size: values,
      colour: values,
      sizeName: long,
      colourName: long,
    })
    expect(overflow(await decode(png))).toBe(0)
    expect(png.length).toBeLessThan(400_000)
  })

  it('of nothing says why, refuses lengths that differ, and is the same file twice', async () => {
    const nothing = { ...one(1, 1), rows: [], size: new Float32Array(0), colour: new Float32Array(0) }
    expect(inked(await decode(await renderDotplot(nothing)), [100, 200, 1200, 360])).toBeGreaterThan(2000)
    await expect(renderDotplot({ ...one(1, 1), colour: new Float32Array(2) })).rejects.toThrow(RangeError)
    expect(await renderDotplot(one(0.3, 0.4))).toEqual(await renderDotplot(one(0.3, 0.4)))
  })
})
