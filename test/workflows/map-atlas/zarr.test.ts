/** Contract: an atlas may be AnnData zarr. Its cells stand first in the joint h5ad, with their own obs; a real store of anndata, zipped. */
import { expect, it } from 'vitest'
import { openCells } from '../../../lib/data/open-cells.ts'
import { copyToInbox, mapWith, storeNetwork, toyAtlasModel } from '../../support/atlas-mapping.ts'
import { cellsOf, makeInstallation } from '../../support/installation.ts'
import { arrayOf, textsOf } from '../../support/read-h5ad.ts'
import { hasShared, sharedPath } from '../../support/shared.ts'

it.skipIf(!hasShared)('an atlas in zarr is laid out and joined with the query', async () => {
  const lab = await makeInstallation()
  await using _ = lab.folder
  const atlas = sharedPath('data', 'zarr', 'pbmc68k_reduced_zarrv3.zip')
  const file = await openCells(atlas)
  const genes = (await file.var()).index
  await file.close()
  const model = toyAtlasModel({ genes, labels: ['B cell', 'monocyte'] })
  const batch = { column: 'phase', categories: ['G1', 'S'], type: 'text' as const }
  await storeNetwork(lab, 'toy', { ...model, setup: { ...model.setup, batch } })
  await copyToInbox(lab, atlas, 'jobs/zarr/atlas.zarr.zip')
  const query = cellsOf(
    Array.from({ length: 20 }, (_, cell) => genes.map((_, gene) => (cell + gene) % 5)),
    { genes },
  )
  query.obs.columns.set('phase', { kind: 'string', values: new Array<string>(20).fill('new') })
  await lab.upload('jobs/zarr/q.h5ad', query)
  const job = await mapWith(lab, 'zarr', {
    ...{ mode: 'extend', query: 'q.h5ad', atlas: 'atlas.zarr.zip', model: 'toy' },
    ...{ batch_key: 'phase', max_epochs: 2, umap: false },
  })
  const { columns } = await job.cells.obs()
  const latent = await arrayOf(await job.cells.mapping('obsm'), 'X_scANVI_emb', [720, 3])
  await job.cells.close()
  expect(job.result.summary).toMatchObject({ cells: 20, atlasCells: 700 })
  expect(textsOf(columns.get('source'))).toEqual([
    ...new Array(700).fill('atlas'),
    ...new Array(20).fill('query'),
  ])
  expect(new Set(textsOf(columns.get('bulk_labels')).slice(0, 700)).size).toBe(10)
  expect(latent.every(Number.isFinite)).toBe(true)
})
