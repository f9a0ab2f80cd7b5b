import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { input } from '../../lib/graph/expression.ts'
import { blockFeeds, wholeFeeds } from '../../lib/graph/feeds.ts'
import { loopGraph, stepNumber } from '../../lib/graph/loop.ts'
import { add, sum } from '../../lib/graph/operations/arithmetic.ts'
import { cast } from '../../lib/graph/operations/choices.ts'
import { float32, int64, type Tensor } from '../../lib/graph/tensor.ts'
import { compute, numbersOf, runGraph, type Values } from './compute.ts'

const genes = 5
const whole = (data: Iterable<number>): Tensor => {
  const numbers = Int32Array.from(data)
  return { type: 'int32', shape: [numbers.length], data: numbers }
}

/** Counts of at least one gene a cell, and which cells are looked at: any, in any order, some of them twice. */
const block = fc
  .array(fc.array(fc.nat(3), { minLength: genes, maxLength: genes }), { minLength: 1, maxLength: 7 })
  .map((rows) => rows.map((row) => (row.some((x) => x > 0) ? row : row.with(2, 4))))
  .chain((rows) =>
    fc.record({
      rows: fc.constant(rows),
      chosen: fc.array(fc.nat(rows.length - 1), { minLength: 1, maxLength: 12 }),
    }),
  )

function blockOf(rows: readonly number[][], places: 'int32' | 'int64' = 'int32'): Values {
  const starts = [0]
  for (const row of rows) starts.push(starts.at(-1)! + row.filter((x) => x > 0).length)
  const above = rows.flatMap((row) => row.flatMap((x, gene) => (x > 0 ? [[gene, x] as const] : [])))
  return {
    'block indptr': places === 'int32' ? whole(starts) : int64(starts),
    'block indices': whole(above.map(([gene]) => gene)),
    'block counts': float32(Float32Array.from(above, ([, x]) => x)),
    'block depth': float32(
      Float32Array.from(rows.keys(), (cell) => 10 + cell),
      [rows.length, 1],
    ),
  }
}

function expected(rows: readonly number[][], chosen: readonly number[]) {
  const above = chosen.flatMap((cell, row) =>
    rows[cell]!.flatMap((x, gene) => (x > 0 ? [{ place: row * genes + gene, gene, x }] : [])),
  )
  return {
    places: above.map(({ place }) => place),
    genes: above.map(({ gene }) => gene),
    counts: above.map(({ x }) => x),
    depth: chosen.map((cell) => 10 + cell),
  }
}

describe('a minibatch of a block', () => {
  for (const places of ['int32', 'int64'] as const)
    it(`has the counts of its cells in their order, whatever cells they are (${places})`, async () => {
      await fc.assert(
        fc.asyncProperty(block, async ({ rows, chosen }) => {
          const feeds = blockFeeds({ places })
          const entries = feeds.entries('cells', genes)
          const depth = feeds.ofCells('depth', { type: 'float32', group: 'cells', width: 1 })
          const got = await compute(
            { ...entries, depth },
            { ...blockOf(rows, places), 'cells numbers': whole(chosen) },
          )
          const { depth: ofCells, ...plain } = expected(rows, chosen)
          for (const [name, values] of Object.entries(plain)) expect(numbersOf(got[name])).toEqual(values)
          expect(numbersOf(got.depth)).toEqual(ofCells)
          expect(got.depth!.shape).toEqual([chosen.length, 1])
          expect([...feeds.block].sort()).toEqual(['counts', 'depth', 'indices', 'indptr'])
          expect([...feeds.groups]).toEqual(['cells'])
        }),
        { numRuns: 40 },
      )
    })

  it('is that of its step within a loop, with the noise that was fed for it', async () => {
    const rows = [
      [1, 0, 0, 0, 2],
      [0, 3, 0, 0, 0],
      [4, 5, 6, 7, 8],
    ]
    const steps = [[2, 0], [1], [0, 1, 2]]
    const step = stepNumber()
    const feeds = blockFeeds({ step })
    const { counts, places } = feeds.entries('cells', genes)
    const noise = feeds.take('noise', { type: 'float32', group: 'cells', each: 2, width: 1 })
    const total = input('total', { type: 'float32', shape: [] })
    const one = (value: typeof counts) => sum(value)
    const graph = loopGraph('steps', {
      number: step,
      carried: { total: { before: total, after: add(total, 1) } },
      told: { counts: one(counts), places: one(cast(places, 'float32')), drawn: one(noise) },
    })
    const got = await runGraph(graph, {
      ...blockOf(rows),
      steps: int64([3], []),
      'total.first': float32(Float32Array.of(0), []),
      'cells from': int64([0, 2, 3, 6]),
      'cells numbers': whole(steps.flat()),
      noise: float32(
        Float32Array.from({ length: 12 }, (_, i) => 2 ** i),
        [12, 1],
      ),
    })
    expect(numbersOf(got.counts)).toEqual([33, 3, 36])
    expect(numbersOf(got.places)).toEqual([0 + 1 + 2 + 3 + 4 + 5 + 9, 1, 0 + 4 + 6 + 10 + 11 + 12 + 13 + 14])
    expect(numbersOf(got.drawn)).toEqual([15, 48, 4096 - 64])
  })
})

describe('a minibatch that is fed', () => {
  it('has the parts of each group under names of its own', () => {
    const feeds = wholeFeeds()
    feeds.entries('cells', genes)
    feeds.entries('labelled', genes)
    feeds.ofCells('depth', { type: 'float32', group: 'labelled', width: 1 })
    expect([...feeds.taken].map(([name, { group }]) => `${name}: ${group}`)).toEqual([
      ...['places: entries', 'genes: entries', 'counts: entries', 'labelled places: labelled entries'],
      ...[
        'labelled genes: labelled entries',
        'labelled counts: labelled entries',
        'labelled depth: labelled',
      ],
    ])
    expect(feeds.block.size + feeds.groups.size).toBe(0)
  })
})
