import { describe, expect, it } from 'vitest'
import type { ErrorReport } from '../../lib/job/errors.ts'
import { type NeighbourOptions, nearestNeighbours } from '../../lib/neighbours/nearest-neighbours.ts'
import type { Neighbours, Points } from '../../lib/neighbours/points.ts'
import { groupedPoints } from './tables.ts'

const search = (points: Points, options: Partial<NeighbourOptions>): Promise<Neighbours> =>
  nearestNeighbours(points, { k: 15, metric: 'euclidean', method: 'approximate', seed: 1, ...options })

/** Share of the true neighbours that were found. */
function recall(found: Neighbours, wanted: Neighbours): number {
  let hits = 0
  for (let row = 0; row < wanted.rows; row++) {
    const list = new Set(found.indices.subarray(row * found.k, (row + 1) * found.k))
    for (const index of wanted.indices.subarray(row * found.k, (row + 1) * found.k))
      if (list.has(index)) hits++
  }
  return hits / wanted.indices.length
}

describe('the approximate search', () => {
  const points = groupedPoints(6000, { dims: 30, groups: 12 })

  it.each(['euclidean', 'cosine'] as const)('finds 99 of 100 neighbours and more, %s', async (metric) => {
    const [found, wanted] = [
      await search(points, { metric }),
      await search(points, { metric, method: 'exact' }),
    ]
    expect(recall(found, wanted)).toBeGreaterThan(0.99)
    for (let row = 0; row < points.rows; row++) {
      expect(found.indices[row * 15]).toBe(row)
      expect(found.distances[row * 15]).toBe(0)
      for (let place = 1; place < 15; place++)
        expect(found.distances[row * 15 + place]!).toBeGreaterThanOrEqual(
          found.distances[row * 15 + place - 1]!,
        )
    }
  })

  it('gives the same for the same seed, whatever the threads', async () => {
    const few = groupedPoints(2000, { dims: 10 })
    const first = await search(few, { threads: 1 })
    expect(await search(few, { threads: 1 })).toEqual(first)
    expect(await search(few, { threads: 2 })).toEqual(first)
  })

  it('takes a single query, duplicates without end and as many neighbours as there are points', async () => {
    const single: Points = { rows: 1, dims: 30, values: points.values.slice(30, 60) }
    const { indices, distances } = await search(points, { queries: single, k: 3 })
    expect(indices[0]).toBe(1)
    expect(distances[0]).toBe(0)
    const alike: Points = { rows: 40, dims: 2, values: new Float32Array(80).fill(2) }
    const all = await search(alike, { k: 40 })
    for (let row = 0; row < 40; row++) {
      expect(all.indices[row * 40]).toBe(row)
      expect(new Set(all.indices.subarray(row * 40, (row + 1) * 40)).size).toBe(40)
    }
  })

  it('is recorded as a notice, the exact search is not', async () => {
    const notices: ErrorReport[] = []
    await search(groupedPoints(50, { dims: 3 }), { method: 'auto', notices })
    expect(notices).toEqual([])
    await search(groupedPoints(50, { dims: 3 }), { notices, place: 'obsm/X_pca' })
    expect(notices.map(({ code, place }) => [code, place])).toEqual([['KNN_APPROXIMATE', 'obsm/X_pca']])
  })

  it('is taken of itself above 100,000 points', async () => {
    const notices: ErrorReport[] = []
    const many = groupedPoints(100_001, { dims: 1 })
    const queries: Points = { rows: 2, dims: 1, values: Float32Array.of(0, 1) }
    const { distances } = await search(many, { method: 'auto', queries, k: 2, notices })
    expect(notices.map(({ code }) => code)).toEqual(['KNN_APPROXIMATE'])
    expect(distances.every((distance) => distance < 0.01)).toBe(true)
  })

  it('stops when told to', async () => {
    const stop = new AbortController()
    await expect(search(points, { signal: stop.signal, onProgress: () => stop.abort() })).rejects.toThrow(
      /abort/i,
    )
  })
})
