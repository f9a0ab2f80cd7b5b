import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { random } from '../../lib/job/random.ts'
import { type NeighbourOptions, nearestNeighbours } from '../../lib/neighbours/nearest-neighbours.ts'
import type { Metric, Neighbours, Points } from '../../lib/neighbours/points.ts'
import { hasShared } from '../support/shared.ts'
import { groupedPoints, recordedTable } from './tables.ts'

const exactly = (points: Points, options: Partial<NeighbourOptions> & { k: number }): Promise<Neighbours> =>
  nearestNeighbours(points, { metric: 'euclidean', method: 'exact', seed: 0, ...options })

/** All distances in float64, sorted by distance and number: what the search must equal. */
function byBruteForce(
  points: Points,
  { k, metric, queries }: { k: number; metric: Metric; queries?: Points | undefined },
): { indices: number[][]; distances: number[][] } {
  const rowsOf = ({ rows, dims, values }: Points): number[][] =>
    Array.from({ length: rows }, (_, row) => {
      const own = Array.from(values.subarray(row * dims, (row + 1) * dims))
      const length = metric === 'cosine' ? Math.hypot(...own) : 1
      return own.map((value) => value / length)
    })
  const references = rowsOf(points)
  const lists = rowsOf(queries ?? points).map((query, number) => {
    const squared = references.map((reference) =>
      query.reduce((sum, q, j) => sum + (q - reference[j]!) ** 2, 0),
    )
    const order = squared.map((_, row) => row)
    order.sort((a, b) => squared[a]! - squared[b]! || a - b)
    const found = queries === undefined ? [number, ...order.filter((row) => row !== number)] : order
    return found.slice(0, k).map((row) => ({
      row,
      distance: metric === 'cosine' ? squared[row]! / 2 : Math.sqrt(squared[row]!),
    }))
  })
  return {
    indices: lists.map((list) => list.map(({ row }) => row)),
    distances: lists.map((list) => list.map(({ distance }) => distance)),
  }
}

function inRows({ rows, k, indices, distances }: Neighbours): { indices: number[][]; distances: number[][] } {
  const cut = (values: Int32Array | Float32Array): number[][] =>
    Array.from({ length: rows }, (_, row) => Array.from(values.subarray(row * k, (row + 1) * k)))
  return { indices: cut(indices), distances: cut(distances) }
}

/** The absolute part is for distances of a point to its like, which a cosine gives as rounding of 1. */
function expectClose(found: number[][], wanted: number[][], relative = 1e-6): void {
  for (const [row, list] of wanted.entries())
    for (const [place, distance] of list.entries())
      expect(Math.abs(found[row]![place]! - distance)).toBeLessThanOrEqual(
        relative * Math.abs(distance) + 1e-12,
      )
}

describe.skipIf(!hasShared)('the 16 nearest of 700 real cells', () => {
  const table = hasShared
    ? recordedTable('golden/neighbours/X_pca.csv.gz')
    : { rows: 0, columns: 0, values: [] }
  const points: Points = { rows: table.rows, dims: table.columns, values: Float32Array.from(table.values) }

  it.each([
    ['euclidean', 'knn16'],
    ['cosine', 'knn16_cosine'],
  ] as const)('are those of scikit-learn, %s', async (metric, name) => {
    const found = await exactly(points, { k: 16, metric })
    expect(Array.from(found.indices)).toEqual(
      recordedTable(`golden/neighbours/${name}_indices.csv.gz`).values,
    )
    const wanted = recordedTable(`golden/neighbours/${name}_distances.csv.gz`).values
    expectClose([Array.from(found.distances)], [wanted], 1e-5)
  })
})

