import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { BadInput, type ErrorReport } from '../../lib/job/errors.ts'
import { random } from '../../lib/job/random.ts'
import { type Pca, type PcaOptions, pca, projectPca } from '../../lib/neighbours/pca.ts'
import type { Points } from '../../lib/neighbours/points.ts'
import { rawBlocks, type SparseRows } from '../../lib/neighbours/standardised-rows.ts'
import { symmetricEigen } from '../../lib/neighbours/symmetric-eigen.ts'
import { asDense, logCounts } from './sparse-tables.ts'
import { groupedPoints } from './tables.ts'

const ways = ['pairs', 'dense-blocks', 'passes'] as const
const compute = (input: SparseRows | Points, options: Partial<PcaOptions> = {}): Promise<Pca> =>
  pca(input, { scale: true, seed: 1, components: 10, ...options })

interface Plain {
  variance: number[]
  ratio: number[]
  /** components x cells */
  scores: number[][]
}

/** The plain way: everything dense and in float64, all eigenvectors of the genes' covariance. */
function plainPca(
  dense: Float32Array,
  { columns, scale = true, maxValue = 10, components = 10 }: Partial<PcaOptions> & { columns: number },
): Plain {
  const rows = dense.length / columns
  const table = Array.from({ length: columns }, (_, gene) => {
    const own = Array.from({ length: rows }, (_, row) => dense[row * columns + gene]!)
    const mean = own.reduce((sum, x) => sum + x, 0) / rows
    const sd = Math.sqrt(own.reduce((sum, x) => sum + (x - mean) ** 2, 0) / (rows - 1))
    const isConstant = own.every((x) => x === own[0])
    const z = own.map((x) =>
      scale ? Math.min(maxValue, Math.max(-maxValue, (x - mean) / (isConstant ? 1 : sd))) : x,
    )
    const centre = z.reduce((sum, x) => sum + x, 0) / rows
    return z.map((x) => (isConstant ? 0 : x - centre))
  })
  const covariance = new Float64Array(columns * columns)
  for (let i = 0; i < columns; i++)
    for (let j = 0; j < columns; j++)
      covariance[i * columns + j] =
        table[i]!.reduce((sum, x, row) => sum + x * table[j]![row]!, 0) / (rows - 1)
  const { values, vectors } = symmetricEigen(covariance, columns)
  const total = values.reduce((sum, value) => sum + value, 0)
  const scores = Array.from({ length: components }, (_, c) => {
    const vector = Array.from(vectors.subarray(c * columns, (c + 1) * columns))
    const largest = vector.reduce((best, x) => (Math.abs(x) > Math.abs(best) ? x : best), 0)
    return table[0]!.map(
      (_, row) => Math.sign(largest) * vector.reduce((sum, x, gene) => sum + x * table[gene]![row]!, 0),
    )
  })
  const variance = Array.from(values.subarray(0, components))
  return { variance, ratio: variance.map((value) => value / total), scores }
}

function expectEqual(found: Pca, wanted: Plain): void {
  for (const [c, variance] of wanted.variance.entries()) {
    expect(found.variance[c]! / variance).toBeCloseTo(1, 8)
    expect(found.varianceRatio[c]! / wanted.ratio[c]!).toBeCloseTo(1, 8)
    const scale = Math.sqrt(variance)
    for (const [row, score] of wanted.scores[c]!.entries())
      expect(Math.abs(found.scores.values[row * found.components + c]! - score) / scale).toBeLessThan(1e-4)
  }
}

