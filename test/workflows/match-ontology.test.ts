/** Contract: labels get Cell Ontology ids from the job first, then from the model, then by the matcher; what gets none is said. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { StepRecord } from '../../lib/job/steps.ts'
import { saveModel } from '../../lib/models/bundle.ts'
import { makeLinearModel } from '../../lib/models/linear-model.ts'
import { matchOntology } from '../../lib/workflows/road/match-ontology.ts'
import { validateJob } from '../../lib/workflows/road/validate-job.ts'
import type { LabelTerm } from '../../lib/workflows/workflow.ts'
import { factsFor } from '../models/toy-model.ts'
import { cellsOf, type Installation, makeInstallation, toyCounts } from '../support/installation.ts'
import { jobFile, readObject } from '../support/walk.ts'

let lab: Installation
beforeAll(async () => {
  lab = await makeInstallation()
  await model('plain', ['T cell', 'Mystery 7'])
  await model('told', ['T cell', 'Mystery 7'], {
    'Mystery 7': { id: 'CL:0000236', name: 'B cell', tier: 'author' },
  })
  await model('empty', ['T cell', 'Unknown'])
  await model('pattern', ['CD4 memory T', 'Beta cell'])
})
afterAll(() => lab.folder[Symbol.asyncDispose]())

async function model(
  name: string,
  labels: string[],
  ontology: Record<string, { id: string; name: string; tier: string }> = {},
) {
  const facts = factsFor(['CD3D', 'MS4A1'], labels)
  const made = makeLinearModel(
    { ...facts, name, ontology: { ...facts.ontology, ...ontology } },
    {
      weights: Float64Array.of(1, -1),
      intercept: Float64Array.of(0),
      mean: new Float64Array(2),
      scale: Float64Array.of(1, 1),
    },
  )
  await saveModel(lab.stores.models, made)
}

let count = 0
async function matched(settings: Record<string, unknown>) {
  const name = `job-${count++}`
  await lab.upload(`jobs/${name}/q.h5ad`, cellsOf(toyCounts))
  const start = await lab.upload(`jobs/${name}/job.json`, jobFile({ query: 'q.h5ad', ...settings }))
  const state = await matchOntology(await validateJob(start, lab.environment), lab.environment)
  const key = state.ontology!.key
  return {
    labels: await readObject<Record<string, LabelTerm>>(lab, key),
    notices: (await readObject<StepRecord>(lab, key.replace('labels', 'record'))).notices,
  }
}

describe('MatchOntology', () => {
  it('finds the term of a name, and says which labels have none, with candidates', async () => {
    const { labels, notices } = await matched({ model: 'plain' })
    expect(labels['T cell']).toMatchObject({ id: 'CL:0000084', name: 'T cell' })
    expect(labels['Mystery 7']).toMatchObject({ id: null })
    expect(notices).toEqual([
      {
        code: 'ONTOLOGY_UNMAPPED',
        place: 'labels of the model',
        problem: '1 of 2 labels have no Cell Ontology id: Mystery 7',
        remedy: expect.stringContaining('"ontology"'),
      },
    ])
  })

  it('takes what the model brings along, and what the job says before that', async () => {
    expect((await matched({ model: 'told' })).labels['Mystery 7']).toMatchObject({ id: 'CL:0000236' })
    const { labels, notices } = await matched({ model: 'told', ontology: { 'Mystery 7': 'CL:0000623' } })
    expect(labels['Mystery 7']).toMatchObject({
      id: 'CL:0000623',
      name: 'natural killer cell',
      tier: 'existing',
    })
    expect(notices).toEqual([])
  })

  it.each([
    [
      'a label that the model has not',
      { 'Mistery 7': 'CL:0000236' },
      'ONTOLOGY_LABEL',
      'Mistery 7',
      'T cell, Mystery 7',
    ],
    ['a term that does not exist', { 'Mystery 7': 'CL:9999999' }, 'ONTOLOGY_ID', 'Mystery 7', 'ols4'],
  ])('refuses %s', async (_, ontology, code, place, remedy) => {
    await expect(matched({ model: 'plain', ontology })).rejects.toMatchObject({
      name: 'BadInput',
      code,
      place: `ontology: ${place}`,
      remedy: expect.stringContaining(remedy),
    })
  })

  it('says nothing of labels that mean no type', async () => {
    const { labels, notices } = await matched({ model: 'empty' })
    expect(labels.Unknown).toMatchObject({ id: null, tier: 'skipped' })
    expect(notices).toEqual([])
  })

  it('follows the policy of the job', async () => {
    const [ours, theirs] = [
      await matched({ model: 'pattern' }),
      await matched({ model: 'pattern', ontology_policy: 'spatialcore' }),
    ]
    expect(ours.labels['Beta cell']).toMatchObject({ id: 'CL:0000169' })
    expect(theirs.labels['Beta cell']).not.toEqual(ours.labels['Beta cell'])
  })
})
