import { createCanvas, loadImage } from '@napi-rs/canvas'
import { describe, expect, it } from 'vitest'
import { displayColours } from '../../lib/report/colours.ts'
import type { Colouring } from '../../lib/report/content.ts'
import { renderScatter, type ScatterPicture } from '../../lib/report/scatter-png.ts'
import { sampleCells } from './sample-content.ts'

interface Picture {
  width: number
  height: number
  data: Uint8ClampedArray
}

async function picture(options: Omit<ScatterPicture, 'title'> & { title?: string }): Promise<Picture> {
  const png = await renderScatter({ title: 'Cells', pixelRatio: 1, ...options })
  const image = await loadImage(Buffer.from(png))
  const context = createCanvas(image.width, image.height).getContext('2d')
  context.drawImage(image, 0, 0)
  return context.getImageData(0, 0, image.width, image.height)
}

function colourAt({ width, data }: Picture, x: number, y: number): string {
  const at = 4 * (Math.round(y) * width + Math.round(x))
  return `#${Buffer.from(data.subarray(at, at + 3)).toString('hex')}`
}

/** Pixels in a rectangle that are not white. */
function inked({ width, data }: Picture, [left, top, right, bottom]: readonly number[]): number {
  let count = 0
  for (let y = top!; y < bottom!; y++)
    for (let x = left!; x < right!; x++) {
      const at = 4 * (y * width + x)
      if (data[at]! < 250 || data[at + 1]! < 250 || data[at + 2]! < 250) count++
    }
  return count
}

const cells = sampleCells(2000)

describe('the map as a PNG', () => {
  it('puts a cell of each corner where it belongs, with y upwards, in the colour of its label', async () => {
    const xy = Float32Array.of(0, 0, 10, 0, 0, 10, 10, 10)
    const codes = Int32Array.of(0, 1, 2, 3)
    const categories = ['a', 'b', 'c', 'd']
    const drawn = await picture({ xy, colouring: { kind: 'categorical', name: 'x', codes, categories } })
    expect([drawn.width, drawn.height]).toEqual([1000, 720])
    const colours = displayColours(categories)
    // plot: 24 to 726 across, 44 to 672 down; square, so that one unit is 616 / 10 pixels; radius 4
    const [left, right, top, bottom] = [375 - 308, 375 + 308, 358 - 308, 358 + 308]
    expect(colourAt(drawn, left, bottom)).toBe(colours[0])
    expect(colourAt(drawn, right, bottom)).toBe(colours[1])
    expect(colourAt(drawn, left, top)).toBe(colours[2])
    expect(colourAt(drawn, right, top)).toBe(colours[3])
    expect(colourAt(drawn, 375, 358)).toBe('#ffffff')
  })

  it('has text from the font that it brings along: title, legend and numbers are not blank', async () => {
    const options = { xy: cells.xy, colouring: cells.labels }
    const [named, unnamed] = [await picture(options), await picture({ ...options, title: '' })]
    const title = [0, 0, 1000, 40] as const
    expect(inked(named, title)).toBeGreaterThan(150)
    expect(inked(unnamed, title)).toBe(0)
    expect(inked(named, [770 + 18, 60, 990, 340])).toBeGreaterThan(2000)
  })

  it('is the same file for the same seed', async () => {
    const options = { xy: cells.xy, colouring: cells.uncertainty, title: 'u', pixelRatio: 1 }
    expect(await renderScatter(options)).toEqual(await renderScatter(options))
    expect(await renderScatter({ ...options, seed: 1 })).not.toEqual(await renderScatter(options))
  })

  it('keeps the legend inside of the picture, for 500 labels of 10,000 characters as for hostile ones', async () => {
    const categories = Array.from({ length: 500 }, (_, i) => `${i} ${'W'.repeat(10_000)}`)
    categories[0] = '\u202e</text><script>'
    categories[1] = 'T-Zelle 🧬 τ δ'
    const codes = Int32Array.from({ length: 2000 }, (_, cell) => cell % 500)
    const drawn = await picture({
      xy: cells.xy,
      colouring: { kind: 'categorical', name: 'x', codes, categories },
    })
    expect(inked(drawn, [994, 0, 1000, 720])).toBe(0)
    // counts of the last column, and below it how many labels are left out
    expect(inked(drawn, [950, 70, 990, 640])).toBeGreaterThan(500)
    expect(inked(drawn, [0, 716, 1000, 720])).toBe(0)
  })

  it('is drawn from nothing, one cell, and cells without place or value', async () => {
    const colourings: [number[], Colouring][] = [
      [[], { kind: 'categorical', name: 'x', codes: new Int32Array(0), categories: [] }],
      [[1, 2], { kind: 'number', name: 'x', values: Float32Array.of(5) }],
      [[Number.NaN, 2, 3, 4], { kind: 'number', name: 'x', values: Float32Array.of(1, Number.NaN) }],
    ]
    for (const [xy, colouring] of colourings) {
      const drawn = await picture({ xy: Float32Array.from(xy), colouring })
      const middle = inked(drawn, [340, 320, 420, 400])
      expect(middle > 0).toBe(xy.length > 0)
    }
  })
})