describe('principal components of sparse counts', () => {
  const counts = logCounts(260, { columns: 90, density: 0.12 })
  const dense = asDense(counts)

  it.each(ways)('are those of the dense table in float64, by %s', async (way) => {
    expectEqual(await compute(counts, { way }), plainPca(dense, { columns: 90 }))
  })

  it.each(ways)('are those of the dense table where genes are only centred, by %s', async (way) => {
    const found = await compute(counts, { way, scale: false })
    expectEqual(found, plainPca(dense, { columns: 90, scale: false }))
    expect(found.mean.every((mean) => mean === 0) && found.sd.every((sd) => sd === 1)).toBe(true)
  })

  it('clip what is rare above and what is usual below, as scanpy does since 1.10', async () => {
    const maxValue = 1.2
    const clipped = await compute(counts, { maxValue })
    expectEqual(clipped, plainPca(dense, { columns: 90, maxValue }))
    // a gene seen in almost all cells: its zeros lie far below
    const common: Points = {
      rows: 200,
      dims: 3,
      values: Float32Array.from({ length: 600 }, (_, at) => {
        const [row, gene] = [Math.floor(at / 3), at % 3]
        return gene === 0 ? (row === 7 ? 0 : 5 + (row % 5) / 100) : ((row * 7 + gene * 13) % 11) / 3
      }),
    }
    expectEqual(
      await compute(common, { components: 2 }),
      plainPca(common.values, { columns: 3, components: 2 }),
    )
  })

  it('are the same from a dense table, from unsorted rows and from stored zeros', async () => {
    const wanted = await compute(counts)
    const points: Points = { rows: 260, dims: 90, values: dense }
    const everything: SparseRows = {
      rows: 260,
      columns: 90,
      indptr: Float64Array.from({ length: 261 }, (_, row) => row * 90),
      indices: Int32Array.from(dense, (_, at) => 89 - (at % 90)),
      values: dense.map((_, at) => dense[at - (at % 90) + 89 - (at % 90)]!),
    }
    for (const input of [points, everything]) {
      const found = await compute(input)
      for (const [at, score] of found.scores.values.entries())
        expect(Math.abs(score - wanted.scores.values[at]!)).toBeLessThan(1e-4)
    }
  })

  it('come with the largest loading positive and orthonormal loadings, the same for any seed', async () => {
    const [first, second] = [await compute(counts, { seed: 1 }), await compute(counts, { seed: 99 })]
    for (let c = 0; c < 10; c++) {
      const own = Array.from({ length: 90 }, (_, gene) => first.loadings[gene * 10 + c]!)
      expect(Math.max(...own)).toBe(Math.max(...own.map(Math.abs)))
      expect(Math.hypot(...own)).toBeCloseTo(1, 6)
    }
    for (const [at, loading] of first.loadings.entries()) expect(second.loadings[at]).toBeCloseTo(loading, 4)
    expect(await compute(counts, { seed: 1 })).toEqual(first)
  })

  it('give cells that come later the scores they would have had', async () => {
    const found = await compute(counts, { maxValue: 2 })
    const again = projectPca(counts, found)
    expect(again).toEqual(found.scores)
    const some: Points = { rows: 20, dims: 90, values: dense.slice(50 * 90, 70 * 90) }
    const scores = projectPca(some, found).values
    for (const [at, score] of scores.entries())
      expect(score).toBeCloseTo(found.scores.values[50 * 10 + at]!, 4)
    const other = logCounts(4, { columns: 89, density: 0.5 })
    expect(() => projectPca(other, found)).toThrow(BadInput)
  })

  it('go through rows longer than a block and blocks of many rows', () => {
    const wide = logCounts(3, { columns: 70_000, density: 0.99, groups: 1 })
    expect([...rawBlocks(wide)].map(({ start, rows }) => [start, rows])).toEqual([
      [0, 1],
      [1, 1],
      [2, 1],
    ])
    const narrow = logCounts(5000, { columns: 40, density: 0.5 })
    const blocks = [...rawBlocks(narrow)]
    expect(blocks.length).toBeGreaterThan(1)
    expect(blocks.flatMap(({ values }) => Array.from(values))).toEqual(Array.from(narrow.values))
    expect(blocks.reduce((rows, block) => rows + block.rows, 0)).toBe(5000)
  })
})

