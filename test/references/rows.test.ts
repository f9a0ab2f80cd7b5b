/** Laws of drawing and of reading in runs. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Matrix, SlabOptions } from '../../lib/data/cells.ts'
import { random } from '../../lib/job/random.ts'
import { gapOf, slabsOfRows } from '../../lib/references/row-runs.ts'
import { sampleRows } from '../../lib/references/sample-rows.ts'
import { severalAtOnce } from '../../lib/references/several-at-once.ts'

const lists = fc.array(
  fc.uniqueArray(fc.nat(500), { maxLength: 40 }).map((rows) => Int32Array.from(rows).sort()),
  {
    maxLength: 5,
  },
)

describe('a sample over several files', () => {
  it('has as many rows as were asked for, all of them rows that there are', () => {
    fc.assert(
      fc.property(lists, fc.nat(100), fc.nat(1000), (rows, most, seed) => {
        const drawn = sampleRows(rows, { most, random: random(seed) })
        const count = (all: Int32Array[]) => all.reduce((sum, { length }) => sum + length, 0)
        expect(count(drawn)).toBe(Math.min(most, count(rows)))
        for (const [file, own] of drawn.entries())
          expect([...own]).toEqual([...rows[file]!].filter((row) => own.includes(row)))
      }),
    )
  })

  it('takes every row as often as any other', () => {
    const rows = [Int32Array.of(0, 1, 2), Int32Array.of(3, 4, 5, 6, 7, 8, 9)]
    const times = new Array<number>(10).fill(0)
    const draw = random(7)
    for (let i = 0; i < 20_000; i++)
      for (const own of sampleRows(rows, { most: 3, random: draw })) for (const row of own) times[row]!++
    // 6000 expected, standard deviation 65
    for (const count of times) expect(Math.abs(count - 6000)).toBeLessThan(330)
  })
})

describe('rows of a remote matrix', () => {
  const asked: [number, number][] = []
  const matrix: Matrix = {
    ...{ name: 'X', rows: 1000, columns: 1000, encoding: 'csr', type: 'float32', stored: 1000 },
    async *slabs({ from = 0, to = 1000 }: SlabOptions = {}) {
      asked.push([from, to])
      for (let start = from; start < to; start += 7) {
        const rows = Math.min(7, to - start)
        yield {
          ...{ start, rows, columns: 1000 },
          indptr: Int32Array.from({ length: rows + 1 }, (_, i) => i),
          indices: Int32Array.from({ length: rows }, (_, i) => start + i),
          values: Float32Array.from({ length: rows }, (_, i) => start + i),
        }
      }
    },
  }

  it('come all and in order, whatever the gap that is read past', async () => {
    const wanted = fc.uniqueArray(fc.nat(999), { maxLength: 60 }).map((rows) => Int32Array.from(rows).sort())
    await fc.assert(
      fc.asyncProperty(wanted, fc.integer({ min: 1, max: 1200 }), async (rows, gap) => {
        const came: number[] = []
        for await (const slab of slabsOfRows(matrix, rows, { gap })) {
          expect(slab.start).toBe(came.length)
          came.push(...slab.values)
        }
        expect(came).toEqual([...rows])
      }),
    )
  })

  it('are asked for apart where they lie apart', async () => {
    asked.length = 0
    for await (const _ of slabsOfRows(matrix, Int32Array.of(3, 5, 900), { gap: 10 }));
    expect(asked).toEqual([
      [3, 6],
      [900, 901],
    ])
    expect(gapOf({ encoding: 'csc', rows: 10, stored: 10 })).toBe(Number.POSITIVE_INFINITY)
    expect(gapOf({ encoding: 'csr', rows: 10, stored: 20_000 })).toBe(262)
  })
})

describe('several things at once', () => {
  it('fail with the first failure, when nothing is under way any more', async () => {
    let running = 0
    const act = async (item: number) => {
      running++
      await Promise.resolve()
      running--
      if (item === 3) throw new Error('three')
      return item
    }
    await expect(severalAtOnce([1, 2, 3, 4, 5, 6], { atOnce: 2 }, act)).rejects.toThrow('three')
    expect(running).toBe(0)
    expect(await severalAtOnce([1, 2], { atOnce: 5 }, act)).toEqual([1, 2])
  })
})
