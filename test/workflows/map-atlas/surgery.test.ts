/**
 * Law: what the flags of a surgery let go moves and nothing else does; a surgery that was interrupted goes on to the same model. On small
 * models by hand.
 */
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { AnnDataToWrite } from '../../../lib/data/write-h5ad.ts'
import { Interrupted } from '../../../lib/job/errors.ts'
import { loadNetwork } from '../../../lib/models/bundle.ts'
import type { ScviModel } from '../../../lib/models/scvi-model.ts'
import { runStep } from '../../../lib/workflows/road/run-step.ts'
import { mapWith, storeNetwork, toyAtlasModel } from '../../support/atlas-mapping.ts'
import { type Installation, makeInstallation } from '../../support/installation.ts'
import { simulatedGenes, simulatedQuery } from '../../support/simulated-cells.ts'
import { jobFile, walk } from '../../support/walk.ts'

const labels = ['B cell', 'monocyte', 'T cell']
const plain = toyAtlasModel({ genes: simulatedGenes, labels })
const normed = toyAtlasModel({ genes: simulatedGenes, labels }, { batchNorm: 'both', layerNorm: 'none' })

function inBatch(seed: number, name: string): AnnDataToWrite {
  const made = simulatedQuery(seed, 40)
  made.obs.columns.set('Sample_ID', { kind: 'string', values: new Array<string>(40).fill(name) })
  return made
}

async function installed(): Promise<Installation> {
  const lab = await makeInstallation()
  await storeNetwork(lab, 'plain', plain)
  await storeNetwork(lab, 'normed', normed)
  return lab
}

async function inputs(lab: Installation, name: string): Promise<void> {
  await lab.upload(`jobs/${name}/q.h5ad`, inBatch(2, 'new'))
  await lab.upload(`jobs/${name}/atlas.h5ad`, inBatch(1, 'a'))
}

const extend = { mode: 'extend', query: 'q.h5ad', atlas: 'atlas.h5ad', max_epochs: 3, umap: false }

let lab: Installation
beforeAll(async () => {
  lab = await installed()
})
afterAll(() => lab?.folder[Symbol.asyncDispose]())

/** Names of the tensors that differ from the reference's, those that grew apart. */
async function moved(
  name: string,
  reference: ScviModel,
  settings: Record<string, unknown>,
): Promise<string[]> {
  await inputs(lab, name)
  const job = await mapWith(lab, name, { ...extend, ...settings })
  await job.cells.close()
  const { model } = await loadNetwork(lab.stores.models, name)
  return [...reference.weights].flatMap(([tensor, { shape, data }]) => {
    const after = model.weights.get(tensor)!
    const isSame = String(after.shape) === String(shape) && data.every((value, i) => after.data[i] === value)
    return isSame || String(after.shape) !== String(shape) ? [] : [tensor]
  })
}

describe('a surgery', () => {
  it('with everything frozen moves no tensor that was there before', async () => {
    expect(await moved('frozen', plain, { model: 'plain' })).toEqual([])
  })

  it('lets the normalisation of decoders follow the query, and no other, as scvi-tools does; or not even that', async () => {
    const names = await moved('follows', normed, { model: 'normed' })
    expect(names.length).toBeGreaterThan(0)
    expect(
      names.every((name) => name.includes('decoder') && /\.1\.(?:weight|bias|running_)/.test(name)),
    ).toBe(true)
    expect(await moved('fixed', normed, { model: 'normed', freeze_batchnorm_decoder: true })).toEqual([])
  })

  it('lets the statistics of a frozen classifier drift only where it is asked to', async () => {
    const settings = { model: 'normed', freeze_batchnorm_decoder: true, classifier_drift: true }
    const names = await moved('drifting', normed, settings)
    expect(names.length).toBeGreaterThan(0)
    expect(names.every((name) => /^classifier\..*running_(?:mean|var)$/.test(name))).toBe(true)
  })

  it('with nothing frozen moves encoder, decoder and heads', async () => {
    const names = await moved('unfrozen', plain, { model: 'plain', unfrozen: true })
    for (const part of ['z_encoder.mean_encoder.weight', 'decoder.px_scale_decoder.0.weight', 'px_r'])
      expect(names).toContain(part)
  })

  it('that was interrupted goes on, and comes to the model that it would have come to', async () => {
    const settings = { ...extend, model: 'plain', max_epochs: 300, name: 'stopped' }
    const other = await installed()
    try {
      await inputs(other, 'stopped')
      const whole = await mapWith(other, 'stopped', settings)
      await whole.cells.close()
      await inputs(lab, 'stopped')
      const job = jobFile({ workflow: 'map-atlas', min_counts: 0, ...settings })
      const state = await walk(await lab.upload('jobs/stopped/job.json', job), lab.environment, 'PlanCompute')
      const stop = new AbortController()
      const environment = {
        ...lab.environment,
        CELLDROP_SCRATCH: join(lab.folder.path, 'scratch'),
        CELLDROP_JOB: state.start.jobId,
        CELLDROP_ATTEMPT: String(state.start.attempt),
        CELLDROP_ROAD: state.plan!.road,
      }
      const quiet = { environment, signal: new AbortController().signal, print: () => {} }
      expect(await runStep('Prepare', quiet)).toBe(0)
      const stopped = await runStep('Fit', {
        environment,
        signal: stop.signal,
        print(line) {
          const { done, unit } = JSON.parse(line) as { done: number; unit: string }
          if (unit === 'epochs' && done >= 1)
            stop.abort(new Interrupted('INTERRUPTED', 'test', 'it was stopped', 'Run it again'))
        },
      })
      expect(stopped).toBe(143)
      const stored = await checkpoints(lab)
      expect(stored).toHaveLength(1)
      expect(await runStep('Fit', quiet)).toBe(0)
      expect(await checkpoints(lab)).toEqual([])
      const weightsIn = async ({ stores }: Installation) =>
        (await loadNetwork(stores.models, 'stopped')).card.blobs.weights.sha256
      expect(await weightsIn(lab)).toBe(await weightsIn(other))
    } finally {
      await other.folder[Symbol.asyncDispose]()
    }
  })
})

async function checkpoints({ stores }: Installation): Promise<string[]> {
  const keys: string[] = []
  for await (const { key } of stores.work.list('steps/Fit/')) if (key.endsWith('.checkpoint')) keys.push(key)
  return keys
}
