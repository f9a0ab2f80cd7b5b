/** Contract: from the size of the query to shards, queues and memory that AWS takes; and a road file that knows no job. */
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { BatchState, PlanPart, RoadState } from '../../lib/job/road.ts'
import { planCompute } from '../../lib/workflows/road/plan-compute.ts'
import { validateJob } from '../../lib/workflows/road/validate-job.ts'
import type { Road } from '../../lib/workflows/workflow.ts'
import {
  cellsOf,
  type Installation,
  makeInstallation,
  saveToyModel,
  toyCounts,
} from '../support/installation.ts'
import { jobFile, readObject, walk } from '../support/walk.ts'

let lab: Installation
let template: RoadState
beforeAll(async () => {
  lab = await makeInstallation()
  await saveToyModel(lab.stores)
  await lab.upload('jobs/a/q.h5ad', cellsOf(toyCounts))
  template = await walk(
    await lab.upload('jobs/a/job.json', jobFile({ query: 'q.h5ad', model: 'toy' })),
    lab.environment,
    'PlanCompute',
  )
})
afterAll(() => lab.folder[Symbol.asyncDispose]())

const states: BatchState[] = ['Prepare', 'Fit', 'Embed', 'Label', 'Publish']
const size = (plan: PlanPart, state: BatchState, type = 'MEMORY') =>
  Number(plan.steps[state].resources.find(({ Type }) => Type === type)?.Value)

let count = 0
/** The plan of a query that InspectInput found to be so large. */
async function planOf(
  found: { cells: number; genes: number; stored: number },
  {
    settings = {},
    environment = lab.environment,
  }: { settings?: object; environment?: typeof lab.environment } = {},
): Promise<PlanPart> {
  const name = `job-${count++}`
  await lab.upload(`jobs/${name}/q.h5ad`, cellsOf(toyCounts))
  const start = await lab.upload(
    `jobs/${name}/job.json`,
    jobFile({ query: 'q.h5ad', model: 'toy', ...settings }),
  )
  const state = await validateJob(start, lab.environment)
  const facts = {
    inspection: { matrices: [{ name: 'X', nnz: found.stored, shape: [found.cells, found.genes] }] },
    counts: { matrix: 'X' },
    pin: state.job!.inputs[0],
  }
  const key = `facts/${name}.json`
  await lab.stores.work.write(key, Buffer.from(JSON.stringify(facts)))
  const { genes, ontology } = template
  const planned = await planCompute(
    { ...state, facts: [{ role: 'query', key }], genes: genes!, ontology: ontology! },
    environment,
  )
  return planned.plan!
}

