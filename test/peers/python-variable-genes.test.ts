/** Oracle: variable genes of real cells, against the same recipe in numpy and pandas. */
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { openCells } from '../../lib/data/open-cells.ts'
import { geneMoments } from '../../lib/prep/gene-moments.ts'
import { normalisedRows } from '../../lib/prep/normalise.ts'
import { selectVariableGenes } from '../../lib/prep/variable-genes.ts'
import { findPython, pythonMissing } from '../support/python.ts'
import { hasShared, sharedPath } from '../support/shared.ts'

const python = findPython()
if (python === undefined) console.warn(pythonMissing)

describe.runIf(python !== undefined && hasShared)('variable genes of real cells', () => {
  it.each([
    'pbmc68k_reduced/pbmc68k_reduced_counts_700x765.h5ad',
    'pbmc3k_small/pbmc3k_1000cells_1000randomgenes.h5ad',
    'pancreas_baron/baron_human_175.h5ad',
  ])('of %s have the dispersions that pandas gives', async (name) => {
    const file = await openCells(sharedPath('data', name))
    const rows: number[][] = []
    const slabs = async function* () {
      for await (const slab of normalisedRows(await file.matrix('X'), { from: 'counts', type: 'float64' })) {
        for (let row = 0; row < slab.rows; row++) {
          const dense = new Array<number>(slab.columns).fill(0)
          for (let i = slab.indptr[row]!; i < slab.indptr[row + 1]!; i++)
            dense[slab.indices[i]!] = slab.values[i]!
          rows.push(dense)
        }
        yield slab
      }
    }
    const { dispersions, ranked } = selectVariableGenes(await geneMoments(slabs(), file), { place: name })
    await file.close()
    const answer = execFileSync(python!, [join(import.meta.dirname, 'variable_genes.py')], {
      input: JSON.stringify({ rows, min_cells: 5, bins: 20 }),
      encoding: 'utf8',
      maxBuffer: 2 ** 28,
    })
    const expected = JSON.parse(answer) as (number | null)[]
    for (const [gene, value] of expected.entries()) {
      if (value === null) expect(dispersions[gene]).toBeNaN()
      else expect(dispersions[gene]).toBeCloseTo(value, 6)
    }
    const best = [...expected.keys()].filter((gene) => expected[gene] !== null)
    best.sort((a, b) => expected[b]! - expected[a]! || a - b)
    const theirs = new Set(best.slice(0, 100))
    // two that are equal but for rounding may change places at the end
    expect(ranked.subarray(0, 100).filter((gene) => theirs.has(gene)).length).toBeGreaterThanOrEqual(99)
  })
})
