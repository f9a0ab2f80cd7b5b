/** Contract: machines of a job that trains are as large as what it learns, which its settings bound, and not as its references. */
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { checkSettings } from '../../lib/job/manifest.ts'
import type { BatchState, InputPin, PlanPart } from '../../lib/job/road.ts'
import { trainingLayout, trainingShape } from '../../lib/models/training-memory.ts'
import { mostMemory } from '../../lib/workflows/road/machines.ts'
import { planCompute } from '../../lib/workflows/road/plan-compute.ts'
import { memoryOf } from '../../lib/workflows/road/step-memory.ts'
import { learntOf, nothing, typesOf } from '../../lib/workflows/road/step-sizes.ts'
import type { LabelFacts, LabelTerm } from '../../lib/workflows/workflow.ts'
import { type Installation, makeInstallation } from '../support/installation.ts'

let lab: Installation
beforeAll(async () => {
  lab = await makeInstallation()
})
afterAll(() => lab.folder[Symbol.asyncDispose]())

const states: BatchState[] = ['Prepare', 'Fit', 'Embed', 'Label', 'Publish']
const job = { workflow: 'type-cells', query: 'q.h5ad', references: ['r.h5ad'], label_columns: ['type'] }
const settingsOf = (more: object = {}) => checkSettings({ ...job, ...more }, 'test')

interface Found {
  cells: number
  genes: number
  stored: number
  labels?: string[]
}

const labelFacts = (labels: readonly string[]): LabelFacts => ({
  column: 'type',
  cells: 10 * labels.length,
  missing: 0,
  labels: labels.map((label) => ({ label, cells: 10, ids: [] })),
})

let count = 0
/** The plan for a query and references that InspectInput found to be so large. */
async function planOf(
  { query, references, terms = {} }: { query: Found; references: Found[]; terms?: object },
  { settings = {}, environment = {} }: { settings?: object; environment?: Record<string, string> } = {},
): Promise<PlanPart> {
  const { work } = lab.stores
  const name = `job-${count++}`
  const write = async (key: string, value: unknown) => {
    await work.write(`${name}/${key}`, Buffer.from(JSON.stringify(value)))
    return { key: `${name}/${key}` }
  }
  const start = {
    ...{ jobId: name, attempt: 1, created: '2026-11-21T10:00:00Z', output: `${name}/` },
    upload: { key: 'jobs/job.json', etag: 'e', size: 1 },
  }
  const roles = ['query', ...references.map((_, at) => `reference-${at + 1}`)]
  const inputs: InputPin[] = roles.map((role) => ({ role, place: 'inbox', key: role, etag: role, size: 1 }))
  const checked = settingsOf({
    references: references.map((_, at) => `r${at}.h5ad`),
    label_columns: references.map(() => 'type'),
    ...settings,
  })
  const content = {
    workflow: 'type-cells',
    name,
    start,
    settings: checked,
    inputs,
    documents: {},
    models: [],
    notices: [],
  }
  const announcement = { jobId: name, results: '' }
  const part = { workflow: 'type-cells' as const, name, inputs, announcement }
  const facts = []
  for (const [at, { cells, genes, stored, labels }] of [query, ...references].entries()) {
    const { key } = await write(`facts-${at}.json`, {
      inspection: { matrices: [{ name: 'X', nnz: stored, shape: [cells, genes] }] },
      counts: { matrix: 'X' },
      pin: inputs[at],
      labels: labels === undefined ? null : labelFacts(labels),
    })
    facts.push({ role: roles[at]!, key })
  }
  const state = {
    start,
    job: { ...part, ...(await write('job.json', content)) },
    facts,
    genes: await write('genes.json', {}),
    ontology: await write('labels.json', terms),
  }
  return (await planCompute(state, { ...lab.environment, ...environment })).plan!
}

const size = (plan: PlanPart, state: BatchState, type = 'MEMORY') =>
  Number(plan.steps[state].resources.find(({ Type }) => Type === type)?.Value)
const named = (labels: number) => Array.from({ length: labels }, (_, at) => `type ${at}`)
const panel: Found = { cells: 50_000, genes: 5000, stored: 20e6 }
const atlas = (cells: number, labels = 40): Found => ({
  ...{ cells, genes: 30_000, stored: 1500 * cells },
  labels: named(labels),
})

