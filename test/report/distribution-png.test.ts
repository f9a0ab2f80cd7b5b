import { describe, expect, it } from 'vitest'
import { type DistributionPicture, renderDistribution } from '../../lib/report/distribution-png.ts'
import { coloured, decode, inked, overflow, type Pixels } from './pixels.ts'

const drawn = async (options: Omit<DistributionPicture, 'title'>): Promise<Pixels> =>
  decode(await renderDistribution({ title: 'Labels', pixelRatio: 1, ...options }))
const [first, second, rest] = ['#3675c6', '#e16324', '#d5d9de']

const labels = { codes: [0, 0, 0, 0, 1, 1, -1], categories: ['T cell', 'B cell', 'never'] }

describe('labels and their sources as a PNG', () => {
  it('has bars as long as their cells, cut where the sources part', async () => {
    const pixels = await drawn({
      labels,
      parts: { name: 'source', codes: [0, 0, 0, 1, 1, 1, 1], categories: ['atlas', 'query'] },
    })
    const half = Math.round(pixels.height / 2)
    expect(half).toBeGreaterThan(60)
    // the row of the most frequent label, then the other: 3 of the one and 1 of the other, then 2 of the other
    const rows = [85, 108].map((top) => {
      const within = [60, top, pixels.width, top + 1] as const
      return [coloured(pixels, first!, { within }), coloured(pixels, second!, { within })]
    })
    const unit = (rows[0]![0]! + rows[0]![1]!) / 4
    expect(rows[0]![0]! / unit).toBeCloseTo(3, 1)
    expect(rows[1]![0]).toBe(0)
    expect(rows[1]![1]! / unit).toBeCloseTo(2, 1)
    expect(overflow(pixels)).toBe(0)
  })

  it('has plain bars without sources, and cells of no source as a part of their own', async () => {
    const plain = await drawn({ labels })
    expect(coloured(plain, '#4a7fb8')).toBeGreaterThan(100)
    expect(coloured(plain, first!)).toBe(0)
    const open = await drawn({
      labels,
      parts: { name: 'source', codes: [0, 0, 0, 1, 1, -1, -1], categories: ['atlas', 'query'] },
    })
    expect(coloured(open, rest!)).toBeGreaterThan(100)
  })

  it('says that no cell has a label, and draws the most frequent of many', async () => {
    const none = await drawn({ labels: { codes: [-1, -1], categories: ['a'] } })
    expect(inked(none)).toBeGreaterThan(500)
    const many = Array.from({ length: 300 }, (_, i) => `label ${i}`)
    const codes = many.flatMap((_, i) => Array.from({ length: i + 1 }, () => i))
    const sources = codes.map((_, i) => i % 50)
    const pixels = await drawn({
      labels: { codes, categories: many },
      parts: { name: 'source', codes: sources, categories: Array.from({ length: 50 }, (_, i) => `s${i}`) },
    })
    expect(pixels.height).toBeLessThan(2100)
    expect(overflow(pixels)).toBe(0)
  })

  it('keeps hostile names within its rim', async () => {
    const name = `\u202e<script>\n${'long '.repeat(200)}`
    const pixels = await drawn({
      labels: { codes: [0, 1], categories: [name, `${name}x`] },
      parts: { name, codes: [0, 1], categories: [name, `${name}y`] },
    })
    expect(overflow(pixels)).toBe(0)
  })
})
