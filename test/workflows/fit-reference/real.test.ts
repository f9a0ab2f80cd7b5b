/**
 * Oracle: references of real cells (Kang et al., two conditions) beside what scvi-tools 1.4.3 made of the same: neighbours in the latent space
 * have one label as often, batches are mixed as much, and labels of held-out cells are found.
 */
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { columnTexts } from '../../../lib/data/column-texts.ts'
import { neighbourMeasures } from '../../../lib/labels/neighbour-measures.ts'
import { loadNetwork } from '../../../lib/models/bundle.ts'
import { nearestNeighbours } from '../../../lib/neighbours/nearest-neighbours.ts'
import { otherNeighbours } from '../../../lib/workflows/parts/latent-map.ts'
import { goldenTable } from '../../support/golden-table.ts'
import { type Installation, makeInstallation } from '../../support/installation.ts'
import { arrayOf } from '../../support/read-h5ad.ts'
import { runStepsOf } from '../../support/road-run.ts'
import { hasShared, sharedPath } from '../../support/shared.ts'
import { walk } from '../../support/walk.ts'
import { gathered, type Made } from './atlas.ts'

const dims = 10

let lab: Installation
beforeAll(async () => {
  lab = await makeInstallation()
})
afterAll(() => lab.folder[Symbol.asyncDispose]())

async function fittedReal(path: string, settings: Record<string, unknown>): Promise<Made> {
  const folder = `jobs/${String(settings.name)}`
  await lab.stores.inbox.write(`${folder}/atlas.h5ad`, readFileSync(path))
  const job = { workflow: 'fit-reference', atlas: 'atlas.h5ad', umap: false, ...settings }
  const state = await walk(
    await lab.upload(`${folder}/job.json`, JSON.stringify(job)),
    lab.environment,
    'PlanCompute',
  )
  expect(await runStepsOf(lab, state)).toEqual([0, 0, 0, 0, 0, 0])
  return gathered(lab, state)
}

/** Of a latent space, by two columns of texts. */
async function measuresOf(
  values: Float32Array,
  { labels, batches }: { labels: string[]; batches: string[] },
) {
  const coded = (texts: string[]) => {
    const names = [...new Set(texts)].sort()
    return { codes: Int32Array.from(texts, (text) => names.indexOf(text)), count: names.length }
  }
  const [of, by] = [coded(labels), coded(batches)]
  const found = await nearestNeighbours(
    { rows: labels.length, dims, values },
    { k: 16, metric: 'euclidean', seed: 0, method: 'exact' },
  )
  return neighbourMeasures(otherNeighbours(found), {
    ...{ k: 15, labels: of.codes, labelCount: of.count, batches: by.codes, batchCount: by.count },
  })
}

describe.runIf(hasShared)('a reference of real cells', () => {
  it('with the defaults of scvi-tools mixes batches and keeps labels together as its own does', async () => {
    const made = await fittedReal(sharedPath('golden', 'scvi', 'kang_2000x1500_counts.h5ad'), {
      ...{ name: 'kang', compat: 'scvi-tools', batch_key: 'condition', genes: 'all', max_epochs: 60 },
    })
    try {
      const { columns } = await made.file.obs()
      const [labels, batches] = ['cell_type', 'condition'].map((name) => columnTexts(columns.get(name)!)!)
      const own = Float32Array.from(arrayOf(await made.file.mapping('obsm'), 'X_scVI', [2000, dims]))
      const golden = goldenTable('scvi', 'kang_scvi_seed0.latent_mean.csv.gz')
      const by = { labels: labels as string[], batches: batches as string[] }
      const ours = await measuresOf(own, by)
      const theirs = await measuresOf(Float32Array.from(golden.values), by)
      expect(ours.labelAgreement!).toBeGreaterThan(theirs.labelAgreement! - 0.02)
      expect(ours.batchMixing!).toBeGreaterThan(theirs.batchMixing! - 0.05)
      // 60 of 400 epochs of warm-up, as scvi-tools has it, and told
      expect(made.result.notices.map(({ code }) => code)).toContain('WARM_UP_UNFINISHED')
    } finally {
      await made.file.close()
    }
  }, 600_000)

  it('chooses the variable genes that scanpy chooses, and finds the labels of cells it was not taught', async () => {
    const made = await fittedReal(sharedPath('data', 'kang_ifnb', 'kang_muscat_ctrl_stim.h5ad'), {
      ...{ name: 'muscat', batch_key: 'sample_id', label_column: 'cell_type' },
      ...{ n_top_genes: 500, max_epochs: 40 },
    })
    await made.file.close()
    const { card } = await loadNetwork(lab.stores.models, 'muscat')
    const wanted = readFileSync(sharedPath('golden', 'scvi', 'muscat_surgery.genes_500.txt'), 'utf8')
    expect([...card.genes].sort()).toEqual(wanted.trimEnd().split('\n').sort())
    const { heldOut, labelAgreement } = made.result.summary as {
      heldOut: { labelled: number; accuracy: number }
      labelAgreement: number
    }
    expect(heldOut.labelled).toBe(155)
    expect(heldOut.accuracy).toBeGreaterThan(0.88)
    expect(labelAgreement).toBeGreaterThan(0.9)
    expect(card).toMatchObject({ organism: 'Homo sapiens', kind: 'scanvi', shape: { genes: 500 } })
    expect(made.result.outputs.model).toBe('model/model.pt')
  }, 600_000)
})
