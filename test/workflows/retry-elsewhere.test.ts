/** Contract: what was taken from a step comes back on demand with more memory; what failed by itself has failed. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { BatchState, RoadState } from '../../lib/job/road.ts'
import { retryElsewhere } from '../../lib/workflows/road/retry-elsewhere.ts'
import { identityOf, openRoadStep } from '../../lib/workflows/road/road-steps.ts'
import { caughtError } from '../support/events.ts'
import {
  cellsOf,
  type Installation,
  makeInstallation,
  saveToyModel,
  toyCounts,
} from '../support/installation.ts'
import { jobFile, walk } from '../support/walk.ts'

let lab: Installation
let template: RoadState
let planned: RoadState
let count = 0
beforeAll(async () => {
  lab = await makeInstallation()
  await saveToyModel(lab.stores)
  await lab.upload('jobs/a/q.h5ad', cellsOf(toyCounts))
  const start = await lab.upload('jobs/a/job.json', jobFile({ query: 'q.h5ad', model: 'toy' }))
  template = await walk(start, lab.environment, 'PlanCompute')
})
afterAll(() => lab.folder[Symbol.asyncDispose]())
beforeEach(() => {
  // a road and a job of their own for each test: no step is done, no failure told
  const name = `job-${count++}`
  planned = {
    ...template,
    start: { ...template.start, jobId: name },
    plan: { ...template.plan!, road: `roads/${name}.json` },
  }
})

async function finish(...states: [BatchState, number?][]): Promise<void> {
  for (const [state, part] of states) {
    const job = identityOf(planned.start, planned.job!.name)
    const step = openRoadStep(lab.stores.work, {
      state,
      code: 'test',
      roadKey: planned.plan!.road,
      afterPrepare: planned.plan!.afterPrepare,
      job,
      part,
    })
    await step.finish({ value: null, notices: [], seconds: 1, peakMemory: 1 })
  }
}

async function leaveFailure(state: BatchState, name: string): Promise<string> {
  const key = `jobs/${planned.start.jobId}/attempt-1/failures/${state}.json`
  const failure = { code: 'CODE', place: 'place', problem: 'problem', remedy: 'remedy', name, state }
  await lab.stores.work.write(key, Buffer.from(JSON.stringify(failure)))
  return key
}

const sentBack = (event: string, state: RoadState = planned) =>
  retryElsewhere({ ...state, error: caughtError(event) }, lab.environment)

describe('RetryElsewhere', () => {
  it('sends the step back on demand, with the same memory, after a Spot machine was taken away', async () => {
    const { retry, plan } = await sentBack('batch-spot-reclaimed')
    expect(retry).toEqual({ state: 'Prepare' })
    expect(plan!.steps.Prepare).toEqual({
      ...planned.plan!.steps.Prepare,
      queue: 'cpu-on-demand',
    })
  })

  it.each([
    ['a container that was killed for its memory', 'batch-out-of-memory'],
    ['no Spot machine to be had', 'batch-no-capacity'],
    ['a container that ended without a word', 'batch-exit-1'],
  ])('sends the step back on demand with twice the memory after %s', async (_, event) => {
    const { retry, plan } = await sentBack(event)
    expect(retry).toEqual({ state: 'Prepare' })
    expect(plan).toMatchObject({
      retries: 1,
      steps: {
        Prepare: {
          queue: 'cpu-on-demand',
          resources: [
            { Type: 'VCPU', Value: '2' },
            { Type: 'MEMORY', Value: '4096' },
          ],
        },
        Label: planned.plan!.steps.Label,
      },
    })
  })

  it('sends back the first step that is not done, a shard that is missing included', async () => {
    await finish(['Prepare'], ['Embed', 0])
    expect((await sentBack('batch-array-child-failed')).retry).toEqual({ state: 'Embed' })
    await finish(['Embed', 1])
    expect((await sentBack('batch-spot-reclaimed')).retry).toEqual({ state: 'Label' })
    await finish(['Label'])
    expect((await sentBack('batch-spot-reclaimed')).retry).toEqual({ state: 'Publish' })
    // killed when it had just become done: it finds that, and the job has its result
    await finish(['Publish'])
    expect((await sentBack('batch-spot-reclaimed')).retry).toEqual({ state: 'Publish' })
  })

  it.each(['TooSmall', 'StoreUnavailable'])(
    'sends a step back that said %s, and forgets that',
    async (name) => {
      const key = await leaveFailure('Prepare', name)
      expect((await sentBack('batch-exit-20')).retry).toEqual({ state: 'Prepare' })
      expect(await lab.stores.work.head(key)).toBeUndefined()
    },
  )

  it.each(['BadInput', 'TypeError', 'StoreFailure'])(
    'does not repeat a step that failed with %s',
    async (name) => {
      const key = await leaveFailure('Prepare', name)
      const { retry, plan } = await sentBack('batch-exit-10')
      expect(retry).toEqual({ state: 'none' })
      expect(plan).toEqual(planned.plan)
      expect(await lab.stores.work.head(key)).toBeDefined()
    },
  )

  it('does not take for its own what a step before it said and overcame', async () => {
    await leaveFailure('Prepare', 'StoreFailure')
    await finish(['Prepare'])
    expect((await sentBack('batch-spot-reclaimed')).retry).toEqual({ state: 'Embed' })
  })

  it.each([
    ['a step that took longer than it may', 'batch-state-timeout'],
    ['a step that no machine of the account can hold', 'batch-too-large-for-machines'],
    ['a step that a person ended', 'batch-terminated-by-user'],
  ])('does not repeat %s', async (_, event) => {
    expect((await sentBack(event)).retry).toEqual({ state: 'none' })
  })

  it('gives up after four times, and never asks for more memory than the largest machine has', async () => {
    let state = planned
    for (let tried = 0; tried < 4; tried++) {
      state = await sentBack('batch-out-of-memory', state)
      expect(state.retry).toEqual({ state: 'Prepare' })
    }
    expect((await sentBack('batch-out-of-memory', state)).retry).toEqual({ state: 'none' })
    const { Prepare } = planned.plan!.steps
    const large = {
      ...planned,
      plan: {
        ...planned.plan!,
        steps: {
          ...planned.plan!.steps,
          Prepare: { ...Prepare, resources: [{ Type: 'MEMORY' as const, Value: '200000' }] },
        },
      },
    }
    const grown = (await sentBack('batch-out-of-memory', large)).plan!.steps.Prepare.resources[0]!
    expect(Number(grown.Value)).toBeLessThanOrEqual(256 * 1024)
  })

  it('keeps to a GPU where the step had one', async () => {
    const { steps } = planned.plan!
    const onGpu = { ...planned.plan!, steps: { ...steps, Prepare: { ...steps.Prepare, queue: 'gpu-spot' } } }
    const { plan } = await sentBack('batch-spot-reclaimed', { ...planned, plan: onGpu })
    expect(plan!.steps.Prepare.queue).toBe('gpu-on-demand')
  })
})
