import { describe, expect, it } from 'vitest'
import { random } from '../../lib/job/random.ts'
import { type HeatmapPicture, renderHeatmap } from '../../lib/report/heatmap-png.ts'
import { shortNames } from '../../lib/report/picture-text.ts'
import { shownSize } from '../../lib/report/png-encode.ts'
import { hostileTexts } from './hostile-content.ts'
import { coloured, decode, inked, overflow } from './pixels.ts'

const [low, high, missing] = ['#440154', '#fde725', '#d5d9de']

function blocks(types: number, genes: number): HeatmapPicture {
  const generator = random(3)
  const columns = Array.from({ length: types }, (_, i) => `CD${i}-positive, alpha-beta memory T cell`)
  const rowGroups = columns.flatMap((type) => Array<string>(genes).fill(type))
  const values = Float32Array.from({ length: types * genes * types }, (_, at) => {
    const isOwn = Math.floor(at / types / genes) === at % types
    return (isOwn ? 2.2 : -0.3) + 0.4 * generator.normal()
  })
  const rows = rowGroups.map((_, i) => `GENE${i}`)
  return { title: 'Marker genes', rows, columns, rowGroups, values, range: [-2.5, 2.5], valueName: 'z-score' }
}

const two: HeatmapPicture = {
  title: 'Two by two',
  rows: ['a', 'b'],
  columns: ['x', 'y'],
  values: Float32Array.of(-9, 9, 0, Number.NaN),
  range: [-2.5, 2.5],
  valueName: 'z-score',
  pixelRatio: 1,
}

describe('a heatmap as a PNG', () => {
  it('gives each cell the colour of its value, ends what lies beyond them, and hatches what is missing', async () => {
    const pixels = await decode(await renderHeatmap(two))
    const cell = 46 * 26
    expect(coloured(pixels, low!, { apart: 1 })).toBeGreaterThanOrEqual(cell)
    expect(coloured(pixels, high!, { apart: 1 })).toBeGreaterThanOrEqual(cell)
    expect(coloured(pixels, '#20908c', { apart: 1 })).toBeGreaterThanOrEqual(cell)
    expect(coloured(pixels, missing!, { apart: 0 })).toBeGreaterThan(0.5 * cell)
    const complete = await decode(await renderHeatmap({ ...two, values: Float32Array.of(-9, 9, 0, 1) }))
    expect(coloured(complete, missing!, { apart: 0 })).toBe(0)
  })

  it('has the first row above and the first column left', async () => {
    const values = Float32Array.of(9, -9, -9, -9)
    const pixels = await decode(await renderHeatmap({ ...two, values }))
    const places = [...pixels.data.keys()].filter(
      (at) =>
        at % 4 === 0 && pixels.data[at] === 0x44 && pixels.data[at + 1] === 1 && pixels.data[at + 2] === 0x54,
    )
    const [left, top] = [
      Math.min(...places.map((at) => (at / 4) % pixels.width)),
      Math.min(...places.map((at) => Math.floor(at / 4 / pixels.width))),
    ]
    expect(coloured(pixels, high!, { within: [left, top, left + 46, top + 26], apart: 1 })).toBe(46 * 26)
  })

  it('of 60 types and 600 genes stays below 400 kB, and has letters of one size with all others', async () => {
    const large = await renderHeatmap(blocks(60, 10))
    expect(large.length).toBeLessThan(400_000)
    const size = shownSize(large)!
    expect(size.height).toBeGreaterThan(600 * 13)
    expect(size.width).toBeGreaterThan(60 * 17)
    expect(overflow(await decode(large))).toBe(0)
  })

  it('says how many rows are left out of a thousand', async () => {
    const rows = Array.from({ length: 1000 }, (_, i) => `GENE${i}`)
    const options = { ...two, rows, columns: ['x'], values: new Float32Array(1000) }
    const pixels = await decode(await renderHeatmap(options))
    expect(pixels.height).toBeLessThan(800 * 13 + 300)
    const note = [20, 40, 560, 60] as const
    const without = inked(await decode(await renderHeatmap(two)), note)
    expect(inked(pixels, note)).toBeGreaterThan(without + 200)
  })

  it('keeps hostile, long and empty names inside of the picture', async () => {
    const names = hostileTexts
    const values = new Float32Array(names.length ** 2)
    const [title, long] = ['\u202e'.repeat(500), 'W'.repeat(5000)]
    const hostile = { ...two, title, rows: names, columns: names, rowGroups: names, values, valueName: long }
    const pixels = await decode(
      await renderHeatmap({ ...hostile, rowName: long, columnName: long, notes: [long] }),
    )
    expect(overflow(pixels)).toBe(0)
    expect(pixels.width).toBeLessThan(8000)
  })

  it('of nothing says why, and of one cell is drawn', async () => {
    const nothing = { ...two, rows: [], columns: [], values: new Float32Array(0) }
    const told = await decode(
      await renderHeatmap({ ...nothing, absent: 'Fewer than two types have 10 cells.' }),
    )
    expect(inked(told, [100, 100, 540, 180])).toBeGreaterThan(1000)
    const one = { ...two, rows: ['a'], columns: ['x'], values: Float32Array.of(9) }
    expect(coloured(await decode(await renderHeatmap(one)), high!, { apart: 1 })).toBeGreaterThan(46 * 26 - 1)
  })

  it('refuses values and groups that are not one for each place', async () => {
    await expect(renderHeatmap({ ...two, values: new Float32Array(3) })).rejects.toThrow(RangeError)
    await expect(renderHeatmap({ ...two, rowGroups: ['a'] })).rejects.toThrow(RangeError)
  })

  it('is the same file twice', async () => {
    expect(await renderHeatmap(blocks(5, 3))).toEqual(await renderHeatmap(blocks(5, 3)))
  })
})

describe('names in figures', () => {
  it('are cut after 25 characters, in the middle where that would make two of them one', () => {
    expect(shortNames(['pulmonary alveolar type 2 cell', 'B cell', '', '\u202ex'])).toEqual([
      'pulmonary alveolar type 2...',
      'B cell',
      '(no name)',
      '⟨U+202E⟩x',
    ])
    const alike = shortNames(['CD4-positive, alpha-beta T cell', 'CD4-positive, alpha-beta memory T cell'])
    expect(alike).toEqual(['CD4-positive...a-beta T cell', 'CD4-positive...memory T cell'])
    expect(
      new Set(shortNames(['same long name that is cut off', 'same long name that is cut off'])).size,
    ).toBe(1)
  })
})
