/**
 * PlanCompute: from facts to machines. Shards, queue, memory and expected time of every step, and the road file that the Batch steps go by.
 *
 * Memory is what the steps were measured to need (BENCHMARKS.md, "annotate"), half as much again, and a fifth for the system; a step that
 * needs more all the same is sent back with twice of it by RetryElsewhere.
 */
import { hashOf } from '../../job/canonical.ts'
import type { ErrorReport } from '../../job/errors.ts'
import type { BatchState, PlanPart, RoadState, StepPlan } from '../../job/road.ts'
import { readJson, type StepRecord, writeJsonOnce } from '../../job/steps.ts'
import { type Environment, openStores, setting } from '../../job/stores.ts'
import { findModel } from '../../models/bundle.ts'
import { rulesOf } from '../rules.ts'
import type { LabelTerm, Road } from '../workflow.ts'
import { readFacts } from './facts.ts'
import { missingPart } from './failure.ts'
import { mostMemory, type Queues } from './machines.ts'
import { readJob } from './validate-job.ts'

/** Where dollars are known: list price of a vCPU with 2 GiB on Spot, us-east-1, to be checked by who deploys. */
const dollarsPerVcpuHour = 0.02
/** Stored numbers of a matrix that one shard may hold: about a gigabyte of memory while it is scored. */
const numbersPerShard = 60e6
const fewestShards = 2
const mostShards = 10_000
/** Stored numbers of training cells that a job holds at most, as its limits on cells make likely. */
const mostLearnt = 400e6
const mib = 2 ** 20

export async function planCompute(state: RoadState, environment: Environment): Promise<RoadState> {
  const { job, facts = [], genes, ontology } = state
  if (job === undefined || genes === undefined || ontology === undefined) throw missingPart('genes, ontology')
  const { work, models } = await openStores(environment)
  const { workflow, settings, model, inputs, documents } = await readJob(work, job)
  const labels = (await readJson<Record<string, LabelTerm>>(work, ontology.key)) ?? {}
  const all = await Promise.all(facts.map((part) => readFacts(work, part)))
  const matched = inputs.map((pin) => ({ pin, facts: all.find(({ pin: seen }) => seen.role === pin.role)! }))
  const [query, ...references] = matched.map(({ facts: seen }) => seen)
  const size = sizeOf(query === undefined ? [] : [query])
  const shards = shardsOf(size)
  const classes = model === null ? Object.keys(labels).length : (await findModel(models, model)).labels
  const training = sizeOf(references)
  const demand = { ...size, shards, labels: classes, training, compute: settings.compute }
  const queues = JSON.parse(setting(environment, 'CELLDROP_QUEUES')) as Queues
  const isLocal = environment.CELLDROP_LOCAL_FILES === '1'
  const expected = expectation(demand, isLocal)
  const notices = [
    ...(await noticesOf(work, genes.key.replace(/genes\.json$/, 'record.json'))),
    ...(await noticesOf(work, ontology.key.replace(/labels\.json$/, 'record.json'))),
  ]
  if (settings.compute === 'gpu' && queues.gpuSpot === undefined) notices.push(noGpu)
  const road: Road = {
    workflow,
    settings,
    inputs: matched,
    documents,
    model,
    genes: genes.key,
    labels,
    shards,
    notices,
    expected,
  }
  const key = `roads/${hashOf(road)}.json`
  await writeJsonOnce(work, key, road)
  const plan: PlanPart = {
    road: key,
    trains: rulesOf(settings).trains(settings),
    shards,
    steps: stepPlans(demand, queues),
    expected,
    retries: 0,
  }
  return { ...state, plan }
}

const noGpu: ErrorReport = {
  code: 'COMPUTE_NO_GPU',
  place: 'compute',
  problem: 'the job asks for a GPU and this installation has none: it is computed on processors',
  remedy: 'Leave out compute, or deploy the stack with GPUs',
}

interface Size {
  cells: number
  genes: number
  /** stored numbers of the matrix that is read */
  stored: number
}

interface Demand extends Size {
  shards: number
  labels: number
  /** of the references together */
  training: Size
  compute: 'auto' | 'cpu' | 'gpu'
}

