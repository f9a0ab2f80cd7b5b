/** Contract: a job that names a model of the wrong kind is refused before anything is read of its cells, and told what the model is for. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { saveModel } from '../../lib/models/bundle.ts'
import { pinModels } from '../../lib/workflows/road/pin-models.ts'
import { validateJob } from '../../lib/workflows/road/validate-job.ts'
import { toyNetwork, toyScvi } from '../models/toy-network.ts'
import {
  cellsOf,
  type Installation,
  makeInstallation,
  saveToyModel,
  toyCounts,
} from '../support/installation.ts'

let lab: Installation
beforeAll(async () => {
  lab = await makeInstallation({ CELLDROP_DEFAULT_MODEL: 'atlas' })
  await saveToyModel(lab.stores)
  await saveModel(lab.stores.models, toyNetwork())
  await saveModel(lab.stores.models, toyNetwork(toyScvi(), 'Immune_All_Low'))
})
afterAll(() => lab.folder[Symbol.asyncDispose]())

describe('annotate', () => {
  it.each([
    [
      'several',
      'a network among others',
      { model: ['toy', 'atlas'] },
      'MODELS_MIXED',
      /"atlas" is a network/,
    ],
    [
      'tissue',
      'a scVI that has the name of a model of the tissue',
      { tissue: 'blood' },
      'MODEL_KIND',
      /"Immune_All_Low".*scVI/,
    ],
  ])('refuses, for %s, %s', async (folder, _, settings, code, message) => {
    await lab.upload(`jobs/${folder}/q.h5ad`, cellsOf(toyCounts))
    const job = JSON.stringify({ workflow: 'annotate', query: 'q.h5ad', ...settings })
    const start = await lab.upload(`jobs/${folder}/job.json`, job)
    await expect(validateJob(start, lab.environment)).rejects.toMatchObject({
      ...{ name: 'BadInput', code },
      message: expect.stringMatching(message),
    })
  })

  it('takes one that is the default model of the installation', async () => {
    const start = await lab.upload('annotate/bare.h5ad', cellsOf(toyCounts))
    await expect(validateJob(start, lab.environment)).resolves.toHaveProperty('job')
  })
})

describe('a workflow that wants a network', () => {
  const pin = (name: string, family?: 'network') =>
    pinModels(lab.stores.models, {
      named: { names: [name], mayLack: false, notices: [], ...(family && { family }) },
      otherwise: () => name,
    })

  it('takes one, and refuses a linear model', async () => {
    expect((await pin('atlas', 'network')).ids).toEqual([toyNetwork().card.id])
    await expect(pin('toy', 'network')).rejects.toMatchObject({
      ...{ code: 'MODEL_KIND', problem: expect.stringContaining('annotate') },
      remedy: expect.stringContaining('fit-reference'),
    })
  })

  it('takes any kind where it does not say', async () => {
    expect((await pin('toy')).ids).toHaveLength(1)
    expect((await pin('atlas')).ids).toHaveLength(1)
  })
})
