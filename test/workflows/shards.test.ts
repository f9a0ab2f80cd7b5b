import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { RowSlab } from '../../lib/data/cells.ts'
import { openFolderStore } from '../../lib/job/folder-store.ts'
import { openStep } from '../../lib/job/steps.ts'
import { readShard, shardRange, shardWriter } from '../../lib/workflows/parts/shards.ts'
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.ts'

let folder: TemporaryFolder
beforeAll(async () => {
  folder = await temporaryFolder()
})
afterAll(() => folder[Symbol.asyncDispose]())

const columns = 7

/** Row r has its number in as many columns as it leaves over when divided by 4: also rows of nothing. */
function slabOf(start: number, rows: number): RowSlab {
  const indptr = [0]
  const indices: number[] = []
  const values: number[] = []
  for (let row = start; row < start + rows; row++) {
    for (let column = 0; column < row % 4; column++) {
      indices.push(column)
      values.push(row + column / 8)
    }
    indptr.push(indices.length)
  }
  return {
    start,
    rows,
    columns,
    indptr: Int32Array.from(indptr),
    indices: Int32Array.from(indices),
    values: Float32Array.from(values),
  }
}

describe('shards', () => {
  it('hold every row once and in order, however the slabs were cut', async () => {
    let run = 0
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 0, max: 9 }), { maxLength: 8 }),
        fc.integer({ min: 2, max: 12 }),
        async (lengths, shards) => {
          const cells = lengths.reduce((sum, rows) => sum + rows, 0)
          const store = await openFolderStore(folder.path)
          const step = openStep(store, { state: 'Prepare', code: 'test', dependsOn: run++ })
          const writer = shardWriter(step, { cells, shards })
          let start = 0
          for (const rows of lengths) {
            await writer.add(slabOf(start, rows))
            start += rows
          }
          await writer.finish()
          const whole = slabOf(0, cells)
          let [row, entry] = [0, 0]
          for (let shard = 0; shard < shards; shard++) {
            const [from, to] = shardRange(shard, { cells, shards })
            const part = await readShard(step, shard, { start: from, columns })
            expect([from, part.rows]).toEqual([row, to - from])
            for (let i = 0; i < part.rows; i++)
              expect(part.indptr[i + 1]! - part.indptr[i]!).toBe(
                whole.indptr[row + i + 1]! - whole.indptr[row + i]!,
              )
            expect([...part.values]).toEqual([...whole.values.subarray(entry, entry + part.values.length)])
            expect([...part.indices]).toEqual([...whole.indices.subarray(entry, entry + part.indices.length)])
            row += part.rows
            entry += part.indices.length
          }
          expect([row, entry]).toEqual([cells, whole.values.length])
        },
      ),
      { numRuns: 40 },
    )
  })
})
