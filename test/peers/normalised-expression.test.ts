/** Twin: normalised expression as anndata and h5py read it, whole and a row at a time, against the numbers that our own reader finds. */
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { mapWith, storeNetwork, toyAtlasModel } from '../support/atlas-mapping.ts'
import { readExpression } from '../support/expression-file.ts'
import { makeInstallation } from '../support/installation.ts'
import { findPython, pythonMissing } from '../support/python.ts'
import { simulatedGenes, simulatedQuery } from '../support/simulated-cells.ts'

const python = findPython()

it('is dense float32 of all cells and genes, with what it was asked for, and shares that add up', async ({
  skip,
}) => {
  if (python === undefined) return skip(pythonMissing)
  const lab = await makeInstallation()
  try {
    await storeNetwork(lab, 'toy', toyAtlasModel({ genes: simulatedGenes, labels: ['B cell', 'monocyte'] }))
    const query = simulatedQuery(2, 30)
    const batch = (_: unknown, cell: number) => (cell === 3 ? null : 'a')
    query.obs.columns.set('Sample_ID', { kind: 'string', values: Array.from({ length: 30 }, batch) })
    await lab.upload('jobs/file/q.h5ad', query)
    const asked = { normalized_expression: true, transform_batch: ['b', 'a'], library_size: 100 }
    const job = await mapWith(lab, 'file', { query: 'q.h5ad', model: 'toy', umap: false, ...asked })
    await job.cells.close()
    const path = job.pathOf('normalized_expression.h5ad')
    const ours = await readExpression(path)
    const script = join(import.meta.dirname, 'normalised_expression.py')
    const mapped = job.pathOf(job.result.outputs.h5ad!)
    const argv = ['-W', 'ignore', script, path, mapped]
    const told = JSON.parse(execFileSync(python, argv, { encoding: 'utf8' })) as Record<string, unknown>
    expect(told).toMatchObject({
      type: 'float32',
      kind: 'ndarray',
      shape: [30, simulatedGenes.length],
      genes: simulatedGenes,
      sameCells: true,
      missing: [3],
      backed: true,
      obs: [],
      asked: { transform_batch: ['b', 'a'], library_size: 100, n_samples: 1, model_name: 'toy' },
    })
    const sums = told.sums as number[]
    for (const sum of sums) expect(sum).toBeCloseTo(100, 2)
    const row = told.row as number[]
    expect(row).toEqual(
      Array.from(ours.values.subarray(5 * simulatedGenes.length, 6 * simulatedGenes.length)),
    )
  } finally {
    await lab.folder[Symbol.asyncDispose]()
  }
})
