/** Contract: which steps a mapping takes and what they are given, before any machine starts. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { AnnDataToWrite } from '../../../lib/data/write-h5ad.ts'
import type { BatchState } from '../../../lib/job/road.ts'
import { memoryOf } from '../../../lib/workflows/road/step-memory.ts'
import { readJob } from '../../../lib/workflows/road/validate-job.ts'
import type { GeneMaps } from '../../../lib/workflows/workflow.ts'
import { storeNetwork, toyAtlasModel } from '../../support/atlas-mapping.ts'
import { type Installation, makeInstallation } from '../../support/installation.ts'
import { simulatedGenes, simulatedQuery } from '../../support/simulated-cells.ts'
import { jobFile, readObject, walk } from '../../support/walk.ts'

let lab: Installation
beforeAll(async () => {
  lab = await makeInstallation()
  await storeNetwork(lab, 'toy', toyAtlasModel({ genes: simulatedGenes, labels: ['B cell', 'monocyte'] }))
})
afterAll(() => lab?.folder[Symbol.asyncDispose]())

function cells(seed: number): AnnDataToWrite {
  const made = simulatedQuery(seed, 20)
  made.obs.columns.set('Sample_ID', { kind: 'string', values: new Array<string>(20).fill('new') })
  return made
}

async function planned(name: string, settings: Record<string, unknown>) {
  await lab.upload(`jobs/${name}/q.h5ad`, cells(1))
  await lab.upload(`jobs/${name}/atlas.h5ad`, cells(2))
  const job = jobFile({ workflow: 'map-atlas', query: 'q.h5ad', model: 'toy', ...settings })
  return walk(await lab.upload(`jobs/${name}/job.json`, job), lab.environment, 'PlanCompute')
}

it('goes to Embed at once where the model stays as it is, and over Fit where it is adapted', async () => {
  expect((await planned('frozen', {})).plan).toMatchObject({ afterPrepare: 'Embed' })
  expect((await planned('both', { atlas: 'atlas.h5ad' })).plan).toMatchObject({ afterPrepare: 'Embed' })
  const extend = await planned('extend', { mode: 'extend', atlas: 'atlas.h5ad' })
  expect(extend.plan).toMatchObject({ afterPrepare: 'Fit' })
  expect(extend.job?.inputs.map(({ role }) => role)).toEqual(['query', 'atlas'])
})

it('sends training and embedding to a GPU where the job asks for one', async () => {
  const { plan } = await planned('gpu', { mode: 'extend', atlas: 'atlas.h5ad', compute: 'gpu' })
  expect(plan!.steps.Fit.queue).toBe('gpu-spot')
  expect(plan!.steps.Label.queue).toBe('cpu-spot')
})

it('gives Fit room for the counts on their way to a device, and no other step', () => {
  const size = { cells: 100_000, genes: 2000, stored: 50e6 }
  const of = (state: BatchState, isOnGpu: boolean) =>
    memoryOf(state, {
      ...{ query: size, references: size, learnt: size, largestReference: size.cells },
      ...{ shards: 4, labels: 20, writesTraining: false },
      network: { weights: 2e6, referenceCells: 0, drawsComponents: false, isOnGpu },
    })
  // 24 bytes a count, with the half and the fifth that are always given
  expect(of('Fit', true) - of('Fit', false)).toBeGreaterThan((24 * size.stored) / 2 ** 20)
  for (const state of ['Prepare', 'Embed', 'Label', 'Publish'] as const)
    expect(of(state, true)).toBe(of(state, false))
})

it('has a plan of the genes of the query and of the atlas for the model, and of both for the joint file', async () => {
  const state = await planned('genes', { mode: 'extend', atlas: 'atlas.h5ad' })
  const { plans, models } = await readObject<GeneMaps>(lab, state.genes!.key)
  expect(Object.keys(plans)).toEqual(['query', 'atlas', 'joint'])
  expect(plans.joint).toMatchObject({ found: simulatedGenes.length, missing: [] })
  const { models: pinned } = await readJob(lab.stores.work, state.job!)
  expect(models).toEqual([{ id: pinned[0], plan: 'query' }])
})
