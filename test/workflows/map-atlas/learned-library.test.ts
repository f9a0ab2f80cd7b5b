/**
 * Contract: references that learn library sizes and dispersions by label, or lie in a logistic normal space, from the job file to the model directory of scvi-tools, and queries mapped
 * onto them, frozen and by surgery; on simulated cells and on real ones.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadNetwork } from '../../../lib/models/bundle.ts'
import { importScvi, openScviModel } from '../../../lib/models/scvi-import.ts'
import type { ScviModel } from '../../../lib/models/scvi-model.ts'
import { cellsToInbox, mapWith } from '../../support/atlas-mapping.ts'
import { type Installation, makeInstallation } from '../../support/installation.ts'
import { arrayOf, textsOf } from '../../support/read-h5ad.ts'
import { runStepsOf } from '../../support/road-run.ts'
import { hasShared, sharedPath } from '../../support/shared.ts'
import { walk } from '../../support/walk.ts'
import { atlasOf, fitted, gathered, type Made, simulatedParts, uploadAtlas } from '../fit-reference/atlas.ts'

const cells = 240
const { counts, types, batches } = simulatedParts(3, cells)
const labels = types.map((type, cell) => (cell % 7 === 0 ? 'Unknown' : cell % 7 === 3 ? '' : type))
const asked = { use_observed_lib_size: false, dispersion: 'gene-label', umap: false }

const queryParts = simulatedParts(9, 41)
const queryBatches = queryParts.batches.map((_, cell) => (cell === 40 ? 'lone' : 'new'))

let lab: Installation
beforeAll(async () => {
  lab = await makeInstallation()
})
afterAll(() => lab?.folder[Symbol.asyncDispose]())

async function storedModel(name: string): Promise<ScviModel> {
  return (await loadNetwork(lab.stores.models, name)).model
}

describe('a reference that learns library sizes and dispersions by label', () => {
  let made: Made
  beforeAll(async () => {
    made = await fitted(lab, await uploadAtlas(lab, atlasOf({ counts, types: labels, batches }), asked))
  })
  afterAll(() => made?.file.close())

  it('has them on its card and in its model directory, which reads as the same model', async () => {
    const { card, model } = await loadNetwork(lab.stores.models, 'mine')
    expect(card.shape).toMatchObject({ library: 'learned', dispersion: 'gene-label', labels: 4, classes: 4 })
    // a column for each label that is told apart, as scvi-tools has it, and none for cells without
    expect(model.weights.get('px_r')!.shape).toEqual([card.genes.length, 4])
    const source = await openScviModel(lab.stores.outbox, `${made.state.start.output}model`)
    const { model: again, notices } = await importScvi(source)
    await source.close()
    expect(notices).toEqual([])
    expect(again.shape).toEqual(model.shape)
    for (const [name, { data }] of model.weights) expect(again.weights.get(name)!.data, name).toEqual(data)
  })

  it('knows what is usual in each batch: mean and variance of the logarithms of its sums of counts', async () => {
    const { weights } = await storedModel('mine')
    for (const [code, name] of ['one', 'two'].entries()) {
      const logs = counts.flatMap((row, cell) =>
        batches[cell] === name ? [Math.log(row.reduce((sum, x) => sum + x, 0))] : [],
      )
      const mean = logs.reduce((sum, one) => sum + one, 0) / logs.length
      const variance = logs.reduce((sum, one) => sum + (one - mean) ** 2, 0) / logs.length
      expect(weights.get('library_log_means')!.data[code]).toBeCloseTo(mean, 4)
      expect(weights.get('library_log_vars')!.data[code]).toBeCloseTo(variance, 4)
    }
  })

  it('tells types apart as well as one without', () => {
    const { heldOut, labelAgreement } = made.result.summary as {
      heldOut: { accuracy: number }
      labelAgreement: number
    }
    expect(heldOut.accuracy).toBeGreaterThan(0.9)
    expect(labelAgreement).toBeGreaterThan(0.9)
  })

  it('maps a query, frozen', async () => {
    await lab.upload('jobs/frozen/q.h5ad', atlasOf({ ...queryParts, batches: queryBatches }))
    const settings = { query: 'q.h5ad', model: 'mine', batch_key: 'sample', umap: false }
    const job = await mapWith(lab, 'frozen', { mode: 'frozen', ...settings })
    const predicted = textsOf((await job.cells.obs()).columns.get('predicted_celltype'))
    await job.cells.close()
    expect(share(predicted, queryParts.types)).toBeGreaterThan(0.9)
  })

  it('is extended by surgery: new batches have what is usual of their own cells, dispersions and old batches stay', async () => {
    const before = await storedModel('mine')
    await lab.upload('jobs/extended/q.h5ad', atlasOf({ ...queryParts, batches: queryBatches }))
    await lab.upload('jobs/extended/atlas.h5ad', atlasOf({ counts, types: labels, batches }))
    const settings = { query: 'q.h5ad', atlas: 'atlas.h5ad', model: 'mine', batch_key: 'sample', umap: false }
    const job = await mapWith(lab, 'extended', { mode: 'extend', max_epochs: 3, ...settings })
    const predicted = textsOf((await job.cells.obs()).columns.get('predicted_celltype'))
    const latent = arrayOf(await job.cells.mapping('obsm'), 'X_scANVI_emb', [cells + 41, 4])
    const own = arrayOf(await made.file.mapping('obsm'), 'X_scANVI', [cells, 4])
    await job.cells.close()
    for (const [i, value] of own.entries()) expect(Math.abs(latent[i]! - value)).toBeLessThan(1e-5)
    expect(share(predicted.slice(cells), queryParts.types)).toBeGreaterThan(0.85)

    const after = await storedModel('extended')
    expect(after.setup.batch.categories).toEqual(['one', 'two', 'lone', 'new'])
    const [means, variances] = ['library_log_means', 'library_log_vars'].map((name) => [
      ...after.weights.get(name)!.data,
    ])
    expect(means!.slice(0, 2)).toEqual([...before.weights.get('library_log_means')!.data])
    expect(variances!.slice(0, 2)).toEqual([...before.weights.get('library_log_vars')!.data])
    const logs = queryParts.counts.map((row) => Math.log(row.reduce((sum, x) => sum + x, 0)))
    expect(means![2]).toBeCloseTo(logs[40]!, 4)
    expect(means![3]).toBeCloseTo(logs.slice(0, 40).reduce((sum, one) => sum + one, 0) / 40, 4)
    expect(variances![2]).toBeCloseTo((variances![0]! + variances![1]! + variances![3]!) / 3, 5)
    expect(job.result.notices).toContainEqual(
      expect.objectContaining({ code: 'LIBRARY_PRIOR_GUESSED', problem: expect.stringContaining('"lone"') }),
    )
    expect(after.weights.get('px_r')).toEqual(before.weights.get('px_r'))
    // the encoder of sizes learns whole, as in the original
    const head = 'l_encoder.mean_encoder.bias'
    expect(after.weights.get(head)!.data).not.toEqual(before.weights.get(head)!.data)
  })
})

describe('a reference in a logistic normal space', () => {
  it('places cells and those of a query at shares that add up to one, and finds their labels', async () => {
    const settings = { latent_distribution: 'ln', name: 'shares', umap: false }
    const made = await fitted(lab, await uploadAtlas(lab, atlasOf({ counts, types, batches }), settings))
    const own = arrayOf(await made.file.mapping('obsm'), 'X_scANVI', [cells, 4])
    await made.file.close()
    const { card } = await loadNetwork(lab.stores.models, 'shares')
    expect(card.shape).toMatchObject({ latentDistribution: 'ln' })
    const source = await openScviModel(lab.stores.outbox, `${made.state.start.output}model`)
    expect((await importScvi(source)).model.shape).toEqual(card.shape)
    await source.close()

    await lab.upload('jobs/in-shares/q.h5ad', atlasOf({ ...queryParts, batches: queryBatches }))
    await lab.upload('jobs/in-shares/atlas.h5ad', atlasOf({ counts, types, batches }))
    const job = await mapWith(lab, 'in-shares', {
      ...{ mode: 'extend', max_epochs: 3, query: 'q.h5ad', atlas: 'atlas.h5ad', model: 'shares' },
      ...{ batch_key: 'sample', umap: false },
    })
    const predicted = textsOf((await job.cells.obs()).columns.get('predicted_celltype'))
    const places = arrayOf(await job.cells.mapping('obsm'), 'X_scANVI_emb', [cells + 41, 4])
    await job.cells.close()
    for (let cell = 0; cell < cells + 41; cell++) {
      const sum = places.slice(4 * cell, 4 * cell + 4).reduce((all, one) => all + one, 0)
      expect(sum).toBeCloseTo(1, 4)
    }
    for (const [i, value] of own.entries()) expect(Math.abs(places[i]! - value)).toBeLessThan(1e-5)
    expect(share(predicted, [...types, ...queryParts.types])).toBeGreaterThan(0.9)
  })
})

function share(predicted: readonly (string | undefined)[], truth: readonly string[]): number {
  return predicted.filter((label, cell) => label === truth[cell]).length / predicted.length
}

describe.runIf(hasShared)('on real cells', () => {
  it('two donors before and after stimulation: the reference finds its labels, and the query is extended to them', async () => {
    const from = sharedPath('data', 'kang_ifnb', 'kang_muscat_ctrl_stim.h5ad')
    const of = (samples: string[]) => ({
      from,
      isWanted: (_: number, text: (column: string) => string) => samples.includes(text('sample_id')),
    })
    await cellsToInbox(lab, 'jobs/real/atlas.h5ad', of(['ctrl101', 'ctrl107']))
    await cellsToInbox(lab, 'jobs/mapped/atlas.h5ad', of(['ctrl101', 'ctrl107']))
    await cellsToInbox(lab, 'jobs/mapped/q.h5ad', of(['stim101', 'stim107']))
    const reference = {
      ...{ workflow: 'fit-reference', atlas: 'atlas.h5ad', name: 'donors', batch_key: 'sample_id' },
      ...{ label_column: 'cell_type', n_top_genes: 500, max_epochs: 60, scanvi_epochs: 20, ...asked },
    }
    const start = await lab.upload('jobs/real/job.json', JSON.stringify(reference))
    const state = await walk(start, lab.environment, 'PlanCompute')
    expect((await runStepsOf(lab, state)).every((code) => code === 0)).toBe(true)
    const made = await gathered(lab, state)
    await made.file.close()
    const { heldOut } = made.result.summary as { heldOut: { accuracy: number } }
    expect(heldOut.accuracy).toBeGreaterThan(0.85)
    const job = await mapWith(lab, 'mapped', {
      ...{ mode: 'extend', query: 'q.h5ad', atlas: 'atlas.h5ad', model: 'donors', batch_key: 'sample_id' },
      ...{ label_column: 'cell_type', max_epochs: 20, umap: false },
    })
    await job.cells.close()
    const { agreement } = job.result.summary as { agreement: { query: { cells: number; share: number } } }
    // scvi-tools, with sizes as counted and one dispersion for each gene: .770
    expect(agreement.query.share).toBeGreaterThan(0.77 - 0.06)
  }, 600_000)
})