describe('the exact search', () => {
  it('equals a search by brute force for points of every kind: few, alike, on a grid, far away', async () => {
    const number = fc.oneof(
      fc.integer({ min: -2, max: 2 }),
      fc.float({ min: -100, max: 100, noNaN: true }),
      fc.integer({ min: 0, max: 3 }).map((step) => 10_000 + step / 8),
    )
    const table = fc.integer({ min: 1, max: 4 }).chain((dims) =>
      fc.record({
        rows: fc.array(fc.array(number, { minLength: dims, maxLength: dims }), {
          minLength: 1,
          maxLength: 40,
        }),
        queries: fc.option(
          fc.array(fc.array(number, { minLength: dims, maxLength: dims }), { maxLength: 5 }),
        ),
        dims: fc.constant(dims),
        k: fc.integer({ min: 1, max: 12 }),
        metric: fc.constantFrom<Metric>('euclidean', 'cosine'),
      }),
    )
    const isUsable = (row: number[], metric: Metric): boolean =>
      metric === 'euclidean' || row.some((x) => x !== 0)
    await fc.assert(
      fc.asyncProperty(table, async ({ rows, queries, dims, k, metric }) => {
        const asPoints = (list: number[][]): Points => {
          const usable = list.map((row) => row.map(Math.fround)).filter((row) => isUsable(row, metric))
          return { rows: usable.length, dims, values: Float32Array.from(usable.flat()) }
        }
        const points = asPoints(rows)
        fc.pre(points.rows >= k)
        const asked = queries === null ? undefined : asPoints(queries)
        const found = inRows(
          await exactly(points, { k, metric, ...(asked === undefined ? {} : { queries: asked }) }),
        )
        const wanted = byBruteForce(points, { k, metric, queries: asked })
        expectClose(found.distances, wanted.distances, 2e-6)
        // directions of multiples differ by rounding alone, which may order them otherwise
        if (metric === 'euclidean') expect(found.indices).toEqual(wanted.indices)
      }),
      { numRuns: 150 },
    )
  })

  it('equals brute force on 600 grouped points', async () => {
    const points = groupedPoints(600, { dims: 30 })
    for (const metric of ['euclidean', 'cosine'] as const) {
      const found = inRows(await exactly(points, { k: 31, metric }))
      const wanted = byBruteForce(points, { k: 31, metric })
      expect(found.indices).toEqual(wanted.indices)
      expectClose(found.distances, wanted.distances)
    }
  })

  it('keeps its digits where all points lie far from the origin and close together', async () => {
    const near = groupedPoints(400, { dims: 5 })
    const far: Points = { ...near, values: near.values.map((value) => 30_000 + value) }
    const found = inRows(await exactly(far, { k: 10 }))
    const wanted = byBruteForce(far, { k: 10, metric: 'euclidean' })
    expect(found.indices).toEqual(wanted.indices)
    expectClose(found.distances, wanted.distances)
  })

  it('orders points that float32 cannot tell apart, beside one that lies a million times farther', async () => {
    const chance = random(8)
    const values = Float32Array.from({ length: 600 }, (_, row) => (row === 0 ? 1e6 : chance.uniform()))
    const points: Points = { rows: 300, dims: 2, values }
    const found = inRows(await exactly(points, { k: 5 }))
    const wanted = byBruteForce(points, { k: 5, metric: 'euclidean' })
    expect(found.indices).toEqual(wanted.indices)
    expectClose(found.distances, wanted.distances)
  })

  it('finds neighbours in every tile of a long list of references', async () => {
    const points = groupedPoints(66_000, { dims: 2, groups: 3 })
    const queries: Points = { rows: 20, dims: 2, values: points.values.slice(-40) }
    const found = inRows(await exactly(points, { k: 20, queries }))
    const wanted = byBruteForce(points, { k: 20, metric: 'euclidean', queries })
    expect(found.indices).toEqual(wanted.indices)
    const last = 65_536
    expect(found.indices.flat().some((row) => row < last)).toBe(true)
    expect(found.indices.flat().some((row) => row >= last)).toBe(true)
  })

  it('puts a point first in its own list though 300 others are the same', async () => {
    const values = new Float32Array(300 * 3).fill(1)
    const { indices, distances } = await exactly({ rows: 300, dims: 3, values }, { k: 4 })
    expect(Array.from(indices.subarray(0, 4))).toEqual([0, 1, 2, 3])
    expect(Array.from(indices.subarray(4 * 250, 4 * 251))).toEqual([250, 0, 1, 2])
    expect(distances.every((distance) => distance === 0)).toBe(true)
  })

  it('measures the same distances however the points are turned and moved', async () => {
    const points = groupedPoints(300, { dims: 2 })
    await fc.assert(
      fc.asyncProperty(
        fc.double({ min: 0, max: 6.3, noNaN: true }),
        fc.integer({ min: -9, max: 9 }),
        async (angle, by) => {
          const turned = points.values.map((value, at) => {
            const other = points.values[at ^ 1]!
            return Math.cos(angle) * value + (at % 2 === 0 ? -1 : 1) * Math.sin(angle) * other + by
          })
          const before = inRows(await exactly(points, { k: 5 }))
          const after = inRows(await exactly({ ...points, values: turned }, { k: 5 }))
          for (const [row, list] of before.distances.entries())
            for (const [place, distance] of list.entries())
              expect(Math.abs(after.distances[row]![place]! - distance)).toBeLessThan(1e-5)
        },
      ),
      { numRuns: 10 },
    )
  })

  it('takes numbers whose squares float32 cannot hold', async () => {
    const values = Float32Array.of(-3e30, 0, 1e30, 2.5e30)
    const { indices } = await exactly({ rows: 4, dims: 1, values }, { k: 4 })
    expect(Array.from(indices.subarray(8, 12))).toEqual(
      [2, 1, 3, 0].sort((a, b) => Math.abs(values[a]! - 1e30) - Math.abs(values[b]! - 1e30)),
    )
  })

  it('does not depend on the number of threads', async () => {
    const points = groupedPoints(900, { dims: 12 })
    expect(await exactly(points, { k: 15, threads: 1 })).toEqual(await exactly(points, { k: 15, threads: 2 }))
  })

  it('lets other work run, tells how far it is and stops when told to', async () => {
    const points = groupedPoints(2000, { dims: 4 })
    let ticks = 0
    const ticking = setInterval(() => ticks++, 0)
    const shares: number[] = []
    await exactly(points, { k: 5, onProgress: (done) => shares.push(done) })
    clearInterval(ticking)
    expect(ticks).toBeGreaterThan(0)
    expect(shares).toEqual([...shares].sort((a, b) => a - b))
    expect(shares.at(-1)).toBe(1)
    const stop = new AbortController()
    const stopped = exactly(points, { k: 5, signal: stop.signal, onProgress: () => stop.abort() })
    await expect(stopped).rejects.toThrow(/abort/i)
  })
})

