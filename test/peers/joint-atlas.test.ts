/** Twin: the joint file of `map-atlas` as anndata reads it, against the concatenation that anndata itself makes of the two files. */
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { mapWith, storeNetwork, toyAtlasModel } from '../support/atlas-mapping.ts'
import { makeInstallation } from '../support/installation.ts'
import { findPython, pythonMissing } from '../support/python.ts'
import { simulatedGenes, simulatedQuery } from '../support/simulated-cells.ts'

const python = findPython()

it('has the cells, genes and counts of anndata.concat, and every column of obs that either file has', async ({
  skip,
}) => {
  if (python === undefined) return skip(pythonMissing)
  const lab = await makeInstallation()
  try {
    await storeNetwork(lab, 'toy', toyAtlasModel({ genes: simulatedGenes, labels: ['B cell', 'monocyte'] }))
    const of = (seed: number, batch: string, more: string) => {
      const made = simulatedQuery(seed, 30)
      made.obs.index = made.obs.index.map((name) => `${batch}-${name}`)
      made.obs.columns.set('Sample_ID', { kind: 'string', values: new Array<string>(30).fill(batch) })
      made.obs.columns.set(more, { kind: 'string', values: new Array<string>(30).fill('v') })
      return made
    }
    await lab.upload('jobs/joint/atlas.h5ad', of(1, 'a', 'tissue'))
    await lab.upload('jobs/joint/q.h5ad', of(2, 'new', 'patient'))
    const settings = { mode: 'extend', query: 'q.h5ad', atlas: 'atlas.h5ad', model: 'toy', max_epochs: 1 }
    const job = await mapWith(lab, 'joint', settings)
    await job.cells.close()
    const inbox = join(lab.folder.path, 'inbox/jobs/joint')
    const script = join(import.meta.dirname, 'joint_atlas.py')
    const argv = [script, job.pathOf('q.extended.h5ad'), join(inbox, 'atlas.h5ad'), join(inbox, 'q.h5ad')]
    const told = JSON.parse(execFileSync(python, ['-W', 'ignore', ...argv], { encoding: 'utf8' })) as Record<
      string,
      unknown
    >
    expect(told).toMatchObject({
      cells: true,
      genes: true,
      counts: 0,
      source: { atlas: 30, query: 30 },
      obsm: { X_scANVI_emb: [60, 3], X_scANVI_emb_umap: [60, 2], X_umap: [60, 2] },
      written: {
        predicted_celltype: 'category',
        predicted_celltype_probability: 'float32',
        predicted_celltype_low_counts: 'bool',
      },
      patient: 30,
    })
    expect(told.logs).toBeLessThan(1e-5)
    expect([...(told.kept as string[])].sort()).toEqual(told.obs)
  } finally {
    await lab.folder[Symbol.asyncDispose]()
  }
})
