import { beforeAll, describe, expect, it } from 'vitest'
import type { Neighbours, Points } from '../../lib/neighbours/points.ts'
import { layOut } from '../../lib/neighbours/umap.ts'
import { fitCurve } from '../../lib/neighbours/umap-curve.ts'
import { transform, type UmapModel } from '../../lib/neighbours/umap-transform.ts'
import { bruteNeighbours, trustworthiness } from '../support/neighbour-measures.ts'
import { hasShared } from '../support/shared.ts'
import { goldenPoints } from './golden-neighbours.ts'

const rowsOf = ({ dims, values }: Points, from: number, to: number): Points => ({
  rows: to - from,
  dims,
  values: values.slice(from * dims, to * dims),
})

describe.runIf(hasShared)('pbmc68k_reduced, 600 cells laid out and 100 placed among them', () => {
  let all: Points
  let reference: Points
  let model: UmapModel
  let neighbours: Neighbours
  beforeAll(async () => {
    all = goldenPoints()
    reference = rowsOf(all, 0, 600)
    neighbours = bruteNeighbours(reference, 15, rowsOf(all, 600, 700))
    const layout = await layOut(bruteNeighbours(reference, 15), { seed: 0 })
    model = { layout, ...fitCurve({ minDist: 0.5, spread: 1 }) }
  })

  it('keeps neighbours as well as a layout of all of them', async () => {
    const placed = await transform(model, neighbours, { seed: 0 })
    const together = new Float32Array(1400)
    together.set(model.layout)
    together.set(placed, 1200)
    expect(trustworthiness(all, together, 15)).toBeGreaterThan(0.91)
  })

  it('puts the reference cells near their own places', async () => {
    const own = bruteNeighbours(reference, 15)
    const placed = await transform(model, own, { seed: 0 })
    const away = Array.from({ length: 600 }, (_, i) =>
      Math.hypot(placed[i * 2]! - model.layout[i * 2]!, placed[i * 2 + 1]! - model.layout[i * 2 + 1]!),
    ).sort((a, b) => a - b)
    const extent = Math.max(...model.layout) - Math.min(...model.layout)
    expect(away[300]! / extent).toBeLessThan(0.04)
    expect(away[570]! / extent).toBeLessThan(0.15)
    // without any descent they lie on them
    expect(await transform(model, own, { seed: 0, epochs: 0 })).toEqual(model.layout)
  })

  it('is the same to the byte for the same seed, and for a cell alone as for all', async () => {
    const placed = await transform(model, neighbours, { seed: 5 })
    expect(await transform(model, neighbours, { seed: 5 })).toEqual(placed)
    expect(await transform(model, neighbours, { seed: 6 })).not.toEqual(placed)
    const alone: Neighbours = {
      rows: 1,
      k: 15,
      indices: neighbours.indices.slice(15 * 42, 15 * 43),
      distances: neighbours.distances.slice(15 * 42, 15 * 43),
    }
    expect(await transform(model, alone, { seed: 5 })).toEqual(placed.slice(84, 86))
  })
})

describe('placing a point', () => {
  const model: UmapModel = { layout: Float32Array.of(0, 0, 10, 0, 0, 10), a: 0.583, b: 1.334 }
  const placeOne = (indices: number[], distances: number[]) =>
    transform(
      model,
      {
        rows: 1,
        k: indices.length,
        indices: Int32Array.from(indices),
        distances: Float32Array.from(distances),
      },
      { seed: 0 },
    )

  it('is finite with one neighbour however far, and with neighbours that all coincide', async () => {
    expect((await placeOne([1], [1e30])).every(Number.isFinite)).toBe(true)
    expect((await placeOne([2], [0])).every(Number.isFinite)).toBe(true)
    expect((await placeOne([0, 1, 2], [0, 0, 0])).every(Number.isFinite)).toBe(true)
    expect((await placeOne([0, 1, 2], [0, 1e-30, 1e30])).every(Number.isFinite)).toBe(true)
  })

  it('is not changed by another that lies far from everything', async () => {
    const near = { indices: [0, 1, 2], distances: [1e-6, 2e-6, 3e-6] }
    const both = await transform(
      model,
      {
        rows: 2,
        k: 3,
        indices: Int32Array.of(...near.indices, 0, 1, 2),
        distances: Float32Array.of(...near.distances, 1e6, 2e6, 3e6),
      },
      { seed: 0 },
    )
    expect(both.slice(0, 2)).toEqual(await placeOne(near.indices, near.distances))
  })

  it('leaves the reference as it was', async () => {
    const before = model.layout.slice()
    await placeOne([0, 1, 2], [1, 2, 3])
    expect(model.layout).toEqual(before)
  })

  it('refuses a neighbour that is not in the reference', async () => {
    await expect(placeOne([0, 3], [1, 2])).rejects.toThrow(RangeError)
    await expect(placeOne([-1], [1])).rejects.toThrow(RangeError)
  })
})