describe('what is refused before a search', () => {
  const points = groupedPoints(10, { dims: 3 })
  const refused = async (
    given: Points,
    options: Partial<NeighbourOptions> & { k: number },
  ): Promise<string> => {
    try {
      await exactly(given, options)
    } catch (error) {
      return (error as { code: string }).code
    }
    return 'nothing'
  }

  it('has a code for each mistake', async () => {
    const withNumber = (value: number): Points => ({ ...points, values: points.values.with(7, value) })
    expect(await refused(points, { k: 11 })).toBe('POINTS_TOO_FEW')
    expect(await refused(points, { k: 0 })).toBe('K_OUT_OF_RANGE')
    expect(await refused(points, { k: 1.5 })).toBe('K_OUT_OF_RANGE')
    expect(await refused({ rows: 0, dims: 3, values: new Float32Array(0) }, { k: 1 })).toBe('POINTS_TOO_FEW')
    expect(await refused({ ...points, rows: 9 }, { k: 2 })).toBe('POINTS_MALFORMED')
    expect(await refused({ rows: 5, dims: 0, values: new Float32Array(0) }, { k: 2 })).toBe(
      'POINTS_MALFORMED',
    )
    expect(await refused(withNumber(Number.NaN), { k: 2 })).toBe('POINTS_NOT_FINITE')
    expect(await refused(withNumber(Number.NEGATIVE_INFINITY), { k: 2 })).toBe('POINTS_NOT_FINITE')
    expect(await refused(points, { k: 2, queries: withNumber(Number.NaN) })).toBe('POINTS_NOT_FINITE')
    expect(await refused(points, { k: 2, queries: groupedPoints(4, { dims: 2 }) })).toBe(
      'POINTS_OF_OTHER_WIDTH',
    )
    const empty: Points = { ...points, values: points.values.map((value, at) => (at < 3 ? 0 : value)) }
    expect(await refused(empty, { k: 2, metric: 'cosine' })).toBe('POINT_WITHOUT_DIRECTION')
    expect(await refused(empty, { k: 2 })).toBe('nothing')
  })

  it('is not an empty list of queries: the answer to that is empty', async () => {
    const queries: Points = { rows: 0, dims: 3, values: new Float32Array(0) }
    const { rows, indices, distances } = await exactly(points, { k: 3, queries })
    expect([rows, indices.length, distances.length]).toEqual([0, 0, 0])
  })

  it('is not a search for all: the last neighbour may be the farthest point', async () => {
    const order = Array.from(random(3).shuffle([0, 1, 2, 3, 4]), (place) => place)
    const { indices } = await exactly({ rows: 5, dims: 1, values: Float32Array.from(order) }, { k: 5 })
    for (let row = 0; row < 5; row++)
      expect(Array.from(indices.subarray(row * 5, row * 5 + 5)).sort()).toEqual([0, 1, 2, 3, 4])
  })
})