describe('PlanCompute', () => {
  it('gives a small query what is the least: two shards, two gigabytes, Spot', async () => {
    const { plan } = template
    expect(plan).toMatchObject({ shards: 2, afterPrepare: 'Embed', retries: 0 })
    for (const state of states) {
      expect(plan!.steps[state].queue).toBe('cpu-spot')
      expect(size(plan!, state)).toBe(2048)
    }
    expect(size(plan!, 'Embed', 'VCPU')).toBe(1)
  })

  it('keeps to what AWS Batch takes, whatever the size', async () => {
    const sizes = fc.record({
      cells: fc.integer({ min: 1, max: 20_000_000 }),
      genes: fc.integer({ min: 1, max: 60_000 }),
      stored: fc.integer({ min: 0, max: 40_000_000_000 }),
    })
    await fc.assert(
      fc.asyncProperty(sizes, async (found) => {
        const plan = await planOf(found)
        expect(plan.shards).toBeGreaterThanOrEqual(2)
        expect(plan.shards).toBeLessThanOrEqual(10_000)
        for (const state of states) {
          const { resources } = plan.steps[state]
          expect(resources.map(({ Type }) => Type)).toEqual(['VCPU', 'MEMORY'])
          // whole numbers as text, and memory in steps that machines have
          for (const { Value } of resources) expect(Value).toMatch(/^[1-9]\d*$/)
          expect(size(plan, state) % 512).toBe(0)
        }
        expect(plan.expected.minutes).toBeGreaterThan(0)
      }),
      { numRuns: 25 },
    )
  })

  it('cuts a large query into shards that one machine can score', async () => {
    const atlas = { cells: 1_000_000, genes: 30_000, stored: 2_400_000_000 }
    const plan = await planOf(atlas)
    expect(atlas.stored / plan.shards).toBeLessThanOrEqual(60e6)
    expect(size(plan, 'Embed')).toBeLessThanOrEqual(4096)
  })

  it('asks for more memory for more cells, and never for less', async () => {
    const plans = await Promise.all(
      [10_000, 100_000, 1_000_000].map((cells) => planOf({ cells, genes: 20_000, stored: cells * 1500 })),
    )
    for (const state of ['Prepare', 'Label', 'Publish'] as const) {
      const memory = plans.map((plan) => size(plan, state))
      expect([...memory].sort((a, b) => a - b)).toEqual(memory)
      expect(memory[2]!).toBeGreaterThan(memory[0]!)
    }
  })

  it('gives a GPU to the steps that can use one when the job asks for it, and to no other', async () => {
    const plan = await planOf({ cells: 1000, genes: 2000, stored: 1e6 }, { settings: { compute: 'gpu' } })
    expect(states.filter((state) => plan.steps[state].queue === 'gpu-spot')).toEqual(['Fit', 'Embed'])
    expect(states.filter((state) => size(plan, state, 'GPU') === 1)).toEqual(['Fit', 'Embed'])
  })

  it('expects a price in an account and none on a laptop', async () => {
    const found = { cells: 1000, genes: 2000, stored: 1e6 }
    expect((await planOf(found)).expected.dollars).toBeGreaterThan(0)
    const environment = { ...lab.environment, CELLDROP_LOCAL_FILES: '1' }
    expect((await planOf(found, { environment })).expected.dollars).toBeNull()
  })

  it('lacks nothing that Label and Publish read, and says what went before', async () => {
    const road = await readObject<Road>(lab, template.plan!.road)
    expect(road).toMatchObject({
      workflow: 'annotate',
      inputs: [{ pin: template.job!.inputs[0], facts: { counts: { matrix: 'X', from: 'counts' } } }],
      genes: template.genes!.key,
      labels: { 'B cell': { id: 'CL:0000236' } },
      shards: 2,
    })
  })

  it('refuses a state that lacks what it goes by', async () => {
    const { genes: _, ...without } = template
    await expect(planCompute(without, lab.environment)).rejects.toMatchObject({ code: 'STATE_INCOMPLETE' })
  })
})

describe('the key of the road file', () => {
  /** The road of the template's job under another name, upload and time, with what is changed in it. */
  async function roadOf(name: string, change: object = {}): Promise<string> {
    const start = {
      jobId: name,
      attempt: 2,
      created: '2027-01-01T00:00:00Z',
      upload: { key: `annotate/${name}.h5ad`, etag: name, size: 7 },
      output: `${name}/`,
    }
    const key = `jobs/${name}/job.json`
    const job = await readObject<object>(lab, template.job!.key)
    await lab.stores.work.write(key, Buffer.from(JSON.stringify({ ...job, start, name, ...change })))
    const { plan: _, ...state } = template
    const planned = await planCompute({ ...state, start, job: { ...state.job!, name, key } }, lab.environment)
    return planned.plan!.road
  }

  it('is the same for two jobs that ask for the same', async () => {
    expect(await roadOf('second')).toBe(template.plan!.road)
  })

  it('is another one for another setting, another content and another model', async () => {
    const { settings } = await readObject<{ settings: object }>(lab, template.job!.key)
    const [pin] = template.job!.inputs
    await saveToyModel(lab.stores, 'twin')
    const keys = await Promise.all([
      roadOf('seed', { settings: { ...settings, seed: 1 } }),
      roadOf('voting', { settings: { ...settings, majority_voting: true } }),
      roadOf('content', { inputs: [{ ...pin, etag: 'other' }] }),
      roadOf('model', { models: ['twin'] }),
    ])
    expect(new Set([template.plan!.road, ...keys]).size).toBe(5)
  })
})