function sizeOf(
  all: readonly {
    inspection: { matrices: { name: string; nnz: number; shape: [number, number] }[] }
    counts: { matrix: string }
  }[],
): Size {
  const size = { cells: 0, genes: 0, stored: 0 }
  for (const { inspection, counts } of all) {
    const matrix = inspection.matrices.find(({ name }) => name === counts.matrix)
    size.cells += matrix?.shape[0] ?? 0
    size.genes = Math.max(size.genes, matrix?.shape[1] ?? 0)
    size.stored += matrix?.nnz ?? 0
  }
  return size
}

function shardsOf({ cells, stored }: Size): number {
  const wanted = Math.ceil(stored / numbersPerShard)
  return Math.min(mostShards, Math.max(fewestShards, Math.min(wanted, cells)))
}

/** MiB of memory, measured and with room. */
function memoryOf(state: BatchState, { cells, genes, stored, shards, labels, training }: Demand): number {
  const perCell = { Prepare: 400, Fit: 0, Embed: 0, Label: 4000 + 12 * labels, Publish: 1500 + 12 * labels }[
    state
  ]
  const variable = Math.min(stored, cells * 400) * 12
  const learnt = Math.min(training.stored, mostLearnt)
  const held = {
    Prepare: variable + 16 * learnt,
    // standardised cells, of all and of each fold, and the scores of each
    Fit: 48 * learnt + 32 * training.cells * labels,
    Embed: (stored / shards) * 12,
    Label: 2 * variable,
    Publish: 0,
  }[state]
  const tables = genes * labels * 24
  const needed = 500 * mib + (perCell * cells + held + tables) * 1.5
  return roundUp((needed / mib) * 1.2)
}

/** Half gigabytes, so that like jobs are alike to Batch. */
function roundUp(memory: number): number {
  return Math.min(mostMemory, Math.max(2048, Math.ceil(memory / 512) * 512))
}

function stepPlans(demand: Demand, queues: Queues): Record<BatchState, StepPlan> {
  const gpuOf = (state: BatchState) =>
    demand.compute === 'gpu' && (state === 'Fit' || state === 'Embed') ? queues.gpuSpot : undefined
  const plan = (state: BatchState, vcpus = 2): StepPlan => ({
    queue: gpuOf(state) ?? queues.cpuSpot,
    resources: [
      { Type: 'VCPU', Value: String(vcpus) },
      { Type: 'MEMORY', Value: String(memoryOf(state, demand)) },
      ...(gpuOf(state) === undefined ? [] : [{ Type: 'GPU' as const, Value: '1' }]),
    ],
  })
  return {
    Prepare: plan('Prepare'),
    Fit: plan('Fit'),
    // one thread scores a shard
    Embed: plan('Embed', 1),
    Label: plan('Label'),
    Publish: plan('Publish'),
  }
}

/** Throughput on two vCPUs, from BENCHMARKS.md; a job in the cloud waits about three minutes for each machine besides. */
function expectation(
  { cells, stored, shards, training, labels }: Demand,
  isLocal: boolean,
): PlanPart['expected'] {
  const seconds = {
    prepare: (stored + training.stored) / 6e6,
    fit: (Math.min(training.stored, mostLearnt) * Math.max(1, labels)) / 20e6,
    embed: stored / 40e6,
    label: cells / 2500,
    publish: stored / 30e6 + cells / 50_000,
  }
  const working = seconds.prepare + seconds.fit + seconds.embed + seconds.label + seconds.publish
  if (isLocal) return { minutes: round((working + 5) / 60), dollars: null }
  const waiting = (training.cells > 0 ? 5 : 4) * 180
  const wall =
    seconds.prepare + seconds.fit + seconds.embed / shards + seconds.label + seconds.publish + waiting
  const dollars = ((working + waiting + shards * 60) / 3600) * 2 * dollarsPerVcpuHour
  return { minutes: round(wall / 60), dollars: Math.ceil(dollars * 100) / 100 }
}

function round(minutes: number): number {
  return Math.ceil(minutes * 10) / 10
}

async function noticesOf(work: Parameters<typeof readJson>[0], key: string) {
  return (await readJson<StepRecord>(work, key))?.notices ?? []
}
