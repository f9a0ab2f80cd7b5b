/** Law: thinned counts are binomial draws of the counts, the same for a seed however the rows are cut into slabs. */
import { describe, expect, it } from 'vitest'
import type { Matrix } from '../../lib/data/cells.ts'
import { thinCounts } from '../../lib/prep/thin-counts.ts'

const columns = 40

function constant(rows: number, count: number, perSlab: number): Matrix {
  return {
    ...{ name: 'X', rows, columns, encoding: 'csr', type: 'float32', stored: rows * columns },
    async *slabs() {
      for (let start = 0; start < rows; start += perSlab) {
        const own = Math.min(perSlab, rows - start)
        yield {
          ...{ start, rows: own, columns },
          indptr: Int32Array.from({ length: own + 1 }, (_, row) => row * columns),
          indices: Int32Array.from({ length: own * columns }, (_, i) => i % columns),
          values: new Float32Array(own * columns).fill(count),
        }
      }
    },
  }
}

async function valuesOf(matrix: Matrix): Promise<number[]> {
  const values: number[] = []
  for await (const { rows, indptr, indices, values: stored } of matrix.slabs())
    for (let row = 0; row < rows; row++) {
      const whole = new Array<number>(columns).fill(0)
      for (let i = indptr[row]!; i < indptr[row + 1]!; i++) whole[indices[i]!] = Number(stored[i])
      values.push(...whole)
    }
  return values
}

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length

describe('thinning', () => {
  it.each([1, 7, 64, 65, 5000])(
    'keeps the share of counts of %i, with the spread of a binomial',
    async (count) => {
      const share = 0.3
      const values = await valuesOf(thinCounts(constant(500, count, 100), { share, seed: 1 }))
      const spread = Math.sqrt(count * share * (1 - share))
      const sampling = spread / Math.sqrt(values.length)
      expect(Math.abs(mean(values) - count * share)).toBeLessThan(5 * sampling)
      const variance = mean(values.map((value) => (value - count * share) ** 2))
      expect(variance / spread ** 2).toBeGreaterThan(0.9)
      expect(variance / spread ** 2).toBeLessThan(1.1)
      expect(values.every((value) => Number.isInteger(value) && value >= 0 && value <= count)).toBe(true)
    },
  )

  it('does not depend on the slabs that rows come in, but on the seed', async () => {
    const thin = (perSlab: number, seed: number) =>
      valuesOf(thinCounts(constant(50, 9, perSlab), { share: 0.5, seed }))
    expect(await thin(7, 1)).toEqual(await thin(50, 1))
    expect(await thin(50, 2)).not.toEqual(await thin(50, 1))
  })

  it('keeps everything for a share of 1 and refuses one that is none', async () => {
    const matrix = constant(3, 2, 2)
    expect(thinCounts(matrix, { share: 1, seed: 0 })).toBe(matrix)
    expect(() => thinCounts(matrix, { share: 0, seed: 0 })).toThrow(RangeError)
    expect(() => thinCounts(matrix, { share: Number.NaN, seed: 0 })).toThrow(RangeError)
  })
})
