import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { indexCells, missingCode, numberOf, unpackCells } from '../../lib/report/assets/cells.js'
import type { Colouring } from '../../lib/report/content.ts'
import { histogram } from '../../lib/report/histogram.ts'
import { drawOrder, mapData } from '../../lib/report/map-data.ts'
import { sampleCells } from './sample-content.ts'

const layoutOf = (xy: Float32Array) => ({ name: 'UMAP', rows: xy.length / 2, xy })

describe('cells as the page carries them', () => {
  const cells = sampleCells(3000)
  const colourings: Colouring[] = [
    cells.labels,
    {
      kind: 'number',
      name: 'a',
      values: cells.uncertainty.values.map((value, i) => (i % 7 ? value : Number.NaN)),
    },
  ]
  const page = unpackCells(mapData(layoutOf(cells.xy), colourings))
  const { order } = drawOrder(layoutOf(cells.xy), 0)

  it('come out of the page as they went in: places, labels, numbers, missing values', () => {
    const [labels, numbers] = page.colourings as [(typeof page.colourings)[0], (typeof page.colourings)[0]]
    if (labels.kind !== 'categorical' || numbers.kind !== 'number') throw new Error('kinds are mixed up')
    const xs = cells.xy.filter((_, i) => i % 2 === 0)
    const [low, high] = [Math.min(...xs), Math.max(...xs)]
    let worst = { x: 0, value: 0 }
    for (const [place, cell] of order.entries()) {
      const x = low + (page.x[place]! / 65_535) * (high - low)
      worst = { ...worst, x: Math.max(worst.x, Math.abs(x - cells.xy[2 * cell]!)) }
      expect(labels.categories[page.codes(labels)[place]!]!.name).toBe(
        cells.labels.categories[cells.labels.codes[cell]!],
      )
      const code = page.codes(numbers)[place]!
      expect(code === missingCode(numbers)).toBe(cell % 7 === 0)
      if (cell % 7 === 0) continue
      const error = Math.abs(numberOf(numbers, code) - cells.uncertainty.values[cell]!)
      worst = { ...worst, value: Math.max(worst.value, error) }
    }
    expect(worst.x).toBeLessThan((0.51 * (high - low)) / 65_535)
    expect(worst.value).toBeLessThan(0.51 / 65_534)
    expect(numbers.missing).toBe(Math.ceil(3000 / 7))
  })

  it('take two bytes a code when one does not hold them', () => {
    const categories = Array.from({ length: 700 }, (_, i) => `type ${i}`)
    const codes = Int32Array.from({ length: 3000 }, (_, cell) => (cell % 701) - 1)
    const many = unpackCells(
      mapData(layoutOf(cells.xy), [{ kind: 'categorical', name: 'x', codes, categories }]),
    )
    const [colouring] = many.colourings
    const found = Array.from(many.codes(colouring!), (code) => (code === 65_535 ? -1 : code))
    expect(found).toEqual(Array.from(order, (cell) => codes[cell]))
  })

  it('are the same page for the same seed, in an order that is not that of the file', () => {
    expect(mapData(layoutOf(cells.xy), colourings)).toEqual(mapData(layoutOf(cells.xy), colourings))
    expect([...order.slice(0, 20)]).not.toEqual([...order.slice(0, 20)].sort((a, b) => a - b))
    expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: 3000 }, (_, cell) => cell))
  })

  it('are sampled beyond 200,000, with counts of all of them', () => {
    const rows = 230_000
    const xy = Float32Array.from({ length: 2 * rows }, (_, i) => (i * 0.618) % 1)
    xy[10] = Number.NaN
    const codes = Int32Array.from({ length: rows }, (_, cell) => Number(cell % 10 === 0))
    const data = mapData(layoutOf(xy), [
      { kind: 'categorical', name: 'x', codes, categories: ['most', 'tenth'] },
    ])
    expect([data.cells, data.drawn, data.unplaced]).toEqual([rows, 200_000, 1])
    const [colouring] = data.colourings
    if (colouring?.kind !== 'categorical') throw new Error('not categorical')
    expect(colouring.categories.map(({ cells: count }) => count)).toEqual([207_000, 23_000])
    const drawn = unpackCells(data).codes(colouring)
    const tenth = Uint8Array.from(drawn).reduce((sum, code) => sum + code, 0)
    // binomial without replacement: standard deviation about 48
    expect(Math.abs(tenth - 20_000)).toBeLessThan(300)
  })

  it('hold even when there is nothing to see: no cell, one cell, all in one place, nothing but missing values', () => {
    for (const xy of [[], [3, 4], [1, 1, 1, 1], [Number.NaN, 0]]) {
      const rows = xy.length / 2
      const data = mapData(layoutOf(Float32Array.from(xy)), [
        { kind: 'number', name: 'n', values: new Float32Array(rows).fill(Number.NaN) },
        { kind: 'categorical', name: 'c', codes: new Int32Array(rows).fill(-1), categories: [] },
      ])
      expect(JSON.parse(JSON.stringify(data))).toEqual(data)
      expect(data.aspect).toBe(1)
    }
  })
})

describe('the cell under the pointer', () => {
  it('is the nearest one that is shown, as looking at every cell finds it', () => {
    const coordinate = fc.integer({ min: 0, max: 65_535 })
    fc.assert(
      fc.property(
        fc.array(fc.tuple(coordinate, coordinate), { maxLength: 200 }),
        fc.tuple(fc.integer({ min: -5000, max: 70_000 }), coordinate, fc.integer({ min: 1, max: 30_000 })),
        (places, [x, y, reach]) => {
          const cells = {
            x: Uint16Array.from(places, ([left]) => left),
            y: Uint16Array.from(places, ([, top]) => top),
          }
          const isShown = (cell: number): boolean => cell % 3 !== 0
          const distance = (cell: number): number => Math.hypot(cells.x[cell]! - x, cells.y[cell]! - y)
          const found = indexCells(cells)({ x, y }, { reachX: reach, reachY: reach, isShown })
          const near = [...places.keys()].filter((cell) => isShown(cell) && distance(cell) < reach)
          const best = Math.min(...near.map(distance))
          if (near.length === 0) expect(found).toBe(-1)
          else expect(distance(found)).toBeCloseTo(best, 6)
        },
      ),
      { numRuns: 300 },
    )
  })
})

describe('a histogram', () => {
  it('counts every value that is there once, over all and by group', () => {
    const values = [0, 0.49, 0.5, 1, Number.NaN, -3, 9]
    const made = histogram(values, {
      title: 'u',
      bins: 2,
      groups: { codes: [0, 0, 1, 1, 1, -1, 0], categories: ['a', 'b', 'never'] },
    })
    expect(made.counts).toEqual([3, 3])
    expect(made.groups).toEqual([
      { name: 'a', counts: [2, 1] },
      { name: 'b', counts: [0, 2] },
    ])
  })
})