describe('the plan of a job that trains', () => {
  it('knows the types of references whose labels were not matched to an ontology', async () => {
    const few = await planOf({ query: panel, references: [atlas(100_000, 2)] })
    const many = await planOf({ query: panel, references: [atlas(100_000, 60)] })
    expect(few.afterPrepare).toBe('Fit')
    expect(size(many, 'Fit')).toBeGreaterThan(size(few, 'Fit'))
  })

  it('grows with what is learnt, and not with what the settings leave out', async () => {
    const memoryFor = async (cells: number, settings: object) =>
      size(await planOf({ query: panel, references: [atlas(cells)] }, { settings }), 'Fit')
    const capped = { max_cells_per_type: 500 }
    expect(await memoryFor(5_000_000, capped)).toBe(await memoryFor(200_000, capped))
    const open = { max_cells_per_type: 100_000, max_cells_per_ref: 1_000_000 }
    expect(await memoryFor(1_000_000, open)).toBeGreaterThan(await memoryFor(200_000, open))
    expect(await memoryFor(200_000, open)).toBeGreaterThan(await memoryFor(200_000, capped))
  })

  it('counts genes of the query alone, which is all that is learnt of a reference', async () => {
    const small = { ...panel, genes: 300 }
    const of = async (query: Found) => size(await planOf({ query, references: [atlas(400_000)] }), 'Fit')
    expect(await of(small)).toBeLessThan(await of(panel))
  })

  it('gives Fit more processors where it would take long, no more than a machine may have, and no other step', async () => {
    const long = { query: panel, references: Array.from({ length: 5 }, () => atlas(100_000, 60)) }
    const at = (most: string) => planOf(long, { environment: { CELLDROP_MAX_VCPUS: most } })
    expect(size(await at('64'), 'Fit', 'VCPU')).toBe(8)
    expect(size(await at('4'), 'Fit', 'VCPU')).toBe(4)
    expect(size(await planOf(long), 'Fit', 'VCPU')).toBe(2)
    const plan = await at('64')
    expect(states.map((state) => size(plan, state, 'VCPU'))).toEqual([2, 8, 1, 2, 2])
    const short = { query: panel, references: [atlas(2000, 3)] }
    const environment = { CELLDROP_MAX_VCPUS: '64' }
    expect(size(await planOf(short, { environment }), 'Fit', 'VCPU')).toBe(2)
    expect((await at('64')).expected.minutes).toBeLessThan((await at('4')).expected.minutes!)
  })

  it('bears as many references as a job may name', async () => {
    const plan = await planOf({
      query: panel,
      references: Array.from({ length: 50 }, () => atlas(1_000_000)),
    })
    for (const state of states) expect(size(plan, state)).toBeLessThanOrEqual(mostMemory)
    expect(size(plan, 'Fit')).toBeLessThan(64 * 1024)
  })
})

describe('what is learnt at most', () => {
  const query = { cells: 10, genes: 1000, stored: 1e6 }
  const reference = { cells: 1000, genes: 500, stored: 100_000 }

  it('is nothing where nothing is trained', () => {
    const settings = checkSettings({ workflow: 'annotate', query: 'q.h5ad', model: 'm' }, 'test')
    expect(learntOf([], { settings, query, labels: 3 })).toEqual(nothing)
  })

  it('is bounded for each reference and for each type, and for shares of types by the former alone', () => {
    const of = (settings: object) =>
      learntOf([reference, reference], { settings: settingsOf(settings), query, labels: 4 })
    expect(of({})).toEqual({ cells: 2000, genes: 500, stored: 200_000 })
    expect(of({ max_cells_per_ref: 300 })).toMatchObject({ cells: 600, stored: 60_000 })
    expect(of({ max_cells_per_type: 200 })).toMatchObject({ cells: 800, stored: 80_000 })
    expect(of({ max_cells_per_type: 10, min_cells_per_source: 50 }).cells).toBe(400)
    const proportions = { 'T cell': 0.5 }
    expect(of({ max_cells_per_type: 200, target_proportions: proportions }).cells).toBe(2000)
  })

  it('counts labels of one Cell Ontology id once where the job groups by it', () => {
    const id = 'CL:0000084'
    const terms = { 'T cell': { id }, 'T cells': { id } } as unknown as Record<string, LabelTerm>
    const labels = [labelFacts(['T cell', 'unlike', '__proto__']), null, labelFacts(['T cells', 'unlike'])]
    const of = (settings: object) => typesOf(labels, { settings: settingsOf(settings), terms })
    expect(of({})).toBe(3)
    expect(of({ group_by: 'label' })).toBe(4)
    expect(of({ add_ontology: false })).toBe(4)
  })
})

