/** Oracle: principal components of sparse counts are those that numpy computes from the dense table. */
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { pca } from '../../lib/neighbours/pca.ts'
import type { SparseRows } from '../../lib/neighbours/standardised-rows.ts'
import { logCounts } from '../neighbours/sparse-tables.ts'
import { findPython, pythonMissing } from '../support/python.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const python = findPython()
const components = 50

interface Reference {
  singular: number[]
  ratio: number[]
  /** rows x components */
  scores: Float64Array
}

function byNumpy(table: SparseRows, { folder, scale }: { folder: string; scale: boolean }): Reference {
  writeFileSync(join(folder, 'values.bin'), table.values)
  writeFileSync(join(folder, 'indices.bin'), table.indices)
  writeFileSync(join(folder, 'indptr.bin'), Int32Array.from(table.indptr))
  const argv = [folder, table.rows, table.columns, components, 10, scale ? 1 : 0].map(String)
  const output = execFileSync(python ?? '', [join(import.meta.dirname, 'pca.py'), ...argv], {
    encoding: 'utf8',
  })
  const bytes = readFileSync(join(folder, 'scores.bin'))
  const scores = new Float64Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length))
  return { ...(JSON.parse(output) as Pick<Reference, 'singular' | 'ratio'>), scores }
}

describe('50 components of 1500 cells x 600 genes', () => {
  if (python === undefined) {
    it('are those of numpy', ({ skip }) => skip(pythonMissing))
    return
  }
  it.each([true, false])(
    'are those of numpy to 1e-6 in singular values and 1e-3 in scores (scaled: %s)',
    async (scale) => {
      await using folder = await temporaryFolder()
      const table = logCounts(1500, { columns: 600, density: 0.1, groups: 12 })
      const wanted = byNumpy(table, { folder: folder.path, scale })
      for (const way of ['pairs', 'dense-blocks', 'passes'] as const) {
        const found = await pca(table, { scale, seed: 3, way })
        for (let c = 0; c < components; c++) {
          const singular = Math.sqrt(found.variance[c]! * (table.rows - 1))
          expect(Math.abs(singular / wanted.singular[c]! - 1)).toBeLessThan(1e-6)
          expect(Math.abs(found.varianceRatio[c]! / wanted.ratio[c]! - 1)).toBeLessThan(1e-6)
          // scores against their own spread: noise components lie so close together that rounding turns them a little
          const spread = wanted.singular[c]! / Math.sqrt(table.rows)
          for (let row = 0; row < table.rows; row++) {
            const at = row * components + c
            expect(Math.abs(found.scores.values[at]! - wanted.scores[at]!) / spread).toBeLessThan(1e-3)
          }
        }
      }
    },
  )
})
