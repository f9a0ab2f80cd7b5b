import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { assignColours, displayColours, displayPaletteSize, numberRamp } from '../../lib/report/colours.ts'
import type { CategoricalColouring } from '../../lib/report/content.ts'
import { occurringCategories } from '../../lib/report/occurring-categories.ts'

const pages = { white: '#ffffff', dark: '#14171b' }

function linear(hex: string): [number, number, number] {
  return [1, 3, 5].map((at) => {
    const value = Number.parseInt(hex.slice(at, at + 2), 16) / 255
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4
  }) as [number, number, number]
}

function luminance(hex: string): number {
  const [red, green, blue] = linear(hex)
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue
}

function contrast(one: string, other: string): number {
  const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b) as [number, number]
  return (light + 0.05) / (dark + 0.05)
}

/** OKLab (Ottosson 2020). */
function perceived(hex: string): [number, number, number] {
  const [r, g, b] = linear(hex)
  const l = Math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b)
  const m = Math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b)
  const s = Math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b)
  return [
    0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s,
    1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s,
    0.0259040371 * l + 0.7827717662 * m - 0.808675766 * s,
  ]
}

function closest(colours: string[]): number {
  const places = colours.map(perceived)
  const distances = places.flatMap((one, i) =>
    places.slice(i + 1).map((other) => Math.hypot(...one.map((value, k) => value - other[k]!))),
  )
  return Math.min(...distances)
}

describe('colours that are stored', () => {
  it("follow SpatialCore's rule: sorted labels, custom first, else the next of its palette (its worked example)", () => {
    const colours = assignColours(['T cell', 'B cell', 'Macrophage'], { 'T cell': '#FF0000' })
    expect([...colours]).toEqual([
      ['B cell', '#F5252F'],
      ['Macrophage', '#FB3FFC'],
      ['T cell', '#FF0000'],
    ])
  })

  it('use no palette place for a custom label, start again after 20, and sort as Python does', () => {
    const labels = Array.from({ length: 22 }, (_, i) => `type ${String(i).padStart(2, '0')}`)
    const colours = [...assignColours(labels, { 'type 00': 'ABCDEF' }).values()]
    expect(colours.slice(0, 3)).toEqual(['#ABCDEF', '#F5252F', '#FB3FFC'])
    expect(colours[21]).toBe('#F5252F')
    expect([...assignColours(['\u{1F9EC}', '￼', 'Z', 'a']).keys()]).toEqual(['Z', 'a', '￼', '\u{1F9EC}'])
  })

  it('take nothing from data that is not a colour, whatever the label is called', () => {
    fc.assert(
      fc.property(fc.array(fc.string()), fc.dictionary(fc.string(), fc.string()), (labels, custom) => {
        for (const colour of assignColours([...labels, '__proto__', 'constructor'], custom).values())
          expect(colour).toMatch(/^#[0-9A-F]{6}$/)
        for (const colour of displayColours([...labels, '__proto__'], custom))
          expect(colour).toMatch(/^#[0-9a-f]{6}$/)
      }),
    )
  })
})

describe('colours that are drawn', () => {
  const names = Array.from({ length: displayPaletteSize }, (_, i) => `label ${i}`)
  const palette = displayColours(names)

  it('are all different, and each can be seen on white and on the dark page', () => {
    expect(new Set(palette).size).toBe(40)
    for (const colour of palette) {
      expect(contrast(colour, pages.white), colour).toBeGreaterThan(2.1)
      expect(contrast(colour, pages.dark), colour).toBeGreaterThan(3.1)
    }
  })

  it('lie far apart, the first ones farthest (OKLab; 0.02 is a just visible step)', () => {
    expect(closest(palette.slice(0, 10))).toBeGreaterThan(0.11)
    expect(closest(palette.slice(0, 20))).toBeGreaterThan(0.08)
    expect(closest(palette)).toBeGreaterThan(0.05)
  })

  it('of numbers change evenly in lightness from low to high', () => {
    const lightness = numberRamp().map((colour) => perceived(colour)[0])
    const steps = lightness.slice(1).map((value, i) => value - lightness[i]!)
    for (const step of steps) expect(step).toBeGreaterThan(0.01)
    expect(Math.max(...steps) / Math.min(...steps)).toBeLessThan(4)
  })

  it('are spent on categories that occur only, and what is too many is one entry that keeps the sum', () => {
    const codes = Int32Array.from([5, 5, 2, -1, 5, 7])
    const categories = Array.from({ length: 98 }, (_, i) => `class ${i}`)
    const colouring: CategoricalColouring = { kind: 'categorical', name: 'x', codes, categories }
    const { occurring, placeOf, missing } = occurringCategories(colouring)
    expect(occurring.map(({ name, cells }) => [name, cells])).toEqual([
      ['class 2', 1],
      ['class 5', 3],
      ['class 7', 1],
    ])
    expect(occurring.map(({ colour }) => colour)).toEqual(palette.slice(0, 3))
    expect([placeOf[2], placeOf[5], placeOf[7], missing]).toEqual([0, 1, 2, 1])
    const lumped = occurringCategories(colouring, { most: 1 }).occurring
    expect(lumped.map(({ name, cells }) => [name, cells])).toEqual([
      ['class 5', 3],
      ['(2 smaller categories)', 2],
    ])
  })
})