describe('principal components in general', () => {
  it('turn with the points: distances in all components are those of the points', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 3, max: 9 }), fc.nat(1000), async (dims, seed) => {
        // one dimension is made of the others, so that one component fewer holds everything
        const points = groupedPoints(30, { dims, seed })
        for (let row = 0; row < 30; row++) points.values[row * dims + dims - 1] = points.values[row * dims]!
        const { scores, components, varianceRatio } = await compute(points, {
          scale: false,
          components: dims - 1,
        })
        expect(varianceRatio.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 9)
        for (let row = 1; row < 30; row++) {
          const distance = (table: Float32Array, width: number): number =>
            Math.hypot(...Array.from({ length: width }, (_, j) => table[j]! - table[row * width + j]!))
          expect(distance(scores.values, components)).toBeCloseTo(distance(points.values, dims), 4)
        }
      }),
      { numRuns: 15 },
    )
  })

  it('keep their digits on a large common offset', async () => {
    const chance = random(4)
    const near: Points = {
      rows: 80,
      dims: 4,
      values: Float32Array.from({ length: 320 }, () => chance.integer(64)),
    }
    const far: Points = { ...near, values: near.values.map((value) => value + 2 ** 18) }
    for (const way of ways) {
      const [wanted, found] = [
        await compute(near, { way, components: 3 }),
        await compute(far, { way, components: 3 }),
      ]
      for (const scale of [0, 1, 2])
        expect(found.variance[scale]! / wanted.variance[scale]!).toBeCloseTo(1, 6)
    }
  })

  it('are none of genes that never differ', async () => {
    const values = Float32Array.from({ length: 90 }, (_, at) => [3.3, (at * at) % 7, (at * 5) % 11][at % 3]!)
    const found = await compute({ rows: 30, dims: 3, values }, { components: 2 })
    expect(found.sd[0]).toBe(1)
    expect(Math.abs(found.loadings[0]!) + Math.abs(found.loadings[1]!)).toBeLessThan(1e-6)
    expectEqual(found, plainPca(values, { columns: 3, components: 2 }))
    const alike = await compute({ rows: 5, dims: 3, values: new Float32Array(15).fill(2) }, { components: 2 })
    expect(Array.from(alike.scores.values).every((score) => score === 0)).toBe(true)
    expect(Array.from(alike.varianceRatio)).toEqual([0, 0])
  })

  it('are fewer where there are few cells or genes, which is a notice', async () => {
    const notices: ErrorReport[] = []
    const few = await compute(groupedPoints(8, { dims: 30 }), { components: 50, notices })
    expect(few.components).toBe(7)
    expect(notices.map(({ code }) => code)).toEqual(['PCA_COMPONENTS_REDUCED'])
  })

  it('stop when told to', async () => {
    const stop = new AbortController()
    stop.abort()
    await expect(compute(groupedPoints(50, { dims: 20 }), { signal: stop.signal })).rejects.toThrow(/abort/i)
  })

  it('are refused with a code where the matrix is not one', async () => {
    const counts = logCounts(20, { columns: 10, density: 0.4 })
    const codeOf = async (input: SparseRows | Points, options: Partial<PcaOptions> = {}): Promise<string> => {
      const error: unknown = await compute(input, options).then(
        () => undefined,
        (reason) => reason,
      )
      return error instanceof BadInput ? error.code : String(error)
    }
    expect(await codeOf({ rows: 1, dims: 5, values: new Float32Array(5) })).toBe('PCA_TOO_SMALL')
    expect(await codeOf({ rows: 5, dims: 1, values: new Float32Array(5) })).toBe('PCA_TOO_SMALL')
    expect(await codeOf({ rows: 0, dims: 0, values: new Float32Array(0) })).toBe('PCA_TOO_SMALL')
    expect(await codeOf(counts, { components: 0 })).toBe('COMPONENTS_OUT_OF_RANGE')
    expect(await codeOf({ ...counts, values: counts.values.with(3, Number.NaN) })).toBe('MATRIX_NOT_FINITE')
    expect(await codeOf({ ...counts, indices: counts.indices.with(3, 10) })).toBe('MATRIX_MALFORMED')
    expect(await codeOf({ ...counts, indices: counts.indices.with(3, -1) })).toBe('MATRIX_MALFORMED')
    expect(await codeOf({ ...counts, indptr: Int32Array.from({ length: 21 }) })).toBe('MATRIX_MALFORMED')
    expect(await codeOf({ rows: 4, dims: 3, values: new Float32Array(11) })).toBe('MATRIX_MALFORMED')
  })
})