const demands = fc.record({
  query: fc.record({
    cells: fc.integer({ min: 1, max: 2_000_000 }),
    genes: fc.integer({ min: 20, max: 40_000 }),
    stored: fc.integer({ min: 0, max: 2_000_000_000 }),
  }),
  learnt: fc.record({
    cells: fc.integer({ min: 100, max: 1_000_000 }),
    genes: fc.integer({ min: 20, max: 40_000 }),
    stored: fc.integer({ min: 100, max: 400_000_000 }),
  }),
  labels: fc.integer({ min: 2, max: 400 }),
  shards: fc.integer({ min: 2, max: 100 }),
  writesTraining: fc.boolean(),
})

describe('memory of steps that train', () => {
  it('never falls when there is more of anything', () => {
    const more = fc.constantFrom(
      'cells',
      'stored',
      'labels',
      'query cells',
      'query stored',
      'references',
      'largest',
    )
    fc.assert(
      fc.property(demands, more, fc.integer({ min: 2, max: 10 }), (demand, what, times) => {
        const { query, learnt, labels } = demand
        const base = { ...demand, references: learnt, largestReference: learnt.cells }
        const larger = {
          ...base,
          ...(what === 'cells' && { learnt: { ...learnt, cells: times * learnt.cells } }),
          ...(what === 'stored' && { learnt: { ...learnt, stored: times * learnt.stored } }),
          ...(what === 'labels' && { labels: times * labels }),
          ...(what === 'query cells' && { query: { ...query, cells: times * query.cells } }),
          ...(what === 'query stored' && { query: { ...query, stored: times * query.stored } }),
          ...(what === 'references' && { references: { ...learnt, cells: times * learnt.cells } }),
          ...(what === 'largest' && { largestReference: times * learnt.cells }),
        }
        for (const state of states)
          expect(memoryOf(state, larger)).toBeGreaterThanOrEqual(memoryOf(state, base))
      }),
    )
  })

  it('holds for Fit the cells, what the threads share, and both again for a fold of nine tenths', () => {
    fc.assert(
      fc.property(demands, (demand) => {
        const { learnt, labels } = demand
        const given =
          memoryOf('Fit', { ...demand, references: learnt, largestReference: learnt.cells }) * 2 ** 20
        if (given >= mostMemory * 2 ** 20) return
        const indptr = Float64Array.of(0, learnt.stored)
        const { stored, cells, genes } = learnt
        // what decides the layout is its number of cells, genes and labels; strands are as many as there can be
        const values = new Float32Array(0)
        const one = { rows: 1, columns: genes, indptr, indices: new Int32Array(0), values }
        const shape = trainingShape(one, { heads: labels === 2 ? 1 : labels, loss: 'ovr', strength: 1 })
        const many = { ...shape, rows: cells, strands: Array.from({ length: 9 }, (_, at) => at) }
        const layout = layoutBytes(many, stored)
        if (layout === undefined) return
        expect(given).toBeGreaterThan(1.9 * (8 * stored + layout))
      }),
      { numRuns: 500 },
    )
  })

  /** undefined for what Fit refuses to train on */
  function layoutBytes(shape: Parameters<typeof trainingLayout>[0], entries: number): number | undefined {
    try {
      return trainingLayout(shape, { entries, place: 'test' }).bytes
    } catch (error) {
      expect(error).toMatchObject({ code: 'TRAINING_TOO_LARGE' })
      return undefined
    }
  }
})
