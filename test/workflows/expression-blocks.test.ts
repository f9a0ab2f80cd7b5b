/** Laws of the blocks between Embed and Publish, and of what is refused beforehand: nothing is lost, moved or whole in memory, however cells were cut. */
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openFolderStore } from '../../lib/job/folder-store.ts'
import { openStep } from '../../lib/job/steps.ts'
import type { ObjectStore } from '../../lib/job/store.ts'
import { blockRows, blockWriter, expressionSlabs } from '../../lib/workflows/parts/expression-blocks.ts'
import { type ExpressionPlan, planExpression } from '../../lib/workflows/parts/expression-plan.ts'
import { shardRange } from '../../lib/workflows/parts/shards.ts'
import type { StepContext } from '../../lib/workflows/workflow.ts'
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.ts'

let folder: TemporaryFolder
let store: ObjectStore
beforeAll(async () => {
  folder = await temporaryFolder()
  store = await openFolderStore(folder.path)
})
afterAll(() => folder[Symbol.asyncDispose]())

describe('blocks of expression', () => {
  // so wide that a block has three rows
  const width = 1_300_000

  it('hold every row once, in order and none larger than a block, however cells were cut and some left out', async () => {
    expect(blockRows(width)).toBe(3)
    let run = 0
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.boolean(), { minLength: 1, maxLength: 11 }),
        fc.integer({ min: 1, max: 4 }),
        fc.nat(),
        async (takesPart, shards, somewhere) => {
          const allCells = takesPart.length
          const first = somewhere % allCells
          const plan: ExpressionPlan = { first, cells: allCells - first, width, genes: null, batches: null }
          const dependsOn = run++
          const stepOf = (part: number) => openStep(store, { state: 'Embed', code: 'test', dependsOn, part })
          for (let shard = 0; shard < shards; shard++) {
            const [start, end] = shardRange(shard, { cells: allCells, shards })
            const from = Math.max(start, first)
            const writer = blockWriter(stepOf(shard), { rows: Math.max(0, end - from), width })
            for (let cell = from; cell < end; cell++)
              if (takesPart[cell]) await writer.put(cell - from, new Float32Array(width).fill(cell))
            await writer.finish()
          }
          const context = {
            road: { shards },
            signal: new AbortController().signal,
            before: (_: string, part: number) => stepOf(part),
          } as unknown as StepContext
          let next = 0
          for await (const slab of expressionSlabs(context, { plan, allCells })) {
            expect(slab.start).toBe(next)
            expect(slab.rows).toBeLessThanOrEqual(3)
            for (let row = 0; row < slab.rows; row++) {
              const cell = first + slab.start + row
              const wanted = takesPart[cell] ? cell : Number.NaN
              for (const at of [row * width, (row + 1) * width - 1]) {
                expect(slab.values[at]).toBe(wanted)
                expect(slab.indices[at]).toBe(at % width)
              }
            }
            next += slab.rows
          }
          expect(next).toBe(plan.cells)
        },
      ),
      { numRuns: 25 },
    )
  })

  it('are one row each where a row alone is larger than a block', () => {
    expect(blockRows(2 ** 23)).toBe(1)
  })
})

describe('what is asked of expression', () => {
  const genes = ['B', 'A', 'B', '__proto__']
  const of = { genes, batches: ['x', 'constructor'], first: 0, cells: 5 }
  const asked = { normalized_expression: true }

  it('is nothing where it is not asked for', () => {
    expect(planExpression({ normalized_expression: false }, of)).toEqual({ plan: null, notices: [] })
  })

  it('has genes in the order of the model, also one that it names twice and one called as what every object has', () => {
    const { plan, notices } = planExpression({ ...asked, expression_genes: ['__proto__', 'B'] }, of)
    expect(plan).toMatchObject({ genes: [0, 2, 3], width: 3 })
    expect(notices).toEqual([])
  })

  it('has batches by name, and none that every object has', () => {
    expect(planExpression({ ...asked, transform_batch: 'constructor' }, of).plan!.batches).toEqual([
      'constructor',
    ])
    expect(() => planExpression({ ...asked, transform_batch: 'toString' }, of)).toThrow(
      expect.objectContaining({ code: 'TRANSFORM_BATCH_UNKNOWN' }),
    )
  })

  it('may have 64 GiB and not a row more, and says how many genes would do', () => {
    const wide = Array.from({ length: 4096 }, (_, gene) => `G${gene}`)
    const most = 2 ** 34 / 4096
    expect(planExpression(asked, { ...of, genes: wide, cells: most }).plan!.width).toBe(4096)
    expect(() => planExpression(asked, { ...of, genes: wide, cells: most + 1 })).toThrow(
      expect.objectContaining({
        code: 'EXPRESSION_TOO_LARGE',
        problem: expect.stringContaining('take 65 GiB, and 64 are the most'),
        remedy: expect.stringContaining('4095 or fewer'),
      }),
    )
    const some = { ...asked, expression_genes: ['G1'] }
    expect(planExpression(some, { ...of, genes: wide, cells: most + 1 }).plan!.width).toBe(1)
  })
})
